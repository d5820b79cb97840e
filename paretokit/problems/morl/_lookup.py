"""Environments known as tables, and those that are stepped by them: a step of all lanes is a lookup."""

from __future__ import annotations

import copy
from abc import abstractmethod
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Self

import torch
from torch import Tensor

from paretokit.problems.morl._dynamic_programming import TabularModel, pareto_set
from paretokit.problems.morl._environment import Environment, Move


@dataclass(frozen=True)
class _Tables:
    """The model, flat: entry (s A + a) k + o is outcome o of action a in state s.

    Attributes:
        actions, outcomes: A and k.
        start: The first state, where there is only one.
        next_state: `[S A k, 1]`.
        reward: `[S A k, m]`.
        terminal: `[S A k]`.
        below: Noise below entry o falls on outcome o or one before it, `[S A, k - 1]`.
        observations: `[S, o]`.
    """

    actions: int
    outcomes: int
    start: int
    next_state: Tensor
    reward: Tensor
    terminal: Tensor
    below: Tensor
    observations: Tensor


class Tabulated(Environment):
    """An environment that is known as tables: episodes can be played without it, from its model alone.

    State s of the model is what `state_index` numbers s, and looks like row s of `observations`. One start state. Where
    actions have several outcomes, a step takes one uniform number first, and outcome o happens where it falls into the
    o-th interval of the outcomes' probabilities.

    Class or instance attributes:
        step_limit: Steps after which the environment itself ends an episode, beside what the tables end, or None.
        has_model: Whether its options leave it tabular.
    """

    step_limit: int | None = None
    has_model: bool = True

    @abstractmethod
    def model(self) -> TabularModel:
        """Return what happens, as tables: the known Markov decision process behind the environment."""

    @abstractmethod
    def observations(self) -> Tensor:
        """Return what is seen in each state, float32 `[S, o]`."""


class Lookup(Tabulated):
    """An environment whose states are numbered: state `[P, N, 1]` holds the number, and a step looks it up.

    A subclass writes `model` and `observations`, and leaves `step_limit` alone: its states do not count steps.

    Cost: a step is four gathers.
    """

    device = torch.device("cpu")

    @cached_property
    def _tables(self) -> _Tables:
        model, device = self.model(), self.device
        s, a, k = model.next_state.shape
        return _Tables(
            actions=a,
            outcomes=k,
            start=int(model.initial.argmax()),
            next_state=model.next_state.reshape(-1, 1).to(device),
            reward=model.reward.reshape(s * a * k, -1).to(device),
            terminal=model.terminal.reshape(-1).to(device),
            below=model.probability.cumsum(-1)[..., :-1].reshape(s * a, k - 1).to(device),
            observations=self.observations().to(device),
        )

    def initial(self, noise: Tensor) -> Tensor:
        """Return the first state in every lane of `noise [P, N, 0]`."""
        return torch.full((*noise.shape[:-1], 1), self._tables.start, device=noise.device)

    def step(self, state: Tensor, action: Tensor, noise: Tensor) -> Move:
        """Return what actions `[P, N]` do in states `[P, N, 1]`, under noise `[P, N, 1]` where k > 1."""
        tables = self._tables
        entry = (state.squeeze(-1) * tables.actions + action).reshape(-1)
        if tables.outcomes > 1:
            passed = noise.reshape(-1, 1) >= tables.below.index_select(0, entry)
            entry = entry * tables.outcomes + passed.sum(-1)
        return Move(
            tables.next_state.index_select(0, entry).view(*action.shape, 1),
            tables.reward.index_select(0, entry).view(*action.shape, -1),
            tables.terminal.index_select(0, entry).view(action.shape),
        )

    def observe(self, state: Tensor) -> Tensor:
        """Return what is seen in states `[P, N, 1]`."""
        seen = self._tables.observations.index_select(0, state.reshape(-1))
        return seen.view(*state.shape[:-1], -1)

    def pareto_front(self, discount: float) -> Tensor | None:
        """Return the exact front `[n, m]` of discounted returns of deterministic policies within the time limit."""
        return _front(self, discount).clone()

    def to(self, device: torch.device | str) -> Self:
        """Return the environment with its tables on a device."""
        twin = copy.copy(self)
        twin.__dict__.pop("_tables", None)
        twin.__dict__["device"] = torch.device(device)
        return twin


def digits(*radix: int) -> Tensor:
    """Return the mixed-radix digits of all numbers below the product of `radix`, int64 `[S, len(radix)]`."""
    return torch.cartesian_prod(*(torch.arange(r) for r in radix)).reshape(-1, len(radix))


def number_of(observation: Tensor, *radix: int) -> Tensor:
    """Return the numbers `[...]` whose mixed-radix digits are `observation [..., len(radix)]`."""
    number = torch.zeros(observation.shape[:-1], dtype=torch.int64, device=observation.device)
    for i, r in enumerate(radix):
        number = number * r + observation[..., i].to(torch.int64)
    return number


@cache
def _front(environment: Lookup, discount: float) -> Tensor:
    model = environment.model()
    return pareto_set(model, discount=discount, horizon=environment.horizon or model.n_states)
