"""Impartial learning: the direction with equal projections on all gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.solvers.gradient._aggregator import Aggregator, Setting, correlation, eigen

MOST = 1e8
"""Largest trace of an inverse, and so inverse of an eigenvalue, for which the inverse is taken."""


@final
@dataclass(frozen=True, kw_only=True)
class IMTLG(Aggregator):
    r"""Moves equally far along every gradient's own direction; asks for no preference.

    .. math:: \frac{g_1 \cdot d}{\lVert g_1 \rVert} = \dots = \frac{g_m \cdot d}{\lVert g_m \rVert}, \qquad
              w \propto C^+ (\lVert g_1 \rVert, \dots, \lVert g_m \rVert), \quad \textstyle\sum_i w_i = 1

    Weights may be negative. The projections are nonnegative.

    Cost: the inverse of an m × m matrix, or its eigendecomposition where it is near singular.

    Source: Liu, Li, Kuang, Xue, Chen, Yang, Liao and Zhang (2021), ICLR. Deviations: the pseudo-inverse is that of
    gradients of length one, so that scales lose no digits; where the weights' sum is negative they are divided by its
    absolute value, for the authors' step would ascend every loss there.
    """

    def _weights(self, given: Setting) -> Tensor:
        c, length = correlation(given.gramian)
        ones = (given.gramian.diagonal(dim1=-2, dim2=-1) > 0).to(c.dtype)  # the lengths, or zero
        v = _solution(c, ones) / length
        total = v.sum(-1, keepdim=True).abs()
        enough = total > 1e-12 * v.abs().amax(-1, keepdim=True)
        if v.device.type == "cpu" and bool(enough.all()):  # elsewhere a read would wait
            return v / total
        return torch.where(enough, v / torch.where(enough, total, 1.0), torch.where(torch.isfinite(v), 0.0, v))


def _solution(c: Tensor, right: Tensor) -> Tensor:
    """Return the pseudo-inverse's product: by the inverse where no eigenvalue is small, else by eigenvectors."""
    inverse: Tensor = torch.linalg.inv_ex(c)[0]
    easy = inverse.diagonal(dim1=-2, dim2=-1).abs().sum(-1, keepdim=True) < MOST  # false for NaN
    found = (inverse @ right.unsqueeze(-1)).squeeze(-1)
    if c.device.type == "cpu" and bool(easy.all()):
        return found
    m = c.shape[-1]
    value, vector = eigen(c)
    kept = value > value.amax(-1, keepdim=True) * m * torch.finfo(value.dtype).eps
    inverse = torch.where(kept, 1 / torch.where(kept, value, 1.0), 0.0)
    other = (vector @ (inverse * (vector.mT @ right.unsqueeze(-1)).squeeze(-1)).unsqueeze(-1)).squeeze(-1)
    return torch.where(easy, found, other)
