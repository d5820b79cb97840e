"""Quadratic programs over nonnegative vectors on a CPU, in plain torch and compiled, equal bit for bit.

Both go through the same faces in the same order and round alike: factors, substitutions and products are written out
column by column, which a library's solver would round in an order of its own.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from paretokit.core._kernel import KernelModule
from paretokit.solvers.gradient._faces import PATIENCE, RIDGE, ROOM, exchanged

KERNELS = KernelModule("paretokit.solvers.gradient._exchange_kernels", compile_seconds=4.0)


def minimizer(c: Tensor, q: Tensor) -> Tensor:
    """Return what `nonnegative_minimizer` does of matrices `[n, m, m]` and vectors `[n, m]`, float64 on a CPU."""
    out = torch.empty_like(q)
    if not KERNELS.worth():
        found: Tensor = KERNELS.plain(_plain, c, q)
        return found
    matrices, vectors = c.contiguous().numpy(), q.contiguous().numpy()
    KERNELS.load().minimize_stack(matrices, vectors, RIDGE, ROOM, PATIENCE, out.numpy())
    return out


def _plain(c: Tensor, q: Tensor) -> Tensor:
    start = exchanged(functools.partial(_face, c, q, refine=False), q < 0)[1]
    return exchanged(functools.partial(_face, c, q, refine=True), start)[0]


def _face(c: Tensor, q: Tensor, inside: Tensor, *, refine: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Return variables and slacks `[n, 1, m]` and the merit `[n, 1]` of one face `[n, 1, m]` a program."""
    within = inside.squeeze(-2)
    factor = _factor(c, within)
    right = torch.where(within, -q, 0.0)
    t = _substituted(factor, right)
    if refine:
        rest = right
        for j in range(q.shape[-1]):
            rest = torch.where(within, rest - c[:, j] * t[:, j : j + 1], 0.0)
        t = t + _substituted(factor, rest)
    t = torch.where(within, t, 0.0)
    held = t.clamp_min(0)
    merit = torch.minimum(held, _slack(c, q, held)).abs().amax(-1)
    room = ROOM * (1 + t.abs().amax(-1, keepdim=True))
    x, y = torch.where(t.abs() <= room, 0.0, t), _slack(c, q, t) + room
    return x.unsqueeze(-2), y.unsqueeze(-2), merit.unsqueeze(-1)


def _slack(c: Tensor, q: Tensor, t: Tensor) -> Tensor:
    for j in range(q.shape[-1]):
        q = q + c[:, j] * t[:, j : j + 1]
    return q


def _factor(c: Tensor, within: Tensor) -> tuple[Tensor, Tensor]:
    """Return the columns of the Cholesky factor, below the diagonal, and the inverses of the diagonal `[n, m]`."""
    m = within.shape[-1]
    both = within.unsqueeze(-1) & within.unsqueeze(-2)
    rest = torch.where(both, c, 0.0) + RIDGE * torch.eye(m, dtype=c.dtype)
    lower, inverse = torch.zeros_like(rest), torch.ones_like(c[..., 0])
    for j in range(m):
        inverse[:, j] = torch.where(within[:, j], rest[:, j, j].rsqrt(), 1.0)  # rounded rightly, as sqrt is not
        column = torch.where(within[:, j + 1 :], rest[:, j + 1 :, j] * inverse[:, j : j + 1], 0.0)
        column = torch.where(within[:, j : j + 1], column, 0.0)
        lower[:, j + 1 :, j] = column
        rest[:, j + 1 :, j + 1 :] -= column.unsqueeze(-1) * column.unsqueeze(-2)
    return lower, inverse


def _substituted(factor: tuple[Tensor, Tensor], right: Tensor) -> Tensor:
    """Return the solution of a factored system."""
    lower, inverse = factor
    x = right.clone()
    m = x.shape[-1]
    for j in range(m):
        x[:, j] *= inverse[:, j]
        x[:, j + 1 :] -= lower[:, j + 1 :, j] * x[:, j : j + 1]
    for j in range(m - 1, -1, -1):
        x[:, j] *= inverse[:, j]
        x[:, :j] -= lower[:, j, :j] * x[:, j : j + 1]
    return x
