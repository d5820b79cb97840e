"""Bounds of coefficients: two increasing numbers."""

from __future__ import annotations

import math

from paretokit.core import _check as check
from paretokit.core._kinds import Kind


def checked_bounds(bounds: object) -> tuple[float, float]:
    """Return bounds as two floats.

    Raises:
        InputError: If they are not two finite numbers, the smaller one first.
    """
    pair = bounds if isinstance(bounds, list | tuple) and len(bounds) == 2 else ()
    if not pair or not all(Kind(float).holds(b) and math.isfinite(b) for b in pair):
        check.fail("bounds", "be two numbers", repr(bounds), "of the coefficients, such as (0, 1)")
    low, high = pair
    check.that(low < high, "bounds", "increase", bounds, "are they the wrong way round?")
    return low, high
