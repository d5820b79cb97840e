"""Linear programs over the simplex, a whole stack at once, by an interior point method of fixed length."""

from __future__ import annotations

import torch
from torch import Tensor

from paretokit.solvers.gradient._faces import solve

ROUNDS = 40


def interior_maximizer(aim: Tensor, bound: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return maximizers of linear programs, and whether the conditions were met.

    .. math:: \max_w f^\top w \ \text{ with } w \ge 0,\ 1^\top w = 1,\ B w \ge 0

    Args:
        aim: f `[*batch, m]`.
        bound: B `[*batch, K, m]`.
        length: Units of the weights `[*batch, m]`: rows of B / length are brought to size one.

    Returns:
        Weights `[*batch, m]`, and `[*batch, 1]`.

    Source: Mehrotra (1992), SIAM Journal on Optimization, in slack form with predictor and corrector.
    """
    k, m = bound.shape[-2:]
    rows = bound / length.unsqueeze(-2)
    most = rows.abs().amax(-1, keepdim=True)
    rows = torch.where(most > 0, rows / torch.where(most > 0, most, 1.0), 1.0)  # no condition: one that always holds
    total = 1 / length
    unit = total.amax(-1, keepdim=True)
    cost = -aim / length
    cost = cost / cost.abs().amax(-1, keepdim=True).clamp_min(1e-300)
    first = torch.cat([total / unit, torch.zeros_like(rows[..., 0])[..., :1].expand(*total.shape[:-1], k)], -1)
    eye = torch.eye(k, dtype=rows.dtype, device=rows.device).expand(*rows.shape[:-1], k)
    a = torch.cat([first.unsqueeze(-2), torch.cat([rows, -eye], -1)], -2)  # [*batch, 1 + K, m + K]
    right = torch.zeros_like(a[..., 0])
    right[..., 0] = 1
    cost = torch.cat([cost, torch.zeros_like(right[..., 1:])], -1)
    x, z, y = torch.ones_like(cost), torch.ones_like(cost), torch.zeros_like(right)

    def product(matrix: Tensor, vector: Tensor) -> Tensor:
        return (matrix @ vector.unsqueeze(-1)).squeeze(-1)

    def longest(value: Tensor, step: Tensor) -> Tensor:
        ratio = torch.where(step < 0, -value / torch.where(step < 0, step, -1.0), torch.inf)
        return ratio.amin(-1, keepdim=True).clamp_max(1.0)

    for _ in range(ROUNDS):
        primal, dual = right - product(a, x), cost - product(a.mT, y) - z
        gap = (x * z).mean(-1, keepdim=True)
        scale = x / z
        normal = (a * scale.unsqueeze(-2)) @ a.mT
        size = normal.diagonal(dim1=-2, dim2=-1)
        normal = normal + torch.diag_embed(1e-14 * size + 1e-30)

        def moves(
            center: Tensor, *, primal: Tensor = primal, dual: Tensor = dual, normal: Tensor = normal
        ) -> tuple[Tensor, Tensor, Tensor]:
            # x dz + z dx = center - x z
            left = center / z - x  # noqa: B023 - used before they move
            dy = solve(normal, (primal + product(a, scale * dual - left)).unsqueeze(-1)).squeeze(-1)  # noqa: B023
            dz = dual - product(a.mT, dy)
            return left - scale * dz, dy, dz  # noqa: B023

        dx, _, dz = moves(torch.zeros_like(x))
        ahead = ((x + longest(x, dx) * dx) * (z + longest(z, dz) * dz)).mean(-1, keepdim=True)
        center = (ahead / gap).pow(3) * gap
        dx, dy, dz = moves(center - dx * dz)
        step, back = 0.995 * longest(x, dx), 0.995 * longest(z, dz)
        moved = (x + step * dx, y + back * dy, z + back * dz)
        fine = torch.isfinite(moved[0]).all(-1, keepdim=True) & torch.isfinite(moved[2]).all(-1, keepdim=True)
        fine = fine & torch.isfinite(moved[1]).all(-1, keepdim=True) & (gap > 1e-15)
        if x.device.type == "cpu" and not bool(fine.any()):  # elsewhere a read would wait
            break
        x, y, z = (torch.where(fine, new, old) for new, old in zip(moved, (x, y, z), strict=True))
    u = x[..., :m]
    met = product(rows, u) >= -1e-8 * u.amax(-1, keepdim=True)
    w = u / length
    return w / w.sum(-1, keepdim=True), met.all(-1, keepdim=True)
