"""How far a distribution over objects is from the one that was asked for."""

from __future__ import annotations

import torch
from torch import Tensor

from paretokit.core import _check as check


def l1_distance(p: Tensor, q: Tensor) -> Tensor:
    r"""Summed absolute difference of two distributions, `[*batch, n]` to `[*batch]`: from 0 to 2.

    .. math:: \sum_x |p(x) - q(x)|

    Twice the total variation distance. (Some papers divide it by the number n of objects: then it is small for any
    sampler of a large space.)

    Args:
        p: Probabilities; leading axes are broadcast. They need not be normalized: rows are divided by their sums.
        q: Likewise.

    Raises:
        ShapeError: If n differs.
        InputError: If an entry is negative or not finite, or a row sums to 0.

    >>> l1_distance(torch.tensor([1.0, 1.0]), torch.tensor([1.0, 0.0])).item()
    1.0
    """
    check.shape(p.shape[-1] == q.shape[-1], "q", f"have {p.shape[-1]} entries as `p`", q.shape[-1])
    normal = []
    for name, row in (("p", p), ("q", q)):
        row = row.to(torch.float64)
        total = row.sum(-1, keepdim=True)
        fine = bool((torch.isfinite(row) & (row >= 0)).all() & (total > 0).all())
        check.that(fine, name, "be finite, not negative, and of positive sum", f"a least sum of {float(total.min()):g}")
        normal.append(row / total)
    return (normal[0] - normal[1]).abs().sum(-1)


def histogram(rows: Tensor, support: Tensor) -> Tensor:
    """Return the share of `rows [n, d]` that equals each of the different rows `support [s, d]`, float64 `[s]`.

    Rows outside the support are counted among n and nowhere else.

    Raises:
        ShapeError: If d differs.
    """
    d = rows.shape[-1]
    check.shape(support.shape[-1] == d, "support", f"have {d} columns as `rows`", support.shape[-1])
    s = len(support)
    _, number = torch.unique(torch.cat([support.to(rows), rows]), dim=0, return_inverse=True)
    count = torch.bincount(number[s:], minlength=int(number.max()) + 1)
    return count[number[:s]].to(torch.float64) / max(len(rows), 1)
