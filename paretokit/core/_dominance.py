"""Dominance: which points no other point beats, and how many layers lie above the others."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.core._io import Array, Return, Senses, as_array, as_tensor, flip, read_mask, senses
from paretokit.core._kernel import KernelModule

RANKING = KernelModule("paretokit.core._dominance_kernels", compile_seconds=8.0)
FILTERING = KernelModule("paretokit.core._filter_kernels", compile_seconds=12.0)
TILE = 1 << 22  # pairs compared at once by the torch path: 4 MB of Booleans
PAIR_SECONDS = 1e-9  # of the torch path, one objective of one pair on one core; decides when compiling pays
THREAD_ROWS = 20_000  # rows of a stack above which a second thread pays


def read_rows(values: Array, maximize: Senses, mask: Array | None) -> tuple[Tensor, Tensor, Return]:
    """Return minimized float64 rows `[*batch, n, m]`, which of them the caller counts, and how to answer."""
    if isinstance(values, Tensor):
        check.that(not values.is_complex(), "values", "be real", values.dtype)
        tensor, give = values.detach().to(torch.float64), Return(numpy=False)
    else:
        tensor, give = as_tensor(as_array(values)), Return(numpy=True)
    check.shape(
        tensor.ndim >= 2 and tensor.shape[-1] >= 1,
        "values",
        "have shape [*batch, n, m]",
        tuple(tensor.shape),
        "one front is a matrix, a row a point",
    )
    tensor = flip(tensor, senses(maximize, tensor.shape[-1])).contiguous()
    if mask is None:
        alive = torch.ones(tensor.shape[:-1], dtype=torch.bool, device=tensor.device)
    else:
        alive = read_mask(mask, tensor).contiguous()
    return tensor, alive, give


def total_violation(violations: Array) -> Any:
    """Sum the positive constraint violations of each row; +inf where one is NaN or infinite.

    Args:
        violations: `[..., n, k]`, at most 0 where a constraint is satisfied.

    Returns:
        `[..., n]`, 0 for feasible rows; NumPy or tensor as given.
    """
    numpy = not isinstance(violations, Tensor)
    tensor = violations if isinstance(violations, Tensor) else as_tensor(as_array(violations, "violations"))
    check.shape(tensor.ndim >= 1, "violations", "have shape [..., n, k]", tuple(tensor.shape))
    total = tensor.clamp_min(0).sum(-1)
    failed = ~torch.isfinite(tensor).all(-1)
    return Return(numpy, tensor.dtype)(torch.where(failed, math.inf, total))


def _read_violations(violations: Array, rows: Tensor) -> Tensor:
    tensor = violations.detach() if isinstance(violations, Tensor) else as_tensor(as_array(violations, "violations"))
    check.shape(
        tensor.ndim == rows.ndim and tensor.shape[:-1] == rows.shape[:-1],
        "violations",
        f"have shape {tuple(rows.shape[:-1])} + (k,), one row a point",
        tuple(tensor.shape),
    )
    total: Tensor = total_violation(tensor.to(rows))
    return total.contiguous()


def _run(kernels: KernelModule, function: str, plain: Callable[..., None], rows: Tensor, *args: Any) -> None:
    """Fill the last argument for a stack of sets `rows [b, n, m]`, compiled on the CPU where that pays."""
    b, n, m = rows.shape
    if rows.device.type != "cpu":
        plain(rows, *args)
        return
    if not kernels.worth(b * n * n * m * PAIR_SECONDS):
        kernels.plain(plain, rows, *args)
        return
    kernel = getattr(kernels.load(), function)
    arrays = [a.numpy() if isinstance(a, Tensor) else a for a in (rows, *args)]
    threads = min(b, torch.get_num_threads()) if b * n > THREAD_ROWS else 1
    if threads <= 1:
        kernel(*arrays)
        return
    with ThreadPoolExecutor(threads) as pool:
        cuts = [(b * t // threads, b * (t + 1) // threads) for t in range(threads)]
        parts = [[a if isinstance(a, bool) else a[i:j] for a in arrays] for i, j in cuts]
        list(pool.map(lambda part: kernel(*part), parts))


def non_dominated(
    values: Array,
    *,
    maximize: Senses = False,
    violations: Array | None = None,
    keep_duplicates: bool = True,
    mask: Array | None = None,
) -> Any:
    r"""Tell which points no other point dominates.

    .. math:: a \prec b \iff a_i \le b_i \ \forall i \ \text{and} \ a \ne b \quad \text{(minimization)}

    A row that is not finite is a failed candidate: it dominates nothing and is never in a front. With `violations`,
    dominance is constrained (Deb, Pratap, Agarwal and Meyarivan 2002): feasible points dominate all others, and while
    none is feasible, the points of least total violation are the front.

    Args:
        values: Points `[*batch, n, m]`, array or tensor.
        maximize: Whether larger is better: a bool, or one an objective.
        violations: Constraint violations `[*batch, n, k]`, at most 0 where satisfied.
        keep_duplicates: Whether all of several equal points stay; otherwise the first does.
        mask: `[*batch, n]`, True where a row counts.

    Returns:
        Bool `[*batch, n]`, NumPy or tensor as `values`.

    Raises:
        ShapeError: If shapes do not fit each other.

    Cost: O(n log n) for m <= 3, O(m n f / 64) word operations beyond, f the size of the front; tensors on other
    devices compare all pairs in tiles.
    """
    rows, alive, give = read_rows(values, maximize, mask)
    if violations is not None and rows.shape[-2]:
        total = _read_violations(violations, rows)
        usable = alive & torch.isfinite(rows).all(-1) & torch.isfinite(total)
        alive = usable & (total <= torch.where(usable, total, math.inf).amin(-1, keepdim=True))
    out = torch.zeros_like(alive)
    n, m = rows.shape[-2:]
    if out.numel():
        stack = rows.reshape(-1, n, m), alive.reshape(-1, n), keep_duplicates, out.view(-1, n)
        _run(FILTERING, "filter_stack", _filter_plain, *stack)
    return give(out)


def pareto_rank(
    values: Array, *, maximize: Senses = False, violations: Array | None = None, mask: Array | None = None
) -> Any:
    r"""Number the fronts: 0 for non-dominated points, k for those that only points of ranks below k dominate.

    .. math:: \text{rank}(p) = 1 + \max \{ \text{rank}(q) : q \prec p \}, \qquad \max \emptyset = -1

    Equal points share a rank. With `violations`, less total violation ranks before everything else and points of
    equal violation are ranked by their values (for feasible points this is the rule of Deb, Pratap, Agarwal and
    Meyarivan 2002). Rows that are not finite are failed candidates and share one rank after all others.

    Args:
        values: Points `[*batch, n, m]`, array or tensor.
        maximize: Whether larger is better: a bool, or one an objective.
        violations: Constraint violations `[*batch, n, k]`, at most 0 where satisfied.
        mask: `[*batch, n]`, True where a row counts; the others get -1.

    Returns:
        int64 `[*batch, n]`, NumPy or tensor as `values`.

    Raises:
        ShapeError: If shapes do not fit each other.

    Cost: O(n log n) for m = 2 (Jensen 2003), O(m n^2 / 128) word operations beyond; tensors on other devices compare
    all pairs in tiles.
    """
    rows, alive, give = read_rows(values, maximize, mask)
    total = torch.zeros_like(rows[..., 0]) if violations is None else _read_violations(violations, rows)
    out = torch.empty(alive.shape, dtype=torch.int64, device=rows.device)
    n, m = rows.shape[-2:]
    if out.numel():
        stack = rows.reshape(-1, n, m), total.reshape(-1, n), alive.reshape(-1, n), out.view(-1, n)
        _run(RANKING, "rank_stack", _rank_plain, *stack)
    return give(out)


def _lexicographic(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the lexicographic order of rows `[b, n, m]` and, in that order, the number of the group of equal rows."""
    order = torch.arange(rows.shape[1], device=rows.device).expand(rows.shape[:2])
    for j in range(rows.shape[2] - 1, -1, -1):
        column = rows[..., j].gather(1, order)
        order = order.gather(1, column.argsort(dim=1, stable=True))
    ordered = rows.gather(1, order.unsqueeze(-1).expand_as(rows))
    fresh = (ordered[:, 1:] != ordered[:, :-1]).any(-1)
    return order, torch.nn.functional.pad(fresh.cumsum(1), (1, 0))


