"""Water reservoir on tensors: release water so that neither floods nor shortages last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import Objective
from paretokit.core import _check as check
from paretokit.problems.morl._environment import Continuous, Environment, Move
from paretokit.problems.morl._normal_noise import normals

CAPACITY = 100.0  # what exceeds it must be released
DEMAND, FLOOD_ABOVE, FLOOD_BELOW, POWER_DEMAND = 50.0, 50.0, 30.0, 4.36
INFLOW_MEAN, INFLOW_DEVIATION = 40.0, 10.0
POWER = 9.81 * 1000.0 / 3.6e6  # gravity and density of water; kilowatt hours

LEVELS = (96.855361, 58.046026, 116.15767, 20.164311, 79.191, 140.13098, 131.01816, 44.351321, 13.185943, 73.508622)


@final
@dataclass(frozen=True, kw_only=True)
class WaterReservoir(Environment):
    r"""A dam is refilled at random; the action is the water that it releases.

    With inflow :math:`\epsilon_t \sim \mathcal N(40, 10^2)` and level :math:`l_t`:

    .. math::
        l_{t+1} = \max(0,\; l_t + \epsilon_t - a_t), \qquad \max(0, l_t - 100) \le a_t \le l_t

    Actions are clipped to these bounds. Rewards: :math:`-\max(0, l_{t+1} - 50)` (flood above the dam),
    :math:`-\max(0, 50 - a_t)` (water missing), then, with `nO` of 3 or 4,
    :math:`-\max(0, 4.36 - 9.81 \cdot 1000\, l_{t+1} a_t / 3.6 \cdot 10^6)` (power missing) and
    :math:`-\max(0, a_t - 30)` (flood below the dam). With `penalize`, each also loses what clipping changed.

    State and observation: the level, a float32 number as in MO-Gymnasium. An episode begins at one of ten levels, with
    `penalize` at a whole number below 160, and never terminates; `horizon` is the time limit, which MO-Gymnasium's
    environment keeps by itself.

    Castelletti, Pianosi and Restelli (2012), Tree-based fitted Q-iteration for multi-objective Markov decision
    problems, IJCNN; constants of MO-Gymnasium's `water-reservoir-v0`. Inflow comes from `noise` by inverse transform.
    No reference point is customary.

    Attributes:
        time_limit: Steps of an episode.
        nO: Number of objectives, 2 to 4.
        penalize: Whether actions out of bounds cost what clipping changed.
        normalized_action: Whether actions in [0, 1] mean a share of the way between the bounds.
        initial_state: First level, or None.
    """

    time_limit: int = 100
    nO: int = 2  # noqa: N815 - MO-Gymnasium's name of the option
    penalize: bool = False
    normalized_action: bool = False
    initial_state: float | None = None

    def __post_init__(self) -> None:
        check.one_of((2, 3, 4), nO=self.nO)
        check.at_least(1, time_limit=self.time_limit)
        if self.initial_state is not None:
            check.at_least(0, initial_state=self.initial_state)
        names = ("flood above", "water missing", "power missing", "flood below")
        for name, value in {
            "id": "water-reservoir-v0",
            "objectives": tuple(Objective(n, "max") for n in names[: self.nO]),
            "observation_dim": 1,
            "actions": Continuous((0.0,), (1.0 if self.normalized_action else float("inf"),)),
            "horizon": self.time_limit,
            "reset_noise": 1 if self.initial_state is None else 0,
            "step_noise": 1,
        }.items():
            object.__setattr__(self, name, value)

    def initial(self, noise: Tensor) -> Tensor:
        """Return first levels."""
        if self.initial_state is not None:
            level = noise.new_full((*noise.shape[:2], 1), self.initial_state)
        elif self.penalize:
            level = (160 * noise).floor()
        else:
            levels = torch.tensor(LEVELS, dtype=torch.float64, device=noise.device)
            level = levels[(len(LEVELS) * noise).to(torch.int64)]
        return level.to(torch.float32).to(torch.float64)

    def observe(self, state: Tensor) -> Tensor:
        """Return the level."""
        return state.to(torch.float32)

    def step(self, state: Tensor, action: Tensor, noise: Tensor) -> Move:
        """Return what releasing `[P, N, 1]` does, with inflow by inverse transform of `noise [P, N, 1]`."""
        level, asked = state.to(torch.float32), action.to(torch.float32)
        least = (level - CAPACITY).clamp(min=0.0)
        if self.normalized_action:
            released = asked * (level - least) + least
        else:
            released = torch.minimum(torch.maximum(asked, least), level)
        penalty = (released - asked).abs().to(torch.float64) if self.penalize and not self.normalized_action else 0.0
        released = released.to(torch.float64)
        inflow = INFLOW_MEAN + INFLOW_DEVIATION * normals(noise)
        after = (state + inflow - released).clamp(min=0.0).to(torch.float32).to(torch.float64)
        short = [(after - FLOOD_ABOVE), (DEMAND - released)]
        if self.nO > 2:
            short += [POWER_DEMAND - POWER * after * released, released - FLOOD_BELOW][: self.nO - 2]
        reward = -(torch.cat(short, dim=-1).clamp(min=0.0) + penalty)
        return Move(after, reward, torch.zeros(state.shape[:-1], dtype=torch.bool, device=state.device))
