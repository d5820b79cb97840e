"""Compiled sweeps over many small fronts: hypervolume of a batch in two and three objectives.

Minimization; rows that do not lie strictly below the reference point count nothing, so masked rows may hold +inf.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretokit.core._kernel import jit

Batch = NDArray[np.float64]
Vector = NDArray[np.float64]


@jit("void(float64[:,:,::1], float64[::1], int64, int64, float64[::1])")
def sweep2(A: Batch, ref: Vector, first: int, last: int, out: Vector) -> None:
    """Fill ``out[first:last]`` with the areas of fronts `[*, n, 2]`: sort by x, keep the lowest y; O(n log n)."""
    n = A.shape[1]
    X, Y = np.empty(n), np.empty(n)
    for b in range(first, last):
        size = 0
        for i in range(n):
            if A[b, i, 0] < ref[0] and A[b, i, 1] < ref[1]:
                X[size], Y[size] = A[b, i, 0], A[b, i, 1]
                size += 1
        order = np.argsort(X[:size])
        low, total = ref[1], 0.0
        for k in range(size):
            i = order[k]
            if Y[i] < low:
                total += (ref[0] - X[i]) * (low - Y[i])
                low = Y[i]
        out[b] = total


@jit("float64(float64, float64, float64[::1], float64[::1], int64[::1], float64, float64)")
def step(x: float, y: float, X: Vector, Y: Vector, size: Any, rx: float, ry: float) -> float:
    """Put (x, y) into the staircase (X ascending, Y descending, ``size[0]`` points); return the area that it adds."""
    lo, hi = 0, size[0]
    while lo < hi:
        mid = (lo + hi) // 2
        if X[mid] <= x:
            lo = mid + 1
        else:
            hi = mid
    height = Y[lo - 1] if lo > 0 else ry
    if height <= y:
        return 0.0
    if lo > 0 and X[lo - 1] == x:
        lo -= 1
        height = Y[lo - 1] if lo > 0 else ry
    area, left, end = 0.0, x, lo
    low = height
    while end < size[0] and Y[end] >= y:
        area += (X[end] - left) * (low - y)
        left, low = X[end], Y[end]
        end += 1
    area += ((X[end] if end < size[0] else rx) - left) * (low - y)
    gone = end - lo
    if gone == 0:
        for k in range(size[0], lo, -1):
            X[k], Y[k] = X[k - 1], Y[k - 1]
    elif gone > 1:
        for k in range(end, size[0]):
            X[k - gone + 1], Y[k - gone + 1] = X[k], Y[k]
    X[lo], Y[lo] = x, y
    size[0] += 1 - gone
    return area


@jit("void(float64[:,:,::1], float64[::1], int64, int64, float64[::1])")
def sweep3(A: Batch, ref: Vector, first: int, last: int, out: Vector) -> None:
    """Fill ``out[first:last]`` with the volumes of fronts `[*, n, 3]`: sort by z, keep the staircase in x and y.

    O(n log n) comparisons and at most n^2 / 2 moves of staircase points, which for small fronts is the cheaper part.
    """
    n = A.shape[1]
    P, X, Y = np.empty((n, 3)), np.empty(n + 1), np.empty(n + 1)
    Z = np.empty(n)
    size = np.zeros(1, np.int64)
    for b in range(first, last):
        count = 0
        for i in range(n):
            if A[b, i, 0] < ref[0] and A[b, i, 1] < ref[1] and A[b, i, 2] < ref[2]:
                P[count] = A[b, i]
                Z[count] = A[b, i, 2]
                count += 1
        order = np.argsort(Z[:count])
        size[0] = 0
        area, total = 0.0, 0.0
        for k in range(count):
            i = order[k]
            if k > 0:
                total += area * (P[i, 2] - P[order[k - 1], 2])
            area += step(P[i, 0], P[i, 1], X, Y, size, ref[0], ref[1])
        if count > 0:
            total += area * (ref[2] - P[order[count - 1], 2])
        out[b] = total
