# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call,no-any-return,misc"
"""Compiled walks through a table of all states: `_table_engine.py`'s plain twins, bit for bit.

States are numbers; `rank` is the row of an unfinished one in the tables of outputs. A trajectory ends at the first
state without children.
"""

import numpy as np

from paretokit.core._kernel import jit

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
NOTHING = -1


@jit("float64(uint64, int64)")
def uniform(key, counter):
    """Return the uniform in [0, 1) at a counter of a key, as `core/_rng.py`."""
    z = key + np.uint64(counter + 1) * GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) * 2.0**-53


KINDS = ("float32", "float64")
TABLE = "int64[:, ::1]"
WALKS = [
    f"void({kind}[:, ::1], int64[::1], {', '.join([TABLE] * 3)}, uint64, int64[:, :, ::1], {TABLE}, {TABLE})"
    for kind in KINDS
]


@jit(*WALKS)
def walk(cumulative, rank, children, undone, rows, key, states, actions, backward):
    """Fill `states [T + 1, n, k]`, `actions` and `backward [T, n]` from cumulative probabilities `[N, A]`."""
    steps, n = actions.shape
    size = rows.shape[1]
    choices = cumulative.shape[1]
    number = np.zeros(n, np.int64)
    last = np.zeros(cumulative.shape[0], np.int64)
    scale = np.empty(1, cumulative.dtype)
    for s in range(children.shape[0]):
        for a in range(choices):
            if children[s, a] >= 0:
                last[rank[s]] = a
    for t in range(steps + 1):
        for i in range(n):
            s = number[i]
            for j in range(size):
                states[t, i, j] = rows[s, j]
            if t == steps:
                continue
            r = rank[s]
            if r < 0:
                actions[t, i] = NOTHING
                backward[t, i] = NOTHING
                continue
            scale[0] = uniform(key, t * n + i)
            bound = scale[0] * cumulative[r, choices - 1]
            chosen = 0
            for a in range(choices):
                chosen += cumulative[r, a] <= bound
            chosen = min(chosen, last[r])
            child = children[s, chosen]
            if child < 0:  # logits that are no numbers
                chosen = last[r]
                child = children[s, chosen]
            actions[t, i] = chosen
            backward[t, i] = undone[s, chosen]
            number[i] = child


READS = [
    f"void({kind}[:, ::1], {kind}[:, ::1], {kind}[::1], int64[::1], {', '.join([TABLE] * 3)},"
    f" {', '.join([kind + '[:, ::1]'] * 3)})"
    for kind in KINDS
]


@jit(*READS)
def read(policy, behind, flow, rank, children, actions, backward, forward_out, backward_out, flow_out):
    """Fill the scores `[T, n]` of trajectories from tables `policy [N, A]`, `behind [S, B]` and `flow [N]`."""
    steps, n = actions.shape
    number = np.zeros(n, np.int64)
    for t in range(steps):
        for i in range(n):
            a = actions[t, i]
            if a < 0:
                forward_out[t, i] = 0
                backward_out[t, i] = 0
                flow_out[t, i] = 0
                continue
            r = rank[number[i]]
            forward_out[t, i] = policy[r, a]
            flow_out[t, i] = flow[r]
            number[i] = children[number[i], a]
            backward_out[t, i] = behind[number[i], backward[t, i]]


@jit(*READS)
def spread(policy, behind, flow, rank, children, actions, backward, forward_in, backward_in, flow_in):
    """Add gradients of the scores `[T, n]` to those of the tables; empty ones are not asked for or zero."""
    steps, n = actions.shape
    number = np.zeros(n, np.int64)
    by_forward, by_backward, by_flow = forward_in.shape[0] > 0, backward_in.shape[0] > 0, flow_in.shape[0] > 0
    for t in range(steps):
        for i in range(n):
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
