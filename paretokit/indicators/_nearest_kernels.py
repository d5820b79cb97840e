# mypy: ignore-errors
"""Compiled search for the best candidate of each query, one stack of sets after the other."""

import numpy as np

from paretokit.core._kernel import jit

EUCLIDEAN, SHORTFALL, WORST, TAXICAB, TCHEBYCHEFF = 0, 1, 2, 3, 4  # and 5, its sum without the query
BLOCK = 512


@jit("void(float64[::1], float64[:, ::1], int64, int64, int64, float64, float64[::1])")
def _costs(query, columns, begin, end, kind, rho, cost):
    """Fill `cost` for the candidates `begin … end - 1` (given by columns) of one query."""
    size = end - begin
    for j in range(columns.shape[0]):
        q = query[j]
        column = columns[j, begin:end]
        if kind == EUCLIDEAN:
            for i in range(size):
                d = column[i] - q
                cost[i] = d * d if j == 0 else cost[i] + d * d
        elif kind == SHORTFALL:
            for i in range(size):
                d = max(column[i] - q, 0.0)
                cost[i] = d * d if j == 0 else cost[i] + d * d
        elif kind == WORST:
            for i in range(size):
                d = column[i] - q
                cost[i] = d if j == 0 else max(cost[i], d)
        elif kind == TAXICAB:
            for i in range(size):
                d = abs(column[i] - q)
                cost[i] = d if j == 0 else cost[i] + d
        else:
            for i in range(size):
                d = column[i] * q
                cost[i] = d if j == 0 else max(cost[i], d)
    if kind >= TCHEBYCHEFF and rho > 0.0:
        for j in range(columns.shape[0]):
            q = rho * query[j] if kind == TCHEBYCHEFF else rho
            column = columns[j, begin:end]
            for i in range(size):
                cost[i] += q * column[i]


@jit("void(float64[:, :, ::1], float64[:, :, ::1], boolean[:, ::1], int64, float64, boolean, int64[:, ::1])")
def nearest_stack(queries, candidates, alive, kind, rho, others, out):
    """Fill `out [b, q]` with the first best alive candidate of each query, -1 without one.

    A stack of one set serves all sets of the other stack. With `others`, candidate i is no candidate of query i.
    """
    sets, count = out.shape
    m = queries.shape[2]
    n = candidates.shape[1]
    columns = np.empty((m, n))
    where = np.empty(n, np.int64)
    cost = np.empty(BLOCK)
    size = 0
    for b in range(sets):
        c = min(b, candidates.shape[0] - 1)
        if b == 0 or candidates.shape[0] > 1:
            size = 0
            for i in range(n):
                if alive[c, i]:
                    for j in range(m):
                        columns[j, size] = candidates[c, i, j]
                    where[size] = i
                    size += 1
        for a in range(count):
            query = queries[min(b, queries.shape[0] - 1), a]
            best = np.inf
            found = -1
            for begin in range(0, size, BLOCK):
                end = min(begin + BLOCK, size)
                _costs(query, columns, begin, end, kind, rho, cost)
                for i in range(end - begin):
                    if (cost[i] < best or found < 0) and not (others and where[begin + i] == a):
                        best = cost[i]
                        found = where[begin + i]
            out[b, a] = found
