# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call,no-any-return,misc"
"""Compiled survival by rank and crowding: `_crowding.py` number for number."""

import numpy as np

from paretokit.core._kernel import jit

RUN = 8


@jit("void(float64[::1], int64[::1], int64[::1])")
def sort(values, order, spare):
    """Sort the row numbers `order` stably by `values[order]`, in place."""
    n = order.shape[0]
    for begin in range(0, n, RUN):
        for i in range(begin + 1, min(begin + RUN, n)):
            item = order[i]
            value = values[item]
            j = i - 1
            while j >= begin and values[order[j]] > value:
                order[j + 1] = order[j]
                j -= 1
            order[j + 1] = item
    width = RUN
    while width < n:
        for begin in range(0, n - width, 2 * width):
            middle = begin + width
            end = min(middle + width, n)
            if values[order[middle - 1]] <= values[order[middle]]:
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


@jit("int64[::1](int64[::1], int64)")
def starts(ranks, n):
    """Return where each front begins, for the fronts that n survivors reach into (the last entry ends the last)."""
    last = 0
    for r in ranks:
        last = max(last, r)
    begin = np.zeros(last + 2, np.int64)
    for r in ranks:
        begin[r + 1] += 1
    for r in range(last + 1):
        begin[r + 1] += begin[r]
        if begin[r + 1] >= n:
            return begin[: r + 2].copy()
    return begin


@jit("void(float64[::1], int64[::1], float64[::1])")
def _gaps(values, part, out):
    """Add one objective to the crowding distances of a front `part` that is sorted by it."""
    n = part.shape[0]
    span = values[part[n - 1]] - values[part[0]]
    if not 0.0 < span < np.inf:
        return
    out[part[0]] = np.inf
    out[part[n - 1]] = np.inf
    for k in range(1, n - 1):
        out[part[k]] += (values[part[k + 1]] - values[part[k - 1]]) / span


@jit("void(float64[:, ::1], int64[::1], int64[::1], float64[::1])")
def crowding(f, ranks, begin, out):
    """Fill `out` with the crowding distance of the rows of the fronts in `begin`, within their fronts."""
    total, m = f.shape
    fronts = begin.shape[0] - 1
    count = begin[fronts]
    rows = np.empty(count, np.int64)
    at = begin[:fronts].copy()
    for i in range(total):
        if ranks[i] < fronts:
            rows[at[ranks[i]]] = i
            at[ranks[i]] += 1
            out[i] = 0.0
    order = np.empty(count, np.int64)
    spare = np.empty(count, np.int64)
    values = np.empty(total)
    for j in range(m):
        for i in range(total):
            values[i] = f[i, j]
        order[:] = rows
        for r in range(fronts):
            low, high = begin[r], begin[r + 1]
            if high - low <= 2:
                for k in range(low, high):
                    out[order[k]] = np.inf
                continue
            part = order[low:high]
            sort(values, part, spare)
            _gaps(values, part, out)


@jit("void(int64[::1], float64[::1], int64[::1], int64[::1], float64[::1])")
def _select(ranks, distance, begin, keep, kept):
    """Fill `keep` and `kept` with whole fronts and the least crowded rows of the last one in `begin`."""
    total, n = ranks.shape[0], keep.shape[0]
    negative = np.empty(total)
    chosen = np.empty(total, np.bool_)
    last = begin.shape[0] - 2
    order = np.empty(begin[last + 1] - begin[last], np.int64)
    at = 0
    for i in range(total):
        chosen[i] = ranks[i] < last
        if ranks[i] == last:
            order[at] = i
            negative[i] = -distance[i]
            at += 1
    if begin[last + 1] > n:
        sort(negative, order, np.empty(total, np.int64))
    for k in range(n - begin[last]):
        chosen[order[k]] = True
    at = 0
    for i in range(total):
        if chosen[i]:
            keep[at] = i
            kept[at] = distance[i]
            at += 1


@jit("void(float64[:, ::1], int64[::1], int64[::1], float64[::1])")
def survive(f, ranks, keep, kept):
    """Fill `keep` with the n survivors in the order of their rows, `kept` with their crowding."""
    distance = np.empty(ranks.shape[0])
    begin = starts(ranks, keep.shape[0])
    crowding(f, ranks, begin, distance)
    _select(ranks, distance, begin, keep, kept)


@jit("void(float64[::1], float64[::1], int64[::1], int64[::1])")
def _ranks_of_two(x, y, order, ranks):
    """Fill `order` lexicographically and `ranks`, by a sweep and the last value of each front (Jensen 2003)."""
    n = x.shape[0]
    spare = np.empty(n, np.int64)
    for i in range(n):
        order[i] = i
    sort(x, order, spare)
    low = 0
    while low < n:
        high = low + 1
        while high < n and x[order[high]] == x[order[low]]:
            high += 1
        if high > low + 1:
            sort(y, order[low:high], spare)
        low = high
    last = np.empty(n)
    fronts = 0
    previous = -1
    for p in order:
        value = y[p]
        if previous >= 0 and x[previous] == x[p] and y[previous] == value:
            ranks[p] = ranks[previous]
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
        ranks[p] = low
        previous = p


@jit("void(float64[::1], float64[::1], int64[::1], int64[::1], float64[::1])")
def _crowding_of_two(x, y, part, turned, out):
    """Fill `out` for one front `part` in lexicographic order; `turned` is room for its order by the second value.

    A front falls in y where it rises in x; equal rows keep the order of their numbers.
    """
    n = part.shape[0]
    for i in part:
        out[i] = np.inf if n <= 2 else 0.0
    if n <= 2:
        return
    high = n
    at = 0
    while high > 0:
        low = high - 1
        while low > 0 and x[part[low - 1]] == x[part[low]]:
            low -= 1
        turned[at : at + high - low] = part[low:high]
        at += high - low
        high = low
    _gaps(x, part, out)
    _gaps(y, turned[:n], out)


@jit("void(float64[:, ::1], int64[::1], float64[::1])")
def survive_two(f, keep, kept):
    """Do what ranking and `survive` do for two finite objectives without constraints, with one sort."""
    total = f.shape[0]
    x, y = f[:, 0].copy(), f[:, 1].copy()
    order = np.empty(total, np.int64)
    ranks = np.empty(total, np.int64)
    distance = np.empty(total)
    _ranks_of_two(x, y, order, ranks)
    begin = starts(ranks, keep.shape[0])
    fronts = begin.shape[0] - 1
    at = begin[:fronts].copy()
    rows = np.empty(begin[fronts], np.int64)
    for i in order:
        r = ranks[i]
        if r < fronts:
            rows[at[r]] = i
            at[r] += 1
    for r in range(fronts):
        _crowding_of_two(x, y, rows[begin[r] : begin[r + 1]], order, distance)
    _select(ranks, distance, begin, keep, kept)


@jit("void(float64[:, :, ::1], int64[:, ::1], int64[:, ::1], float64[:, ::1])")
def survive_stack(f, ranks, keep, kept):
    """Run `survive` on every member of a stack."""
    for p in range(ranks.shape[0]):
        survive(f[p], ranks[p], keep[p], kept[p])
