"""Survival by rank and crowding distance, of a stack of populations."""

from __future__ import annotations

import torch
from torch import Tensor

from paretokit.core import pareto_rank
from paretokit.core._dominance import RANKING
from paretokit.core._kernel import KernelModule
from paretokit.solvers.evolutionary._members import over_members

KERNELS = KernelModule("paretokit.solvers.evolutionary._crowding_kernels", compile_seconds=4.0)


def ranked(f: Tensor, v: Tensor) -> Tensor:
    """Return the rank `[P, N]` of each row under constrained dominance; smaller total violation first."""
    if f.device.type != "cpu" or not RANKING.worth():
        out: Tensor = pareto_rank(f, violations=v.unsqueeze(-1))
        return out
    kernel, ranks = RANKING.load().rank_stack, torch.empty(v.shape, dtype=torch.int64)
    over_members(kernel, f, v, torch.ones_like(v, dtype=torch.bool), ranks, work=32 * f.shape[1])
    return ranks


def crowding_distance(f: Tensor, ranks: Tensor) -> Tensor:
    r"""Return the crowding distance `[P, N]` of rows `f [P, N, m]` within their fronts.

    .. math:: \sum_j \frac{f_j(\text{next}) - f_j(\text{previous})}{\max f_j - \min f_j}

    +inf for the ends of a front in each objective and for fronts of at most two rows; an objective that is constant
    on a front counts nothing. Equal values keep the order of their rows.

    Deb, Pratap, Agarwal and Meyarivan (2002), IEEE TEVC.
    """
    members, total, m = f.shape
    out = torch.zeros_like(f[..., 0])
    place = torch.arange(total, device=f.device).expand(members, total)
    small = torch.zeros_like(out, dtype=torch.bool)
    for j in range(m):
        order = f[..., j].argsort(dim=1, stable=True)
        order = order.gather(1, ranks.gather(1, order).argsort(dim=1, stable=True))
        value, rank = f[..., j].gather(1, order), ranks.gather(1, order)
        fresh = torch.nn.functional.pad(rank[:, 1:] != rank[:, :-1], (1, 0), value=True)
        ends = torch.nn.functional.pad(fresh[:, 1:], (0, 1), value=True)
        first = torch.where(fresh, place, 0).cummax(1).values
        last = torch.where(ends, place, total - 1).flip(1).cummin(1).values.flip(1)
        span = value.gather(1, last) - value.gather(1, first)
        usable = (span > 0) & (span < torch.inf)
        gap = value.gather(1, (place + 1).clamp_max(total - 1)) - value.gather(1, (place - 1).clamp_min(0))
        term = torch.where(usable, torch.where(fresh | ends, torch.inf, gap / span), 0.0)
        out += torch.zeros_like(out).scatter(1, order, term)
        small |= torch.zeros_like(small).scatter(1, order, last - first < 2)
    return torch.where(small, torch.inf, out)


def _survive_plain(f: Tensor, ranks: Tensor, keep: Tensor, kept: Tensor) -> None:
    n = keep.shape[1]
    distance = crowding_distance(f, ranks)
    order = (-distance).argsort(dim=1, stable=True)
    order = order.gather(1, ranks.gather(1, order).argsort(dim=1, stable=True))[:, :n]
    keep.copy_(order.sort(1).values)
    kept.copy_(distance.gather(1, keep))


def rank_and_crowding(f: Tensor, v: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Return the n survivors `[P, n]` of each member, in the order of their rows, and their crowding distances.

    Whole fronts survive while they fit; of the first that does not, the rows of largest crowding distance, the
    earlier of equal ones.

    Args:
        f: Minimized values `[P, N, m]`, N >= n.
        v: Total violations `[P, N]`.
        n: Number of survivors.
    """
    ranks = ranked(f, v)
    keep = torch.empty(len(f), n, dtype=torch.int64, device=f.device)
    kept = torch.empty(len(f), n, dtype=torch.float64, device=f.device)
    if f.device.type == "cpu" and KERNELS.worth():
        over_members(KERNELS.load().survive_stack, f, ranks, keep, kept, work=32 * f.shape[1])
    else:
        KERNELS.plain(_survive_plain, f, ranks, keep, kept)
    return keep, kept
