"""Exact Pareto search: onto the ray of a preference, then down along it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.solvers.gradient._aggregator import Aggregator, Setting, lengths
from paretokit.solvers.gradient._faces import solve
from paretokit.solvers.gradient._linear_program import interior_maximizer
from paretokit.solvers.gradient._min_norm import square

LEAST = 1e-3
"""Least share of a preference."""
SMALLEST = 1e-9
"""Least loss, as a share of the largest."""
UNIFORM = 1e-4
"""Non-uniformity below which losses count as on the ray."""
LISTED = 4
"""Largest number of losses for which all vertices are listed."""
ROOM = 1e-9
ZERO = 4e-15


@final
@dataclass(frozen=True, kw_only=True)
class EPO(Aggregator):
    """Reaches the Pareto point at which preferred losses are equal, on concave fronts too (`exact_pareto_weights`).

    Attributes:
        relaxed: Whether steps along the ray may leave it, for a faster descent.
        tolerance: Non-uniformity up to which losses count as on the ray; preferred losses then differ by up to about
            the square root of eight times that, 3% for 1e-4.

    Source: Mahapatra and Rajan (2020), ICML.
    """

    _reads: ClassVar[frozenset[str]] = frozenset({"gramian", "losses", "preference"})

    relaxed: bool = False
    tolerance: float = UNIFORM

    def __post_init__(self) -> None:
        check.fields(self)
        check.positive(tolerance=self.tolerance)

    def _weights(self, given: Setting) -> Tensor:
        return exact_pareto_weights(
            given.gramian, given.losses, given.preference, relaxed=self.relaxed, tolerance=self.tolerance
        )


def exact_pareto_weights(
    gramian: Tensor, losses: Tensor, preferences: Tensor, *, relaxed: bool = False, tolerance: float = UNIFORM
) -> Tensor:
    r"""Return weights w on the simplex whose combined gradient balances the losses to the preference, or descends.

    .. math:: \hat l_j = \frac{r_j l_j}{\sum_i r_i l_i}, \qquad \mu = \sum_j \hat l_j \log(m \hat l_j), \qquad
              a_j = r_j (\log(m \hat l_j) - \mu)

    Off the ray (:math:`\mu` above `tolerance`), with :math:`j^* = \arg\max_j r_j l_j`:

    .. math:: \max_w w^\top C a \ \text{ with } (C w)_j \ge (C a)_j \text{ where } (C a)_j \le 0,\quad
              (C w)_{j^*} \ge 0

    with r the preference times m, and, where no :math:`(C a)_j` is positive, :math:`C w \ge 0` instead. On the ray:

    .. math:: \max_w 1^\top C w \ \text{ with } C w \ge 0, \quad w^\top C a \ge \min(0, \max_j (C a)_j)

    A larger preference :math:`r_j` asks for a smaller loss: :math:`r_j l_j` become equal for all j.

    Args:
        gramian: Inner products C of the losses' gradients, `[*batch, m, m]`.
        losses: Positive losses `[*batch, m]`; below 1e-9 of the largest they count as that.
        preferences: On the simplex `[*batch, m]`; shares below 1e-3 count as that.
        relaxed: Whether to leave out the last condition.
        tolerance: Non-uniformity :math:`\mu` below which losses count as on the ray.

    Returns:
        Weights `[*batch, m]`; the preference itself where the linear program has no solution or entries are not finite.

    Raises:
        ShapeError: If the shapes do not fit.

    Cost: :math:`\binom{2m}{m-1}` systems of m equations, one a vertex, for m up to 4; above, 40 steps of an interior
    point method with one system each.

    Source: Mahapatra and Rajan (2020), ICML. Deviations from the authors' code: all programs are solved at once without
    a host solver; gradients are brought to length one inside, which changes no solution; preferences and losses are
    bounded below.
    """
    m = losses.shape[-1]
    fits = tuple(gramian.shape) == (*losses.shape, m) and preferences.shape == losses.shape
    got = [list(gramian.shape), list(losses.shape), list(preferences.shape)]
    check.shape(fits, "gramian", "have shape [*batch, m, m] for losses and preferences [*batch, m]", got)
    c, values, share = square(gramian, "gramian"), losses.detach().double(), preferences.detach().double()
    r = share.clamp_min(LEAST)
    fallback = r / r.sum(-1, keepdim=True)
    finite = torch.isfinite(c).all(-1).all(-1, keepdim=True) & torch.isfinite(values).all(-1, keepdim=True)
    length = lengths(c)
    longest = length.amax(-1, keepdim=True)
    moves = finite & (longest > 0)
    c = torch.where(moves.unsqueeze(-1), c / longest.square().unsqueeze(-1), 1.0)
    length = torch.where(moves & (length > 0), length / longest, 1.0)
    values = torch.where(finite, values, 1.0)
    aim, bound = _program(c, values, m * fallback, relaxed=relaxed, tolerance=tolerance)
    find = _best_vertex if m <= LISTED else interior_maximizer
    w, solved = find(aim, bound, length)
    return torch.where(moves & solved, w, fallback).to(losses)


def _program(c: Tensor, losses: Tensor, r: Tensor, *, relaxed: bool, tolerance: float) -> tuple[Tensor, Tensor]:
    """Return the aim f `[*batch, m]` and the rows B `[*batch, K, m]` of the program max f w, B w >= 0 on the simplex.

    The weights' sum being one, bounds other than zero are part of the rows.
    """
    m = losses.shape[-1]
    most = losses.amax(-1, keepdim=True)
    weighted = r * torch.maximum(losses, SMALLEST * torch.where(most > 0, most, 1.0))
    share = weighted / weighted.sum(-1, keepdim=True)
    logs = torch.log(m * share)
    mu = (share * logs).sum(-1, keepdim=True)
    a = r * (logs - mu)
    ca = (c @ a.unsqueeze(-1)).squeeze(-1)
    zero = torch.zeros_like(ca)
    # off the ray
    lower = torch.where(ca <= 0, ca, -torch.inf).scatter(-1, weighted.argmax(-1, keepdim=True), 0.0)
    lower = torch.where((ca > 0).any(-1, keepdim=True), lower, zero)
    off = mu > tolerance
    lower = torch.where(off, lower, zero)
    free = torch.isinf(lower).unsqueeze(-1)
    rows = torch.where(free, 0.0, c - torch.where(free, 0.0, lower.unsqueeze(-1)))
    last = ca - ca.amax(-1, keepdim=True).clamp_max(0)
    last = torch.where(
        last.abs().amax(-1, keepdim=True) > ROOM, last, zero
    )  # else exactly on the ray, but for rounding
    last = torch.where(off, zero, zero if relaxed else last)
    aim = torch.where(off, ca, c.sum(-2))
    return aim, torch.cat([rows, last.unsqueeze(-2)], -2)


def _best_vertex(aim: Tensor, bound: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
    """Return the best vertex `[*batch, m]` of the weights with B w >= 0, and whether there is one `[*batch, 1]`.

    Vertices are found in weights times lengths of gradients, brought to sum one: the conditions are homogeneous.
    """
    m = aim.shape[-1]
    one = torch.eye(m, dtype=aim.dtype, device=aim.device).expand(*aim.shape, m)
    rows = torch.cat([one, _unit_rows(bound / length.unsqueeze(-2))], -2)
    if m == 1:
        return torch.ones_like(aim), torch.ones_like(aim, dtype=torch.bool)
    chosen = _choices(rows.shape[-2], m - 1).to(aim.device)
    held = rows[..., chosen, :]  # [*batch, V, m - 1, m]
    ones = torch.ones_like(held[..., :1, :])
    right = torch.zeros_like(held[..., 0, :]).unsqueeze(-1)
    right[..., -1, :] = 1
    u = solve(torch.cat([held, ones], -2), right).squeeze(-1)
    size = u.abs().amax(-1)
    fine = torch.isfinite(size) & (size < 1 / ROOM) & (u >= -ZERO * size.unsqueeze(-1)).all(-1)
    u = torch.where(fine.unsqueeze(-1), u, 1.0).clamp_min(0)
    bounds = rows[..., m:, :]
    slack, terms = u @ bounds.mT, u @ bounds.abs().mT
    inside = fine & (slack >= -ROOM * terms - ZERO * size.unsqueeze(-1)).all(-1)
    w = torch.where(inside.unsqueeze(-1), u, 1.0) / length.unsqueeze(-2)
    w = w / w.sum(-1, keepdim=True)
    worth = torch.where(inside, (w * aim.unsqueeze(-2)).sum(-1), -torch.inf)
    at = worth.argmax(-1, keepdim=True).unsqueeze(-1)
    return w.gather(-2, at.expand(*at.shape[:-1], m)).squeeze(-2), inside.any(-1, keepdim=True)


def _unit_rows(rows: Tensor) -> Tensor:
    most = rows.abs().amax(-1, keepdim=True)
    return rows / torch.where(most > 0, most, 1.0)


def _choices(n: int, k: int) -> Tensor:
    """Return all choices of k of n numbers, `[V, k]`."""
    return torch.tensor(list(itertools.combinations(range(n), k))).reshape(math.comb(n, k), k)
