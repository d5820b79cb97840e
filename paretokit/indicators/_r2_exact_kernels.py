"""Compiled box decomposition for the exact R2 indicator; m, the length of the tuple `w`, is a compile-time constant.

Coordinates are ``u = 1 / (a - z)``: a point a covers the box [0, u]. What no point covers splits at a pivot into slabs
``{x_i > u_i, x_j ≤ u_j for the j before i}``, and every box of the uncovered side has a closed integral.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretokit.core._kernel import jit

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]


@jit()
def integral(low: Vector, high: Vector, w: Any) -> Any:
    """Return the alternating sum of 1 / sum(v) over the finite vertices v of a box."""
    m = len(w)
    total = 0.0
    for code in range(1 << m):
        side, sign = 0.0, 1.0
        for j in range(m):
            if code >> j & 1:
                side += high[j]
                sign = -sign
            else:
                side += low[j]
        total += sign / side  # 0 where the vertex is infinite
    return total


@jit()
def reduce(D: Matrix, s: int, n: int, low: Vector, high: Vector, w: Any) -> Any:
    """Raise `low` by rows that miss one side, keep the maximal rows that meet the box; -1 if one covers it."""
    m = len(w)
    kept = 0
    for r in range(s, s + n):
        short, at = 0, 0
        for j in range(m):
            if D[r, j] < high[j]:
                short += 1
                at = j
        if short == 0:
            return -1
        if short == 1:
            low[at] = max(low[at], D[r, at])
        else:
            for j in range(m):
                D[s + kept, j] = D[r, j]
            kept += 1
    n, kept = kept, 0
    for r in range(s, s + n):
        drop = False
        for j in range(m):
            drop |= D[r, j] <= low[j]
        a = s
        while a < s + kept and not drop:
            below, above = True, True
            for j in range(m):
                x, y = D[a, j], D[r, j]
                below &= x <= y
                above &= x >= y
            if above:
                drop = True
            elif below:
                kept -= 1
                for j in range(m):
                    D[a, j] = D[s + kept, j]
            else:
                a += 1
        if not drop:
            for j in range(m):
                D[s + kept, j] = D[r, j]
            kept += 1
    return kept


@jit()
def pivot(D: Matrix, s: int, n: int, low: Vector, order: Any, count: Any, w: Any) -> Any:
    """Return the row that covers most; sort the objectives by the number of rows above it."""
    m = len(w)
    p, best = s, -1.0
    for r in range(s, s + n):
        v = 1.0
        for j in range(m):
            v *= D[r, j] - low[j]
        if v > best:
            p, best = r, v
    for j in range(m):
        count[j] = 0
    for r in range(s, s + n):
        for j in range(m):
            count[j] += D[r, j] > D[p, j]
    for j in range(m):
        k = j
        while k > 0 and count[order[k - 1]] > count[j]:
            order[k] = order[k - 1]
            k -= 1
        order[k] = j
    return p


@jit()
def uncovered(U: Matrix, w: Any) -> Any:
    """Return the sum of `integral` over boxes that partition what the rows `[n, m]` leave uncovered, n ≥ 1."""
    n, m = U.shape
    D = np.empty((4 * n + 64, m))
    D[:n] = U
    low, high = np.zeros((n + 2, m)), np.full((n + 2, m), np.inf)
    order, count = np.empty((n + 2, m), np.int64), np.empty((n + 2, m), np.int64)
    start, rows, head = np.zeros(n + 2, np.int64), np.zeros(n + 2, np.int64), np.zeros(n + 2, np.int64)
    turn, sums = np.zeros(n + 2, np.int64), np.zeros(n + 2)
    n = reduce(D, 0, n, low[0], high[0], w)
    if n < 0:
        return 0.0
    if n == 0:
        return integral(low[0], high[0], w)
    d = 0
    rows[0] = n
    head[0] = pivot(D, 0, n, low[0], order[0], count[0], w)
    while d >= 0:
        at = turn[d]
        if at == m:
            if d > 0:
                sums[d - 1] += sums[d]
            d -= 1
            continue
        turn[d] = at + 1
        p, i = head[d], order[d, at]
        if D[p, i] >= high[d, i]:
            continue
        low[d + 1], high[d + 1] = low[d], high[d]
        low[d + 1, i] = D[p, i]
        for q in range(at):
            high[d + 1, order[d, q]] = min(high[d, order[d, q]], D[p, order[d, q]])
        t = start[d] + rows[d]
        if t + count[d, i] > D.shape[0]:
            larger = np.empty((2 * D.shape[0] + count[d, i], m))
            larger[:t] = D[:t]
            D = larger
        size = 0
        for r in range(start[d], t):
            if D[r, i] > D[p, i]:
                for j in range(m):
                    D[t + size, j] = min(D[r, j], high[d + 1, j])
                size += 1
        size = reduce(D, t, size, low[d + 1], high[d + 1], w)
        if size == 0:
            sums[d] += integral(low[d + 1], high[d + 1], w)
        elif size > 0:
            d += 1
            start[d], rows[d], turn[d], sums[d] = t, size, 0, 0.0
            head[d] = pivot(D, t, size, low[d], order[d], count[d], w)
    return sums[0]


def prepare(m: int) -> None:
    """Compile (or load from the cache) the kernel for m objectives."""
    uncovered(np.eye(m) + 1.0, (0.0,) * m)
