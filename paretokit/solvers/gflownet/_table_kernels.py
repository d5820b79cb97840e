# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call,no-any-return,misc"
"""Compiled walks through a table of all states: `_lookup.py`'s plain twins, bit for bit.

States are numbers; `rank` is the row of one before an action in the tables of outputs. A trajectory ends at the first
state without children; `live` lists those that have not ended, in order.
"""

import numpy as np

from paretokit.core._kernel import jit

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
NOTHING = -1
KINDS = ("float32", "float64")
TABLE = "int64[:, ::1]"


@jit("float64(uint64, int64)")
def uniform(key, counter):
    """Return the uniform in [0, 1) at a counter of a key, as `core/_rng.py`."""
    z = key + np.uint64(counter + 1) * GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) * 2.0**-53


@jit(
    *[
        f"void({kind}[:, ::1], int64[::1], {TABLE}, {TABLE}, {TABLE}, uint64, int64[:, :, ::1], {TABLE}, {TABLE})"
        for kind in KINDS
    ]
)
def walk(cumulative, rank, children, undone, rows, key, states, actions, backward):
    """Fill `states [T + 1, n, k]`, `actions` and `backward [T, n]` from cumulative probabilities `[N, A]`."""
    steps, n = actions.shape
    size, choices = rows.shape[1], cumulative.shape[1]
    number, live, alive = np.zeros(n, np.int64), np.arange(n), n
    last = np.zeros(cumulative.shape[0], np.int64)
    u = np.empty(1, cumulative.dtype)
    for s in range(children.shape[0]):
        for a in range(choices):
            if children[s, a] >= 0:
                last[rank[s]] = a
    states[0, :] = rows[0]
    for t in range(steps):
        states[t + 1] = states[t]
        actions[t] = NOTHING
        backward[t] = NOTHING
        kept = 0
        for j in range(alive):
            i = live[j]
            s = number[i]
            r = rank[s]
            u[0] = uniform(key, t * n + i)
            bound = u[0] * cumulative[r, choices - 1]
            chosen = 0
            for a in range(choices):
                chosen += cumulative[r, a] <= bound
            chosen = min(chosen, last[r])
            if children[s, chosen] < 0:  # probabilities that are no numbers
                chosen = last[r]
            actions[t, i] = chosen
            backward[t, i] = undone[s, chosen]
            s = children[s, chosen]
            number[i] = s
            for k in range(size):
                states[t + 1, i, k] = rows[s, k]
            if rank[s] >= 0:
                live[kept] = i
                kept += 1
        alive = kept


@jit(
    *[
        f"void({kind}[:, ::1], {kind}[:, ::1], {kind}[::1], int64[::1], {TABLE}, {TABLE}, {TABLE}, {kind}[:, ::1],"
        f" {kind}[:, ::1], {kind}[:, ::1])"
        for kind in KINDS
    ]
)
def read(policy, behind, flow, rank, children, actions, backward, forward_out, backward_out, flow_out):
    """Fill the scores `[T, n]` of trajectories from tables `policy [R, A]`, `behind [S, B]` and `flow [R]`."""
    steps, n = actions.shape
    number, live, alive = np.zeros(n, np.int64), np.arange(n), n
    forward_out[:] = 0
    backward_out[:] = 0
    flow_out[:] = 0
    for t in range(steps):
        kept = 0
        for j in range(alive):
            i = live[j]
            a = actions[t, i]
            if a < 0:
                continue
            r = rank[number[i]]
            forward_out[t, i] = policy[r, a]
            flow_out[t, i] = flow[r]
            number[i] = children[number[i], a]
            backward_out[t, i] = behind[number[i], backward[t, i]]
            live[kept] = i
            kept += 1
        alive = kept


@jit(
    *[
        f"void({kind}[:, ::1], {kind}[:, ::1], {kind}[::1], int64[::1], {TABLE}, {TABLE}, {TABLE}, {kind}[:, ::1],"
        f" {kind}[:, ::1], {kind}[:, ::1])"
        for kind in KINDS
    ]
)
def spread(policy, behind, flow, rank, children, actions, backward, forward_in, backward_in, flow_in):
    """Add gradients of the scores `[T, n]` to those of the tables; empty ones are not asked for or zero."""
    steps, n = actions.shape
    number, live, alive = np.zeros(n, np.int64), np.arange(n), n
    by_forward, by_backward, by_flow = forward_in.shape[0] > 0, backward_in.shape[0] > 0, flow_in.shape[0] > 0
    for t in range(steps):
        kept = 0
        for j in range(alive):
            i = live[j]
            a = actions[t, i]
            if a < 0:
                continue
            r = rank[number[i]]
            number[i] = children[number[i], a]
            if by_forward:
                policy[r, a] += forward_in[t, i]
            if by_flow:
                flow[r] += flow_in[t, i]
            if by_backward:
                behind[number[i], backward[t, i]] += backward_in[t, i]
            live[kept] = i
            kept += 1
        alive = kept


@jit(*[f"void({kind}[:, ::1], {kind}[:, ::1], int64[::1], {TABLE}, {TABLE}, {TABLE}, {kind}[::1])" for kind in KINDS])
def add_up(policy, behind, rank, children, actions, backward, out):
    """Add the differences of `policy [R, A]` and `behind [S, B]` along each trajectory to `out [n]`, in order."""
    steps, n = actions.shape
    number, live, alive = np.zeros(n, np.int64), np.arange(n), n
    for t in range(steps):
        kept = 0
        for j in range(alive):
            i = live[j]
            a = actions[t, i]
            if a < 0:
                continue
            r = rank[number[i]]
            number[i] = children[number[i], a]
            out[i] += policy[r, a] - behind[number[i], backward[t, i]]
            live[kept] = i
            kept += 1
        alive = kept


@jit(
    *[
        f"void({kind}[:, ::1], {kind}[:, ::1], int64[::1], {TABLE}, {TABLE}, {TABLE}, {kind}[::1], boolean)"
        for kind in KINDS
    ]
)
def share_out(policy, behind, rank, children, actions, backward, slopes, by_backward):
    """Add slopes of the sums `[n]` to those of the tables, subtract them where backward actions were read."""
    steps, n = actions.shape
    number, live, alive = np.zeros(n, np.int64), np.arange(n), n
    for t in range(steps):
        kept = 0
        for j in range(alive):
            i = live[j]
            a = actions[t, i]
            if a < 0:
                continue
            r = rank[number[i]]
            number[i] = children[number[i], a]
            policy[r, a] += slopes[i]
            if by_backward:
                behind[number[i], backward[t, i]] -= slopes[i]
            live[kept] = i
            kept += 1
        alive = kept
