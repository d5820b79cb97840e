# mypy: ignore-errors
"""Compiled stable sorting of row numbers, and the orders that dominance starts from."""

import numpy as np

from paretokit.core._kernel import jit

SMALL = 1024
DIGITS = 6
RADIX = 2048


@jit("void(float64[::1], int64[::1], int64[::1])")
def _merge_sort(values, order, spare):
    """Sort `order` stably by `values[order]`: runs of eight by insertion, then merges without branches."""
    n = order.shape[0]
    keys = np.empty(n)
    moved = np.empty(n)
    for i in range(n):
        keys[i] = values[order[i]]
    width = 8
    for begin in range(0, n, width):
        for i in range(begin + 1, min(begin + width, n)):
            item = order[i]
            key = keys[i]
            j = i - 1
            while j >= begin and keys[j] > key:
                order[j + 1] = order[j]
                keys[j + 1] = keys[j]
                j -= 1
            order[j + 1] = item
            keys[j + 1] = key
    source, target = order, spare
    while width < n:
        for begin in range(0, n, 2 * width):
            middle = min(begin + width, n)
            end = min(begin + 2 * width, n)
            i = begin
            j = middle
            k = begin
            while i < middle and j < end:
                right = keys[j] < keys[i]
                at = j if right else i
                moved[k] = keys[at]
                target[k] = source[at]
                j += right
                i += not right
                k += 1
            while i < middle:
                moved[k] = keys[i]
                target[k] = source[i]
                i += 1
                k += 1
            while j < end:
                moved[k] = keys[j]
                target[k] = source[j]
                j += 1
                k += 1
        width *= 2
        keys, moved = moved, keys
        source, target = target, source
    if source is not order:
        order[:] = source[:n]


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
        order[:] = source[:n]


@jit("void(float64[::1], int64[::1], int64[::1])")
def stable_sort(values, order, spare):
    """Sort the row numbers `order` stably by `values[order]`; `values` hold no NaN and no negative zero."""
    if order.shape[0] <= SMALL:
        _merge_sort(values, order, spare)
    else:
        _radix_sort(values, order, spare)


@jit("float64[:, ::1](float64[:, ::1])")
def transposed(F):
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
def orders_of(columns):
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
def equal_rows(columns, a, b):
    for j in range(columns.shape[0]):
        if columns[j, a] != columns[j, b]:
            return False
    return True
