# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call,no-any-return,misc"
"""Compiled survival by hypervolume for two objectives: `_shedding.py` number for number."""

import numpy as np

from paretokit.core._kernel import jit


@jit("float64(float64[:, ::1], int64[::1], int64[::1], int64[::1], int64, float64)")
def _share(f, order, before, after, k, ref):
    x, y = f[order[k], 0], f[order[k], 1]
    right = min(f[order[after[k]], 0], ref) if after[k] < order.shape[0] else ref
    top = min(f[order[before[k]], 1], ref) if before[k] >= 0 else ref
    return max(right - x, 0.0) * max(top - y, 0.0)


@jit("void(float64[:, :, ::1], int64[:, ::1], float64, int64[:, ::1])")
def shed_stack(f, ranks, ref, keep):
    """Fill `keep` with the n survivors of each member in the order of their rows."""
    members, total = ranks.shape
    n = keep.shape[1]
    chosen = np.empty(total, np.bool_)
    for p in range(members):
        counts = np.zeros(total + 1, np.int64)
        for i in range(total):
            counts[ranks[p, i]] += 1
        last = 0
        kept = 0
        while kept + counts[last] < n:
            kept += counts[last]
            last += 1
        size = counts[last]
        order = np.empty(size, np.int64)
        at = 0
        for i in range(total):
            chosen[i] = ranks[p, i] <= last
            if ranks[p, i] == last:
                k = at
                while k > 0 and f[p, order[k - 1], 0] > f[p, i, 0]:
                    order[k] = order[k - 1]
                    k -= 1
                order[k] = i
                at += 1
        before = np.arange(size) - 1
        after = np.arange(size) + 1
        share = np.empty(size)
        for k in range(size):
            share[k] = _share(f[p], order, before, after, k, ref)
        for _ in range(kept + size - n):
            worst = 0
            for k in range(1, size):
                if share[k] < share[worst]:
                    worst = k
            chosen[order[worst]] = False
            share[worst] = np.inf
            left, right = before[worst], after[worst]
            if left >= 0:
                after[left] = right
                share[left] = _share(f[p], order, before, after, left, ref)
            if right < size:
                before[right] = left
                share[right] = _share(f[p], order, before, after, right, ref)
        at = 0
        for i in range(total):
            if chosen[i]:
                keep[p, at] = i
                at += 1
