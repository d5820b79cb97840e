"""The best candidate of each query, without storing all pairs: the step that distances, epsilon and R2 share.

The search is exact and carries no gradient; indicators evaluate their formula again at the pair that was found, which
is where the gradient flows.
"""

from __future__ import annotations

from enum import IntEnum

import torch
from torch import Tensor

from paretokit.core._io import Points
from paretokit.core._kernel import KernelModule

KERNELS = KernelModule("paretokit.indicators._nearest_kernels", compile_seconds=3.0)
TILE = 1 << 21  # pairs compared at once by the torch path: 16 MB of float64 a temporary
PAIR_SECONDS = 2e-9  # of the torch path, one objective of one pair on one core; decides when compiling pays


class Cost(IntEnum):
    """What is minimized over candidates c for a query q."""

    EUCLIDEAN = 0
    """Squared Euclidean distance."""
    SHORTFALL = 1
    """Squared Euclidean length of max(c - q, 0)."""
    WORST = 2
    """max_i (c_i - q_i)."""
    TAXICAB = 3
    """sum_i |c_i - q_i|."""
    TCHEBYCHEFF = 4
    """max_i q_i c_i + rho sum_i q_i c_i."""
    TCHEBYCHEFF_PLAIN = 5
    """max_i q_i c_i + rho sum_i c_i."""


def usable(points: Points) -> tuple[Tensor, Tensor]:
    """Return the rows `[b, n, m]` with those that are failed or masked out set to zero, and which count `[b, n]`."""
    mask = points.mask & torch.isfinite(points.values).all(-1)
    values = torch.where(mask.unsqueeze(-1), points.values, 0.0)
    n, m = values.shape[-2:]
    return values.reshape(_size(values.shape[:-2]), n, m), mask.reshape(_size(values.shape[:-2]), n)


def _size(batch: torch.Size) -> int:
    return batch.numel()


def nearest(
    queries: Tensor,
    candidates: Tensor,
    alive: Tensor,
    cost: Cost,
    *,
    rho: float = 0.0,
    others: bool = False,
) -> Tensor:
    """Return the index of the first best alive candidate of each query, `[b, q]` int64, -1 without one.

    Args:
        queries: `[b, q, m]`, or `[1, q, m]` for every set.
        candidates: `[b, n, m]`, or `[1, n, m]` for every set.
        alive: `[b, n]` or `[1, n]`, the candidates that count.
        cost: What is minimized.
        rho: Weight of the sum in `Cost.TCHEBYCHEFF`.
        others: Whether candidate i is none for query i.

    Cost: O(b q n m) time, O(q + n) memory.
    """
    sets = max(queries.shape[0], candidates.shape[0]) if min(queries.shape[0], candidates.shape[0]) else 0
    out = torch.full((sets, queries.shape[1]), -1, dtype=torch.int64, device=queries.device)
    if out.numel() == 0 or candidates.shape[1] == 0:
        return out
    queries, candidates = queries.detach(), candidates.detach()
    work = out.numel() * candidates.shape[1] * queries.shape[2] * PAIR_SECONDS
    arguments = (queries, candidates, alive, cost, rho, others, out)
    if queries.device.type != "cpu":
        _nearest_plain(*arguments)
        return out
    if not KERNELS.worth(work):
        KERNELS.plain(_nearest_plain, *arguments)
        return out
    arrays = [t.to(torch.float64).contiguous().numpy() for t in (queries, candidates)]
    kernel = KERNELS.load().nearest_stack
    kernel(*arrays, alive.contiguous().numpy(), int(cost), float(rho), others, out.numpy())
    return out


def _nearest_plain(
    queries: Tensor, candidates: Tensor, alive: Tensor, cost: Cost, rho: float, others: bool, out: Tensor
) -> None:
    """Fill `out` like the compiled `nearest_stack`, by tiles of pairs."""
    sets, count = out.shape
    n = candidates.shape[1]
    wide = min(n, 4096)
    tile = max(1, TILE // (sets * wide))
    for begin in range(0, count, tile):
        query = queries[:, begin : begin + tile]
        best = torch.full((sets, query.shape[1]), torch.inf, dtype=query.dtype, device=query.device)
        found = torch.full_like(out[:, begin : begin + tile], -1)
        for start in range(0, n, wide):
            block = slice(start, min(start + wide, n))
            value = _cost(query, candidates[:, block], cost, rho)
            barred = ~alive[:, None, block].expand_as(value)
            if others:
                i = torch.arange(begin, begin + query.shape[1], device=query.device)
                barred = barred | (i[:, None] == torch.arange(block.start, block.stop, device=query.device))
            value = value.masked_fill(barred, torch.inf)
            least, at = value.min(-1)
            better = (least < best) | ((found < 0) & ~barred.all(-1))
            best = torch.where(better, least, best)
            found = torch.where(better, at + start, found)
        out[:, begin : begin + tile] = found


def _cost(query: Tensor, candidate: Tensor, cost: Cost, rho: float) -> Tensor:
    """Return the cost of all pairs, `[b, q, n]`, one objective after the other in the order of the compiled twin."""
    total: Tensor | None = None
    columns = [(query[:, :, None, j], candidate[:, None, :, j]) for j in range(query.shape[-1])]
    for q, c in columns:
        worst = cost not in (Cost.EUCLIDEAN, Cost.SHORTFALL, Cost.TAXICAB)
        term = c * q if cost >= Cost.TCHEBYCHEFF else c - q
        if cost is Cost.EUCLIDEAN:
            term = term.square_()
        elif cost is Cost.SHORTFALL:
            term = term.clamp_min_(0).square_()
        elif cost is Cost.TAXICAB:
            term = term.abs_()
        total = term if total is None else torch.maximum(total, term) if worst else total + term
    assert total is not None
    if cost >= Cost.TCHEBYCHEFF and rho > 0:
        for q, c in columns:
            total = total + (rho * q if cost is Cost.TCHEBYCHEFF else rho) * c
    return total


def take(rows: Tensor, index: Tensor) -> Tensor:
    """Return the rows `[b, q, m]` that `index [b, q]` names (row 0 where it is -1), with their gradient."""
    at = index.clamp_min(0).unsqueeze(-1).expand(-1, -1, rows.shape[-1])
    return rows.expand(index.shape[0], -1, -1).gather(1, at)


def length(vectors: Tensor) -> Tensor:
    """Return Euclidean lengths `[...]`, with gradient zero (not NaN) at zero."""
    square = vectors.square().sum(-1)
    positive = square > 0
    return torch.where(positive, torch.where(positive, square, 1.0).sqrt(), 0.0)
