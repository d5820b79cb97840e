"""Compositional design: objects built step by step, for samplers (GFlowNets) and for every generic solver.

pk.problems.HyperGrid(objectives=("currin", "shubert"), side=32)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from paretokit.core import _check as check

if TYPE_CHECKING:
    from paretokit.problems.design._design import CompositionalDesign
    from paretokit.problems.design._environment import DesignEnvironment
    from paretokit.problems.design._hypergrid import GridEnvironment, HyperGrid
    from paretokit.problems.design._sequences import AppendEnvironment, SequenceProblem
    from paretokit.problems.design._states import States

__all__ = [
    "AppendEnvironment",
    "CompositionalDesign",
    "DesignEnvironment",
    "GridEnvironment",
    "HyperGrid",
    "SequenceProblem",
    "States",
]

_HOMES = {
    "AppendEnvironment": "_sequences",
    "CompositionalDesign": "_design",
    "DesignEnvironment": "_environment",
    "GridEnvironment": "_hypergrid",
    "HyperGrid": "_hypergrid",
    "SequenceProblem": "_sequences",
    "States": "_states",
}

DESIGN: dict[str, str] = {"hypergrid-v1": f"{__name__}._hypergrid:HyperGrid"}


def __getattr__(name: str) -> Any:
    """Import a class when it is first named."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    hint = check.nearest(name, _HOMES)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}" + (f"; {hint}" if hint else ""))
