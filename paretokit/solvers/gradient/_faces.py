"""Small convex programs solved exactly, a whole stack at once: by all faces, or by exchanging variables of a face.

A face is a set of variables that may differ from zero. On the right one the optimality conditions are linear, so a
program of m variables is solved by at most 2^m linear systems, without a host solver and without reading anything back.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

MOST = 6
"""Largest number of variables for which all faces are listed."""
PATIENCE = 3
"""Exchanges of all wrong variables at once that may fail before they are exchanged one by one."""
RIDGE = 1e-11
ROOM = 1e-13

Face = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]
"""From faces `[*batch, F, m]` to variables x, zero outside, slacks y, zero inside, and a merit, least at optima."""


def every_face(m: int, device: torch.device) -> Tensor:
    """Return all subsets of m variables, `[2^m, m]`, in the order of their binary numbers."""
    return (torch.arange(1 << m, device=device).unsqueeze(1) >> torch.arange(m, device=device)) & 1 == 1


def best_face(face: Face, start: Tensor, *, rough: Face | None = None) -> Tensor:
    """Return the variables `[*batch, m]`, at least zero, of the face of least merit.

    Args:
        face: The conditions on a face.
        start: The face `[*batch, m]` from which larger programs begin.
        rough: The same to less precision in less time, by which larger programs look for where to begin.

    Cost: 2^m systems for m up to `MOST`. Else one a round: wrong variables are exchanged together while that helps,
    then one by one, which is finite for positive definite programs; the best face on the way is kept.

    Source of the exchange rule: Kim and Park (2011), SIAM Journal on Scientific Computing; Murty (1974), Linear Algebra
    and its Applications.
    """
    m = start.shape[-1]
    if m > MOST:
        return exchanged(face, start if rough is None else exchanged(rough, start)[1])[0]
    x, _, merit = face(every_face(m, start.device).expand(*start.shape[:-1], -1, -1))
    at = torch.where(torch.isfinite(merit), merit, torch.inf).argmin(-1, keepdim=True).unsqueeze(-1)
    return x.gather(-2, at.expand(*at.shape[:-1], m)).squeeze(-2).clamp_min(0)


def exchanged(face: Face, start: Tensor) -> tuple[Tensor, Tensor]:
    """Return the variables of the best face on the way, and that face."""
    m, inside, chosen = start.shape[-1], start, start
    number = torch.arange(m, device=start.device)
    fewest = torch.full(start.shape[:-1], m + 1, device=start.device)
    patience = torch.full_like(fewest, PATIENCE)
    best = torch.zeros(start.shape, dtype=torch.float64, device=start.device)
    least = torch.full(start.shape[:-1], torch.inf, dtype=torch.float64, device=start.device)
    for _ in range(6 * m):
        x, y, merit = face(inside.unsqueeze(-2))
        better = merit.squeeze(-1) < least  # false for NaN
        best = torch.where(better.unsqueeze(-1), x.squeeze(-2).clamp_min(0), best)
        chosen = torch.where(better.unsqueeze(-1), inside, chosen)
        least = torch.where(better, merit.squeeze(-1), least)
        wrong = torch.where(inside, x.squeeze(-2) < 0, y.squeeze(-2) < 0)
        count = wrong.sum(-1)
        if start.device.type == "cpu" and not bool((count > 0).any()):  # elsewhere a read would wait
            break
        fewer = count < fewest
        fewest = torch.where(fewer, count, fewest)
        patience = torch.where(fewer, PATIENCE, patience - 1)
        last = torch.where(wrong, number, -1).amax(-1, keepdim=True)
        alone = (patience < 0).unsqueeze(-1)
        inside = inside ^ torch.where(alone, wrong & (number == last), wrong)
    return best, chosen


def solved_on(matrix: Tensor, right: Tensor, inside: Tensor, *, refine: bool = True) -> Tensor:
    """Return, for each face, the solutions `[*batch, F, m, k]` of the face's own rows and columns, zero elsewhere.

    Args:
        matrix: Positive semidefinite `[*batch, m, m]`, or one a face `[*batch, F, m, m]`.
        right: Right-hand sides `[*batch, m, k]`, or `[*batch, F, m, k]`.
        inside: Faces `[*batch, F, m]`.
        refine: Whether to take the ridge of larger programs back.

    Returns:
        Entries that are not finite where a face's matrix is singular. Above `MOST` variables a small ridge keeps
        singular faces apart, and a step of refinement takes it back.
    """
    one = torch.eye(inside.shape[-1], dtype=matrix.dtype, device=matrix.device)
    both = inside.unsqueeze(-1) & inside.unsqueeze(-2)
    matrix, right = (t if t.ndim == both.ndim else t.unsqueeze(-3) for t in (matrix, right))
    whole = torch.where(both, matrix, one)
    wanted = torch.where(inside.unsqueeze(-1), right, 0.0)
    if inside.shape[-1] <= MOST:
        return solve(whole, wanted)
    safe = whole + RIDGE * one
    found = solve(safe, wanted)
    if not refine:
        return found
    return found + solve(safe, wanted - whole @ found)


def solve(matrix: Tensor, right: Tensor) -> Tensor:
    """Return the solutions of systems without a look at whether they have one."""
    found: Tensor = torch.linalg.solve_ex(matrix, right, check_errors=False)[0]
    return found


def nonnegative_minimizer(c: Tensor, q: Tensor) -> Tensor:
    r"""Return the minimizer of a convex quadratic function over nonnegative vectors.

    .. math:: \min_{t \ge 0} \tfrac12 t^\top C t + q^\top t

    Args:
        c: Positive semidefinite matrices `[*batch, m, m]` with ones or zeros on the diagonal.
        q: Vectors `[*batch, m]` for which the minimum is attained.

    Returns:
        A minimizer `[*batch, m]`, float64, whose residual :math:`\max_i |\min(t_i, (Ct + q)_i)|` is the least over all
        faces that were tried. Of equal faces the first in binary order is taken.
    """

    def slack(t: Tensor) -> Tensor:
        return (c.unsqueeze(-3) @ t.unsqueeze(-1)).squeeze(-1) + q.unsqueeze(-2)

    def face(inside: Tensor, *, refine: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        t = solved_on(c, -q.unsqueeze(-1), inside, refine=refine).squeeze(-1)
        held = t.clamp_min(0)
        merit = torch.minimum(held, slack(held)).abs().amax(-1)
        room = ROOM * (1 + t.abs().amax(-1, keepdim=True))
        return torch.where(t.abs() <= room, 0.0, t), slack(t) + room, merit

    if c.device.type == "cpu":
        from paretokit.solvers.gradient._exchange import minimizer

        return minimizer(c.flatten(0, -3) if c.ndim > 2 else c.unsqueeze(0), q.reshape(-1, q.shape[-1])).reshape(
            q.shape
        )
    return best_face(face, q < 0, rough=functools.partial(face, refine=False))
