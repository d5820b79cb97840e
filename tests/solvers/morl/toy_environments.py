"""Small environments whose optima are known."""

from dataclasses import dataclass

import torch

from paretokit.core import Objective
from paretokit.problems.morl import Continuous, Discrete, Environment, Move


@dataclass(frozen=True, kw_only=True)
class Bandit(Environment):
    """One state, one step; action a pays row a of `table`."""

    table: tuple[tuple[float, ...], ...] = ((1.0, 0.0), (0.8, 0.8), (0.0, 1.0))
    id = "bandit"
    observation_dim = 1
    horizon = 1
    discount = 1.0

    @property
    def objectives(self):
        return tuple(Objective(f"r{j}", "max") for j in range(len(self.table[0])))

    @property
    def actions(self):
        return Discrete(len(self.table))

    def initial(self, noise):
        return torch.zeros(*noise.shape[:-1], 1, dtype=torch.float64)

    def step(self, state, action, noise):
        reward = torch.tensor(self.table, dtype=torch.float64)[action]
        return Move(state, reward, torch.ones(action.shape, dtype=torch.bool))

    def observe(self, state):
        return torch.ones(*state.shape[:-1], 1)


@dataclass(frozen=True, kw_only=True)
class Line(Environment):
    """A point on a line, five steps; the action moves it; near 1 pays the first objective, near -1 the second."""

    id = "line"
    objectives = (Objective("right", "max"), Objective("left", "max"))
    observation_dim = 2
    horizon = 5
    reset_noise = 1
    step_noise = 1
    actions = Continuous((-1.0,), (1.0,))
    discount = 0.9
    reference_point = (-20.0, -20.0)

    def initial(self, noise):
        return torch.cat([0.1 * (noise - 0.5), torch.zeros_like(noise)], -1)

    def step(self, state, action, noise):
        x = state[..., :1] + 0.5 * action.double() + 0.01 * (noise - 0.5)
        reward = -torch.cat([(x - 1).square(), (x + 1).square()], -1)
        return Move(torch.cat([x, state[..., 1:] + 1], -1), reward, torch.zeros(x.shape[:-1], dtype=torch.bool))

    def observe(self, state):
        return state.float()
