# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call,no-any-return,misc"
"""Compiled generalized advantage estimation: `_gae.py` bit for bit."""

import numpy as np

from paretokit.core._kernel import jit

SIGNATURES = [
    "void({0}, {0}, {0}, boolean[:, :, ::1], boolean[:, :, ::1], float64, float64, {0})".format(kind + "[:, :, :, ::1]")
    for kind in ("float32", "float64")
]


@jit(*SIGNATURES)
def backwards(rewards, values, successors, terminated, ended, discount, decay, out):
    """Fill `out [P, T, N, m]` from the last step to the first."""
    members, steps, lanes, m = rewards.shape
    running = np.empty((lanes, m), rewards.dtype)
    constants = np.empty(3, rewards.dtype)
    constants[0], constants[1], constants[2] = discount, decay, 0.0
    gamma, keep, zero = constants[0], constants[1], constants[2]
    for p in range(members):
        running[:] = zero
        for t in range(steps - 1, -1, -1):
            for i in range(lanes):
                for j in range(m):
                    follows = zero if terminated[p, t, i] else successors[p, t, i, j]
                    later = zero if ended[p, t, i] else running[i, j]
                    delta = rewards[p, t, i, j] + gamma * follows - values[p, t, i, j]
                    running[i, j] = delta + keep * later
                    out[p, t, i, j] = running[i, j]
