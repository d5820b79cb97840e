"""Fishwood: a day is split between fishing and collecting wood, each paying by chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import Objective
from paretokit.core import _check as check
from paretokit.problems.morl._dynamic_programming import TabularModel
from paretokit.problems.morl._environment import Discrete, Move
from paretokit.problems.morl._lookup import Tabulated

_STEPS = 200
_FISH, _WOOD = 0, 1


@final
@dataclass(frozen=True, kw_only=True)
class Fishwood(Tabulated):
    r"""Two places, two goods, 200 steps: every split of the time is Pareto-optimal in the mean.

    A step pays one fish with probability `fishproba` at the river, or one wood with probability `woodproba` in the
    woods, where the day begins; then the action says where to go. The episode ends after 200 steps, which MO-Gymnasium
    reports as terminated and truncated both; so the state counts steps, and 200 is also the time limit here.

    Observation: 0 at the river, 1 in the woods. Actions: go fishing, go to the woods. State `[P, N, 2]`: place, steps.
    One uniform number a step: below the place's probability, it pays.

    Attributes:
        fishproba: Probability of a fish.
        woodproba: Probability of wood.

    Expected discounted returns (F, W) of all policies lie on the line

    .. math:: \frac{F}{fishproba} + \frac{W}{woodproba} = \sum_{t=0}^{199} \gamma^t

    `pareto_front` gives the 200 points of policies that fish first, for 0 to 199 steps, and collect wood for the rest.
    At γ = 1 these are all there are of policies that do not look at their luck; else a convex coverage set, with points
    all along the front. It is about expected returns; a utility of single days (as EUPG's) can prefer other policies.

    References:
        Roijers, Steckelmacher and Nowé (2018), Multi-objective reinforcement learning for the expected utility of the
        return, Adaptive and Learning Agents Workshop at FAIM.
    """

    fishproba: float = 0.1
    woodproba: float = 0.9

    id = "fishwood-v0"
    objectives = (Objective("fish", "max"), Objective("wood", "max"))
    observation_dim = 1
    actions = Discrete(2)
    horizon = _STEPS
    step_limit = _STEPS
    step_noise = 1
    n_states = 2
    discount = 0.99
    reference_point = (0.0, 0.0)
    front_kind = "exact convex coverage set"

    def __post_init__(self) -> None:
        check.probability(fishproba=self.fishproba, woodproba=self.woodproba)

    def initial(self, noise: Tensor) -> Tensor:
        """Return the morning in the woods in every lane of `noise [P, N, 0]`."""
        state = torch.zeros(*noise.shape[:-1], 2, dtype=torch.int64, device=noise.device)
        state[..., 0] = _WOOD
        return state

    def step(self, state: Tensor, action: Tensor, noise: Tensor) -> Move:
        """Return what actions `[P, N]` do in states `[P, N, 2]` under noise `[P, N, 1]`."""
        woods = state[..., 0] == _WOOD
        luck = noise[..., 0]
        paid = torch.stack([~woods & (luck < self.fishproba), woods & (luck < self.woodproba)], -1)
        steps = state[..., 1] + 1
        return Move(torch.stack([action, steps], -1), paid.to(torch.float64), steps == _STEPS)

    def observe(self, state: Tensor) -> Tensor:
        """Return the place, float32 `[P, N, 1]`."""
        return state[..., :1].to(torch.float32)

    def state_index(self, observation: Tensor) -> Tensor:
        """Return the place `[P, N]` of observations `[P, N, 1]`."""
        return observation[..., 0].to(torch.int64)

    def model(self) -> TabularModel:
        """Return what happens in a step, as tables; the first outcome pays, and no step but the last ends the day."""
        chance = torch.tensor([self.fishproba, self.woodproba], dtype=torch.float64)
        reward = torch.zeros(2, 2, 2, 2, dtype=torch.float64)
        reward[:, :, 0] = torch.eye(2, dtype=torch.float64).unsqueeze(1)
        return TabularModel(
            next_state=torch.arange(2).reshape(1, 2, 1).expand(2, 2, 2),
            probability=torch.stack([chance, 1 - chance], -1).unsqueeze(1).expand(2, 2, 2),
            reward=reward,
            terminal=torch.zeros(2, 2, 2, dtype=torch.bool),
            initial=torch.tensor([0.0, 1.0], dtype=torch.float64),
        )

    def observations(self) -> Tensor:
        """Return the two places, float32 `[2, 1]`."""
        return torch.arange(2, dtype=torch.float32).unsqueeze(-1)

    def pareto_front(self, discount: float) -> Tensor | None:
        """Return 200 points `[200, 2]` of the front of expected discounted returns, its two ends among them."""
        gain = discount ** torch.arange(_STEPS, dtype=torch.float64)
        gone = torch.cat([gain.new_zeros(1), gain[1:].cumsum(0)])
        return torch.stack([self.fishproba * gone, self.woodproba * (gain.sum() - gone)], -1)
