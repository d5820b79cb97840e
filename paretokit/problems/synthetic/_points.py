"""Evenly spread points of fronts: simplex lattices, cubes, unions of intervals."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from paretokit.problems._thin import thin

DEFAULT = 1000  # points of a continuous front unless the caller says how many

Intervals = Sequence[tuple[float, float]]


def lattice(m: int, partitions: int) -> Tensor:
    """Return all points of the unit simplex with coordinates ``i / partitions`` (Das and Dennis, 1998), `[n, m]`."""
    bars = torch.tensor(list(itertools.combinations(range(partitions + m - 1), m - 1)), dtype=torch.float64)
    bars = bars.reshape(-1, m - 1)
    ends = torch.full((bars.shape[0], 1), -1.0, dtype=torch.float64)
    counts = torch.diff(torch.cat([ends, bars, ends + partitions + m], 1), dim=1) - 1
    return counts / partitions


def simplex(n: int, m: int) -> Tensor:
    """Return at least n points of the unit simplex, corners included, `[>= n, m]`.

    One lattice where it has inner points; else, from five objectives on, a second one shrunk by half towards the
    center (Deb and Jain, 2014).
    """
    if m == 1:
        return torch.ones(1, 1, dtype=torch.float64)
    partitions = 1
    while math.comb(partitions + m - 1, m - 1) < n:
        partitions += 1
    if partitions >= m:
        return lattice(m, partitions)
    outer = 1
    while math.comb(outer + m - 1, m - 1) + math.comb(max(outer, 2) - 1 + m - 1, m - 1) < n:
        outer += 1
    inner = 0.5 * lattice(m, max(outer, 2) - 1) + 0.5 / m
    return torch.cat([lattice(m, outer), inner])


def cube(n: int, d: int) -> Tensor:
    """Return n evenly spread points of the unit cube `[n, d]`; corners first where they are few.

    A grid in one dimension, else the Kronecker sequence of the generalized golden ratio (Roberts, 2018).
    """
    if d == 1:
        return torch.linspace(0, 1, n, dtype=torch.float64)[:, None]
    corners = torch.empty(0, d, dtype=torch.float64)
    if 2**d <= n // 2:
        corners = torch.tensor(list(itertools.product((0.0, 1.0), repeat=d)), dtype=torch.float64)
    ratio = 2.0
    for _ in range(64):
        ratio = (1 + ratio) ** (1 / (d + 1))
    steps = ratio ** -torch.arange(1, d + 1, dtype=torch.float64)
    counts = torch.arange(1, n - corners.shape[0] + 1, dtype=torch.float64)[:, None]
    return torch.cat([corners, (0.5 + counts * steps) % 1])


def along(t: Tensor, intervals: Intervals) -> Tensor:
    """Return t in [0, 1] mapped onto a union of intervals, in proportion to their lengths, ends included."""
    out = torch.full_like(t, intervals[-1][1])
    left = t * sum(b - a for a, b in intervals)
    open_ = torch.ones_like(t, dtype=torch.bool)
    for a, b in intervals:
        here = open_ & (left <= b - a)
        out = torch.where(here, (a + left).clamp(max=b), out)
        open_ = open_ & ~here
        left = left - (b - a)
    return out


def grid(n: int, intervals: Intervals) -> Tensor:
    """Return n ordered points of a union of intervals, every interval's ends included where n allows, `[n]`."""
    if n < 2 * len(intervals):
        return along(torch.linspace(0, 1, n, dtype=torch.float64), intervals)
    total = sum(b - a for a, b in intervals)
    free = n - 2 * len(intervals)
    shares = [free * (b - a) / total for a, b in intervals]
    sizes = [2 + int(share) for share in shares]
    for i in sorted(range(len(shares)), key=lambda i: int(shares[i]) - shares[i])[: n - sum(sizes)]:
        sizes[i] += 1
    return torch.cat([torch.linspace(a, b, s, dtype=torch.float64) for (a, b), s in zip(intervals, sizes, strict=True)])


def thinned(surface: Callable[[int], Tensor], n: int | None) -> Tensor:
    """Return n spread points of a surface whose sampler may give any number of rows; all of `DEFAULT` for None."""
    if n is None:
        return surface(DEFAULT)
    asked = n
    points = surface(asked)
    while points.shape[0] < n:
        asked *= 2
        points = surface(asked)
    return thin(points, n)


def staircase(values: Tensor) -> Tensor:
    """Return the non-dominated rows of minimized values `[n, 2]` once each, by their first value. Cost O(n log n)."""
    rows = values[values[:, 1].argsort(stable=True)]
    rows = rows[rows[:, 0].argsort(stable=True)]
    best = torch.cat([rows.new_full((1,), torch.inf), rows[:, 1].cummin(0).values[:-1]])
    return rows[rows[:, 1] < best]


def strided(rows: Tensor, n: int) -> Tensor:
    """Return n of the rows of a staircase `[k >= n, 2]`, ends included, evenly along it; jumps count as one step."""
    k = rows.shape[0]
    if k <= n:
        return rows
    span = (rows.amax(0) - rows.amin(0)).clamp_min(1e-300)
    steps = ((rows[1:] - rows[:-1]) / span).norm(dim=-1)
    length = torch.cat([steps.new_zeros(1), steps.clamp(max=4 * float(steps.median())).cumsum(0)])
    order = torch.arange(n)
    index = torch.searchsorted(length, torch.linspace(0, 1, n, dtype=rows.dtype) * length[-1]).clamp(max=k - 1)
    index = (index - order).cummax(0).values + order  # strictly increasing
    return rows[torch.minimum(index, k - n + order)]
