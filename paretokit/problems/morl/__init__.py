"""Multi-objective reinforcement learning: environments on tensors, Gymnasium's and MuJoCo's beside them, one problem.

pk.problems.MORL("minecart-v0")
pk.problems.MORL("mo-hopper-2obj-v5", policy=pk.problems.morl.Network(hidden=(64, 64)), horizon=500)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from paretokit.core import _check as check

if TYPE_CHECKING:
    from paretokit.problems.morl._architecture import Architecture
    from paretokit.problems.morl._environment import Continuous, Discrete, Environment, Move
    from paretokit.problems.morl._morl import MORL
    from paretokit.problems.morl._network import Network
    from paretokit.problems.morl._policy import Policy
    from paretokit.problems.morl._tabular import Table

__all__ = ["MORL", "Architecture", "Continuous", "Discrete", "Environment", "Move", "Network", "Policy", "Table"]

_HOMES = {
    "MORL": "_morl",
    "Architecture": "_architecture",
    "Continuous": "_environment",
    "Discrete": "_environment",
    "Environment": "_environment",
    "Move": "_environment",
    "Network": "_network",
    "Policy": "_policy",
    "Table": "_tabular",
}


def __getattr__(name: str) -> Any:
    """Import a class when it is first named."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    hint = check.nearest(name, _HOMES)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}" + (f"; {hint}" if hint else ""))
