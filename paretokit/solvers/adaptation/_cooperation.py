"""The weights of ParetoDA: a direction that serves held-out target data and hinders no objective."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.solvers.gradient._aggregator import lengths
from paretokit.solvers.gradient._exact_pareto import _best_vertex

Direction = Literal["descent", "guidance"]
DIRECTIONS = ("descent", "guidance")
ENOUGH = 1e-3
"""Held-out loss below which there is nothing left to be guided to."""


def cooperative_weights(
    gramian: Tensor,
    guide: Tensor | None = None,
    *,
    direction: Direction = "descent",
    guided: Tensor | None = None,
) -> Tensor:
    r"""Return weights on the simplex, `[*batch, m]`, by one linear program of m variables each.

    With gradients :math:`g_j` of the objectives, :math:`C_{ij} = g_i^\top g_j`, and the held-out gradient
    :math:`\hat g`, :math:`a_j = \hat g^\top g_j`; "descent":

    .. math:: \max_w 1^\top C w \ \text{ with } C w \ge 0, \quad a^\top w \ge \min(0, \max_j a_j)

    No objective rises, nor does the held-out loss where that can be had. "guidance", where `guided` holds:

    .. math:: \max_w a^\top w \ \text{ with } (C w)_{j^*} \ge 0, \quad
              (C w)_j \ge a_j \text{ where } a_j \le 0, \qquad j^* = \arg\max_j a_j

    and :math:`C w \ge 0` instead where no :math:`a_j` is positive: objectives at odds with the held-out loss may rise,
    by no more than they are at odds.

    Args:
        gramian: C `[*batch, m, m]`.
        guide: a `[*batch, m]`; without it, "descent" has its first condition only.
        direction: Which program.
        guided: Where the guidance program is asked for `[*batch]`, elsewhere descent; everywhere unless given.

    Returns:
        Weights in the Gramian's dtype; equal ones where a program has no solution or entries are not finite.

    Raises:
        ShapeError: If the shapes do not fit.

    Cost: the vertices of a polygon, for m = 3 and "descent" 21 systems of three equations.

    Source: Lv et al. (2021), NeurIPS, equation 6. In the authors' code the held-out loss is never positive, so that it
    always takes the descent program. Their theorem 1, that no objective rises where the optimum is at odds with the
    held-out loss, holds for "descent", and for "guidance" where no :math:`a_j` is positive; elsewhere a held-out
    gradient outside the objectives' span gives counterexamples.
    """
    check.one_of(DIRECTIONS, direction=direction)
    m = gramian.shape[-1]
    fits = gramian.ndim >= 2 and gramian.shape[-2] == m and (guide is None or guide.shape == gramian.shape[:-1])
    got = [list(gramian.shape), None if guide is None else list(guide.shape)]
    check.shape(fits, "gramian", "have shape [*batch, m, m], and guide [*batch, m]", got)
    c = gramian.detach().double()
    a = torch.zeros_like(c[..., 0]) if guide is None else guide.detach().double()
    finite = (torch.isfinite(c).all(-1) & torch.isfinite(a)).all(-1, keepdim=True)
    length = lengths(c)
    longest = length.amax(-1, keepdim=True)
    moves = finite & (longest > 0)
    unit = torch.where(moves, longest, 1.0)
    c = torch.where(moves.unsqueeze(-1), c / unit.square().unsqueeze(-1), 1.0)
    most = a.abs().amax(-1, keepdim=True)
    units = a / torch.where(most > 0, most, 1.0) if direction == "descent" else a / unit.square()
    a = torch.where(moves, units, 0.0)
    length = torch.where(moves & (length > 0), length / unit, 1.0)
    best = a.amax(-1, keepdim=True)
    last = (a - best.clamp_max(0)).unsqueeze(-2)
    aim, bound = c.sum(-2), torch.cat([c, last], -2)
    if direction == "guidance":
        wanted = torch.ones_like(best, dtype=torch.bool) if guided is None else guided.unsqueeze(-1)
        lower = torch.where(a <= 0, a, -torch.inf).scatter(-1, a.argmax(-1, keepdim=True), 0.0)
        lower = torch.where(best > 0, lower, 0.0)
        free = torch.isinf(lower).unsqueeze(-1)
        rows = torch.where(free, 0.0, c - torch.where(free, 0.0, lower.unsqueeze(-1)))
        rows = torch.cat([rows, torch.zeros_like(last)], -2)
        aim = torch.where(wanted, a, aim)
        bound = torch.where(wanted.unsqueeze(-1), rows, bound)
    w, solved = _best_vertex(aim, bound, length)
    return torch.where(moves & solved, w, 1 / m).to(gramian)
