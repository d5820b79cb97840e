"""A one-step world and an improver with exact gradients: every optimum of MORL/D on it is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from paretokit.core import Objective, Rng
from paretokit.problems.morl import MORL, Discrete, Environment, Move, Network
from paretokit.solvers.morl._improver import Improver, Spent

CHOICES = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.4, 0.45], [0.3, 0.3]], dtype=torch.float64)  # the third is concave


class Choice(Environment):
    """One step; the action picks a row of `CHOICES`, two of which are convex corners and one of which is dominated."""

    id = "choice-v0"
    objectives = (Objective("a", "max"), Objective("b", "max"))
    observation_dim = 1
    actions = Discrete(len(CHOICES))
    horizon = 1
    reference_point = (0.0, 0.0)

    def initial(self, noise):
        return torch.ones(*noise.shape[:2], 1, dtype=torch.float64)

    def observe(self, state):
        return state.to(torch.float32)

    def step(self, state, action, noise):
        return Move(state, CHOICES[action], torch.ones(action.shape, dtype=torch.bool))


def choice(**options):
    return MORL(Choice(), policy=Network(hidden=()), **options)


@dataclass
class ExactState:
    logits: torch.Tensor
    calls: torch.Tensor
    aimed: torch.Tensor
    replays: torch.Tensor
    rngs: tuple[Rng, ...]
    spent: Spent


class _Exact(Improver[ExactState]):
    """Logits climb the exact gradient of the aim; a unit is 10 environment steps a member."""

    state_type = ExactState

    def architecture(self, problem):
        return Network(hidden=())

    def start(self, problem, lanes, preference):
        members = len(lanes)
        logits = lanes.child("logits").uniform(len(CHOICES))
        zeros = torch.zeros(members, dtype=torch.int64)
        return ExactState(
            logits, zeros, torch.zeros(members, 2, dtype=torch.float64), zeros.clone(), lanes.rngs, Spent()
        )

    def improve(self, problem, state, aim):
        value = aim.utility(CHOICES.expand(len(state.logits), -1, -1), aim.preference) if aim.utility else None
        value = aim.weights @ CHOICES.T if value is None else value
        noise = torch.stack(
            [r.child("unit", int(c)).uniform(1)[0] for r, c in zip(state.rngs, state.calls, strict=True)]
        )
        share = torch.softmax(state.logits, -1)
        rate = (self.rate * (0.9 + 0.2 * noise)).unsqueeze(1)
        state.logits = state.logits + rate * share * (value - (share * value).sum(-1, keepdim=True))
        state.calls = state.calls + 1
        state.aimed = aim.weights.clone()
        state.spent.env_steps += 10 * len(state.logits)
        state.spent.gradient_steps += len(state.logits)
        return state

    def replay(self, problem, state, aim, *, passes):
        state.replays = state.replays + passes
        return state

    def rows(self, problem, state):
        rows = torch.zeros(len(state.logits), 2 * len(CHOICES) + 2)
        rows[:, len(CHOICES) : 2 * len(CHOICES)] = state.logits.clamp(-20, 20)
        rows[:, -1] = 1.0
        return rows

    def select(self, state, members):
        named = ("logits", "calls", "aimed", "replays")
        parts = {name: getattr(state, name)[members].clone() for name in named}
        return replace(state, **parts, rngs=tuple(state.rngs[int(p)] for p in members), spent=replace(state.spent))

    def transfer(self, state, source, target):
        state.logits[target] = state.logits[source]


@dataclass(frozen=True, kw_only=True)
class Exact(_Exact):
    rate: float = 3.0


@dataclass(frozen=True, kw_only=True)
class ExactESR(_Exact):
    criterion = "ESR"
    rate: float = 3.0


@dataclass(frozen=True, kw_only=True)
class Sharing(_Exact):
    rate: float = 3.0
    shared_buffer: bool = True
