# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call,no-any-return,misc"
"""Compiled parts of NSGA-III's survival: `_niching.py` number for number."""

import numpy as np

from paretokit.core._kernel import jit

SMALL_SHIFT = 1e-3
OFF_AXIS = 1e6


@jit("void(float64[::1], int64[::1], int64)")
def _order(values, order, count):
    """Sort the first `count` row numbers of `order` stably by `values`."""
    spare = np.empty(count, np.int64)
    width = 1
    while width < count:
        for begin in range(0, count - width, 2 * width):
            middle = begin + width
            end = min(middle + width, count)
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


@jit("void(float64[:, :, ::1], boolean[:, ::1], float64[:, ::1], float64[:, :, ::1], float64[:, :, ::1])")
def extremes_stack(f, front, ideal, old, out):
    """Fill `out` with the extreme point of each objective among the old ones and the rows of the first front."""
    members, n, m = f.shape
    best = np.empty(m)
    for p in range(members):
        best[:] = np.inf
        for c in range(m + n):
            if c >= m and not front[p, c - m]:
                continue
            row = old[p, c] if c < m else f[p, c - m]
            first = -1.0
            second = -1.0
            at = -1
            for j in range(m):
                shifted = row[j] - ideal[p, j]
                shifted = shifted if shifted >= SMALL_SHIFT else 0.0
                if shifted > first:
                    second = first
                    first = shifted
                    at = j
                elif shifted > second:
                    second = shifted
            for j in range(m):
                shifted = row[j] - ideal[p, j]
                shifted = shifted if shifted >= SMALL_SHIFT else 0.0
                others = second if j == at else first
                value = max(shifted, others * OFF_AXIS) if m > 1 else shifted
                if value < best[j]:
                    best[j] = value
                    out[p, j] = row


@jit("void(float64[:, ::1], int64[::1], int64, float64[:, ::1], int64[::1], float64[::1])")
def _associate(scaled, ranks, last, directions, niche, distance):
    n, m = scaled.shape
    k = directions.shape[1]
    dots = np.empty(k)
    for i in range(n):
        if ranks[i] > last:
            continue
        value = scaled[i, 0]
        for c in range(k):
            dots[c] = value * directions[0, c]
        for j in range(1, m):
            value = scaled[i, j]
            for c in range(k):
                dots[c] = dots[c] + value * directions[j, c]
        at = 0
        most = dots[0]
        for c in range(1, k):
            if dots[c] > most:
                most = dots[c]
                at = c
        total = 0.0
        for j in range(m):
            gap = scaled[i, j] - most * directions[j, at]
            total = total + gap * gap
        niche[i] = at
        distance[i] = total


@jit("void(float64[:, :, ::1], int64[:, ::1], float64[:, ::1], float64[:, :, ::1], int64[:, ::1])")
def niche_stack(scaled, ranks, directions, draws, keep):
    """Fill `keep` with the survivors of each member in the order of their rows."""
    members, total = ranks.shape
    n = keep.shape[1]
    k = directions.shape[1]
    niche = np.empty(total, np.int64)
    distance = np.empty(total)
    taken = np.empty(k, np.int64)
    nearest = np.empty(k, np.int64)
    order = np.empty(total, np.int64)
    key = np.empty(total)
    chosen = np.empty(total, np.bool_)
    for p in range(members):
        counts = np.zeros(total + 1, np.int64)
        for i in range(total):
            counts[ranks[p, i]] += 1
        last = 0
        before = 0
        while before + counts[last] < n:
            before += counts[last]
            last += 1
        _associate(scaled[p], ranks[p], last, directions, niche, distance)
        taken[:] = 0
        nearest[:] = -1
        count = 0
        for i in range(total):
            chosen[i] = ranks[p, i] < last
            if chosen[i]:
                taken[niche[i]] += 1
            elif ranks[p, i] == last:
                order[count] = i
                count += 1
                at = nearest[niche[i]]
                if at < 0 or distance[i] < distance[at]:
                    nearest[niche[i]] = i
                key[i] = draws[p, 0, i]
        for c in range(k):
            if taken[c] == 0 and nearest[c] >= 0:
                key[nearest[c]] = -1.0
        _order(key, order, count)
        for e in range(count):
            i = order[e]
            key[i] = taken[niche[i]] + draws[p, 1, i]
            taken[niche[i]] += 1
        at = 0
        for i in range(total):
            if ranks[p, i] == last:
                order[at] = i
                at += 1
        _order(key, order, count)
        for e in range(n - before):
            chosen[order[e]] = True
        at = 0
        for i in range(total):
            if chosen[i]:
                keep[p, at] = i
                at += 1
