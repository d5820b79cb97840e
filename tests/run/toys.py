"""Small problems and solvers whose behavior is known exactly, for tests of the run floor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch

from paretokit.core import (
    Box,
    Cost,
    Evaluation,
    EvaluationProtocol,
    Front,
    Lanes,
    Objective,
    Problem,
    Scoring,
    Solver,
    StackedSolver,
    to_min,
    transient,
)


class Bowls(Problem):
    """Squared distances to two corners; the front is the segment between them."""

    objectives = (Objective("left"), Objective("right"))
    space = Box(-2.0, 2.0, dim=2)
    protocol = EvaluationProtocol(scoring=Scoring(reference_point=(20.0, 20.0), ideal=(0.0, 0.0), nadir=(8.0, 8.0)))

    def _evaluate(self, x, rng):
        return Evaluation(torch.stack([((x - 1) ** 2).sum(-1), ((x + 1) ** 2).sum(-1)], -1))


class Crashing(Bowls):
    """Raises in a chosen call, as user code does."""

    def __init__(self, call=3, error=RuntimeError("the simulator went away")):
        self.calls = [0]
        self.call, self.error = call, error

    def _evaluate(self, x, rng):
        self.calls[0] += 1
        if self.calls[0] == self.call:
            raise self.error
        return super()._evaluate(x, rng)


class Failing(Bowls):
    """Answers NaN or inf for a share of the rows."""

    def __init__(self, share=0.5):
        self.share = share

    def _evaluate(self, x, rng):
        values = super()._evaluate(x, rng).values
        bad = (torch.sin(1e4 * x.sum(-1)) + 1) / 2 < self.share
        values[bad, 0] = torch.nan
        values[bad & (x[:, 0] > 0), 0] = -torch.inf
        return Evaluation(values)


class Infeasible(Bowls):
    """No decision is feasible; the corner (2, 2) comes closest."""

    n_constraints = 1

    def _evaluate(self, x, rng):
        return Evaluation(super()._evaluate(x, rng).values, 5 - x.sum(-1, keepdim=True))


class HeldOut(Bowls):
    """Measures held-out values with an offset, so that they can be told apart."""

    held_out = True

    def _assess(self, x):
        return super()._evaluate(x, None).values + 100, {}


@dataclass
class WalkState:
    x: torch.Tensor
    values: torch.Tensor
    keys: Lanes
    steps: int = 0
    live: object = transient()


@final
@dataclass(frozen=True, kw_only=True)
class Walk(StackedSolver[WalkState]):
    """Keeps the n best of random moves by the sum of objectives: deterministic, stackable, exact to resume."""

    n: int = 6
    length: int | None = None

    state_type = WalkState

    def init_stack(self, problem, lanes, *, initial=None):
        x = torch.stack([problem.space.sample(self.n, rng.child("init")) for rng in lanes.rngs])
        if initial is not None:
            x[:, : len(initial)] = initial[: self.n]
        return WalkState(x, torch.full((len(lanes), self.n, 2), torch.inf, dtype=torch.float64), lanes)

    def step(self, problem, state):
        noise = state.keys.child("move", state.steps).uniform(self.n, problem.space.dim) - 0.5
        x = problem.space.project(state.x + (noise if state.steps else 0 * noise))
        values = to_min(problem.evaluate(x).values, problem.objectives)
        values = torch.where(torch.isfinite(values).all(-1, keepdim=True), values, torch.inf)
        better = (values.sum(-1) < state.values.sum(-1)).unsqueeze(-1)
        state.x, state.values = torch.where(better, x, state.x), torch.where(better, values, state.values)
        state.steps += 1
        return state

    def fronts(self, problem, state):
        return tuple(
            Front.of(problem, x, Evaluation(to_min(v, problem.objectives)))
            for x, v in zip(state.x, state.values, strict=True)
        )

    def population(self, state):
        return torch.where(torch.isfinite(state.values), state.values, torch.nan)

    def cost(self, state):
        return Cost(evaluations=self.n * state.steps, work=float(self.n * state.steps))

    def done(self, state):
        return self.length is not None and state.steps >= self.length

    @property
    def finishes(self):
        return self.length is not None

    def report(self, problem, state):
        return {"best": float(state.values.sum(-1).min())}


@final
@dataclass(frozen=True, kw_only=True)
class Forgetful(Solver[WalkState]):
    """A solver that says it cannot resume, and is not stackable."""

    n: int = 6
    resumes = "its library keeps hidden state"
    state_type = WalkState

    def init(self, problem, rng, *, initial=None):
        return Walk(n=self.n).init_stack(problem, Lanes((rng,)), initial=initial)

    def step(self, problem, state):
        return Walk(n=self.n).step(problem, state)

    def front(self, problem, state):
        return Walk(n=self.n).fronts(problem, state)[0]

    def cost(self, state):
        return Walk(n=self.n).cost(state)
