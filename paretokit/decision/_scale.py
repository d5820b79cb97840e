"""What every decision rule starts from: a front scaled to the unit box, and a preference on the simplex."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from paretokit.core import Front, to_min
from paretokit.core import _check as check

Preference = Sequence[float] | Tensor


def non_empty(front: Front) -> None:
    """Raise `InputError` unless the front has a point."""
    check.that(len(front) > 0, "front", "hold at least one point to choose from", "an empty front")


def extremes(front: Front) -> tuple[Tensor, Tensor]:
    """Return the ideal point and the ranges of a front, minimized, float64 `[m]` each; a range of 0 counts as 1."""
    values = front.min_values.to(torch.float64)
    ideal = values.amin(0)
    span = values.amax(0) - ideal
    return ideal, torch.where(span > 0, span, 1.0)


def scaled(front: Front) -> Tensor:
    """Return the share of its range by which each value is worse than the best, `[n, m]`; 0 where there is no range."""
    non_empty(front)
    ideal, span = extremes(front)
    return (front.min_values.to(torch.float64) - ideal) / span


def preference_of(front: Front, preference: Preference | None) -> Tensor:
    """Return a preference on the simplex, float64 `[m]`; equal shares for None.

    Raises:
        ShapeError: If it does not have one entry an objective.
        InputError: If an entry is negative or not finite, or all are zero.
    """
    m = len(front.objectives)
    if preference is None:
        return torch.full((m,), 1.0 / m, dtype=torch.float64, device=front.values.device)
    w = check.point("preference", preference, m, like=front.values).to(torch.float64)
    good = bool(((w >= 0) & torch.isfinite(w)).all())
    check.that(good, "preference", "be non-negative and finite (a larger entry matters more)", w.tolist())
    check.that(bool(w.sum() > 0), "preference", "have a positive sum", w.tolist())
    return w / w.sum()


def aspiration_of(front: Front, aspiration: Preference | None) -> Tensor:
    """Return an aspiration point given in the user's senses, minimized, float64 `[m]`."""
    if aspiration is None:
        check.fail("aspiration", "be given for rule 'asf'", None, "the values you hope for, one per objective")
    z = check.point("aspiration", aspiration, len(front.objectives), like=front.values).to(torch.float64)
    check.that(bool(torch.isfinite(z).all()), "aspiration", "be finite", z.tolist())
    return to_min(z, front.objectives)
