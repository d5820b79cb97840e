# mypy: ignore-errors
"""Compiled quadratic programs over nonnegative vectors, by exchanging the variables of a face."""

import numpy as np

from paretokit.core._kernel import jit


@jit("void(float64[:, ::1], int64[::1], int64, float64, float64[:, ::1], float64[::1])")
def _factor(c, index, size, ridge, lower, inverse):
    """Fill the Cholesky factor of some rows and columns of `c`, and the inverses of its diagonal."""
    for a in range(size):
        for b in range(a + 1):
            lower[a, b] = c[index[a], index[b]]
        lower[a, a] += ridge
    for j in range(size):
        inverse[j] = 1.0 / np.sqrt(lower[j, j])
        for i in range(j + 1, size):
            lower[i, j] *= inverse[j]
        for b in range(j + 1, size):
            for a in range(b, size):
                lower[a, b] -= lower[a, j] * lower[b, j]


@jit("void(float64[:, ::1], float64[::1], int64, float64[::1])")
def _substitute(lower, inverse, size, x):
    """Turn the right-hand side x into the solution."""
    for j in range(size):
        x[j] *= inverse[j]
        for i in range(j + 1, size):
            x[i] -= lower[i, j] * x[j]
    for j in range(size - 1, -1, -1):
        x[j] *= inverse[j]
        for i in range(j):
            x[i] -= lower[j, i] * x[j]


@jit("boolean(float64[:, ::1], float64[::1], boolean[::1], float64[::1], float64[:, ::1], float64[:, ::1], int64[::1])")
def _face(c, q, inside, constants, lower, rows, index):
    """Fill rows 0 and 1 with variables and slacks of a face, set `constants[3]` to its merit; all as in the plain twin.

    `constants` are ridge, room, and whether to refine. Returns whether any entry of the variables is negative.
    """
    m = q.shape[0]
    t, y, x, inverse, held = rows[0], rows[1], rows[2], rows[3], rows[4]
    size = 0
    for i in range(m):
        t[i] = 0.0
        if inside[i]:
            index[size] = i
            x[size] = -q[i]
            size += 1
    _factor(c, index, size, constants[0], lower, inverse)
    _substitute(lower, inverse, size, x)
    if constants[2] > 0.0:
        for a in range(size):
            held[a] = -q[index[a]]
        for b in range(size):
            for a in range(size):
                held[a] -= c[index[b], index[a]] * x[b]
        _substitute(lower, inverse, size, held)
        for a in range(size):
            x[a] += held[a]
    for a in range(size):
        t[index[a]] = x[a]
    most = 0.0
    negative = False
    for i in range(m):
        if np.isnan(t[i]) or abs(t[i]) > most:
            most = abs(t[i])
        negative |= t[i] < 0.0
        y[i] = q[i]
        held[i] = max(t[i], 0.0) if t[i] == t[i] else t[i]
    for j in range(m):
        for i in range(m):
            y[i] += c[j, i] * t[j]
    merit = 0.0
    for i in range(m):
        slack = y[i]
        if negative:
            slack = q[i]
            for j in range(m):
                slack += c[j, i] * held[j]
        least = abs(min(held[i], slack))
        if not (held[i] == held[i] and slack == slack):
            least = np.nan
        if merit == merit and not least <= merit:
            merit = least
    room = constants[1] * (1.0 + most)
    for i in range(m):
        y[i] += room
        if abs(t[i]) <= room:
            t[i] = 0.0
    constants[3] = merit
    return negative


@jit(
    "void(float64[:, ::1], float64[::1], boolean[::1], float64[::1], int64, float64[:, ::1], float64[:, ::1],"
    "int64[::1], boolean[:, ::1], float64[::1])"
)
def _exchange(c, q, inside, constants, patience, lower, rows, index, flags, best):
    """Fill the best variables on the way from a face, and the face that has them in place of the start."""
    m = q.shape[0]
    t, y = rows[0], rows[1]
    chosen, wrong = flags[0], flags[1]
    chosen[:] = inside
    best[:] = 0.0
    fewest, left, least = m + 1, patience, np.inf
    for _ in range(6 * m):
        _face(c, q, inside, constants, lower, rows, index)
        if constants[3] < least:
            least = constants[3]
            for i in range(m):
                best[i] = max(t[i], 0.0)
                chosen[i] = inside[i]
        count, last = 0, -1
        for i in range(m):
            wrong[i] = t[i] < 0.0 if inside[i] else y[i] < 0.0
            if wrong[i]:
                count += 1
                last = i
        if count == 0:
            break
        if count < fewest:
            fewest, left = count, patience
        else:
            left -= 1
        if left < 0:
            inside[last] = not inside[last]
        else:
            for i in range(m):
                inside[i] ^= wrong[i]
    inside[:] = chosen


@jit("void(float64[:, :, ::1], float64[:, ::1], float64, float64, int64, float64[:, ::1])")
def minimize_stack(c, q, ridge, room, patience, out):
    """Fill the minimizers of a stack of programs: first roughly, to find where to begin, then refined."""
    n, m = q.shape
    lower, rows = np.empty((m, m)), np.empty((5, m))
    index = np.empty(m, np.int64)
    flags, inside = np.empty((2, m), np.bool_), np.empty(m, np.bool_)
    constants = np.array([ridge, room, 0.0, 0.0])
    for k in range(n):
        for i in range(m):
            inside[i] = q[k, i] < 0.0
        for refine in range(2):
            constants[2] = float(refine)
            _exchange(c[k], q[k], inside, constants, patience, lower, rows, index, flags, out[k])
