"""Multiple gradient descent: along the shortest vector of the gradients' convex hull."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.solvers.gradient._aggregator import Aggregator, Setting, lengths, ratio
from paretokit.solvers.gradient._min_norm import min_norm_weights

NORMALIZATIONS = ("none", "l2", "loss", "loss+")


@final
@dataclass(frozen=True, kw_only=True)
class MGDA(Aggregator):
    r"""Descends all losses at once, until a convex combination of the gradients vanishes; asks for no preference.

    .. math:: w = s \circ \arg\min_{v \in \Delta} \lVert \textstyle\sum_i v_i s_i g_i \rVert^2, \quad
              s_i = 1,\ 1 / \lVert g_i \rVert,\ 1 / l_i \text{ or } 1 / (l_i \lVert g_i \rVert)

    brought back to sum to one where gradients are normalized.

    Attributes:
        normalization: "none", "l2", "loss" or "loss+", the four :math:`s_i` above. Losses have to be positive for the
            last two; gradients or losses of zero are left as they are.

    Source: Désidéri (2012), Comptes Rendus Mathématique 350; the normalizations of Sener and Koltun (2018), NeurIPS.
    Deviations: the minimum is exact where theirs is up to 250 steps of Frank and Wolfe; their code applies v to the
    gradients as they were before the normalization, which may ascend a loss; here the step is the shortest vector.
    """

    normalization: Literal["none", "l2", "loss", "loss+"] = "none"

    def __post_init__(self) -> None:
        check.fields(self)
        check.one_of(NORMALIZATIONS, normalization=self.normalization)

    @property
    def reads(self) -> frozenset[str]:
        """The Gramian, and the losses where they normalize it."""
        return frozenset({"gramian", "losses"} if "loss" in self.normalization else {"gramian"})

    def _weights(self, given: Setting) -> Tensor:
        if self.normalization == "none":
            return min_norm_weights(given.gramian)
        by = torch.ones_like(given.losses)
        if self.normalization in ("l2", "loss+"):
            by = by * lengths(given.gramian)
        if self.normalization in ("loss", "loss+"):
            by = by * given.losses
        scale = torch.where(by > 0, ratio(torch.ones_like(by), by), 1.0)
        w = scale * min_norm_weights(given.gramian * scale.unsqueeze(-1) * scale.unsqueeze(-2))
        return w / w.sum(-1, keepdim=True)
