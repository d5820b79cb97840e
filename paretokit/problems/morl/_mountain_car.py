"""Mountain car on tensors: out of the valley quickly, with few pushes backward and forward, or fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import torch
from torch import Tensor

from paretokit.core import Objective
from paretokit.core import _check as check
from paretokit.core._kernel import KernelModule
from paretokit.problems.morl._environment import Discrete, Environment, Move

KERNELS = KernelModule("paretokit.problems.morl._mountain_car_kernels", compile_seconds=2.0)

FORCE, GRAVITY = 0.001, 0.0025
MAX_SPEED = 0.07
LOW, HIGH, GOAL = -1.2, 0.6, 0.5
SPEED_SCALE = 15.0

Variant = Literal["", "3d", "timemove", "timespeed"]

# variant: add_speed_objective, remove_move_penalty, merge_move_penalty
_VARIANTS: dict[str, tuple[bool, bool, bool]] = {
    "": (False, False, False),
    "3d": (True, False, True),
    "timemove": (False, False, True),
    "timespeed": (True, True, False),
}


@final
@dataclass(frozen=True, kw_only=True)
class MountainCar(Environment):
    r"""An engine too weak for the slope has to swing a car out of a valley.

    .. math::
        v' = \mathrm{clip}(v + 0.001 (a - 1) - 0.0025 \cos 3x, \pm 0.07),\quad x' = \mathrm{clip}(x + v', -1.2, 0.6)

    and v' = 0 where the car meets the left wall. The episode ends at x' >= 0.5 with v' >= `goal_velocity`. Rewards:
    -1 a step but 0 in the last one (time); -1 for action 0 (reverse) and -1 for action 2 (forward), or one component
    for both (move); 15 \|v'\| (speed).

    State and observation: position and velocity; first position uniform in [-0.6, -0.4), at rest.

    Moore (1990), PhD thesis; rewards of MO-Gymnasium's `mo-mountaincar-v0` and, with `variant`, of its three relatives.
    Cosines may differ from theirs in the last bit. The reference point lies below every return at any discount (and
    at 0 for speed).

    Attributes:
        variant: "" (time, reverse, forward), "3d" (time, move, speed), "timemove" or "timespeed": the registered ones.
            Each option below that is given replaces what the variant says.
        add_speed_objective: Whether speed is a component, the last one.
        remove_move_penalty: Whether pushes cost nothing.
        merge_move_penalty: Whether reverse and forward are one component.
        goal_velocity: Least velocity at the goal.
    """

    variant: Variant = ""
    add_speed_objective: bool | None = None
    remove_move_penalty: bool | None = None
    merge_move_penalty: bool | None = None
    goal_velocity: float = 0.0

    def __post_init__(self) -> None:
        check.one_of(list(_VARIANTS), variant=self.variant)
        speed, removed, merged = self._options
        moves = () if removed else (("move",) if merged else ("reverse", "forward"))
        names = ("time", *moves, *(("speed",) if speed else ()))
        reference = tuple(0.0 if name == "speed" else -200.0 for name in names)
        for name, value in {
            "id": f"mo-mountaincar-{self.variant}-v0" if self.variant else "mo-mountaincar-v0",
            "objectives": tuple(Objective(n, "max", "" if n == "speed" else "steps") for n in names),
            "observation_dim": 2,
            "actions": Discrete(3),
            "horizon": 200,
            "reset_noise": 1,
            "reference_point": reference,
        }.items():
            object.__setattr__(self, name, value)

    @property
    def _options(self) -> tuple[bool, bool, bool]:
        given = (self.add_speed_objective, self.remove_move_penalty, self.merge_move_penalty)
        speed, removed, merged = (v if g is None else g for v, g in zip(_VARIANTS[self.variant], given, strict=True))
        return speed, removed, merged

    def initial(self, noise: Tensor) -> Tensor:
        """Return cars at rest near the bottom, uniform in [-0.6, -0.4)."""
        return torch.cat((-0.6 + 0.2 * noise, torch.zeros_like(noise)), dim=-1)

    def observe(self, state: Tensor) -> Tensor:
        """Return position and velocity."""
        return state.to(torch.float32)

    def step(self, state: Tensor, action: Tensor, noise: Tensor) -> Move:
        """Return what a push backward, none, or forward (0, 1, 2) does."""
        slope = GRAVITY * torch.cos(3 * state[..., 0])
        if state.device.type == "cpu":
            if KERNELS.worth():
                return self._step_compiled(state, action, slope)
            made: Move = KERNELS.plain(self._step_plain, state, action, slope)
            return made
        return self._step_plain(state, action, slope)

    def _step_compiled(self, state: Tensor, action: Tensor, slope: Tensor) -> Move:
        shape = action.shape
        after, reward = np.empty((*shape, 2)), np.empty((*shape, self.n_objectives))
        ended = np.empty(shape, np.bool_)
        KERNELS.load().step_cars(
            state.contiguous().numpy().reshape(-1, 2),
            action.contiguous().numpy().reshape(-1),
            slope.contiguous().numpy().reshape(-1),
            *self._options,
            float(self.goal_velocity),
            after.reshape(-1, 2),
            reward.reshape(-1, self.n_objectives),
            ended.reshape(-1),
        )
        return Move(torch.from_numpy(after), torch.from_numpy(reward), torch.from_numpy(ended))

    def _step_plain(self, state: Tensor, action: Tensor, slope: Tensor) -> Move:
        speed, removed, merged = self._options
        x, v = state[..., 0], state[..., 1]
        push = (action - 1).to(torch.float64) * FORCE
        v = (v + (push - slope)).clamp(-MAX_SPEED, MAX_SPEED)
        x = (x + v).clamp(LOW, HIGH)
        v = v.masked_fill((x == LOW) & (v < 0), 0.0)
        terminated = (x >= GOAL) & (v >= self.goal_velocity)
        costs = [~terminated]
        if not removed:
            costs += [action != 1] if merged else [action == 0, action == 2]
        reward = -torch.stack(costs, dim=-1).to(torch.float64)
        if speed:
            reward = torch.cat((reward, SPEED_SCALE * v.abs().unsqueeze(-1)), dim=-1)
        return Move(torch.stack((x, v), dim=-1), reward, terminated)
