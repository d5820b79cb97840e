"""Problems: what is traded off. Made by class or by versioned id: ``make("zdt1-v1", n_variables=30)``.

Importing this package imports no problem: every class is loaded when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import Any

from paretokit.core import _check as check
from paretokit.problems._registry import PROBLEMS
from paretokit.problems._registry import ids as list  # noqa: A004, F401 - the contract's word
from paretokit.problems._registry import make as make

_LAZY: dict[str, str] = {
    **{path.partition(":")[2]: path.partition(":")[0] for path in PROBLEMS.paths.values()},
    "CompositionalDesign": "paretokit.problems.design._design",
    "ContinualLearning": "paretokit.problems.continual._continual",
    "DomainAdaptation": "paretokit.problems.adaptation._adaptation",
    "MORL": "paretokit.problems.morl._morl",
    "ModelMerging": "paretokit.problems.merging._merging",
    "MultiTask": "paretokit.problems.multitask._multitask",
    "external": "paretokit.problems._function",
    "from_function": "paretokit.problems._function",
    "from_pygmo": "paretokit.problems._foreign",
    "from_pymoo": "paretokit.problems._foreign",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        hint = check.nearest(name, _LAZY)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}" + (f"; {hint}" if hint else ""))
    return getattr(importlib.import_module(_LAZY[name]), name)


__all__ = sorted([*_LAZY, "list", "make"])
