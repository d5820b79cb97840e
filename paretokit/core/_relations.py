"""Relations beside plain non-dominance: pairs of points, boxes of a tolerance, crowding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.core._dominance import non_dominated, pareto_rank, read_rows
from paretokit.core._io import Array, Return, Senses, as_array, as_tensor, senses


def dominates(a: Array, b: Array, *, maximize: Senses = False, weakly: bool = False) -> Any:
    r"""Tell for each pair of points whether the first dominates the second.

    .. math:: a \prec b \iff a_i \le b_i \ \forall i \ \text{and} \ a \ne b \quad \text{(minimization)}

    A point that is not finite is a failed candidate: every finite point dominates it, and it dominates nothing.

    Args:
        a: Points, `[..., m]`.
        b: Points, `[..., m]`; leading axes broadcast.
        maximize: Whether larger is better: a bool, or one an objective.
        weakly: Whether equal points dominate each other.

    Returns:
        Bool `[...]`; a tensor where one of the two is one.

    Raises:
        ShapeError: If shapes do not fit each other.
    """
    numpy = not (isinstance(a, Tensor) or isinstance(b, Tensor))
    first, second = (p if isinstance(p, Tensor) else as_tensor(as_array(p, n)) for n, p in (("a", a), ("b", b)))
    for name, tensor in (("a", first), ("b", second)):
        check.shape(tensor.ndim >= 1 and tensor.shape[-1] >= 1, name, "have shape [..., m]", tuple(tensor.shape))
    check.same_last_dim(a=first, b=second)
    larger = torch.tensor(senses(maximize, first.shape[-1]), device=first.device)
    second = second.to(first.device)
    good, fine = torch.isfinite(first).all(-1), torch.isfinite(second).all(-1)
    below = torch.where(larger, first >= second, first <= second).all(-1)
    out = below if weakly else below & (first != second).any(-1)
    return Return(numpy)(good & (out | ~fine))


def epsilon_non_dominated(
    values: Array, epsilon: float | Sequence[float] | Array, *, maximize: Senses = False, mask: Array | None = None
) -> Any:
    r"""Tell which points represent the non-dominated boxes of a grid: a front thinned to a resolution.

    Points are put into boxes :math:`\lfloor a_i / \varepsilon_i \rfloor` (values in minimization sense). A point stays
    if no other box dominates its own, and if it is the one of its box that lies nearest to the box's best corner (in
    units of :math:`\varepsilon`; the first of equals). What stays is non-dominated, and every point is dominated by
    a kept one up to :math:`\varepsilon`.

    Args:
        values: Points, `[*batch, n, m]`.
        epsilon: Edge of the boxes, positive: one number, or one an objective.
        maximize: Whether larger is better: a bool, or one an objective.
        mask: `[*batch, n]`, True where a row counts.

    Returns:
        Bool `[*batch, n]`, NumPy or tensor as `values`.

    Raises:
        ShapeError: If shapes do not fit each other.
        InputError: If `epsilon` is not positive and finite.

    Cost: that of `non_dominated`.

    Source: Laumanns, Thiele, Deb and Zitzler (2002), Evolutionary Computation.
    """
    rows, alive, give = read_rows(values, maximize, mask)
    m = rows.shape[-1]
    edge = check.point("epsilon", [epsilon] * m if isinstance(epsilon, int | float) else epsilon, m, like=rows)
    check.that(bool(((edge > 0) & torch.isfinite(edge)).all()), "epsilon", "be positive and finite", edge.tolist())
    alive = alive & torch.isfinite(rows).all(-1)
    scaled = torch.where(alive.unsqueeze(-1), rows, 0.0) / edge
    boxes = torch.floor(scaled)
    # nearest to the corner first, so that the first of equal boxes is the one to keep
    order = (scaled - boxes).square().sum(-1).argsort(dim=-1, stable=True)
    ordered = boxes.gather(-2, order.unsqueeze(-1).expand_as(boxes))
    kept = non_dominated(ordered, keep_duplicates=False, mask=alive.gather(-1, order))
    # boxes of points on one edge can tie in the grid while the points do not: a last filter among the kept
    kept = torch.zeros_like(alive).scatter_(-1, order, kept)
    return give(non_dominated(rows, mask=kept))


def crowding_distance(
    values: Array, *, ranks: Array | None = None, maximize: Senses = False, mask: Array | None = None
) -> Any:
    r"""Sum over objectives of the normalized gap between the two neighbors of each point in its front.

    .. math:: c(p) = \sum_i \frac{f_i(\text{next}_i(p)) - f_i(\text{previous}_i(p))}{\max f_i - \min f_i}

    The ends of each objective's order get +inf. An objective without range in a front adds nothing, and its ends are
    not set apart. Rows that are not finite get 0.

    Args:
        values: Points, `[*batch, n, m]`.
        ranks: Front of each point, `[*batch, n]`, as `pareto_rank` gives it; None computes it.
        maximize: Whether larger is better (used only for missing `ranks`).
        mask: `[*batch, n]`, True where a row counts; others get 0.

    Returns:
        `[*batch, n]`, NumPy or tensor as `values`.

    Raises:
        ShapeError: If shapes do not fit each other.

    Cost: O(m n log n), beside the ranking.

    Source: Deb, Pratap, Agarwal and Meyarivan (2002), TEVC. Equal values are ordered by their row number.
    """
    rows, alive, give = read_rows(values, maximize, mask)
    if ranks is None:
        front = pareto_rank(rows, mask=alive)
    else:
        front = (ranks if isinstance(ranks, Tensor) else as_tensor(as_array(ranks, "ranks"))).to(rows.device)
        front = front.to(torch.int64)
        check.shape(front.shape == alive.shape, "ranks", f"have shape {tuple(alive.shape)}", tuple(front.shape))
    alive = alive & torch.isfinite(rows).all(-1)
    n, m = rows.shape[-2:]
    total = torch.zeros(alive.shape, dtype=rows.dtype, device=rows.device)
    if total.numel() == 0:
        return give(total)
    front = torch.where(alive, front, front.amax() + 1).reshape(-1, n)
    flat, out = rows.reshape(-1, n, m), total.view(-1, n)
    for j in range(m):
        column = torch.where(alive.reshape(-1, n), flat[..., j], 0.0)
        order = column.argsort(dim=1, stable=True)
        order = order.gather(1, front.gather(1, order).argsort(dim=1, stable=True))
        out.scatter_add_(1, order, _gaps(column.gather(1, order), front.gather(1, order)))
    return give(torch.where(alive, total, 0.0))


def _gaps(column: Tensor, front: Tensor) -> Tensor:
    """Return next minus previous over the range, for columns `[b, n]` sorted within consecutive fronts."""
    n = column.shape[1]
    place = torch.arange(n, device=column.device).expand_as(column)
    change = torch.nn.functional.pad(front[:, 1:] != front[:, :-1], (1, 1), value=True)
    begin = torch.where(change[:, :-1], place, 0).cummax(1).values
    end = torch.where(change[:, 1:], place, n).flip(1).cummin(1).values.flip(1)
    span = column.gather(1, end) - column.gather(1, begin)
    inner = column.gather(1, (place + 1).clamp_max(n - 1)) - column.gather(1, (place - 1).clamp_min(0))
    gap = torch.where((place == begin) | (place == end), math.inf, inner / torch.where(span > 0, span, 1.0))
    return torch.where(span > 0, gap, torch.where(begin == end, math.inf, 0.0))
