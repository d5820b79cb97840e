"""Which preferences a front is asked for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.indicators import lattice_size, riesz_energy_points, simplex_lattice

Preferences = int | Sequence[Sequence[float]] | Tensor | None
PARTITIONS = {1: 1, 2: 24, 3: 6, 4: 4}
MARGIN = 1e-3
"""Least share of a preference that is laid out here, so that no objective is left to itself."""


def checked(given: Preferences) -> int | tuple[tuple[float, ...], ...] | None:
    """Return a number of preferences, or rows on the simplex.

    Raises:
        InputError: If a row does not lie on the simplex, or there is none.
    """
    if given is None:
        return None
    if isinstance(given, int):
        check.at_least(1, preferences=given)
        return given
    found = given.tolist() if isinstance(given, Tensor) else given
    rows = tuple(tuple(float(v) for v in row) for row in found)
    check.at_least(1, preferences=len(rows))
    for row in rows:
        whole = min(row, default=-1.0) >= 0 and abs(sum(row) - 1) < 1e-6
        check.that(whole, "preferences", "be rows on the simplex", list(row))
    return rows


def rows_of(given: int | tuple[tuple[float, ...], ...] | None, m: int) -> Tensor:
    """Return the preferences `[P, m]`, float64: the given rows, or evenly spread ones, a little away from zero."""
    if isinstance(given, tuple):
        return torch.tensor(given, dtype=torch.float64)
    if m == 1:
        return torch.ones(given or 1, 1, dtype=torch.float64)
    partitions = PARTITIONS.get(m, 2)
    if given is not None:
        if given == 1:
            return torch.full((1, m), 1 / m, dtype=torch.float64)
        partitions = next(h for h in range(1, given + 1) if lattice_size(m, h) >= given or m == 1)
        if lattice_size(m, partitions) != given:
            spread = riesz_energy_points(m, given, Rng.from_seed(0))
            return MARGIN + (1 - m * MARGIN) * spread
    return MARGIN + (1 - m * MARGIN) * simplex_lattice(m, partitions)
