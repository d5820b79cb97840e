# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call,no-any-return,misc"
"""A part of MOEA/D's sweep in one call a member: its children are told, take over, and the next ones are bred.

The parts are those of `_decomposition_kernels.py` and `_variation_kernels.py`, so the bits are the same; what is saved
are the hand-overs, the copies of whole populations, and the scalarized values of subproblems that are not touched.
"""

import numpy as np

from paretokit.core._kernel import jit
from paretokit.solvers.evolutionary._decomposition_kernels import scalar
from paretokit.solvers.evolutionary._draw_kernels import unit, word, words
from paretokit.solvers.evolutionary._variation_kernels import crossed, mutated_rows, shuffled


@jit("void(uint64, int64, int64, int64, int64[::1])")
def owners(key, generation, parts, n, out):
    """Fill `out` with the subproblems whose turn it is in a generation."""
    sweep = (generation - 1) // parts
    part = (generation - 1) % parts
    constants = np.empty(8, np.uint64)
    words(word(word(key, -3), sweep), 0, constants)
    begin = n * part // parts
    for c in range(out.shape[0]):
        out[c] = shuffled(begin + c, n, constants)


@jit(
    "void(float64[:, ::1], float64[:, ::1], float64[::1], float64[:, ::1], float64[:, ::1], float64[::1],"
    " float64[::1], float64[:, ::1], float64[:, ::1], int64[:, ::1], int64[::1], float64)"
)
def replace(x_new, f_new, v_new, x, f, v, ideal, weights, directions, near, owner, theta):
    """Let children take over neighboring subproblems in place, one after the other, and move the ideal point."""
    m = f.shape[1]
    for c in range(owner.shape[0]):
        if np.isfinite(v_new[c]):
            for j in range(m):
                ideal[j] = min(ideal[j], f_new[c, j])
    for c in range(owner.shape[0]):
        own = near[owner[c]]
        for e in range(own.shape[0]):
            k = own[e]
            if v_new[c] > v[k]:
                continue
            if v_new[c] == v[k]:
                value = scalar(f_new[c], ideal, weights[k], directions[k], theta)
                if not value < scalar(f[k], ideal, weights[k], directions[k], theta):
                    continue
            x[k] = x_new[c]
            f[k] = f_new[c]
            v[k] = v_new[c]


@jit(
    "void(uint64, float64[:, ::1], int64[:, ::1], int64[::1], float64, float64[::1], float64[::1], int64[::1],"
    " float64[::1], float64[:, ::1])"
)
def breed(key, x, near, owner, mating_prob, lower, upper, kinds, params, out):
    """Fill `out` with a child of each owner, of parents in its neighborhood or anywhere."""
    count = owner.shape[0]
    drawn = np.empty(3 * count, np.uint64)
    words(word(key, 10), 0, drawn)
    parents = np.empty((count, 2), np.int64)
    for c in range(count):
        own = unit(drawn[3 * c + 2]) < mating_prob
        size = near.shape[1] if own else x.shape[0]
        first = np.int64(unit(drawn[3 * c]) * size)
        second = np.int64(unit(drawn[3 * c + 1]) * (size - 1))
        if second >= first:
            second += 1
        second = min(second, size - 1)
        parents[c, 0] = near[owner[c], first] if own else first
        parents[c, 1] = near[owner[c], second] if own else second
    matings = np.arange(count)
    round_key = word(key, 0)
    pair = np.empty((2 * count, x.shape[1]))
    crossed(round_key, x, parents, matings, lower, upper, kinds, params, pair)
    for c in range(count):
        out[c] = pair[2 * c]
    mutated_rows(round_key, matings, out, lower, upper, kinds, params)


@jit(
    "void(uint64[::1], float64[:, :, ::1], float64[:, :, ::1], float64[:, ::1], float64[:, :, ::1], float64[:, :, ::1],"
    " float64[:, ::1], float64[:, ::1], float64[:, :, ::1], float64[::1], float64[:, ::1], float64[:, ::1],"
    " int64[:, ::1], float64, int64, int64, float64, float64[::1], float64[::1], int64[::1], float64[::1])"
)
def sweep_stack(
    keys, x_new, values, violation, x, f, v, ideal, asked, signs, weights, directions, near, theta, generation, parts,
    mating_prob, lower, upper, kinds, params
):  # fmt: skip
    """Tell every member its children, in place, and fill `asked` with the next ones."""
    n = x.shape[1]
    count, m = values.shape[1:]
    told = np.empty(count, np.int64)
    due = np.empty(asked.shape[1], np.int64)
    f_new = np.empty((count, m))
    v_new = np.empty(count)
    for p in range(keys.shape[0]):
        for c in range(count):
            v_new[c] = violation[p, c]
            for j in range(m):
                f_new[c, j] = values[p, c, j] * signs[j]
                if not np.isfinite(f_new[c, j]):
                    v_new[c] = np.inf
            if v_new[c] == np.inf:
                f_new[c] = np.inf
        owners(keys[p], generation, parts, n, told)
        replace(x_new[p], f_new, v_new, x[p], f[p], v[p], ideal[p], weights, directions, near, told, theta)
        owners(keys[p], generation + 1, parts, n, due)
        key = word(keys[p], 2 * (generation + 1))
        breed(key, x[p], near, due, mating_prob, lower, upper, kinds, params, asked[p])
