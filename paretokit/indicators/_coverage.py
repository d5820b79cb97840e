"""Counting indicators: how much of another set is dominated, and how many points a front holds."""

from __future__ import annotations

import math
from typing import Any

import torch

from paretokit.core import _check as check
from paretokit.core._dominance import non_dominated
from paretokit.core._io import Array, Senses, read
from paretokit.indicators._nearest import Cost, nearest, take, usable


def coverage(
    values: Array,
    others: Array,
    *,
    maximize: Senses = False,
    mask: Array | None = None,
    others_mask: Array | None = None,
) -> Any:
    r"""Share of another set that a front weakly dominates (the C-metric).

    .. math:: C(A, B) = \frac{|\{ b \in B : \exists a \in A, \ a \preceq b \}|}{|B|}

    Larger is better for A. It is not symmetric: report both directions. 0 for an empty A, NaN for an empty B. Rows
    that are not finite are failed candidates and do not count. No gradient.

    Args:
        values: Front A, `[*batch, n, m]`.
        others: Set B, `[k, m]` or `[*batch, k, m]`, in the senses of A.
        maximize: Whether larger is better: a bool, or one an objective.
        mask: `[*batch, n]`, True where a row of A counts.
        others_mask: `[k]` or `[*batch, k]`, True where a row of B counts.

    Returns:
        `[*batch]`, NumPy or tensor as `values`.

    Raises:
        ShapeError: If shapes do not fit each other.

    Cost: O(n k m) time, O(n + k) memory.

    Source: Zitzler and Thiele (1998), PPSN.
    """
    points = read(values, maximize=maximize, mask=mask)
    known = points.like("others", others, mask=others_mask)
    batch = points.values.shape[:-2]
    check.shape(
        known.values.shape[:-2] in (torch.Size([]), batch),
        "others",
        f"have no leading axes or those of `values`, {tuple(batch)}",
        tuple(known.values.shape[:-2]),
    )
    front, alive = usable(points)
    target, wanted = usable(known)
    front, alive = front.detach(), alive
    wanted = wanted.expand(front.shape[0], -1)
    if front.shape[1]:
        found = nearest(target, front, alive, Cost.WORST)
        covered = ((take(front, found) <= target.detach()).all(-1) & (found >= 0) & wanted).sum(-1)
    else:
        covered = torch.zeros(front.shape[0], dtype=torch.int64, device=front.device)
    count = wanted.sum(-1)
    share = torch.where(count > 0, covered.to(front.dtype) / count.clamp_min(1), math.nan)
    return points.give(share.reshape(batch))


def cardinality(values: Array, *, maximize: Senses = False, mask: Array | None = None, tolerance: float = 0.0) -> Any:
    """Number of different non-dominated points.

    Larger is better; 0 for an empty front. Rows that are not finite are failed candidates and do not count.

    Args:
        values: Front A, `[*batch, n, m]`.
        maximize: Whether larger is better: a bool, or one an objective.
        mask: `[*batch, n]`, True where a row counts.
        tolerance: Edge of the cells of a grid anchored at 0; non-dominated points in one cell count once. 0 counts
            different points.

    Returns:
        int64 `[*batch]`, NumPy or tensor as `values`.

    Raises:
        InputError: If `tolerance` is negative or not finite.
    """
    check.that(tolerance >= 0 and math.isfinite(tolerance), "tolerance", "be finite and at least 0", repr(tolerance))
    points = read(values, maximize=maximize, mask=mask)
    rows = points.values.detach()
    kept = non_dominated(rows, mask=points.mask, keep_duplicates=False)
    if tolerance > 0 and rows.shape[-2]:
        n, m = rows.shape[-2:]
        cells = torch.floor(rows / tolerance).reshape(-1, n, m)
        flags = kept.reshape(-1, n)
        sizes = [int(torch.unique(c[f], dim=0).shape[0]) for c, f in zip(cells, flags, strict=True)]
        count = torch.tensor(sizes, dtype=torch.int64, device=rows.device).reshape(rows.shape[:-2])
    else:
        count = kept.sum(-1)
    return points.give(count)
