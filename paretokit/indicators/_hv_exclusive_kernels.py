"""Compiled exclusive volumes: what one point dominates alone, summed from positive boxes near that point.

All in minimization sense. For a point p, every other point q is seen from p as ``d = max(q - p, 0)``, and the exclusive
region is the part of the box [0, r - p] that no [d, ∞) covers. A neighbor with a single positive entry only shortens
the box in that objective; whatever then lies outside is dropped, so few neighbors remain. The rest of the region splits
at a pivot d into slabs ``{x_i < d_i, x_j ≥ d_j for the j before i}``: disjoint, and nothing is ever subtracted from a
large volume. This is the divide and conquer of QHV-II, applied to the other side of the attainment surface.

`w` is a tuple of m zeros, of which only the length is read (see `_hv_qhv_kernels`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretokit.core._kernel import jit

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]
GROW = 4096  # rows of a new buffer


@jit()
def reduce(D: Matrix, s: int, n: int, U: Vector, w: Any) -> int:
    """Shorten the box U by the rows that cut one objective, keep the minimal rows that meet it; -1 if it is covered."""
    m = len(w)
    kept = 0
    for r in range(s, s + n):
        positive, at = 0, 0
        for j in range(m):
            if D[r, j] > 0:
                positive += 1
                at = j
        if positive == 0:
            return -1
        if positive == 1:
            U[at] = min(U[at], D[r, at])
        else:
            for j in range(m):
                D[s + kept, j] = D[r, j]
            kept += 1
    n, kept = kept, 0
    for r in range(s, s + n):
        drop = False
        for j in range(m):
            drop |= D[r, j] >= U[j]
        a = s
        while a < s + kept and not drop:
            below, above = True, True
            for j in range(m):
                x, y = D[a, j], D[r, j]
                below &= x <= y
                above &= x >= y
            if below:
                drop = True
            elif above:
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
def free(D: Matrix, s: int, n: int, boxes: Matrix, scratch: Any, depth: int, w: Any) -> float:
    """Return the volume of the box ``boxes[depth]`` that no row s … s + n - 1 covers; rows as `reduce` leaves them."""
    m = len(w)
    U = boxes[depth]
    if n == 0:
        total = 1.0
        for j in range(m):
            total *= U[j]
        return total
    p, best = s, -1.0
    for r in range(s, s + n):
        v = 1.0
        for j in range(m):
            v *= U[j] - D[r, j]
        if v > best:
            p, best = r, v
    order, count = scratch[2 * depth], scratch[2 * depth + 1]
    for j in range(m):
        count[j] = 0
    for r in range(s, s + n):
        for j in range(m):
            count[j] += D[r, j] < D[p, j]
    for j in range(m):
        k = j
        while k > 0 and count[order[k - 1]] > count[j]:
            order[k] = order[k - 1]
            k -= 1
        order[k] = j
    V = boxes[depth + 1]
    total = 0.0
    for k in range(m):
        i = order[k]
        if D[p, i] <= 0:
            continue
        for j in range(m):
            V[j] = U[j]
        for q in range(k):
            V[order[q]] -= D[p, order[q]]
        V[i] = D[p, i]
        Q, t = D, s + n
        if t + count[i] > D.shape[0]:
            Q, t = np.empty((count[i] + max(count[i], GROW), D.shape[1])), 0
        size = slab(D, s, n, p, order, k, Q, t, w)
        size = reduce(Q, t, size, V, w)
        if size >= 0:
            total += free(Q, t, size, boxes, scratch, depth + 1, w)
    return total


@jit()
def slab(D: Matrix, s: int, n: int, p: int, order: Any, k: int, Q: Matrix, t: int, w: Any) -> int:
    """Write the rows that reach slab k of pivot p to Q from row t, seen from the slab's corner; return their number."""
    m = len(w)
    i = order[k]
    size = 0
    for r in range(s, s + n):
        if D[r, i] < D[p, i]:
            for j in range(m):
                Q[t + size, j] = D[r, j]
            for q in range(k):
                j = order[q]
                Q[t + size, j] = max(D[r, j] - D[p, j], 0.0)
            size += 1
    return size


