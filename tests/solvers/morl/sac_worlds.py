"""Small environments with known optima, and what the tests of soft actor-critic share."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from paretokit.core import Lanes, Objective, Rng
from paretokit.problems.morl import MORL, Continuous, Discrete, Environment, Move
from paretokit.solvers.morl._improver import Aim
from paretokit.solvers.morl._sac import SAC


@dataclass(frozen=True, kw_only=True)
class Targets(Environment):
    """One step: pay the squared distance of the action to each of two points. The best action for w is the mean.

    Actions lie in a box that is neither centered nor of unit width. With `length` > 1 the episode goes on.
    """

    id: str = "targets"
    objectives: tuple[Objective, ...] = (Objective("near a", "max"), Objective("near b", "max"))
    actions: Continuous = field(default=Continuous((-1.0, 0.0), (3.0, 2.0)))
    observation_dim: int = 1
    reset_noise: int = 1
    horizon: int = 1
    discount: float = 1.0
    points: tuple[tuple[float, ...], ...] = ((0.0, 0.5), (2.0, 1.5))
    terminal: bool = True

    def initial(self, noise):
        return torch.zeros_like(noise)

    def observe(self, state):
        return torch.ones(*state.shape[:2], 1)

    def step(self, state, action, noise):
        paid = torch.stack([-(action.to(torch.float64) - torch.tensor(p)).square().sum(-1) for p in self.points], -1)
        return Move(state, paid, torch.full(state.shape[:2], self.terminal))


@dataclass(frozen=True, kw_only=True)
class Bandit(Environment):
    """One step, three arms: (1, 0), (0.6, 0.6), (0, 1). The middle arm is best for balanced weights."""

    id: str = "bandit"
    objectives: tuple[Objective, ...] = (Objective("first", "max"), Objective("second", "max"))
    actions: Discrete = field(default=Discrete(3))
    observation_dim: int = 1
    horizon: int = 1
    discount: float = 1.0
    reset_noise: int = 1

    def initial(self, noise):
        return torch.zeros_like(noise)

    def observe(self, state):
        return torch.ones(*state.shape[:2], 1)

    def step(self, state, action, noise):
        table = torch.tensor([[1.0, 0.0], [0.6, 0.6], [0.0, 1.0]], dtype=torch.float64)
        return Move(state, table[action], torch.ones(state.shape[:2], dtype=torch.bool))


def lanes(seeds):
    return Lanes(tuple(Rng.from_seed(s) for s in seeds))


def simplex(*first):
    w = torch.tensor(first, dtype=torch.float64)
    return torch.stack([w, 1 - w], -1)


def train(solver: SAC, problem: MORL, weights, calls: int, *, seeds=None, state=None):
    aim = Aim(weights=weights, preference=weights)
    if state is None:
        state = solver.start(problem, lanes(range(len(weights)) if seeds is None else seeds), weights)
    for _ in range(calls):
        state = solver.improve(problem, state, aim)
    return state
