"""Continuous mountain car on tensors: out of the valley quickly, with little fuel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from paretokit.core import Objective
from paretokit.core._kernel import KernelModule
from paretokit.problems.morl._environment import Continuous, Environment, Move

KERNELS = KernelModule("paretokit.problems.morl._mountain_car_kernels", compile_seconds=2.0)

POWER, GRAVITY = 0.0015, 0.0025
MAX_SPEED = 0.07
LOW, HIGH, GOAL = -1.2, 0.6, 0.45


@final
@dataclass(frozen=True, kw_only=True)
class MountainCarContinuous(Environment):
    r"""An engine too weak for the slope has to swing a car out of a valley, and pays the square of its force.

    .. math::
        v' = \mathrm{clip}(v + 0.0015\,\mathrm{clip}(a, \pm 1) - 0.0025 \cos 3x, \pm 0.07),\quad
        x' = \mathrm{clip}(x + v', -1.2, 0.6)

    and v' = 0 where the car meets the left wall. The episode ends at x' >= 0.45 with v' >= `goal_velocity`. Rewards:
    -1 a step but 0 in the last one (time), and :math:`-a^2` of the action before clipping (fuel).

    State and observation: position and velocity; first position uniform in [-0.6, -0.4), at rest.

    Moore (1990), PhD thesis; MO-Gymnasium's `mo-mountaincarcontinuous-v0`, which computes in float32: every sum and
    product here is rounded to float32 too. Deviation: the first position is rounded before the first step instead of
    after it (at most 3e-8). The reference point lies below every return at discount 0.99.

    Attributes:
        goal_velocity: Least velocity at the goal.
    """

    goal_velocity: float = 0.0

    def __post_init__(self) -> None:
        for name, value in {
            "id": "mo-mountaincarcontinuous-v0",
            "objectives": (Objective("time", "max", "steps"), Objective("fuel", "max")),
            "observation_dim": 2,
            "actions": Continuous((-1.0,), (1.0,)),
            "horizon": 999,
            "reset_noise": 1,
            "reference_point": (-110.0, -110.0),
        }.items():
            object.__setattr__(self, name, value)

    def initial(self, noise: Tensor) -> Tensor:
        """Return cars at rest near the bottom, uniform in [-0.6, -0.4)."""
        return torch.cat((_rounded(-0.6 + 0.2 * noise), torch.zeros_like(noise)), dim=-1)

    def observe(self, state: Tensor) -> Tensor:
        """Return position and velocity."""
        return state.to(torch.float32)

    def step(self, state: Tensor, action: Tensor, noise: Tensor) -> Move:
        """Return what forces `[P, N, 1]` do."""
        push = action[..., 0].to(torch.float32)
        thrice = (3 * state[..., 0].to(torch.float32)).to(torch.float64)
        slope = (GRAVITY * torch.cos(thrice)).to(torch.float32)
        if state.device.type == "cpu":
            if KERNELS.worth():
                return self._step_compiled(state, push, slope)
            made: Move = KERNELS.plain(self._step_plain, state, push, slope)
            return made
        return self._step_plain(state, push, slope)

    def _step_compiled(self, state: Tensor, push: Tensor, slope: Tensor) -> Move:
        shape = push.shape
        after, reward, ended = np.empty((*shape, 2)), np.empty((*shape, 2)), np.empty(shape, np.bool_)
        KERNELS.load().step_continuous_cars(
            state.contiguous().numpy().reshape(-1, 2),
            push.contiguous().numpy().reshape(-1),
            slope.contiguous().numpy().reshape(-1),
            np.float32(self.goal_velocity),
            after.reshape(-1, 2),
            reward.reshape(-1, 2),
            ended.reshape(-1),
        )
        return Move(torch.from_numpy(after), torch.from_numpy(reward), torch.from_numpy(ended))

    def _step_plain(self, state: Tensor, push: Tensor, slope: Tensor) -> Move:
        low, high = _rounded(torch.tensor([LOW, HIGH], dtype=torch.float64)).tolist()
        fastest = float(torch.tensor(MAX_SPEED, dtype=torch.float32))
        x, v = state[..., 0].to(torch.float32), state[..., 1].to(torch.float32)
        v = (v + (push.clamp(-1.0, 1.0) * POWER - slope)).clamp(-fastest, fastest)
        x = (x + v).clamp(low, high)
        v = v.masked_fill((x <= low) & (v < 0), 0.0)
        terminated = (x >= GOAL) & (v >= self.goal_velocity)
        time = -(~terminated).to(torch.float64)
        reward = torch.stack((time, -push.to(torch.float64).square()), dim=-1)
        return Move(torch.stack((x, v), dim=-1).to(torch.float64), reward, terminated)


def _rounded(value: Tensor) -> Tensor:
    """Return float64 numbers rounded to float32."""
    return value.to(torch.float32).to(torch.float64)
