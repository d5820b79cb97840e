"""Compiled QHV-II: exact hypervolume by pivot divide and conquer, the number of objectives a compile-time constant.

Points are *gains* over the reference point, ``g = r - a > 0`` (larger is better), rows of a C-contiguous matrix. Every
kernel ends in `w`, a tuple of m zeros of which only the length is read: numba compiles one version a length, in which
all loops over objectives are unrolled. The volume is a sum of positive boxes, so it keeps full relative accuracy.

Source: Jaszkiewicz (2018), Improved quick hypervolume algorithm, Computers & Operations Research (arXiv 1612.03402).
Own additions: inclusion-exclusion for up to four points, and objectives in ascending order of the number of points
above the pivot, so that the largest parts are clipped in the most objectives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretokit.core._kernel import jit

Matrix = NDArray[np.float64]
GROW = 4096  # rows of a new buffer


@jit()
def small(P: Matrix, s: int, n: int, w: Any) -> Any:
    """Return the volume of rows s … s + n - 1 by inclusion-exclusion, 0 ≤ n ≤ 4."""
    if n == 0:
        return 0.0
    va, vb, vc, vd = 1.0, 1.0, 1.0, 1.0
    vab, vac, vad, vbc, vbd, vcd = 1.0, 1.0, 1.0, 1.0, 1.0, 1.0
    vabc, vabd, vacd, vbcd, vabcd = 1.0, 1.0, 1.0, 1.0, 1.0
    if n == 1:
        for j in range(len(w)):
            va *= P[s, j]
        return va
    if n == 2:
        for j in range(len(w)):
            a, b = P[s, j], P[s + 1, j]
            va *= a
            vb *= b
            vab *= min(a, b)
        return va + vb - vab
    if n == 3:
        for j in range(len(w)):
            a, b, c = P[s, j], P[s + 1, j], P[s + 2, j]
            va *= a
            vb *= b
            vc *= c
            vab *= min(a, b)
            vac *= min(a, c)
            vbc *= min(b, c)
            vabc *= min(a, b, c)
        return (va + vb + vc) - (vab + vac + vbc) + vabc
    for j in range(len(w)):
        a, b, c, d = P[s, j], P[s + 1, j], P[s + 2, j], P[s + 3, j]
        ab, cd = min(a, b), min(c, d)
        va *= a
        vb *= b
        vc *= c
        vd *= d
        vab *= ab
        vac *= min(a, c)
        vad *= min(a, d)
        vbc *= min(b, c)
        vbd *= min(b, d)
        vcd *= cd
        vabc *= min(ab, c)
        vabd *= min(ab, d)
        vacd *= min(a, cd)
        vbcd *= min(b, cd)
        vabcd *= min(ab, cd)
    singles, pairs = (va + vb) + (vc + vd), (vab + vac) + (vad + vbc) + (vbd + vcd)
    return singles - pairs + ((vabc + vabd) + (vacd + vbcd)) - vabcd


@jit()
def maximal(Q: Matrix, t: int, n: int, w: Any) -> int:
    """Move the rows not weakly dominated (larger is better) to t … t + kept - 1; return kept.

    A row that dominates another moves halfway to the head: the rows that dominate much are asked first.
    """
    m = len(w)
    kept = 0
    for r in range(t, t + n):
        dominated = False
        a = t
        while a < t + kept:
            below, above = True, True
            for j in range(m):
                x, y = Q[a, j], Q[r, j]
                below &= x <= y
                above &= x >= y
            if above:
                dominated = True
                break
            if below:
                kept -= 1
                for j in range(m):
                    Q[a, j] = Q[t + kept, j]
            else:
                a += 1
        if dominated:
            b = t + (a - t) // 2
            for j in range(m):
                Q[a, j], Q[b, j] = Q[b, j], Q[a, j]
        else:
            for j in range(m):
                Q[t + kept, j] = Q[r, j]
            kept += 1
    return kept


@jit()
def pivot(P: Matrix, s: int, n: int, order: Any, count: Any, w: Any) -> tuple[int, float]:
    """Return the row with the largest box and its volume; sort the objectives by the number of rows above it."""
    m = len(w)
    p, best = s, -1.0
    for r in range(s, s + n):
        v = 1.0
        for j in range(m):
            v *= P[r, j]
        if v > best:
            p, best = r, v
    for j in range(m):
        count[j] = 0
    for r in range(s, s + n):
        for j in range(m):
            count[j] += P[r, j] > P[p, j]
    for j in range(m):
        k = j
        while k > 0 and count[order[k - 1]] > count[j]:
            order[k] = order[k - 1]
            k -= 1
        order[k] = j
    return p, best


@jit()
def part(P: Matrix, s: int, n: int, p: int, order: Any, k: int, Q: Matrix, t: int, w: Any) -> int:
    """Write part k of rows s … s + n - 1 to Q from row t; return its number of rows.

    Part k holds the space above pivot p in objective ``i = order[k]`` and below it in the objectives before: rows above
    p in i, measured from p there and clipped at p before, the dominated ones removed.
    """
    m = len(w)
    i = order[k]
    size = 0
    for r in range(s, s + n):
        if P[r, i] > P[p, i]:
            row = t + size
            for j in range(m):
                Q[row, j] = P[r, j]
            for q in range(k):
                j = order[q]
                Q[row, j] = min(P[r, j], P[p, j])
            Q[row, i] -= P[p, i]
            size += 1
    return size if size <= 3 else maximal(Q, t, size, w)


@jit()
def volume(gains: Matrix, w: Any) -> Any:
    """Return the hypervolume of gains `[n, m]` (all positive; dominated rows allowed).

    The tree is walked with an explicit stack (numba cannot cache recursive functions safely). A level's rows lie
    behind those of the level above; the buffer doubles where they would not fit. Every level has a sum of its own.
    """
    n, m = gains.shape
    P = np.empty((n + min(n * n, max(n, GROW)), m))
    P[:n] = gains
    n = maximal(P, 0, n, w)
    if n <= 4:
        return small(P, 0, n, w)
    order, count = np.empty((n + 1, m), np.int64), np.empty((n + 1, m), np.int64)
    start, rows, head = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    turns, sums = np.zeros(n + 1, np.int64), np.zeros(n + 1)
    d = 0
    rows[0] = n
    head[0], sums[0] = pivot(P, 0, n, order[0], count[0], w)
    while d >= 0:
        turn = turns[d]
        if turn == m:
            if d > 0:
                sums[d - 1] += sums[d]
            d -= 1
            continue
        turns[d] = turn + 1
        above = count[d, order[d, turn]]
        if above == 0:
            continue
        t = start[d] + rows[d]
        if t + above > P.shape[0]:
            larger = np.empty((2 * P.shape[0] + above, m))
            larger[:t] = P[:t]
            P = larger
        size = part(P, start[d], rows[d], head[d], order[d], turn, P, t, w)
        if size <= 4:
            sums[d] += small(P, t, size, w)
        else:
            d += 1
            start[d], rows[d], turns[d] = t, size, 0
            head[d], sums[d] = pivot(P, t, size, order[d], count[d], w)
    return sums[0]


@jit()
def split(gains: Matrix, w: Any) -> tuple[float, Any, Any]:
    """Return one level of the tree: the pivot's volume, the parts one behind the other, and their sizes `[m]`."""
    n, m = gains.shape
    scratch = np.empty((2, m), np.int64)
    p, best = pivot(gains, 0, n, scratch[0], scratch[1], w)
    Q = np.empty((max(1, scratch[1].sum()), m))
    sizes = np.zeros(m, np.int64)
    t = 0
    for k in range(m):
        if scratch[1, scratch[0, k]] > 0:
            sizes[k] = part(gains, 0, n, p, scratch[0], k, Q, t, w)
            t += sizes[k]
    return best, Q[:t], sizes


def prepare(m: int) -> None:
    """Compile (or load from the cache) the kernels for m objectives."""
    w = (0.0,) * m
    gains = np.linspace(1.0, 2.0, 6)[:, None] * np.ones(m)
    volume(gains, w)
    split(gains, w)