def _below(rows: Tensor, group: Tensor, left: slice, right: slice) -> Tensor:
    """Tell whether row l dominates row r, `[b, right, left]`, for rows in lexicographic order."""
    below = group[:, None, left] < group[:, right, None]
    for j in range(rows.shape[2]):
        below &= rows[:, None, left, j] <= rows[:, right, None, j]
    return below


def _tile(rows: Tensor) -> int:
    return max(16, int((TILE / rows.shape[0]) ** 0.5))


def _filter_plain(rows: Tensor, alive: Tensor, keep_duplicates: bool, out: Tensor) -> None:
    """Fill `out` like the compiled `filter_stack`, by tiles of pairs in lexicographic order."""
    usable = alive & torch.isfinite(rows).all(-1)
    rows = torch.where(usable.unsqueeze(-1), rows, math.inf)
    order, group = _lexicographic(rows)
    rows = rows.gather(1, order.unsqueeze(-1).expand_as(rows))
    n, tile = rows.shape[1], _tile(rows)
    good = torch.isfinite(rows[..., 0])
    for begin in range(0, n, tile):
        right = slice(begin, min(begin + tile, n))
        for start in range(0, right.stop, tile):
            left = slice(start, min(start + tile, right.stop))
            good[:, right] &= ~_below(rows, group, left, right).any(-1)
    if not keep_duplicates:
        good[:, 1:] &= group[:, 1:] != group[:, :-1]
    out.scatter_(1, order, good)


