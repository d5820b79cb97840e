"""How evenly and how widely the points of a front lie."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.core._io import Array, Senses, read
from paretokit.indicators._nearest import Cost, length, nearest, take, usable


def _gaps(front: Tensor, alive: Tensor, metric: str) -> Tensor:
    """Return each point's distance to the nearest other point, `[b, n]`, zero for rows that do not count."""
    cost = Cost.EUCLIDEAN if metric == "euclidean" else Cost.TAXICAB
    found = nearest(front, front, alive, cost, others=True)
    pairs = front - take(front, found)
    gap = length(pairs) if metric == "euclidean" else pairs.abs().sum(-1)
    return torch.where(alive & (found >= 0), gap, 0.0)


def spacing(
    values: Array,
    *,
    maximize: Senses = False,
    mask: Array | None = None,
    metric: Literal["manhattan", "euclidean"] = "manhattan",
    ddof: int = 1,
) -> Any:
    r"""Standard deviation of the distances from each point to its nearest neighbor.

    .. math:: \text{SP}(A) = \sqrt{\tfrac{1}{n - \delta} \sum_i (d_i - \bar d)^2}, \qquad
        d_i = \min_{j \ne i} \lVert a_i - a_j \rVert_1

    Zero for an evenly spaced front, whatever its extent; NaN for fewer than two points. Rows that are not finite are
    failed candidates and do not count. Differentiable with respect to a tensor of values.

    Args:
        values: Front A, `[*batch, n, m]`.
        maximize: Whether larger is better (spacing does not depend on it).
        mask: `[*batch, n]`, True where a row counts.
        metric: "manhattan" (Schott, pymoo) or "euclidean" (LibMOON).
        ddof: :math:`\delta`, 1 (Schott) or 0 (pymoo).

    Returns:
        `[*batch]`, NumPy or tensor as `values`.

    Cost: O(n^2 m) time, O(n) memory.

    Source: Schott (1995), Master's thesis, MIT.
    """
    check.known(metric, ("manhattan", "euclidean"), kind="metric")
    check.one_of((0, 1), ddof=ddof)
    points = read(values, maximize=maximize, mask=mask)
    front, alive = usable(points)
    gap, count = _gaps(front, alive, metric), alive.sum(-1)
    mean = gap.sum(-1, keepdim=True) / count.clamp_min(1).unsqueeze(-1)
    deviation = length(torch.where(alive, gap - mean, 0.0)) / (count - ddof).clamp_min(1).to(gap.dtype).sqrt()
    out = torch.where(count > 1, deviation, math.nan)
    return points.give(out.reshape(points.values.shape[:-2]))


def spread(
    values: Array,
    extremes: Array,
    *,
    maximize: Senses = False,
    mask: Array | None = None,
    variant: Literal["generalized", "deb"] = "generalized",
) -> Any:
    r"""Evenness and extent in one number: 0 for an even front that reaches all extremes.

    .. math:: \Delta(A) = \frac{\sum_{e \in E} \min_a \lVert e - a \rVert_2 + \sum_i |d_i - \bar d|}
        {\sum_{e \in E} \min_a \lVert e - a \rVert_2 + n \bar d}

    With "generalized", :math:`d_i` is the distance from point i to its nearest neighbor (Zhou et al. 2006, any m).
    With "deb" (two objectives), the points are sorted by the first objective, :math:`d_i` are the n - 1 distances of
    consecutive points, n is replaced by n - 1, and the extremes are measured from the first and the last point.
    Smaller is better; NaN for fewer than two points. Rows that are not finite are failed candidates and do not count.
    Differentiable with respect to a tensor of values.

    Args:
        values: Front A, `[*batch, n, m]`.
        extremes: E, `[e, m]`, the extreme points of the true front, in the senses of the front ("deb": two).
        maximize: Whether larger is better: a bool, or one an objective.
        mask: `[*batch, n]`, True where a row counts.
        variant: "generalized" or "deb".

    Returns:
        `[*batch]`, NumPy or tensor as `values`.

    Raises:
        ShapeError: If `extremes` do not fit the front, or the variant the number of objectives.
        InputError: If an extreme point is not finite.

    Cost: O(n^2 m) time, O(n) memory ("deb": O(n log n)).

    Source: Deb, Pratap, Agarwal and Meyarivan (2002), TEVC; Zhou, Jin, Zhang, Sendhoff and Tsang (2006), CEC.
    """
    check.known(variant, ("generalized", "deb"), kind="variant")
    points = read(values, maximize=maximize, mask=mask)
    ends = points.like("extremes", extremes).values
    check.shape(ends.ndim == 2 and ends.shape[0] >= 1, "extremes", f"have shape [e, {points.m}]", tuple(ends.shape))
    check.that(bool(torch.isfinite(ends).all()), "extremes", "be finite", ends.tolist())
    front, alive = usable(points)
    if variant == "deb":
        check.shape(points.m == 2, "values", "have two objectives for Deb's spread", points.m, 'variant="generalized"')
        check.shape(ends.shape[0] == 2, "extremes", "be two points for Deb's spread", ends.shape[0])
        far, gap, counted = _consecutive(front, alive, ends)
    else:
        found = nearest(ends.unsqueeze(0), front, alive, Cost.EUCLIDEAN).expand(front.shape[0], -1)
        far = length(ends - take(front, found)).sum(-1) if front.shape[1] else front.new_zeros(front.shape[0])
        gap, counted = _gaps(front, alive, "euclidean"), alive
    n = counted.sum(-1)
    mean = gap.sum(-1) / n.clamp_min(1)
    uneven = torch.where(counted, (gap - mean.unsqueeze(-1)).abs(), 0.0).sum(-1)
    whole = far + n * mean
    ratio = torch.where(whole > 0, (far + uneven) / torch.where(whole > 0, whole, 1.0), 0.0)
    out = torch.where(alive.sum(-1) > 1, ratio, math.nan)
    return points.give(out.reshape(points.values.shape[:-2]))


def _consecutive(front: Tensor, alive: Tensor, ends: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return for Deb's spread the distance to both extremes, the gaps of neighbors, and which of these count."""
    if front.shape[1] == 0:
        nothing = front.new_zeros(front.shape[:2])
        return nothing.sum(-1), nothing, alive
    key = torch.where(alive, front[..., 0].detach(), math.inf)
    order = key.argsort(dim=-1, stable=True)
    rows = take(front, order)
    count = alive.sum(-1)
    gap = length(rows[:, 1:] - rows[:, :-1])
    counted = torch.arange(1, front.shape[1], device=front.device) < count.unsqueeze(-1)
    last = take(rows, (count - 1).clamp_min(0).unsqueeze(-1)).squeeze(1)
    ends = ends[ends[:, 0].argsort()]
    far = length(rows[:, 0] - ends[0]) + length(last - ends[1])
    return far, torch.where(counted, gap, 0.0), counted
