"""Reference directions on the unit simplex, as NSGA-III and MOEA/D take them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import cast

import torch
from torch import Tensor

from paretokit.core import Problem
from paretokit.core import _check as check
from paretokit.indicators import simplex_lattice, two_layer_lattice

Partitions = int | tuple[int, int]
Directions = tuple[tuple[float, ...], ...]
Given = Sequence[Sequence[float]] | Tensor | None
# customary lattices (Das and Dennis 1998; two layers as in Deb and Jain 2014, tables I and VIII)
DEFAULTS: dict[int, Partitions] = {
    1: 1,
    2: 99,
    3: 12,
    4: 8,
    5: 6,
    6: (4, 1),
    7: (3, 2),
    8: (3, 2),
    9: (3, 2),
    10: (3, 2),
}
LARGE: Partitions = (2, 1)


def checked_directions(given: Given) -> Directions | None:
    """Return directions as nested tuples, or raise one line."""
    if given is None:
        return None
    rows = torch.as_tensor(given, dtype=torch.float64)
    check.shape(rows.ndim == 2 and len(rows) >= 1, "reference_directions", "have shape [k, m]", tuple(rows.shape))
    legal = bool(torch.isfinite(rows).all()) and bool((rows >= 0).all()) and bool((rows.sum(1) > 0).all())
    check.that(legal, "reference_directions", "be finite, at least 0, and not all 0 in a row", rows.tolist()[:3])
    return tuple(tuple(row) for row in rows.tolist())


def checked_partitions(given: Partitions | None) -> None:
    """Raise unless partitions are a whole number or a pair of them."""
    if given is None:
        return
    layers = given if isinstance(given, tuple) else (given,)
    check.that(
        len(layers) in (1, 2) and all(isinstance(p, int) and p >= 1 for p in layers),
        "partitions",
        "be a whole number of at least 1, or two for an outer and an inner layer",
        repr(given),
    )


@lru_cache(maxsize=16)
def _directions(given: Directions | None, partitions: Partitions | None, m: int) -> Tensor:
    if given is not None:
        return torch.tensor(given, dtype=torch.float64)
    size = partitions if partitions is not None else DEFAULTS.get(m, LARGE)
    return two_layer_lattice(m, *size) if isinstance(size, tuple) else simplex_lattice(m, size)


def directions_of(given: Given, partitions: Partitions | None, m: int) -> Tensor:
    """Return directions `[k, m]` for m objectives: the given ones, or a lattice (customary by default)."""
    return _directions(cast(Directions | None, given), partitions, m)


def misfit(given: Given, problem: Problem) -> str | None:
    """Tell where given directions have another number of objectives than a problem."""
    rows = cast(Directions | None, given)
    if rows is None or len(rows[0]) == problem.n_objectives:
        return None
    return f"its reference directions have {len(rows[0])} columns, the problem has {problem.n_objectives} objectives"


@lru_cache(maxsize=16)
def _neighborhoods(given: Directions | None, partitions: Partitions | None, m: int, count: int) -> Tensor:
    rows = _directions(given, partitions, m)
    distance = (rows.unsqueeze(1) - rows.unsqueeze(0)).square().sum(-1)
    return distance.argsort(dim=1, stable=True)[:, :count].contiguous()


def neighborhoods(given: Given, partitions: Partitions | None, m: int, count: int) -> Tensor:
    """Return the `count` nearest directions of each, itself the first, `[k, count]` (fewer where there are fewer)."""
    return _neighborhoods(cast(Directions | None, given), partitions, m, count)
