"""MOEA/D's replacement, of a stack of populations: new rows take over neighboring subproblems."""

from __future__ import annotations

import torch
from torch import Tensor

from paretokit.core._kernel import KernelModule
from paretokit.solvers.evolutionary._members import over_members

KERNELS = KernelModule("paretokit.solvers.evolutionary._decomposition_kernels", compile_seconds=2.0)


def scalarized(f: Tensor, ideal: Tensor, weights: Tensor, directions: Tensor, theta: float) -> Tensor:
    r"""Return scalarized values of rows that belong to subproblems, smaller better.

    .. math:: \max_j w_j |f_j - z_j| \quad\text{or}\quad d_1 + \theta d_2,\;
        d_1 = |(f - z)^\top \hat w|,\; d_2 = \lVert f - z - d_1 \hat w \rVert

    Args:
        f: Minimized values `[..., m]`.
        ideal: Ideal points z, broadcastable.
        weights: Weights w, broadcastable.
        directions: The weights at unit length.
        theta: Penalty of PBI; negative for Tchebycheff.
    """
    m = f.shape[-1]
    gaps = [f[..., j] - ideal[..., j] for j in range(m)]
    if theta < 0:
        most = gaps[0].abs() * weights[..., 0]
        for j in range(1, m):
            most = torch.maximum(most, gaps[j].abs() * weights[..., j])
        return most
    along = gaps[0] * directions[..., 0]
    for j in range(1, m):
        along = along + gaps[j] * directions[..., j]
    along = along.abs()
    total = torch.zeros_like(along)
    for j in range(m):
        gap = gaps[j] - along * directions[..., j]
        total = total + gap * gap
    return along + theta * total.sqrt()


def unit_length(weights: Tensor) -> Tensor:
    """Return weights `[n, m]` scaled to unit length."""
    return weights / weights.square().sum(1, keepdim=True).sqrt()


def _replace_plain(
    f: Tensor, v: Tensor, ideal: Tensor, weights: Tensor, directions: Tensor, neighbors: Tensor, owner: Tensor,
    theta: float, keep: Tensor,
) -> None:  # fmt: skip
    members, n = keep.shape
    keep.copy_(torch.arange(n, device=f.device).expand(members, n))
    held = scalarized(f[:, :n], ideal.unsqueeze(1), weights, directions, theta)
    worst = v[:, :n].clone()
    for c in range(owner.shape[1]):
        row = n + c
        own = neighbors[owner[:, c]]
        new = scalarized(f[:, row : row + 1], ideal.unsqueeze(1), weights[own], directions[own], theta)
        violation, old = v[:, row : row + 1], worst.gather(1, own)
        value = held.gather(1, own)
        better = (violation < old) | ((violation == old) & (new < value))
        keep.scatter_(1, own, torch.where(better, row, keep.gather(1, own)))
        held.scatter_(1, own, torch.where(better, new, value))
        worst.scatter_(1, own, torch.where(better, violation, old))


def replaced(
    f: Tensor, v: Tensor, ideal: Tensor, weights: Tensor, neighbors: Tensor, owner: Tensor, *, theta: float
) -> Tensor:
    """Return the row that holds each subproblem `[P, n]` after the new rows have come in one by one.

    A new row takes over a neighboring subproblem where it violates less, or equally and scalarizes better.

    Args:
        f: Minimized values of the n holders and the new rows `[P, n + c, m]`.
        v: Total violations `[P, n + c]`.
        ideal: Ideal points `[P, m]`.
        weights: Weights of the subproblems `[n, m]`.
        neighbors: Subproblems in each neighborhood `[k, T]`.
        owner: Neighborhood that each new row belongs to `[P, c]`.
        theta: Penalty of PBI; negative for Tchebycheff.
    """
    directions = unit_length(weights)
    keep = torch.empty(len(f), len(weights), dtype=torch.int64, device=f.device)
    if f.device.type == "cpu" and KERNELS.worth():
        kernel = KERNELS.load().replace_stack
        w, d, near = weights.contiguous().numpy(), directions.numpy(), neighbors.contiguous().numpy()
        over_members(
            lambda a, b, z, o, k: kernel(a, b, z, w, d, near, o, theta, k),
            f, v, ideal, owner, keep, work=owner.shape[1] * neighbors.shape[1] * f.shape[2],
        )  # fmt: skip
    else:
        KERNELS.plain(_replace_plain, f, v, ideal, weights, directions, neighbors, owner, theta, keep)
    return keep