@jit()
def alone(p: Vector, A: Matrix, skip: int, ref: Vector, D: Matrix, boxes: Matrix, scratch: Any, w: Any) -> float:
    """Return the volume that p dominates and no row of A does (row `skip` left out); inf for an unbounded region.

    Rows that p weakly dominates never matter, except that an equal row takes everything.
    """
    m = len(w)
    U = boxes[0]
    unbounded = False
    for j in range(m):
        if not p[j] < ref[j]:
            return 0.0
        U[j] = ref[j] - p[j]
        unbounded |= p[j] == -np.inf
    for r in range(A.shape[0]):  # cuts first: they make most of the others fall outside the box
        if r == skip:
            continue
        above, at = 0, 0
        for j in range(m):
            if A[r, j] > p[j]:
                above += 1
                at = j
        if above == 0:
            return 0.0
        if above == 1 and m > 1:
            below = False
            for j in range(m):
                below |= A[r, j] < p[j]
            if below:
                U[at] = min(U[at], A[r, at] - p[at])
    if unbounded:
        return np.inf
    n = 0
    for r in range(A.shape[0]):
        if r == skip:
            continue
        inside, below = True, False
        for j in range(m):
            inside &= A[r, j] - p[j] < U[j]
            below |= A[r, j] < p[j]
        if inside and below:
            for j in range(m):
                D[n, j] = max(A[r, j] - p[j], 0.0)
            n += 1
    n = reduce(D, 0, n, U, w)
    return 0.0 if n < 0 else free(D, 0, n, boxes, scratch, 0, w)


@jit()
def contributions(A: Matrix, ref: Vector, first: int, last: int, out: Vector, w: Any) -> None:
    """Fill ``out[first:last]`` with the exclusive volumes of these rows among all rows."""
    n, m = A.shape
    D, boxes, scratch = np.empty((n + GROW, m)), np.empty((n + 2, m)), np.empty((2 * n + 4, m), np.int64)
    for i in range(first, last):
        out[i] = alone(A[i], A, i, ref, D, boxes, scratch, w)


@jit()
def improvements(C: Matrix, A: Matrix, ref: Vector, first: int, last: int, out: Vector, w: Any) -> None:
    """Fill ``out[first:last]`` with the volumes that these rows of C would add to A, each alone."""
    n, m = A.shape
    D, boxes, scratch = np.empty((n + GROW, m)), np.empty((n + 2, m)), np.empty((2 * n + 4, m), np.int64)
    for i in range(first, last):
        out[i] = alone(C[i], A, -1, ref, D, boxes, scratch, w)


@jit()
def facets(A: Matrix, ref: Vector, first: int, last: int, out: Matrix, w: Any) -> None:
    """Fill ``out[first:last]`` with the exclusive facet areas `[n, m]`; w has m - 1 entries.

    Facet i of a point p is the face of its box through p, normal to axis i; covered by the rows q with q_i ≤ p_i.
    """
    n, m = A.shape
    D, boxes, scratch = np.empty((n + GROW, m - 1)), np.empty((n + 2, m - 1)), np.empty((2 * n + 4, m - 1), np.int64)
    B, p, r = np.empty((n, m - 1)), np.empty(m - 1), np.empty(m - 1)
    for a in range(first, last):
        for i in range(m):
            size = 0
            for b in range(n):
                if b != a and A[b, i] <= A[a, i]:
                    B[size, :i] = A[b, :i]
                    B[size, i:] = A[b, i + 1 :]
                    size += 1
            p[:i], p[i:] = A[a, :i], A[a, i + 1 :]
            r[:i], r[i:] = ref[:i], ref[i + 1 :]
            inside = A[a, i] < ref[i]
            out[a, i] = alone(p, B[:size], -1, r, D, boxes, scratch, w) if inside else 0.0


def prepare(m: int) -> None:
    """Compile (or load from the cache) the kernels for m objectives."""
    w, A, ref, out = (0.0,) * m, np.eye(m), np.full(m, 2.0), np.empty(m)
    contributions(A, ref, 0, m, out, w)
    improvements(A, A, ref, 0, m, out, w)


def prepare_facets(m: int) -> None:
    """Compile (or load from the cache) the kernel of facets for m objectives."""
    facets(np.eye(m), np.full(m, 2.0), 0, m, np.empty((m, m)), (0.0,) * (m - 1))
