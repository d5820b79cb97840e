"""Hypervolume as a tensor program: m = 1, 2, 3 on any device with autograd; every m through exclusive facets.

Fronts are `[b, n, m]` in minimization sense, finite wherever a row lies inside the box of the reference point; the
other rows may hold anything but NaN, and count nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from paretokit.indicators import _hypervolume_exact as exact

_CELLS = 1 << 24  # grid cells held at once by the kernel for m = 3


def volumes(values: Tensor, ref: Tensor) -> Tensor:
    """Return the hypervolumes `[b]` for m ≤ 3, differentiable; the sum is taken in float64.

    m = 2 sorts and takes a running minimum, O(n log n); m = 3 fills the grid of the ranks of x and y with the running
    maximum of the third gain along both axes, O(n^2) in blocks of bounded memory (more where autograd keeps them).
    """
    b, n, m = values.shape
    if n == 0 or b == 0:
        return values.sum((1, 2)).to(torch.float64)
    inside = (values < ref).all(-1, keepdim=True)
    gains = torch.where(inside, ref - torch.where(inside, values, ref), 0.0)
    if m == 1:
        return gains.amax((1, 2)).to(torch.float64)
    x, order = gains[..., 0].sort(dim=1, descending=True)
    y = gains[..., 1].gather(1, order)
    width = x - torch.cat([x[:, 1:], torch.zeros_like(x[:, :1])], 1)
    if m == 2:
        return (width * y.cummax(1).values).sum(1, dtype=torch.float64)
    z = gains[..., 2].gather(1, order)
    chunk = max(1, _CELLS // (n * n))
    parts = [_grid(width[i : i + chunk], y[i : i + chunk], z[i : i + chunk]) for i in range(0, b, chunk)]
    return torch.cat(parts)


def _grid(width: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Return the volumes of rows sorted by descending x gain: strips `width`, gains y and z, all `[b, n]`."""
    b, n = y.shape
    depth, order = y.sort(dim=1, descending=True)
    strip = depth - torch.cat([depth[:, 1:], torch.zeros_like(depth[:, :1])], 1)
    rank = torch.empty_like(order).scatter_(1, order, torch.arange(n, device=y.device).expand(b, n))
    rows = max(1, _CELLS // (b * n))
    carry, total = torch.zeros_like(y), torch.zeros(b, dtype=torch.float64, device=y.device)
    for first in range(0, n, rows):
        last = min(n, first + rows)
        cells = torch.zeros(b, last - first, n, dtype=y.dtype, device=y.device)
        cells = cells.scatter(2, rank[:, first:last, None], z[:, first:last, None])
        height = torch.cat([carry[:, None], cells], 1).cummax(1).values[:, 1:]
        carry = height[:, -1]
        area = (height.cummax(2).values * strip[:, None]).sum(2, dtype=torch.float64)
        total = total + (area * width[:, first:last]).sum(1)
    return total


class Facets(torch.autograd.Function):
    """Exact hypervolume of any m ≥ 2 on the CPU; its gradient is minus the exclusive area of each point's facets.

    ``dHV / da_i`` of a point a is minus the (m - 1)-volume of the part of its face normal to axis i that no other point
    covers (Emmerich and Deutz, 2014). One-sided where points tie; zero for dominated points and equal ones.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, ref: Tensor) -> Tensor:
        """Return the hypervolumes `[b]`, float64."""
        ctx.save_for_backward(values, ref)
        return numeric(values, ref)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        """Return the gradient by the exclusive facets of every front."""
        values, ref = ctx.saved_tensors
        fronts, corner = values.double().cpu().numpy(), ref.double().cpu().numpy()
        areas = np.zeros_like(fronts)
        for i, front in enumerate(fronts):
            inside = (corner > front).all(1)
            areas[i][inside] = exact.facets(front[inside], corner)
        slope = -torch.from_numpy(areas).to(values)
        return slope * grads[0].to(values)[:, None, None], None


def numeric(values: Tensor, ref: Tensor) -> Tensor:
    """Return the hypervolumes `[b]` in float64 by the CPU's algorithms, without a gradient."""
    fronts = values.detach().double().cpu().numpy()
    return torch.from_numpy(exact.exact_batch(fronts, ref.double().cpu().numpy())).to(values.device)