def _rank_plain(rows: Tensor, total: Tensor, alive: Tensor, out: Tensor) -> None:
    """Fill `out` like the compiled `rank_stack`: the longest chain of dominators, tile by tile."""
    usable = alive & torch.isfinite(rows).all(-1) & torch.isfinite(total)
    level = torch.where(usable, total.clamp_min(0), math.inf)
    rows = torch.where(usable.unsqueeze(-1), rows, math.inf)
    order, group = _lexicographic(torch.cat([level.unsqueeze(-1), rows], -1))
    rows = rows.gather(1, order.unsqueeze(-1).expand_as(rows))
    level = level.gather(1, order)
    n = rows.shape[1]
    tall = min(128, _tile(rows))  # one pass over a tile an element of its longest chain: keep it small
    wide = max(tall, TILE // (tall * rows.shape[0]))
    rank = torch.zeros(level.shape, dtype=torch.int32, device=rows.device)

    def below(left: slice, right: slice) -> Tensor:
        return _below(rows, group, left, right) & (level[:, None, left] == level[:, right, None])

    def longest(left: slice, right: slice, pairs: Tensor) -> Tensor:
        chains = torch.where(pairs, rank[:, None, left] + 1, 0).amax(-1)
        return torch.maximum(rank[:, right], chains)

    for begin in range(0, n, tall):
        right = slice(begin, min(begin + tall, n))
        for start in range(0, begin, wide):
            left = slice(start, min(start + wide, begin))
            rank[:, right] = longest(left, right, below(left, right))
        inside = below(right, right)
        while not torch.equal(longer := longest(right, right, inside), rank[:, right]):
            rank[:, right] = longer
    # levels of violation follow one another: each begins behind the last rank of the one before
    fresh = torch.nn.functional.pad((level[:, 1:] != level[:, :-1]).cumsum(1), (1, 0))
    deepest = torch.full_like(fresh, -1).scatter_reduce(1, fresh, rank.to(torch.int64), "amax")
    offset = torch.nn.functional.pad((deepest + 1).cumsum(1), (1, 0)).gather(1, fresh)
    out.scatter_(1, order, offset + rank)
    out.masked_fill_(~alive, -1)
