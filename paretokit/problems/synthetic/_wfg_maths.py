"""Transformations, reductions and shapes of the WFG toolkit, batched over rows and differentiable.

Source: Huband, Hingston, Barone and While, "A review of multiobjective test problems and a scalable test problem
toolkit", IEEE Transactions on Evolutionary Computation 10(5), 2006, tables VI to XI. All map [0, 1] to [0, 1]; rounding
beyond is clipped.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from paretokit.problems.synthetic._base import power


def unit(y: Tensor) -> Tensor:
    """Return y clipped to [0, 1]."""
    return y.clamp(0, 1)


def b_flat(y: Tensor, a: float, b: float, c: float) -> Tensor:
    """Return a flat region of value a between b and c."""
    low = torch.minimum(torch.zeros_like(y), torch.floor(y - b)) * a * (b - y) / b
    high = torch.minimum(torch.zeros_like(y), torch.floor(c - y)) * (1 - a) * (y - c) / (1 - c)
    return unit(a + low - high)


def b_param(y: Tensor, u: Tensor, a: float, b: float, c: float) -> Tensor:
    """Return ``y^v``, the exponent v between b and c depending on the other variables' mean u."""
    v = a - (1 - 2 * u) * (torch.floor(0.5 - u) + a).abs()
    exponent = b + (c - b) * v
    zero = y == 0
    return unit(torch.where(zero, 0.0, torch.where(zero, 1.0, y) ** exponent))


def s_linear(y: Tensor, a: float) -> Tensor:
    """Return the distance from the optimum a, linear on both sides."""
    return unit((y - a).abs() / (torch.floor(a - y) + a).abs())


def s_decept(y: Tensor, a: float, b: float, c: float) -> Tensor:
    """Return a deceptive landscape: a narrow optimum a of half-width b between wide basins of value c."""
    left = torch.floor(y - a + b) * (1 - c + (a - b) / b) / (a - b)
    right = torch.floor(a + b - y) * (1 - c + (1 - a - b) / b) / (1 - a - b)
    return unit(1 + ((y - a).abs() - b) * (left + right + 1 / b))


def s_multi(y: Tensor, a: float, b: float, c: float) -> Tensor:
    """Return a landscape with a hills on each side of the optimum c, of relative depth b."""
    off = (y - c).abs() / (2 * (torch.floor(c - y) + c))
    return unit((1 + ((4 * a + 2) * math.pi * (0.5 - off)).cos() + 4 * b * off * off) / (b + 2))


def r_sum(y: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the mean of the columns `[n, k]`, weighted where weights `[k]` are given."""
    if weights is None:
        return unit(y.mean(-1))
    return unit((y * weights).sum(-1) / weights.sum())


def r_nonsep(y: Tensor) -> Tensor:
    """Return the non-separable reduction of all k columns with degree k.

    ``(sum_j y_j + sum_(i != j) |y_i - y_j|) / (ceil(k/2) (1 + 2k - 2 ceil(k/2)))``; the double sum over pairs is one
    over sorted columns, O(k log k).
    """
    k = y.shape[-1]
    half = math.ceil(k / 2)
    ranks = 2 * torch.arange(k, dtype=y.dtype, device=y.device) - (k - 1)
    return unit((y.sort(-1).values * (1 + 2 * ranks)).sum(-1) / (half * (1 + 2 * k - 2 * half)))


def grouped(y: Tensor, k: int, groups: int) -> list[Tensor]:
    """Return the first k columns in equal groups, then all others."""
    size = k // groups
    return [*(y[:, i * size : (i + 1) * size] for i in range(groups)), y[:, k:]]


def _ladder(kept: Tensor, split: Tensor) -> Tensor:
    """Return ``h_i = kept_1 ... kept_(m-i) split_(m-i+1)``, `[n, m]`, of factors `[n, m - 1]`."""
    columns = []
    head = torch.ones_like(kept[:, 0])
    for j in range(kept.shape[-1]):
        columns.append(head * split[:, j])
        head = head * kept[:, j]
    columns.append(head)
    return torch.stack(columns[::-1], -1)


def linear(x: Tensor) -> Tensor:
    """Return the linear shape of all m objectives, sum 1, of positions `[n, m - 1]`."""
    return _ladder(x, 1 - x)


def convex(x: Tensor) -> Tensor:
    """Return the convex shape of all m objectives of positions `[n, m - 1]`."""
    angles = x * (math.pi / 2)
    return _ladder(1 - angles.cos(), 1 - angles.sin())


def concave(x: Tensor) -> Tensor:
    """Return the concave shape of all m objectives, on the unit sphere, of positions `[n, m - 1]`."""
    angles = x * (math.pi / 2)
    return _ladder(angles.sin(), angles.cos())


def mixed(x: Tensor, waves: int) -> Tensor:
    """Return the last objective's shape, convex and concave by turns, of the first position `[n]`."""
    turn = 2 * math.pi * waves
    return unit(1 - x - (turn * x + math.pi / 2).cos() / turn)


def disconnected(x: Tensor, regions: int) -> Tensor:
    """Return the last objective's shape in pieces, of the first position `[n]`."""
    return unit(1 - x * (regions * math.pi * x).cos() ** 2)


def bias(y: Tensor, exponent: float) -> Tensor:
    """Return the polynomial bias ``y^exponent``."""
    return unit(power(y, exponent))


def means_before(y: Tensor) -> Tensor:
    """Return for each column but the first the mean of all before it, `[n, d]`; 0 for the first."""
    sums = y.cumsum(-1) - y
    return sums / torch.arange(y.shape[-1], dtype=y.dtype, device=y.device).clamp_min(1)


def means_after(y: Tensor) -> Tensor:
    """Return for each column but the last the mean of all after it, `[n, d]`; 0 for the last."""
    return means_before(y.flip(-1)).flip(-1)
