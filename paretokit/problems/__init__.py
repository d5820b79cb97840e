"""Problems: what is traded off. Made by class or by versioned id: ``make("zdt1-v1", n_variables=30)``.

Importing this package imports no problem: every class is loaded when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import Any

from paretokit.core import Problem
from paretokit.problems._registry import PROBLEMS

_CLASSES = {path.partition(":")[2]: path.partition(":")[0] for path in PROBLEMS.paths.values()}
_FUNCTIONS = {}


def make(id: str, **options: Any) -> Problem:  # noqa: A002 - the contract's word
    """Return the problem of a versioned id: ``make("dtlz2-v1", n_objectives=3)``.

    Args:
        id: One of `list()`.
        options: What the class's constructor takes.

    Raises:
        UnknownNameError: For an unknown id or option; the message offers the nearest names.
    """
    problem: Problem = PROBLEMS.make(id, options)
    return problem


def list() -> list[str]:  # noqa: A001 - the contract's word
    """Return the ids of all problems, sorted."""
    return PROBLEMS.names()


def __getattr__(name: str) -> Any:
    module = _CLASSES.get(name) or _FUNCTIONS.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(module), name)


__all__ = sorted([*_CLASSES, *_FUNCTIONS, "list", "make"])
