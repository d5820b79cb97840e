"""Pareto multi-task learning: one solution in each sector of the losses' space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.solvers.gradient._aggregator import Aggregator, Setting
from paretokit.solvers.gradient._min_norm import min_norm_weights

LEAST = 1e-3


@final
@dataclass(frozen=True, kw_only=True)
class ParetoMTL(Aggregator):
    r"""Descends all losses while they stay in their preference's sector, and turns back to it where they left it.

    The sector of preference k are the losses nearer to its direction :math:`u_k` than to those of the other rows of the
    batch of preferences:

    .. math:: (u_i - u_k) \cdot l \le 0 \text{ for all } i, \qquad u_k = p_k^{-1} / \lVert p_k^{-1} \rVert

    The step is the shortest vector of the convex hull of the gradients and of the violated sides' gradients
    :math:`\sum_j (u_i - u_k)_j g_j`; of the sides' alone where one is violated by more than `slack`.

    Attributes:
        slack: Distance beyond a side, for losses of length one, up to which losses are descended as well.

    Cost: a minimum-norm problem of m + K vectors for K preferences.

    Source: Lin, Zhen, Li, Zhang and Kwong (2019), NeurIPS. Deviations: a larger share of a preference asks for a
    smaller loss, and for m losses, where the codes are for two; their first stage of a fixed number of steps is the
    rule of `slack`, so that the step depends on the losses only.
    """

    _reads: ClassVar[frozenset[str]] = frozenset({"gramian", "losses", "preference"})

    slack: float = 0.01

    def __post_init__(self) -> None:
        check.fields(self)
        check.at_least(0, slack=self.slack)

    def _weights(self, given: Setting) -> Tensor:
        inverse = 1 / given.preference.clamp_min(LEAST)
        u = inverse / torch.linalg.vector_norm(inverse, dim=-1, keepdim=True)
        sides = u.reshape(-1, u.shape[-1]) - u.unsqueeze(-2)  # [*batch, K, m]
        width = torch.linalg.vector_norm(sides, dim=-1)
        other = width > 1e-9
        unit = given.losses / torch.linalg.vector_norm(given.losses, dim=-1, keepdim=True).clamp_min(1e-300)
        beyond = (sides * unit.unsqueeze(-2)).sum(-1) / torch.where(other, width, 1.0)
        active = other & (beyond > 0)
        lost = (beyond.masked_fill(~other, -torch.inf).amax(-1, keepdim=True) > self.slack) & active.any(
            -1, keepdim=True
        )
        eye = torch.eye(u.shape[-1], dtype=u.dtype, device=u.device).expand(*u.shape, -1)
        rows = torch.cat([eye, sides / torch.where(other, width, 1.0).unsqueeze(-1)], -2)  # each vector's weights
        taking = torch.cat([~lost.expand(*u.shape), active], -1)
        inner = rows @ given.gramian @ rows.mT
        # vectors that take no part are orthogonal to all and longer than all: they get no weight worth a name
        far = 1e12 * inner.diagonal(dim1=-2, dim2=-1).amax(-1)[..., None, None].clamp_min(1e-300)
        both = taking.unsqueeze(-1) & taking.unsqueeze(-2)
        apart = far * torch.eye(rows.shape[-2], dtype=u.dtype, device=u.device)
        w = min_norm_weights(torch.where(both, inner, apart)) * taking
        w = w / w.sum(-1, keepdim=True)
        return (w.unsqueeze(-2) @ rows).squeeze(-2)
