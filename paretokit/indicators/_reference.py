"""Points that bound a front: ideal, nadir, and a reference point for hypervolume."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.core._dominance import non_dominated
from paretokit.core._io import Array, Points, Senses, flip, read
from paretokit.indicators._weights import lattice_size


def _bounds(points: Points, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return best and worst values over the rows of a mask, in minimization sense, NaN without rows."""
    counted = (mask & torch.isfinite(points.values).all(-1)).unsqueeze(-1)
    if points.values.shape[-2] == 0:
        none = points.values.new_full((*points.values.shape[:-2], points.m), math.nan)
        return none, none
    some = counted.any(-2)
    low = torch.where(counted, points.values, math.inf).amin(-2)
    high = torch.where(counted, points.values, -math.inf).amax(-2)
    return torch.where(some, low, math.nan), torch.where(some, high, math.nan)


def _front_bounds(points: Points) -> tuple[Tensor, Tensor]:
    front = non_dominated(points.values.detach(), mask=points.mask)
    return _bounds(points, front)


def ideal_point(values: Array, *, maximize: Senses = False, mask: Array | None = None) -> Any:
    """Best value of each objective, `[*batch, m]`, in the senses of the front; NaN for an empty front.

    Rows that are not finite are failed candidates and do not count.

    Args:
        values: Points, `[*batch, n, m]`.
        maximize: Whether larger is better: a bool, or one an objective.
        mask: `[*batch, n]`, True where a row counts.
    """
    points = read(values, maximize=maximize, mask=mask)
    return points.give(flip(_bounds(points, points.mask)[0], points.senses))


def nadir_point(values: Array, *, maximize: Senses = False, mask: Array | None = None) -> Any:
    """Worst value of each objective among the non-dominated points, `[*batch, m]`, in the senses of the front.

    NaN for an empty front. Rows that are not finite are failed candidates and do not count.

    Args:
        values: Points, `[*batch, n, m]`.
        maximize: Whether larger is better: a bool, or one an objective.
        mask: `[*batch, n]`, True where a row counts.
    """
    points = read(values, maximize=maximize, mask=mask)
    return points.give(flip(_front_bounds(points)[1], points.senses))


def infer_reference_point(
    values: Array,
    *,
    rule: Literal["range", "lattice"] = "range",
    fraction: float = 0.1,
    partitions: int | None = None,
    maximize: Senses = False,
    mask: Array | None = None,
) -> Any:
    r"""Reference point for hypervolume a little worse than the nadir point of a set.

    .. math:: r_i = z^{nad}_i + s \, (z^{nad}_i - z^{ide}_i) \quad \text{(minimization)}

    Rule "range" takes s = `fraction`. Rule "lattice" takes s = 1 / H, with which the extreme points of an even front
    of as many points as a lattice of H partitions contribute as much as the others; H is `partitions`, or the largest
    whose lattice holds no more points than the front. An objective without range counts as one of range
    :math:`\max(|z^{nad}_i|, 1)`.

    Compare fronts with one reference point inferred from their union, never with one each.

    Args:
        values: Points, `[*batch, n, m]`.
        rule: "range" or "lattice".
        fraction: s of rule "range", at least 0 (0: points on the boundary add no volume).
        partitions: H of rule "lattice".
        maximize: Whether larger is better: a bool, or one an objective.
        mask: `[*batch, n]`, True where a row counts.

    Returns:
        `[*batch, m]`, in the senses of the front; NumPy or tensor as `values`.

    Raises:
        InputError: If a set has no finite point, or an argument is out of range.

    Source: Ishibuchi, Imada, Setoguchi and Nojima (2018), Evolutionary Computation (rule "lattice").
    """
    check.known(rule, ("range", "lattice"), kind="rule")
    check.that(fraction >= 0 and math.isfinite(fraction), "fraction", "be finite and at least 0", repr(fraction))
    if partitions is not None:
        check.at_least(1, partitions=partitions)
    points = read(values, maximize=maximize, mask=mask)
    front = non_dominated(points.values.detach(), mask=points.mask, keep_duplicates=False)
    count = front.sum(-1, keepdim=True)
    hint = "give the reference point yourself"
    check.that(bool((count > 0).all()), "values", "hold at least one finite point", "none", hint)
    ideal, nadir = _bounds(points, front)
    width = nadir - ideal
    width = torch.where(width > 0, width, nadir.abs().clamp_min(1.0))
    scale: Tensor | float = fraction
    if rule == "lattice":
        sizes = count.flatten().tolist()
        each = [1 / (partitions or _partitions(points.m, size)) for size in sizes]
        scale = torch.tensor(each, dtype=width.dtype, device=width.device).reshape(count.shape)
    return points.give(flip(nadir + scale * width, points.senses))


def _partitions(m: int, size: int) -> int:
    """Return the largest H >= 1 whose lattice has at most `size` points."""
    if m == 1:
        return max(1, size)
    h = 1
    while lattice_size(m, h + 1) <= size:
        h += 1
    return h
