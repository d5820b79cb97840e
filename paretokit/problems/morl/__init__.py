"""Multi-objective reinforcement learning: environments on tensors, Gymnasium's and MuJoCo's beside them, one problem.

pk.problems.MORL("minecart-v0")
pk.problems.MORL("mo-hopper-2obj-v5", policy=pk.problems.morl.Network(hidden=(64, 64)), horizon=500)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paretokit.core._lazy import lazy_names

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

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
