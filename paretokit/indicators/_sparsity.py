"""Sparsity, as policy-gradient methods report it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from paretokit.core._io import Array, Senses, read
from paretokit.indicators._nearest import usable


def sorted_columns(front: Tensor, alive: Tensor) -> tuple[Tensor, Tensor]:
    """Return each objective sorted over the rows that count, `[b, n, m]`, and how many they are, `[b]`.

    Rows that do not count follow at the greatest value that does, so that their differences are zero.
    """
    greatest = torch.where(alive.unsqueeze(-1), front.detach(), -math.inf).amax(-2, keepdim=True)
    filled = torch.where(alive.unsqueeze(-1), front, torch.where(torch.isfinite(greatest), greatest, 0.0))
    return filled.sort(-2).values, alive.sum(-1)


def sparsity(values: Array, *, maximize: Senses = False, mask: Array | None = None, compat: bool = False) -> Any:
    r"""Mean squared gap between neighboring values, summed over objectives.

    .. math:: S(A) = \frac{1}{n - 1} \sum_{j=1}^{m} \sum_{i=1}^{n-1} (s_j[i + 1] - s_j[i])^2

    with :math:`s_j` the sorted values of objective j. Smaller is denser, but a clump is as dense as it gets, so read
    it beside hypervolume; it scales with the square of the units. Rows are taken as they are: filter dominated ones
    first (`non_dominated`), as PGMORL, C-MORL and MORL-baselines do. Rows that are not finite are failed candidates
    and do not count. Differentiable with respect to a tensor of values.

    Args:
        values: Front A, `[*batch, n, m]`.
        maximize: Whether larger is better (sparsity does not depend on it).
        mask: `[*batch, n]`, True where a row counts.
        compat: Whether fewer than two points give 0, the best value, as in the published codes, instead of NaN.

    Returns:
        `[*batch]`, NumPy or tensor as `values`.

    Cost: O(m n log n).

    Source: Xu et al. (2020), ICML (PGMORL).
    """
    points = read(values, maximize=maximize, mask=mask)
    front, alive = usable(points)
    none = 0.0 if compat else math.nan
    if front.shape[1] == 0:
        return points.give(torch.full(points.values.shape[:-2], none, dtype=front.dtype, device=front.device))
    columns, count = sorted_columns(front, alive)
    total = columns.diff(dim=-2).square().sum((-1, -2))
    out = torch.where(count > 1, total / (count - 1).clamp_min(1), none)
    return points.give(out.reshape(points.values.shape[:-2]))
