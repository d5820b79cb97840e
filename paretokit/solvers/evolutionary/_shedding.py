"""Survival by hypervolume: of the front that is cut, the least contributor leaves, again and again."""

from __future__ import annotations

import heapq

import torch
from torch import Tensor

from paretokit.core._kernel import KernelModule
from paretokit.solvers.evolutionary._members import over_members

KERNELS = KernelModule("paretokit.solvers.evolutionary._shedding_kernels", compile_seconds=2.0)


def _shed_plain(f: Tensor, ranks: Tensor, ref: float, keep: Tensor) -> None:
    """Shed from fronts of two objectives, one row of every member at a time."""
    members, total = ranks.shape
    n = keep.shape[1]
    last = ranks.sort(1).values[:, n - 1 : n]
    candidate = ranks == last
    order = torch.where(candidate, f[..., 0], torch.inf).argsort(dim=1, stable=True)
    size, surplus = candidate.sum(1), (ranks <= last).sum(1) - n
    ordered = f.gather(1, order.unsqueeze(-1).expand_as(f))
    lanes = torch.arange(members, device=f.device)
    places = torch.arange(total, device=f.device).expand(members, total)
    inside = places < size.unsqueeze(1)
    before, after = (places - 1).clone(), (places + 1).clone()

    def share(k: Tensor) -> Tensor:
        left, right = before[lanes, k], after[lanes, k]
        edge = f.new_full((members,), ref)
        wide = torch.where(right < size, ordered[lanes, right.clamp(0, total - 1), 0].clamp_max(ref), edge)
        high = torch.where(left >= 0, ordered[lanes, left.clamp_min(0), 1].clamp_max(ref), edge)
        return (wide - ordered[lanes, k, 0]).clamp_min(0.0) * (high - ordered[lanes, k, 1]).clamp_min(0.0)

    shares = torch.stack([share(places[:, k]) for k in range(total)], 1)
    shares = torch.where(inside, shares, torch.inf)
    gone = torch.zeros_like(inside)
    for t in range(int(surplus.max())):
        worst = shares.argmin(1)
        active = surplus > t
        left, right = before[lanes, worst], after[lanes, worst]
        gone[lanes, worst] |= active
        shares[lanes, worst] = torch.where(active, torch.inf, shares[lanes, worst])
        for near, links, other in ((left, after, right), (right, before, left)):
            legal = active & (near >= 0) & (near < size)
            at = near.clamp(0, total - 1)
            links[lanes, at] = torch.where(legal, other, links[lanes, at])
            shares[lanes, at] = torch.where(legal, share(at), shares[lanes, at])
    leaves = torch.zeros_like(gone).scatter(1, order, gone)
    chosen = (ranks <= last) & ~leaves
    keep.copy_((~chosen).to(torch.int8).argsort(dim=1, stable=True)[:, :n])


def _contribution(f: Tensor, alive: Tensor, k: int, ref: Tensor) -> float:
    """Return the volume that row k alone dominates: its box to the reference point less what others cover of it."""
    import moocore

    box = (ref - f[k]).clamp_min(0.0)
    whole = float(box.prod())
    others = alive.clone()
    others[k] = False
    if whole <= 0.0 or not bool(others.any()):
        return whole
    cover = torch.maximum(f[others], f[k]).numpy()
    return whole - float(moocore.hypervolume(cover, ref=ref.numpy()))


def _shed_three(f: Tensor, surplus: int, ref: float) -> list[int]:
    """Return the rows shed from one front of three objectives, where all contributions cost little more than one."""
    import moocore

    rows, values = list(range(len(f))), f.numpy()
    corner = (ref, ref, ref)
    return [rows.pop(int(moocore.hv_contributions(values[rows], ref=corner).argmin())) for _ in range(surplus)]


def _shed_many(f: Tensor, surplus: int, ref: float) -> list[int]:
    """Return the rows `surplus` times shed from one front `f [n, m]`, m >= 4.

    Contributions only grow while rows leave, so an old value is a lower bound: the row of the least bound is measured
    anew, and leaves if it stays the least.
    """
    import moocore

    corner = torch.full((f.shape[1],), ref, dtype=torch.float64)
    inside = (f < ref).all(1)
    shares = torch.zeros(len(f), dtype=torch.float64)
    if bool(inside.any()):
        shares[inside] = torch.from_numpy(moocore.hv_contributions(f[inside].numpy(), ref=corner.numpy()))
    heap = [(share, k) for k, share in enumerate(shares.tolist())]
    heapq.heapify(heap)
    measured = [0] * len(f)
    alive = inside.clone()
    gone: list[int] = []
    while len(gone) < surplus:
        _, k = heapq.heappop(heap)
        if measured[k] < len(gone):
            measured[k] = len(gone)
            fresh = _contribution(f, alive, k, corner) if bool(inside[k]) else 0.0
            if heap and (fresh, k) > heap[0]:
                heapq.heappush(heap, (fresh, k))
                continue
        gone.append(k)
        alive[k] = False
    return gone


def _shed_large(f: Tensor, ranks: Tensor, ref: float, keep: Tensor) -> None:
    n = keep.shape[1]
    for p in range(len(f)):
        last = ranks[p].sort().values[n - 1]
        chosen = ranks[p] <= last
        rows = (ranks[p] == last).nonzero().flatten()
        surplus = int(chosen.sum()) - n
        if surplus:
            shedding = _shed_three if f.shape[2] == 3 else _shed_many
            chosen[rows[shedding(f[p, rows], surplus, ref)]] = False
        keep[p] = chosen.nonzero().flatten()


def shed(f: Tensor, ranks: Tensor, n: int, *, ref: float) -> Tensor:
    """Return the n survivors `[P, n]` of each member, in the order of their rows.

    Whole fronts survive while they fit; from the first that does not, the row of the least exclusive hypervolume
    leaves, the rest is measured again, and so on.

    Args:
        f: Normalized values `[P, N, m]`, finite where they count.
        ranks: Ranks `[P, N]`.
        n: Number of survivors.
        ref: The reference point in every objective.
    """
    keep = torch.empty(len(f), n, dtype=torch.int64, device=f.device)
    if f.shape[2] != 2:
        host = torch.empty(len(f), n, dtype=torch.int64)
        _shed_large(f.cpu(), ranks.cpu(), ref, host)
        return host.to(f.device)
    if f.device.type == "cpu" and KERNELS.worth():
        kernel = KERNELS.load().shed_stack
        over_members(lambda a, r, k: kernel(a, r, ref, k), f, ranks, keep, work=n * f.shape[1])
    else:
        KERNELS.plain(_shed_plain, f, ranks, ref, keep)
    return keep
