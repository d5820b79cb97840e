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
            span = values[part[high - low - 1]] - values[part[0]]
            if not 0.0 < span < np.inf:
                continue
            out[part[0]] = np.inf
            out[part[high - low - 1]] = np.inf
            for k in range(1, high - low - 1):
                out[part[k]] += (values[part[k + 1]] - values[part[k - 1]]) / span


@jit("void(float64[:, ::1], int64[::1], int64[::1], float64[::1])")
def survive(f, ranks, keep, kept):
    """Fill `keep` with the n survivors in the order of their rows, `kept` with their crowding."""
    total = ranks.shape[0]
    n = keep.shape[0]
    distance = np.empty(total)
    negative = np.empty(total)
    chosen = np.empty(total, np.bool_)
    spare = np.empty(total, np.int64)
    begin = starts(ranks, n)
    crowding(f, ranks, begin, distance)
    last = begin.shape[0] - 2
    order = np.empty(begin[last + 1] - begin[last], np.int64)
    at = 0
    for i in range(total):
        chosen[i] = ranks[i] < last
        if ranks[i] == last:
            order[at] = i
            negative[i] = -distance[i]
            at += 1
    sort(negative, order, spare)
    for k in range(n - begin[last]):
        chosen[order[k]] = True
    at = 0
    for i in range(total):
        if chosen[i]:
            keep[at] = i
            kept[at] = distance[i]
            at += 1


@jit("void(float64[:, :, ::1], int64[:, ::1], int64[:, ::1], float64[:, ::1])")
def survive_stack(f, ranks, keep, kept):
    """Run `survive` on every member of a stack."""
    for p in range(ranks.shape[0]):
        survive(f[p], ranks[p], keep[p], kept[p])
