# mypy: ignore-errors
"""Compiled Pareto ranking of one set of rows, smaller better, callable from other kernels.

`rank_kernel(F, out)` takes rows `F: float64[:, ::1]`. A row with a NaN or an infinite entry is a failed one: it counts
as worse than every other row. Equal rows share a rank. Exact for every number of objectives:

* m = 2: sweep in lexicographic order, binary search over the last value of each front (Jensen 2003), O(n log n);
* m >= 3: bit sets. The rows at or below row p in objective i are a prefix of the order of objective i, so the
  dominators of p are the intersection of m prefixes, 64 rows a machine word: O(m n^2 / 128) word operations. Rows are
  taken in blocks of 1024, so memory is O(128 n) bytes. The rank of p is one more than the worst rank of a dominator.
"""

import numpy as np

from paretokit.core._kernel import jit
from paretokit.core._sorting_kernels import equal_rows, orders_of, stable_sort, transposed

BLOCK = 1024
DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
TRAILING = np.zeros(64, np.int64)
for _bit in range(64):
    TRAILING[((0x03F79D71B4CB0A89 << _bit) & (2**64 - 1)) >> 58] = _bit


@jit("void(float64[:, ::1], int64[::1], int64[::1])")
def _rank_2(columns, order, out):
    first, second = columns[0], columns[1]
    n = order.shape[0]
    last = np.empty(n)
    fronts = 0
    previous = -1
    for p in order:
        value = second[p]
        if previous >= 0 and first[previous] == first[p] and second[previous] == value:
            out[p] = out[previous]
            continue
        low = 0
        high = fronts
        while low < high:
            middle = (low + high) >> 1
            if last[middle] <= value:
                low = middle + 1
            else:
                high = middle
        if low == fronts:
            fronts += 1
        last[low] = value
        out[p] = low
        previous = p


@jit("void(float64[:, ::1], int64[:, ::1], int64[::1], int64, int64, uint64[:, ::1], uint64[::1])")
def dominators(columns, orders, place, begin, end, rows, running):
    """Fill `rows[p - begin]` with the rows at or below the row at place p in every objective, for begin <= p < end.

    `place` holds a row's number in lexicographic order, or -1 to leave it out; bit q of a row is the row at place q.
    """
    m, n = columns.shape
    one = np.uint64(1)
    for j in range(1, m):
        running[:] = 0
        values = columns[j]
        order = orders[j]
        i = 0
        while i < n:
            value = values[order[i]]
            k = i
            while k < n and values[order[k]] == value:
                q = place[order[k]]
                if q >= 0:
                    running[q >> 6] |= one << np.uint64(q & 63)
                k += 1
            for t in range(i, k):
                p = place[order[t]]
                if begin <= p < end:
                    row = rows[p - begin]
                    words = (p >> 6) + 1
                    if j == 1:
                        row[:words] = running[:words]
                    else:
                        for w in range(words):
                            row[w] &= running[w]
            i = k


@jit("void(float64[:, ::1], int64[:, ::1], int64[::1])")
def _rank_many(columns, orders, out):
    n = columns.shape[1]
    place = np.full(n, -1, np.int64)
    unique = np.empty(n, np.int64)
    count = 0
    order = orders[0]
    for i in range(n):
        if i == 0 or not equal_rows(columns, order[i], order[i - 1]):
            place[order[i]] = count
            unique[count] = order[i]
            count += 1
    words = (count + 63) >> 6
    rows = np.empty((min(count, BLOCK), words), np.uint64)
    running = np.empty(words, np.uint64)
    ranks = np.empty(words << 6, np.int64)
    worst = np.full(words, -1, np.int64)
    one = np.uint64(1)
    zero = np.uint64(0)
    for begin in range(0, count, BLOCK):
        end = min(begin + BLOCK, count)
        dominators(columns, orders, place, begin, end, rows, running)
        for p in range(begin, end):
            row = rows[p - begin]
            own = p >> 6
            row[own] &= (one << np.uint64(p & 63)) - one
            best = -1
            for w in range(own, -1, -1):
                word = row[w] if worst[w] > best else zero
                while word:
                    low = word & (~word + one)
                    rank = ranks[(w << 6) + TRAILING[(low * DE_BRUIJN) >> np.uint64(58)]]
                    best = max(best, rank)
                    word ^= low
            ranks[p] = best + 1
            worst[own] = max(worst[own], best + 1)
    current = 0
    for i in range(n):
        if place[order[i]] >= 0:
            current = ranks[place[order[i]]]
        out[order[i]] = current


@jit("void(float64[:, ::1], int64[::1])")
def rank_kernel(F, out):
    """Fill `out` with the Pareto rank of each row of `F`, 0 the best; failed rows share the last rank."""
    n, m = F.shape
    if n == 0:
        return
    columns = transposed(F)
    orders = orders_of(columns)
    if m == 1:
        rank = 0
        for i in range(n):
            if i > 0 and columns[0, orders[0, i]] != columns[0, orders[0, i - 1]]:
                rank += 1
            out[orders[0, i]] = rank
    elif m == 2:
        _rank_2(columns, orders[0], out)
    else:
        _rank_many(columns, orders, out)


@jit("void(float64[:, ::1], float64[::1], boolean[::1], int64[::1])")
def constrained_rank_kernel(F, violation, alive, out):
    """Fill `out` with ranks under constrained dominance: less violation first, equal violation by Pareto rank.

    Feasible rows have `violation <= 0`. Failed rows (values or violation not finite) come after all others; rows that
    are not alive get -1.
    """
    n, m = F.shape
    order = np.empty(n, np.int64)
    spare = np.empty(n, np.int64)
    total = np.empty(n)
    count = 0
    for i in range(n):
        out[i] = -1
        if not alive[i]:
            continue
        good = abs(violation[i]) < np.inf
        for j in range(m):
            good &= abs(F[i, j]) < np.inf
        total[i] = max(violation[i], 0.0) if good else np.inf
        order[count] = i
        count += 1
    order = order[:count].copy()
    stable_sort(total, order, spare)
    offset = 0
    begin = 0
    while begin < count:
        end = begin + 1
        while end < count and total[order[end]] == total[order[begin]]:
            end += 1
        part = np.empty((end - begin, m))
        ranks = np.empty(end - begin, np.int64)
        for k in range(begin, end):
            part[k - begin] = F[order[k]]
        if total[order[begin]] < np.inf:
            rank_kernel(part, ranks)
        else:
            ranks[:] = 0
        last = 0
        for k in range(begin, end):
            out[order[k]] = offset + ranks[k - begin]
            last = max(last, ranks[k - begin])
        offset += last + 1
        begin = end


@jit("void(float64[:, :, ::1], float64[:, ::1], boolean[:, ::1], int64[:, ::1])")
def rank_stack(F, violation, alive, out):
    """Run `constrained_rank_kernel` on every set of a stack."""
    for b in range(F.shape[0]):
        constrained_rank_kernel(F[b], violation[b], alive[b], out[b])
