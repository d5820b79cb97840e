"""A solver's settings lie in the problem's bounds of coefficients, or a message says how to widen these."""

from __future__ import annotations

from collections.abc import Sequence

from paretokit.core import Problem
from paretokit.core import _check as check
from paretokit.problems.merging import ModelMerging


def outside(problem: ModelMerging, values: Sequence[float]) -> bool:
    """Return whether one of several coefficients lies outside the problem's bounds."""
    low, high = problem.bounds
    return min(values) < low or max(values) > high


def check_inside(problem: Problem, values: Sequence[float], *, setting: str | None, solver: str) -> None:
    """Raise `InputError` where coefficients that a solver uses lie outside a merging problem's bounds.

    Args:
        problem: Any problem; others than `ModelMerging` are somebody else's concern.
        values: The coefficients.
        setting: The solver's option that says them; None where the method knows no other.
        solver: Its name.
    """
    if not isinstance(problem, ModelMerging) or not outside(problem, values):
        return
    low, high = problem.bounds
    wider = f"bounds=({min(low, *values):g}, {max(high, *values):g})"
    wrong = next(v for v in values if not low <= v <= high)
    if setting is None:
        rule = f"hold {wrong:g}, the coefficient with which {solver} merges"
        check.fail("bounds", rule, f"({low:g}, {high:g})", f"make the problem with {wider}")
    got = f"{wrong:g}" if setting == "scale" else f"({', '.join(f'{v:g}' for v in values)})"
    rule = f"lie in the problem's bounds ({low:g}, {high:g})"
    check.fail(setting, rule, got, f"or make the problem with {wider}")
