# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call,no-any-return,misc"
"""A whole generation of NSGA-II in one call a member: survival of old and new rows, then the next children.

The parts are those of `_crowding_kernels.py` and `_variation_kernels.py`, so the bits are the same; what is saved are
the hand-overs between threads and the copies between the parts.
"""

import numpy as np

from paretokit.core._dominance_kernels import constrained_rank_kernel, rank_kernel
from paretokit.core._kernel import jit
from paretokit.solvers.evolutionary._crowding_kernels import survive, survive_two
from paretokit.solvers.evolutionary._draw_kernels import word
from paretokit.solvers.evolutionary._variation_kernels import offspring

BY_DOMINANCE = True


@jit(
    "void(float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[::1], float64[::1],"
    " float64[:, ::1], float64[:, ::1], float64[::1], float64[::1])"
)
def selected(x_old, x_new, f_old, f_new, v_old, v_new, x, f, v, kept):
    """Fill x, f, v and crowding with the survivors of old and new rows."""
    old = f_old.shape[0]
    total = old + f_new.shape[0]
    both = np.empty((total, f_new.shape[1]))
    violation = np.empty(total)
    both[:old] = f_old
    both[old:] = f_new
    violation[:old] = v_old
    violation[old:] = v_new
    keep = np.empty(x.shape[0], np.int64)
    violated = np.any(violation > 0.0)
    if both.shape[1] == 2 and not violated:
        survive_two(both, keep, kept)
    else:
        ranks = np.empty(total, np.int64)
        if violated:
            constrained_rank_kernel(both, violation, np.ones(total, np.bool_), ranks)
        else:
            rank_kernel(both, ranks)
        survive(both, ranks, keep, kept)
    for k in range(x.shape[0]):
        i = keep[k]
        x[k] = x_old[i] if i < old else x_new[i - old]
        f[k] = both[i]
        v[k] = violation[i]


@jit(
    "void(uint64[::1], float64[:, :, ::1], float64[:, :, ::1], float64[:, :, ::1], float64[:, :, ::1],"
    " float64[:, ::1], float64[:, ::1], float64[:, :, ::1], float64[:, :, ::1], float64[:, ::1], float64[:, ::1],"
    " float64[:, :, ::1], int64, float64[::1], float64[::1], int64[::1], float64[::1], int64)"
)
def generation_stack(
    keys, x_old, x_new, f_old, f_new, v_old, v_new, x, f, v, kept, asked, counter, lower, upper, kinds, params, rounds
):
    """Fill the survivors of every member and the children that it asks for next."""
    for p in range(keys.shape[0]):
        selected(x_old[p], x_new[p], f_old[p], f_new[p], v_old[p], v_new[p], x[p], f[p], v[p], kept[p])
        key = word(keys[p], counter)
        offspring(key, x[p], f[p], v[p], kept[p], BY_DOMINANCE, lower, upper, kinds, params, rounds, asked[p])
