"""Projections of gradients onto the cone of directions that ascend no loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.solvers.gradient._aggregator import Aggregator, Setting, correlation
from paretokit.solvers.gradient._faces import nonnegative_minimizer
from paretokit.solvers.gradient._min_norm import square


def dual_cone_weights(gramian: Tensor, combination: Tensor) -> Tensor:
    r"""Return the weights of a combined gradient's projection onto the directions that no gradient conflicts with.

    .. math:: \min_{v \ge u} v^\top C v, \qquad
              J^\top v = \arg\min_d \lVert d - J^\top u \rVert \ \text{ with } J d \ge 0

    GEM's step is the one of :math:`u = e_t`; DualProj's that of a preference; UPGrad adds those of single gradients.

    Args:
        gramian: Inner products C of the gradients, `[*batch, m, m]`.
        combination: Weights u of the gradient that is projected, `[*batch, m]`.

    Returns:
        Weights v `[*batch, m]`, NaN where entries are not finite. Where gradients depend on each other the weights are
        not unique; the direction is.

    Raises:
        ShapeError: If the shapes do not fit.

    Cost: as `min_norm_weights`.

    Source: Lopez-Paz and Ranzato (2017), NeurIPS; Quinton and Rey (2024), arXiv 2406.16232. Deviation from both codes:
    no ridge is added.
    """
    c = square(gramian, "gramian")
    fits = tuple(combination.shape) == tuple(c.shape[:-1])
    check.shape(fits, "combination", f"have shape {list(c.shape[:-1])}", list(combination.shape))
    scaled, length = correlation(c)
    u = combination.detach().to(c)
    begin = u * length
    size = begin.abs().amax(-1, keepdim=True)  # the program is homogeneous
    size = torch.where(size > 0, size, 1.0)
    q = (scaled @ (begin / size).unsqueeze(-1)).squeeze(-1)
    v = u + nonnegative_minimizer(scaled, q) * size / length
    return torch.where(torch.isfinite(c).all(-1).all(-1, keepdim=True), v, torch.nan).to(gramian)


@final
@dataclass(frozen=True, kw_only=True)
class UPGrad(Aggregator):
    r"""Adds the preferred gradients, each projected onto the directions that no gradient conflicts with.

    .. math:: w = \sum_i \arg\min_{v \ge p_i e_i} v^\top C v, \qquad J J^\top w \ge 0

    Without conflicts it is the preferred weighted sum.

    Source: Quinton and Rey (2024), arXiv 2406.16232. Deviation from TorchJD: no ridge is added to the Gramian.

    Cost: m programs, see `dual_cone_weights`.
    """

    _reads: ClassVar[frozenset[str]] = frozenset({"gramian", "preference"})

    def _weights(self, given: Setting) -> Tensor:
        each = torch.diag_embed(given.preference)
        m = each.shape[-1]
        return dual_cone_weights(given.gramian.unsqueeze(-3).expand(*each.shape[:-2], m, m, m), each).sum(-2)
