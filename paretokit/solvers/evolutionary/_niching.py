"""NSGA-III's survival, of a stack of populations: normalization by a hyperplane, association, niching.

Niching has a closed form. The authors fill the emptiest niche first, one candidate at a time; the t-th candidate that
a niche with c members admits comes at level c + t, so the survivors are the candidates of the lowest levels, and of
those of one level a random choice.
"""

from __future__ import annotations

import torch
from torch import Tensor

from paretokit.core._kernel import KernelModule
from paretokit.solvers.evolutionary._draws import unit, word, words
from paretokit.solvers.evolutionary._members import over_members

KERNELS = KernelModule("paretokit.solvers.evolutionary._niching_kernels", compile_seconds=8.0)
SMALL_SHIFT = 1e-3
OFF_AXIS = 1e6
TILE = 1 << 20  # entries of a tile of the association


def _extremes_plain(f: Tensor, front: Tensor, ideal: Tensor, old: Tensor, out: Tensor) -> None:
    m = f.shape[2]
    candidates = torch.cat([old, torch.where(front.unsqueeze(-1), f, torch.inf)], 1)
    shifted = candidates - ideal.unsqueeze(1)
    shifted = torch.where(shifted >= SMALL_SHIFT, shifted, 0.0)
    for j in range(m):
        value = shifted[..., j]
        for i in range(m):
            if i != j:
                value = torch.maximum(value, shifted[..., i] * OFF_AXIS)
        at = value.argmin(1).view(-1, 1, 1).expand(-1, 1, m)
        out[:, j] = candidates.gather(1, at)[:, 0]


def extremes(f: Tensor, front: Tensor, ideal: Tensor, old: Tensor) -> Tensor:
    r"""Return the extreme point `[P, m, m]` of each objective j among the old ones and the first front.

    It has the least :math:`\max_i (f_i - z_i) / w_i` with w the j-th unit vector, zeros replaced by 1e-6; shifts below
    1e-3 count as zero.

    Args:
        f: Minimized values `[P, N, m]`.
        front: Rows of the first feasible front `[P, N]`.
        ideal: Ideal points z `[P, m]`.
        old: Extreme points so far `[P, m, m]`; +inf where there is none.
    """
    out = old.clone()
    if f.device.type == "cpu" and KERNELS.worth():
        kernel = KERNELS.load().extremes_stack
        over_members(kernel, f, front, ideal, old, out, work=f.shape[1] * f.shape[2])
    else:
        KERNELS.plain(_extremes_plain, f, front, ideal, old, out)
    return out


