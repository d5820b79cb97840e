# mypy: ignore-errors
"""Compiled non-dominated filtering of one set of rows, smaller better, callable from other kernels.

A few strong rows remove the bulk of a large set first. Then m = 2: sweep; m = 3: sweep with a Fenwick tree of prefix
minima, O(n log n) (after Kung, Luccio and Preparata 1975); m >= 4: bit sets, block by block against the front so far.
"""

import numpy as np

from paretokit.core._dominance_kernels import BLOCK, dominators
from paretokit.core._kernel import jit
from paretokit.core._sorting_kernels import SMALL, equal_rows, orders_of


@jit("int64[::1](float64[:, ::1], boolean[::1])")
def _survivors(F, alive):
    """Return the alive, finite rows that none of a few strong rows dominates."""
    n, m = F.shape
    keep = np.empty(n, np.int64)
    count = 0
    low = np.full(m, np.inf)
    high = np.full(m, -np.inf)
    for i in range(n):
        good = alive[i]
        for j in range(m):
            good &= abs(F[i, j]) < np.inf
        if good:
            keep[count] = i
            count += 1
            for j in range(m):
                low[j] = min(low[j], F[i, j])
                high[j] = max(high[j], F[i, j])
    for tilt in range(-1, m if count > SMALL else -1):
        # the row with the least normalized sum, then the same with one objective counted four times
        best = np.inf
        pivot = -1
        for k in range(count):
            total = 0.0
            for j in range(m):
                scale = high[j] - low[j]
                weight = 4.0 if j == tilt else 1.0
                total += weight * (F[keep[k], j] - low[j]) / (scale if scale > 0 else 1.0)
            if total < best:
                best = total
                pivot = keep[k]
        if pivot < 0:
            break
        kept = 0
        for k in range(count):
            i = keep[k]
            weak = True
            strict = False
            for j in range(m):
                weak &= F[pivot, j] <= F[i, j]
                strict |= F[pivot, j] < F[i, j]
            if not (weak and strict):
                keep[kept] = i
                kept += 1
        count = kept
    return keep[:count].copy()


@jit("void(float64[:, ::1], int64[:, ::1], boolean[::1])")
def _filter_2(columns, orders, good):
    best = np.inf
    for p in orders[0]:
        good[p] = columns[1, p] < best
        best = min(best, columns[1, p])


@jit("void(float64[:, ::1], int64[:, ::1], boolean[::1])")
def _filter_3(columns, orders, good):
    n = columns.shape[1]
    second, third = columns[1], columns[2]
    level = np.empty(n, np.int64)
    k = 0
    for i in range(n):
        if i == 0 or second[orders[1, i]] > second[orders[1, i - 1]]:
            k += 1
        level[orders[1, i]] = k
    least = np.full(k + 1, np.inf)
    for p in orders[0]:
        value = third[p]
        at = level[p]
        free = True
        while at > 0:
            if least[at] <= value:
                free = False
                break
            at &= at - 1
        good[p] = free
        at = level[p]
        while free and at <= k and least[at] > value:
            least[at] = value
            at += at & -at


@jit("void(float64[:, ::1], int64[:, ::1], boolean[::1])")
def _filter_many(columns, orders, good):
    n = columns.shape[1]
    one = np.uint64(1)
    place = np.full(n, -1, np.int64)
    front = np.empty(n, np.int64)
    count = 0
    done = 0
    while done < n:
        begin = count
        end = count
        while done < n and end < begin + BLOCK:
            p = orders[0, done]
            front[end] = p
            place[p] = end
            end += 1
            done += 1
        words = (end + 63) >> 6
        rows = np.empty((end - begin, words), np.uint64)
        running = np.empty(words, np.uint64)
        dominators(columns, orders, place, begin, end, rows, running)
        for k in range(begin, end):
            p = front[k]
            row = rows[k - begin]
            own = k >> 6
            row[own] &= (one << np.uint64(k & 63)) - one
            free = True
            for w in range(own + 1):
                if row[w]:
                    free = False
                    break
            place[p] = -1
            if free:
                front[count] = p
                place[p] = count
                count += 1
    for k in range(count):
        good[front[k]] = True


@jit("void(float64[:, ::1], boolean[::1], boolean, boolean[::1])")
def filter_kernel(F, alive, keep_duplicates, out):
    """Fill `out` with whether each alive row is finite and dominated by no other alive finite row.

    With `keep_duplicates` false, the first of equal rows stays.
    """
    m = F.shape[1]
    out[:] = False
    rows = _survivors(F, alive)
    n = rows.shape[0]
    if n == 0:
        return
    columns = np.empty((m, n))
    for j in range(m):
        for i in range(n):
            columns[j, i] = F[rows[i], j] + 0.0
    orders = orders_of(columns)
    good = np.zeros(n, np.bool_)
    if m == 1:
        good[orders[0, 0]] = True
    elif m == 2:
        _filter_2(columns, orders, good)
    elif m == 3:
        _filter_3(columns, orders, good)
    else:
        _filter_many(columns, orders, good)
    # the filters keep the first of equal rows and drop the others, which follow it in lexicographic order
    twin = False
    for i in range(n):
        p = orders[0, i]
        if keep_duplicates and i > 0 and not good[p] and equal_rows(columns, p, orders[0, i - 1]):
            good[p] = twin
        twin = good[p]
        out[rows[p]] = good[p]


@jit("void(float64[:, :, ::1], boolean[:, ::1], boolean, boolean[:, ::1])")
def filter_stack(F, alive, keep_duplicates, out):
    """Run `filter_kernel` on every set of a stack."""
    for b in range(F.shape[0]):
        filter_kernel(F[b], alive[b], keep_duplicates, out[b])
