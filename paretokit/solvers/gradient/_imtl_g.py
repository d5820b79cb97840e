"""Impartial learning: the direction with equal projections on all gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.solvers.gradient._aggregator import Aggregator, Setting, correlation, eigen


@final
@dataclass(frozen=True, kw_only=True)
class IMTLG(Aggregator):
    r"""Moves equally far along every gradient's own direction; asks for no preference.

    .. math:: \frac{g_1 \cdot d}{\lVert g_1 \rVert} = \dots = \frac{g_m \cdot d}{\lVert g_m \rVert}, \qquad
              w \propto C^+ (\lVert g_1 \rVert, \dots, \lVert g_m \rVert), \quad \textstyle\sum_i w_i = 1

    Weights may be negative. The projections are nonnegative.

    Cost: an eigendecomposition of an m × m matrix.

    Source: Liu, Li, Kuang, Xue, Chen, Yang, Liao and Zhang (2021), ICLR. Deviations: the pseudo-inverse is that of
    gradients of length one, so that scales lose no digits; where the weights' sum is negative they are divided by its
    absolute value, for the authors' step would ascend every loss there.
    """

    def _weights(self, given: Setting) -> Tensor:
        c, length = correlation(given.gramian)
        value, vector = eigen(c)
        m = value.shape[-1]
        kept = value > value.amax(-1, keepdim=True) * m * torch.finfo(value.dtype).eps
        inverse = torch.where(kept, 1 / torch.where(kept, value, 1.0), 0.0)
        ones = (given.gramian.diagonal(dim1=-2, dim2=-1) > 0).to(c.dtype)  # the lengths, or zero
        v = (vector @ (inverse * (vector.mT @ ones.unsqueeze(-1)).squeeze(-1)).unsqueeze(-1)).squeeze(-1) / length
        total = v.sum(-1, keepdim=True).abs()
        enough = total > 1e-12 * v.abs().amax(-1, keepdim=True)
        return torch.where(enough, v / torch.where(enough, total, 1.0), torch.where(torch.isfinite(v), 0.0, v))
