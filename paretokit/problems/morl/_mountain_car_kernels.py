# mypy: ignore-errors
"""Compiled steps of mountain cars, equal to the tensor code of both mountain car modules bit for bit.

A state is a row of position and velocity. The pull of the slope comes from torch, so that both twins see the same
cosines.
"""

import numpy as np

from paretokit.core._kernel import jit

FORCE, MAX_SPEED = 0.001, 0.07
LOW, HIGH, GOAL = -1.2, 0.6, 0.5
SPEED_SCALE = 15.0

POWER_32, FASTEST_32 = np.float32(0.0015), np.float32(0.07)
LOW_32, HIGH_32, GOAL_32 = np.float32(-1.2), np.float32(0.6), np.float32(0.45)
ONE_32 = np.float32(1.0)


@jit(
    "void(float64[:, ::1], int64[::1], float64[::1], boolean, boolean, boolean, float64, float64[:, ::1],"
    "float64[:, ::1], boolean[::1])"
)
def step_cars(state, action, slope, speed, removed, merged, goal_velocity, after, reward, terminated):
    """Fill `after`, `reward` and `terminated` with what pushes 0, 1, 2 do."""
    m = reward.shape[1]
    for i in range(state.shape[0]):
        v = state[i, 1] + ((action[i] - 1) * FORCE - slope[i])
        v = min(max(v, -MAX_SPEED), MAX_SPEED)
        x = min(max(state[i, 0] + v, LOW), HIGH)
        if x == LOW and v < 0.0:
            v = 0.0
        over = x >= GOAL and v >= goal_velocity
        reward[i, 0] = 0.0 if over else -1.0
        if not removed:
            if merged:
                reward[i, 1] = 0.0 if action[i] == 1 else -1.0
            else:
                reward[i, 1] = -1.0 if action[i] == 0 else 0.0
                reward[i, 2] = -1.0 if action[i] == 2 else 0.0
        if speed:
            reward[i, m - 1] = SPEED_SCALE * abs(v)
        after[i, 0] = x
        after[i, 1] = v
        terminated[i] = over


@jit("void(float64[:, ::1], float32[::1], float32[::1], float32, float64[:, ::1], float64[:, ::1], boolean[::1])")
def step_continuous_cars(state, push, slope, goal_velocity, after, reward, terminated):
    """Fill `after`, `reward` and `terminated` with what forces do, rounded to float32 after each operation."""
    for i in range(state.shape[0]):
        force = min(max(push[i], -ONE_32), ONE_32)
        pull = np.float32(np.float32(force * POWER_32) - slope[i])
        v = np.float32(np.float32(state[i, 1]) + pull)
        v = min(max(v, -FASTEST_32), FASTEST_32)
        x = np.float32(np.float32(state[i, 0]) + v)
        x = min(max(x, LOW_32), HIGH_32)
        if x <= LOW_32 and v < 0.0:
            v = np.float32(0.0)
        over = x >= GOAL_32 and v >= goal_velocity
        reward[i, 0] = 0.0 if over else -1.0
        reward[i, 1] = -(np.float64(push[i]) * np.float64(push[i]))
        after[i, 0] = x
        after[i, 1] = v
        terminated[i] = over
