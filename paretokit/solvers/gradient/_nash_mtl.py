"""Bargaining: the direction on which losses would agree, each valuing its own relative gain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from paretokit.solvers.gradient._aggregator import Aggregator, Setting, correlation
from paretokit.solvers.gradient._faces import solve

LEAST = 1e-3
ROUNDS = 60
RIDGE = 1e-14


@final
@dataclass(frozen=True, kw_only=True)
class NashMTL(Aggregator):
    r"""Maximizes the preferred product of the losses' decreases over directions of a fixed length.

    .. math:: \alpha_i (C \alpha)_i = m p_i,\ \alpha > 0
              \quad\Leftrightarrow\quad \min_\alpha \tfrac12 \alpha^\top C \alpha - m \sum_i p_i \log \alpha_i

    The step :math:`J^\top \alpha` has length :math:`\sqrt m` whatever the losses' scales, and vanishes as they do only
    where a combination of gradients vanishes: there the bargain has no solution and the weights grow large.

    Cost: at most 60 Newton steps, one m × m system each.

    Source: Navon, Shamsian, Achituve, Maron, Kawaguchi, Chechik and Fetaya (2022), ICML. Deviations from their code:
    the convex program is minimized by damped Newton steps where theirs linearizes its concave part twenty times; no cap
    on the length; preferences (asymmetric bargaining), shares below 1e-3 counting as that.
    """

    _reads: ClassVar[frozenset[str]] = frozenset({"gramian", "preference"})

    def _weights(self, given: Setting) -> Tensor:
        share = given.preference.clamp_min(LEAST)
        price = share / share.mean(-1, keepdim=True)  # m p
        c, length = correlation(given.gramian)
        c = c + RIDGE * torch.eye(c.shape[-1], dtype=c.dtype, device=c.device)
        beta = (price / c.clamp_min(0).sum(-1)).sqrt()
        sharpest = price.amin(-1, keepdim=True).sqrt()
        for _ in range(ROUNDS):
            slope = (c @ beta.unsqueeze(-1)).squeeze(-1) - price / beta
            step = solve(c + torch.diag_embed(price / beta.square()), -slope.unsqueeze(-1)).squeeze(-1)
            decrement = (-(slope * step).sum(-1, keepdim=True)).clamp_min(0).sqrt() / sharpest
            damped = torch.where(decrement < 0.25, 1.0, 1 / (1 + decrement))
            moved = beta + damped * step
            beta = torch.where(moved > 0, moved, beta / 2)
            if beta.device.type == "cpu" and not bool((decrement > 1e-9).any()):  # elsewhere a read would wait
                break
        return beta / length
