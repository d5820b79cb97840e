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
def pivot(D: Matrix, s: int, n: int, U: Vector, order: Any, count: Any, w: Any) -> int:
    """Return the row that covers most of the box U; sort the objectives by the number of rows below it."""
    m = len(w)
    p, best = s, -1.0
    for r in range(s, s + n):
        v = 1.0
        for j in range(m):
            v *= U[j] - D[r, j]
        if v > best:
            p, best = r, v
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
    return p


@jit()
def box(U: Vector, w: Any) -> Any:
    """Return the product of m sides."""
    v = 1.0
    for j in range(len(w)):
        v *= U[j]
    return v


@jit()
def free(D: Matrix, n: int, boxes: Matrix, scratch: Any, w: Any) -> Any:
    """Return the volume of the box ``boxes[0]`` that none of the first n rows covers; rows as `reduce` leaves them.

    The tree is walked with an explicit stack (numba cannot cache recursive functions safely); see `volume` of QHV-II.
    `scratch` holds the order and the counts of every level, `[2, levels, m]` integers.
    """
    m = len(w)
    if n == 0:
        return box(boxes[0], w)
    order, count = scratch[0], scratch[1]
    start, rows, head, turn = (
        np.zeros(n + 1, np.int64),
        np.zeros(n + 1, np.int64),
        np.zeros(n + 1, np.int64),
        np.zeros(n + 1, np.int64),
    )
    sums = np.zeros(n + 1)
    d = 0
    rows[0] = n
    head[0] = pivot(D, 0, n, boxes[0], order[0], count[0], w)
    while d >= 0:
        at = turn[d]
        if at == m:
            if d > 0:
                sums[d - 1] += sums[d]
            d -= 1
            continue
        turn[d] = at + 1
        p, i = head[d], order[d, at]
        if D[p, i] <= 0:
            continue
        U, V = boxes[d], boxes[d + 1]
        for j in range(m):
            V[j] = U[j]
        for q in range(at):
            V[order[d, q]] -= D[p, order[d, q]]
        V[i] = D[p, i]
        t = start[d] + rows[d]
        if t + count[d, i] > D.shape[0]:
            larger = np.empty((2 * D.shape[0] + count[d, i], m))
            larger[:t] = D[:t]
            D = larger
        size = slab(D, start[d], rows[d], p, order[d], at, t, w)
        size = reduce(D, t, size, V, w)
        if size == 0:
            sums[d] += box(V, w)
        elif size > 0:
            d += 1
            start[d], rows[d], turn[d], sums[d] = t, size, 0, 0.0
            head[d] = pivot(D, t, size, V, order[d], count[d], w)
    return sums[0]


@jit()
def slab(D: Matrix, s: int, n: int, p: int, order: Any, k: int, t: int, w: Any) -> int:
    """Write the rows that reach slab k of pivot p behind row t, seen from the slab's corner; return their number."""
    m = len(w)
    i = order[k]
    size = 0
    for r in range(s, s + n):
        if D[r, i] < D[p, i]:
            for j in range(m):
                D[t + size, j] = D[r, j]
            for q in range(k):
                j = order[q]
                D[t + size, j] = max(D[r, j] - D[p, j], 0.0)
            size += 1
    return size


@jit()
def alone(p: Vector, A: Matrix, skip: int, worse: int, ref: Vector, room: Any, w: Any) -> Any:
    """Return the volume that p dominates and no row of A does (row `skip` left out); inf for an unbounded region.

    An equal row takes everything. Rows that p dominates count where `worse` is 1. `room` holds the buffers of
    `rooms`.
    """
    D, boxes, scratch = room
    m = len(w)
    U = boxes[0]
    unbounded = False
    for j in range(m):
        if not p[j] < ref[j]:
            return 0.0
        U[j] = ref[j] - p[j]
        unbounded |= p[j] == -np.inf
    for r in range(A.shape[0]):  # cuts first: they make most of the others fall outside the box
        above, at, below = 0, 0, worse > 0
        for j in range(m):
            if A[r, j] > p[j]:
                above += 1
                at = j
            below |= A[r, j] < p[j]
        if r == skip:
            continue
        if above == 0:
            return 0.0
        if above == 1 and below:
            U[at] = min(U[at], A[r, at] - p[at])
    if unbounded:
        return np.inf
    n = 0
    for r in range(A.shape[0]):
        inside, below = r != skip, worse > 0
        for j in range(m):
            inside &= A[r, j] - p[j] < U[j]
            below |= A[r, j] < p[j]
        if inside and below:
            for j in range(m):
                D[n, j] = max(A[r, j] - p[j], 0.0)
            n += 1
    n = reduce(D, 0, n, U, w)
    return 0.0 if n < 0 else free(D, n, boxes, scratch, w)


@jit()
def rooms(n: int, m: int) -> tuple[Matrix, Matrix, Any]:
    """Return buffers for n neighbors: rows, boxes a level, orders and counts a level."""
    return np.empty((n + min(n * n, GROW), m)), np.empty((n + 2, m)), np.empty((2, n + 2, m), np.int64)


@jit()
def contributions(A: Matrix, ref: Vector, first: int, last: int, out: Vector, w: Any) -> None:
    """Fill ``out[first:last]`` with the exclusive volumes of these rows among the non-dominated ones."""
    n, m = A.shape
    room = rooms(n, m)
    for i in range(first, last):
        out[i] = alone(A[i], A, i, 0, ref, room, w)


@jit()
def improvements(C: Matrix, A: Matrix, ref: Vector, first: int, last: int, out: Vector, w: Any) -> None:
    """Fill ``out[first:last]`` with the volumes that these rows of C would add to A, each alone."""
    n, m = A.shape
    room = rooms(n, m)
    for i in range(first, last):
        out[i] = alone(C[i], A, -1, 1, ref, room, w)


@jit()
def facets(A: Matrix, ref: Vector, first: int, last: int, out: Matrix, w: Any) -> None:
    """Fill ``out[first:last]`` with the exclusive facet areas `[n, m]`; w has m - 1 entries.

    Facet i of a point p is the face of its box through p, normal to axis i; covered by the rows q with q_i ≤ p_i.
    """
    n, m = A.shape
    room = rooms(n, m - 1)
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
            out[a, i] = alone(p, B[:size], -1, 1, r, room, w) if inside else 0.0


def prepare(m: int) -> None:
    """Compile (or load from the cache) the kernels for m objectives."""
    w, A, ref, out = (0.0,) * m, np.eye(m), np.full(m, 2.0), np.empty(m)
    contributions(A, ref, 0, m, out, w)
    improvements(A, A, ref, 0, m, out, w)


def prepare_facets(m: int) -> None:
    """Compile (or load from the cache) the kernel of facets for m objectives."""
    facets(np.eye(m), np.full(m, 2.0), 0, m, np.empty((m, m)), (0.0,) * (m - 1))
