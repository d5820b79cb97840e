"""Resource gathering: gold and a gem are fetched past two enemies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import Objective
from paretokit.problems.morl._dynamic_programming import TabularModel
from paretokit.problems.morl._environment import Discrete
from paretokit.problems.morl._lookup import Lookup, digits, number_of

_SIDE = 5
_HOME, _GOLD, _GEM = (4, 2), (0, 2), (1, 4)
_ENEMIES = ((1, 2), (0, 3))
_DEATH = 0.1
_MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))


@final
@dataclass(frozen=True, kw_only=True)
class ResourceGathering(Lookup):
    """Gold and a gem on a 5 by 5 grid with two enemies: a stochastic world whose front is known exactly.

    The walk begins at home (4, 2) and ends when it comes home again, which pays (0, gold, gem) for what is carried.
    Entering an enemy's cell (1, 2) or (0, 3), or staying in it by a step off the grid, costs life with probability 0.1:
    reward (-1, 0, 0), and the episode ends. Stepping off the grid at home counts as coming home.

    Observation: row, column, has gold, has gem. Actions: up, down, left, right. Time limit 100. One uniform number a
    step: below 0.1, an enemy strikes.

    `pareto_front` is the exact front of expected discounted returns of deterministic policies that may remember what
    they saw. At γ = 0.99 it is (0, 0, 0.9135), (0, 0.8953, 0), (0, 0.8429, 0.8429): an 18-step route takes both goods
    and meets no enemy. MO-Gymnasium's list lacks it, holds points that it dominates, and discounts one step too much.

    References:
        Barrett and Narayanan (2008), Learning all optimal policies with multiple criteria, ICML.
    """

    id = "resource-gathering-v0"
    objectives = (Objective("survival", "max"), Objective("gold", "max"), Objective("gem", "max"))
    observation_dim = 4
    actions = Discrete(4)
    horizon = 100
    step_noise = 1
    n_states = _SIDE * _SIDE * 4
    discount = 0.99
    reference_point = (-1.0, -1.0, -1.0)
    front_kind = "exact"

    def model(self) -> TabularModel:
        """Return what happens, as tables; the first outcome is the enemy's strike."""
        states = digits(_SIDE, _SIDE, 2, 2)
        cell = states[:, None, :2] + torch.tensor(_MOVES)
        inside = ((cell >= 0) & (cell < _SIDE)).all(-1, keepdim=True)
        cell = torch.where(inside, cell, states[:, None, :2])

        def at(place: tuple[int, int]) -> Tensor:
            return (cell == torch.tensor(place)).all(-1)

        gold = states[:, None, 2] | at(_GOLD)
        gem = states[:, None, 3] | at(_GEM)
        after = number_of(torch.cat([cell, gold.unsqueeze(-1), gem.unsqueeze(-1)], -1), _SIDE, _SIDE, 2, 2)
        strike = _DEATH * (at(_ENEMIES[0]) | at(_ENEMIES[1])).to(torch.float64)
        home = at(_HOME)
        nothing = torch.zeros_like(strike)
        dies = torch.stack([nothing - 1, nothing, nothing], -1)
        lives = torch.stack([nothing, (home & (gold > 0)).to(torch.float64), (home & (gem > 0)).to(torch.float64)], -1)
        initial = torch.zeros(self.n_states, dtype=torch.float64)
        initial[number_of(torch.tensor([*_HOME, 0, 0]), _SIDE, _SIDE, 2, 2)] = 1.0
        return TabularModel(
            next_state=torch.stack([after, after], -1),
            probability=torch.stack([strike, 1 - strike], -1),
            reward=torch.stack([dies, lives], -2),
            terminal=torch.stack([torch.ones_like(home), home], -1),
            initial=initial,
        )

    def observations(self) -> Tensor:
        """Return row, column and the two flags of each state, float32 `[S, 4]`."""
        return digits(_SIDE, _SIDE, 2, 2).to(torch.float32)

    def state_index(self, observation: Tensor) -> Tensor:
        """Return the number `[P, N]` of observations `[P, N, 4]`."""
        return number_of(observation, _SIDE, _SIDE, 2, 2)
