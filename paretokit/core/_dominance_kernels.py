# mypy: ignore-errors
"""Compiled dominance: filtering and ranking of one set of rows, smaller better, callable from other kernels.

Every kernel takes rows `F: float64[:, ::1]` and fills `out`. A row with a NaN or an infinite entry is a failed one:
it counts as worse than every other row. Rows that are equal share one rank.

Ranking is exact for every number of objectives:

* m = 2: sweep in lexicographic order, binary search over the last value of each front (Jensen 2003), O(n log n);
* m >= 3: bit sets. The rows below row p in objective i are a prefix of the order of objective i, so the dominators of p
  are the intersection of m prefixes, 64 rows a machine word: O(m n^2 / 128) word operations, memory
  O(1024 n / 8) bytes because rows are taken in blocks. The rank of p is one more than the worst rank of a dominator.

Filtering: m = 2 sweep; m = 3 sweep with a Fenwick tree of prefix minima, O(n log n) (Kung, Luccio and Preparata 1975);
m >= 4 the bit sets against the front so far. A few strong rows remove the bulk of a large set first.
"""

import numpy as np

from paretokit.core._kernel import jit

BLOCK = 1024
SMALL = 1024
DIGITS = 6
RADIX = 2048


@jit("void(float64[::1], int64[::1], int64[::1])")
def _merge_sort(values, order, spare):
    """Sort `order` stably by `values[order]`, in place."""
    n = order.shape[0]
    width = 8
    for begin in range(0, n, width):
        for i in range(begin + 1, min(begin + width, n)):
            item = order[i]
            value = values[item]
            j = i - 1
            while j >= begin and values[order[j]] > value:
                order[j + 1] = order[j]
                j -= 1
            order[j + 1] = item
    while width < n:
        for begin in range(0, n, 2 * width):
            middle = min(begin + width, n)
            end = min(begin + 2 * width, n)
            if middle >= end or values[order[middle - 1]] <= values[order[middle]]:
                continue
            spare[begin:middle] = order[begin:middle]
            i = begin
            j = middle
            k = begin
            while i < middle and j < end:
                if values[order[j]] < values[spare[i]]:
                    order[k] = order[j]
                    j += 1
                else:
                    order[k] = spare[i]
                    i += 1
                k += 1
            while i < middle:
                order[k] = spare[i]
                i += 1
                k += 1
        width *= 2


@jit("void(float64[::1], int64[::1], int64[::1])")
def _radix_sort(values, order, spare):
    """Sort `order` stably by `values[order]`: least significant digit first, digits that are constant skipped."""
    n = order.shape[0]
    bits = values.view(np.uint64)
    top = np.uint64(1) << np.uint64(63)
    keys = np.empty(n, np.uint64)
    moved = np.empty(n, np.uint64)
    counts = np.zeros((DIGITS, RADIX), np.int64)
    for i in range(n):
        key = bits[order[i]]
        key = ~key if key & top else key | top
        keys[i] = key
        for d in range(DIGITS):
            counts[d, (key >> np.uint64(11 * d)) & np.uint64(RADIX - 1)] += 1
    source, target = order, spare
    for d in range(DIGITS):
        shift = np.uint64(11 * d)
        if counts[d, (keys[0] >> shift) & np.uint64(RADIX - 1)] == n:
            continue
        total = 0
        for b in range(RADIX):
            count = counts[d, b]
            counts[d, b] = total
            total += count
        for i in range(n):
            key = keys[i]
            b = (key >> shift) & np.uint64(RADIX - 1)
            at = counts[d, b]
            counts[d, b] = at + 1
            moved[at] = key
            target[at] = source[i]
        keys, moved = moved, keys
        source, target = target, source
    if source is not order:
        order[:] = source


@jit("void(float64[::1], int64[::1], int64[::1])")
def stable_sort(values, order, spare):
    """Sort the row numbers `order` stably by `values[order]`; `values` hold no NaN and no negative zero."""
    if order.shape[0] <= SMALL:
        _merge_sort(values, order, spare)
    else:
        _radix_sort(values, order, spare)


@jit("float64[:, ::1](float64[:, ::1])")
def _columns(F):
    """Return the transposed rows, failed rows all +inf, negative zeros made positive."""
    n, m = F.shape
    columns = np.empty((m, n))
    for i in range(n):
        finite = True
        for j in range(m):
            value = F[i, j]
            columns[j, i] = value + 0.0
            finite &= abs(value) < np.inf
        if not finite:
            for j in range(m):
                columns[j, i] = np.inf
    return columns


@jit("int64[:, ::1](float64[:, ::1])")
def _orders(columns):
    """Return one order of the rows per objective, each sorted by it; the first one is lexicographic."""
    m, n = columns.shape
    orders = np.empty((m, n), np.int64)
    spare = np.empty(n, np.int64)
    orders[m - 1] = np.arange(n)
    stable_sort(columns[m - 1], orders[m - 1], spare)
    for j in range(m - 2, -1, -1):
        orders[j] = orders[j + 1]
        stable_sort(columns[j], orders[j], spare)
    return orders


@jit("boolean(float64[:, ::1], int64, int64)")
def _equal(columns, a, b):
    for j in range(columns.shape[0]):
        if columns[j, a] != columns[j, b]:
            return False
    return True


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
def _dominators(columns, orders, place, begin, end, rows, running):
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
        if i == 0 or not _equal(columns, order[i], order[i - 1]):
            place[order[i]] = count
            unique[count] = order[i]
            count += 1
    words = (count + 63) >> 6
    rows = np.empty((min(count, BLOCK), words), np.uint64)
    running = np.empty(words, np.uint64)
    ranks = np.empty(words << 6, np.int64)
    worst = np.full(words, -1, np.int64)
    one = np.uint64(1)
    for begin in range(0, count, BLOCK):
        end = min(begin + BLOCK, count)
        _dominators(columns, orders, place, begin, end, rows, running)
        for p in range(begin, end):
            row = rows[p - begin]
            own = p >> 6
            row[own] &= (one << np.uint64(p & 63)) - one
            best = -1
            for w in range(own, -1, -1):
                if worst[w] > best and row[w]:
                    word = row[w]
                    for b in range(64):
                        if (word >> np.uint64(b)) & one and ranks[(w << 6) + b] > best:
                            best = ranks[(w << 6) + b]
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
    columns = _columns(F)
    orders = _orders(columns)
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
        _dominators(columns, orders, place, begin, end, rows, running)
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
    orders = _orders(columns)
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
        if keep_duplicates and i > 0 and not good[p] and _equal(columns, p, orders[0, i - 1]):
            good[p] = twin
        twin = good[p]
        out[rows[p]] = good[p]


@jit("void(float64[:, :, ::1], boolean[:, ::1], boolean, boolean[:, ::1])")
def filter_stack(F, alive, keep_duplicates, out):
    """Run `filter_kernel` on every set of a stack."""
    for b in range(F.shape[0]):
        filter_kernel(F[b], alive[b], keep_duplicates, out[b])


@jit("void(float64[:, :, ::1], float64[:, ::1], boolean[:, ::1], int64[:, ::1])")
def rank_stack(F, violation, alive, out):
    """Run `constrained_rank_kernel` on every set of a stack."""
    for b in range(F.shape[0]):
        constrained_rank_kernel(F[b], violation[b], alive[b], out[b])
