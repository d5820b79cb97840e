# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call,no-any-return,misc"
"""Compiled replacement of MOEA/D: `_decomposition.py` number for number."""

import numpy as np

from paretokit.core._kernel import jit


@jit("float64(float64[::1], float64[::1], float64[::1], float64[::1], float64)")
def scalar(f, ideal, weight, direction, theta):
    """Return the scalarized value of one row."""
    m = f.shape[0]
    if theta < 0.0:
        most = abs(f[0] - ideal[0]) * weight[0]
        for j in range(1, m):
            most = max(most, abs(f[j] - ideal[j]) * weight[j])
        return most
    along = (f[0] - ideal[0]) * direction[0]
    for j in range(1, m):
        along = along + (f[j] - ideal[j]) * direction[j]
    along = abs(along)
    total = 0.0
    for j in range(m):
        gap = f[j] - ideal[j] - along * direction[j]
        total = total + gap * gap
    return along + theta * np.sqrt(total)


@jit(
    "void(float64[:, :, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1], int64[:, ::1],"
    " int64[:, ::1], float64, int64[:, ::1])"
)
def replace_stack(f, v, ideal, weights, directions, neighbors, owner, theta, keep):
    """Let the new rows take over neighboring subproblems, one after the other."""
    members, n = keep.shape
    reach = neighbors.shape[1]
    held = np.empty(n)
    for p in range(members):
        for k in range(n):
            keep[p, k] = k
            held[k] = scalar(f[p, k], ideal[p], weights[k], directions[k], theta)
        for c in range(owner.shape[1]):
            row = n + c
            own = neighbors[owner[p, c]]
            for e in range(reach):
                k = own[e]
                old = v[p, keep[p, k]]
                if v[p, row] > old:
                    continue
                value = scalar(f[p, row], ideal[p], weights[k], directions[k], theta)
                if v[p, row] < old or value < held[k]:
                    keep[p, k] = row
                    held[k] = value