def _solve(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return solutions of ``matrix [P, m, m] y = 1`` by elimination with pivots, and which are regular."""
    m = matrix.shape[1]
    a = torch.cat([matrix, torch.ones_like(matrix[..., :1])], -1)
    regular = torch.isfinite(matrix).all(-1).all(-1)
    lanes = torch.arange(len(a), device=a.device)
    for j in range(m):
        pivot = a[:, j:, j].abs().argmax(1) + j
        top = a[lanes, pivot]
        a[lanes, pivot] = a[:, j].clone()
        a[:, j] = top
        regular &= top[:, j] != 0
        row = top / top[:, j : j + 1]
        rest = a - a[:, :, j : j + 1] * row.unsqueeze(1)
        rest[:, j] = row
        a = rest
    return a[..., m], regular


def nadir(extreme: Tensor, ideal: Tensor, worst: Tensor, front_worst: Tensor, worst_now: Tensor) -> Tensor:
    """Return the nadir points `[P, m]`: intercepts of the hyperplane through the extreme points where they make sense.

    Args:
        extreme: Extreme points `[P, m, m]`.
        ideal: Ideal points `[P, m]`.
        worst: Worst value of each objective so far `[P, m]`; intercepts beyond it are cut off.
        front_worst: Worst values of the first front, the fallback.
        worst_now: Worst values of the population, where the range would vanish.
    """
    matrix = extreme - ideal.unsqueeze(1)
    plane, good = _solve(matrix)
    residual = matrix[..., 0] * plane[:, :1]
    for j in range(1, matrix.shape[2]):
        residual = residual + matrix[..., j] * plane[:, j : j + 1]
    intercepts = 1.0 / plane
    good &= ((residual - 1.0).abs() <= 1e-5 + 1e-8).all(-1) & (intercepts > 1e-6).all(-1)
    point = torch.where(good.unsqueeze(-1), torch.minimum(ideal + intercepts, worst), front_worst)
    return torch.where(point - ideal <= 1e-6, worst_now, point)


def associate(scaled: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Return the nearest direction `[P, N]` of normalized rows `[P, N, m]`, and the squared distance to it.

    Args:
        scaled: Rows, at least 0.
        directions: Unit vectors, transposed: `[m, k]`.
    """
    m, k = directions.shape
    tile = max(1, TILE // (scaled.shape[1] * k))
    niche, most = [], []
    for part in torch.split(scaled, tile):
        dots = part[..., 0, None] * directions[0]
        for j in range(1, m):
            dots = dots + part[..., j, None] * directions[j]
        top = dots.max(-1, keepdim=True)
        first = (dots == top.values).to(torch.int8).argmax(-1)
        niche.append(first)
        most.append(top.values[..., 0])
    at, dot = torch.cat(niche), torch.cat(most)
    total = torch.zeros_like(dot)
    for j in range(m):
        gap = scaled[..., j] - dot * directions[j][at]
        total = total + gap * gap
    return at, total


def _places(niche: Tensor, k: int) -> Tensor:
    """Return the place of each row among the rows of its niche, in the given order; niche k is skipped."""
    order = niche.argsort(dim=1, stable=True)
    sorted_ = niche.gather(1, order)
    counts = torch.zeros(len(niche), k + 1, dtype=torch.int64, device=niche.device)
    counts.scatter_add_(1, niche, torch.ones_like(niche))
    begin = counts.cumsum(1) - counts
    place = torch.arange(niche.shape[1], device=niche.device) - begin.gather(1, sorted_)
    return torch.zeros_like(place).scatter(1, order, place)


def _niche_plain(scaled: Tensor, ranks: Tensor, directions: Tensor, draws: Tensor, keep: Tensor) -> None:
    n, k = keep.shape[1], directions.shape[1]
    last = ranks.sort(1).values[:, n - 1 : n]
    niche, distance = associate(scaled, directions)
    surely, candidate = ranks < last, ranks == last
    taken = torch.zeros(len(ranks), k, dtype=torch.int64, device=ranks.device)
    taken.scatter_add_(1, niche, surely.to(torch.int64))
    own = torch.where(candidate, niche, k)  # niche k holds everybody else
    by_distance = distance.argsort(dim=1, stable=True)
    place = torch.zeros_like(own).scatter(1, by_distance, _places(own.gather(1, by_distance), k))
    count = taken.gather(1, niche)
    key = torch.where((place == 0) & (count == 0), -1.0, draws[:, 0])
    by_key = key.argsort(dim=1, stable=True)
    place = torch.zeros_like(own).scatter(1, by_key, _places(own.gather(1, by_key), k))
    level = (count + place).to(torch.float64) + draws[:, 1]
    level = torch.where(surely, -1.0, torch.where(candidate, level, torch.inf))
    keep.copy_(level.argsort(dim=1, stable=True)[:, :n].sort(1).values)


def niching(scaled: Tensor, ranks: Tensor, directions: Tensor, keys: Tensor, n: int) -> Tensor:
    """Return the n survivors `[P, n]` of each member, in the order of their rows.

    Whole fronts survive while they fit. Candidates of the first that does not are admitted to the niche with the
    fewest members, the nearest one to an empty niche, a random one otherwise.

    Args:
        scaled: Normalized values `[P, N, m]`, at least 0.
        ranks: Ranks `[P, N]`.
        directions: Reference directions as unit vectors, transposed: `[m, k]`.
        keys: The generation's key of each member `[P]`.
        n: Number of survivors.
    """
    total = scaled.shape[1]
    draws = unit(words(word(keys, 0), 2 * total)).reshape(-1, 2, total)
    keep = torch.empty(len(scaled), n, dtype=torch.int64, device=scaled.device)
    if scaled.device.type == "cpu" and KERNELS.worth():
        kernel = KERNELS.load().niche_stack
        lattice = directions.contiguous().numpy()
        over_members(
            lambda s, r, u, k: kernel(s, r, lattice, u, k),
            scaled, ranks, draws, keep, work=total * directions.shape[1],
        )  # fmt: skip
    else:
        KERNELS.plain(_niche_plain, scaled, ranks, directions, draws, keep)
    return keep
