# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call,no-any-return,misc"
"""Compiled steps of trajectories that have not ended: `_live_engine.py`'s plain twins, bit for bit."""

import numpy as np

from paretokit.core._kernel import jit
from paretokit.solvers.gflownet._table_kernels import KINDS, TABLE, uniform


@jit(
    *[
        f"int64({kind}[:, ::1], int64[::1], int64, int64[::1], uint64, int64, {TABLE}, {TABLE}, {TABLE},"
        f" {kind}[:, ::1], {kind}[:, ::1], {TABLE}, {kind}[:, ::1], int64[:, :, ::1], {TABLE}, {TABLE},"
        f" {kind}[:, ::1], {kind}[:, ::1])"
        for kind in KINDS
    ]
)
def advance(
    cumulative,
    live,
    alive,
    number,
    key,
    step,
    children,
    undone,
    rows,
    bounds,
    embedding,
    seen,
    base,
    states,
    actions,
    backward,
    hidden,
    bound_by,
):
    """Make one step with the `alive` first of `live`; return how many go on, now the first ones of `live`.

    Fills what trajectories did in the step, and what comes next for each that goes on: the network's first layer before
    its activation, and its state's row of `bounds`. With `cumulative` of no rows, only the latter.
    """
    n = number.shape[0]
    choices, size, width = children.shape[1], rows.shape[1], hidden.shape[1]
    several = base.shape[0] > 1
    kept = 0
    begin = cumulative.shape[0] == 0
    u = np.empty(1, hidden.dtype)
    if not begin:
        states[step + 1] = states[step]
    for j in range(alive):
        i = live[j]
        s = number[i]
        if not begin:
            u[0] = uniform(key, step * n + i)
            bound = u[0] * cumulative[j, choices - 1]
            chosen, last = 0, 0
            for a in range(choices):
                chosen += cumulative[j, a] <= bound
                if children[s, a] >= 0:
                    last = a
            chosen = min(chosen, last)
            if children[s, chosen] < 0:  # probabilities that are no numbers
                chosen = last
            actions[step, i] = chosen
            backward[step, i] = undone[s, chosen]
            s = children[s, chosen]
            number[i] = s
            for k in range(size):
                states[step + 1, i, k] = rows[s, k]
        goes_on = False
        for a in range(choices):
            goes_on |= children[s, a] >= 0
        if not goes_on:
            continue
        live[kept] = i
        line = hidden[kept]
        line[:] = base[i] if several else base[0]
        for k in range(seen.shape[1]):
            add = embedding[seen[s, k]]
            for h in range(width):
                line[h] += add[h]
        for a in range(bounds.shape[1]):
            bound_by[kept, a] = bounds[s, a]
        kept += 1
    return kept
