"""The table from problem ids to classes; nothing is imported until an id is made."""

from __future__ import annotations

from typing import Any

from paretokit.core import Problem, Registry
from paretokit.problems.engineering import ENGINEERING
from paretokit.problems.synthetic import SYNTHETIC

PROBLEMS = Registry("problem", {**SYNTHETIC, **ENGINEERING})


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


def ids() -> list[str]:
    """Return the ids of all problems, sorted."""
    return PROBLEMS.names()
