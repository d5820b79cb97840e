"""One scoring for all fronts of a problem: its own, and what it lacks from the union of the fronts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from paretokit.core import Front, InputError, Scoring, to_min
from paretokit.indicators import score_many


def shared_scoring(fronts: Sequence[Front], scoring: Scoring) -> tuple[Scoring, tuple[str, ...]]:
    """Fill what the scoring lacks from the union of all fronts: its ideal, its nadir, and a tenth of the range more.

    Beside it the names of what was filled.
    """
    missing = tuple(n for n in ("ideal", "nadir", "reference_point") if getattr(scoring, n) is None)
    values = [front.min_values for front in fronts if len(front)]
    if not missing or not values:
        return scoring, ()
    objectives = fronts[0].objectives
    union = fronts[0].merge(*fronts[1:]).min_values
    low, high = union.amin(0), union.amax(0)
    points = {"ideal": low, "nadir": high, "reference_point": high + 0.1 * (high - low)}
    filled = {n: tuple(to_min(p, objectives).tolist()) for n, p in points.items() if n in missing}
    return (
        replace(
            scoring,
            ideal=filled.get("ideal", scoring.ideal),
            nadir=filled.get("nadir", scoring.nadir),
            reference_point=filled.get("reference_point", scoring.reference_point),
        ),
        missing,
    )


def scores_of(fronts: Sequence[Front], indicator: str, scoring: Scoring) -> list[float] | None:
    """Return an indicator of every front, or None where the problem does not define it."""
    try:
        return score_many(fronts, indicator, scoring=scoring)
    except InputError:
        return None
