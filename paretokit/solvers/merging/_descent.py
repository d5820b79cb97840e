"""Coefficients learned by gradient descent through the merge, for one or several members at once."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from paretokit.core import Choice, Cost, Evaluation, Front, LogRange, Problem, Range, Rng, SearchSpace, Solver
from paretokit.core import _check as check
from paretokit.core._serial import transient
from paretokit.nn import Adam, AdamState
from paretokit.problems.merging import ModelMerging
from paretokit.solvers.merging._closed_form import merging_of
from paretokit.solvers.merging._inside import check_inside, outside
from paretokit.solvers.merging._minibatches import SIGNALS, Minibatch, Signal, minibatch


@dataclass
class DescentState:
    """Coefficients on their way.

    Attributes:
        rng: The run's key.
        rows: Coefficients before they are clamped, `[P, L * K]`, or `[P, K]` for one a task.
        adam: Moments.
        preferences: What each member wants, `[P, m]`.
        losses: Of the last minibatch, before its update, `[P, m]`.
        x: Decisions as last measured `[P, d]`.
        values: Their values `[P, m]`.
        steps: Updates made.
        evaluations: Decisions measured.
        work: Examples that went through networks, a backward pass as two.
        view: The problem on the task vectors that are merged.
    """

    rng: Rng
    rows: Tensor
    adam: AdamState
    preferences: Tensor
    losses: Tensor
    x: Tensor
    values: Tensor
    steps: int = 0
    evaluations: int = 0
    work: float = 0.0
    view: ModelMerging | None = transient()  # noqa: RUF009 - a field


@dataclass(frozen=True, kw_only=True)
class Descent(Solver[DescentState]):
    """Adam on coefficients; the merged weights are rebuilt once a step, and their gradient is contracted once.

    Subclasses say who the members are, and what each descends.
    """

    solves: ClassVar[type[Problem]] = ModelMerging
    state_type: ClassVar[type] = DescentState

    search_space: ClassVar[SearchSpace] = {
        "layerwise": Choice((True, False)),
        "ties": Choice((False, True)),
        "steps": LogRange(50, 1000),
        "learning_rate": LogRange(1e-4, 0.1),
        "start": Range(0.1, 0.6),
        "batch_size": LogRange(8, 128),
    }

    layerwise: bool = True
    ties: bool = False
    trim: float = 0.2
    steps: int = 500
    learning_rate: float = 1e-3
    start: float = 0.3
    clamp: tuple[float, float] = (0.0, 1.0)
    batch_size: int = 16
    objective: Signal = "entropy"
    evaluate_every: int = 50

    def __post_init__(self) -> None:
        check.fields(self)
        check.that(0 < self.trim <= 1, "trim", "lie in (0, 1]", self.trim, "the share that is kept; 0.2 keeps a fifth")
        check.at_least(1, steps=self.steps, batch_size=self.batch_size, evaluate_every=self.evaluate_every)
        check.positive(learning_rate=self.learning_rate)
        check.one_of(SIGNALS, objective=self.objective)
        pair = tuple(self.clamp)
        check.that(len(pair) == 2 and pair[0] < pair[1], "clamp", "be two increasing numbers", self.clamp)
        object.__setattr__(self, "clamp", (float(pair[0]), float(pair[1])))
        low, high = self.clamp
        check.that(low <= self.start <= high, "start", f"lie in the clamp ({low:g}, {high:g})", self.start)

    @property
    def finishes(self) -> bool:
        """Whether `steps` ends the run."""
        return True

    @abstractmethod
    def members(self, problem: ModelMerging) -> Tensor:
        """Return the preference of each member `[P, m]`."""

    @abstractmethod
    def slopes(
        self, problem: ModelMerging, coefficients: Tensor, batch: Minibatch, *, preferences: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return losses `[P, m]`, and what each member descends along `[P, L, K]`."""

    def backwards(self, problem: ModelMerging, batch: Minibatch) -> int:
        """Return how often an example goes back through the network in a step, for each member."""
        return 1

    def check(self, problem: Problem) -> None:
        """Raise unless the problem can be solved: `InputError` for a clamp outside its bounds."""
        check_inside(problem, self.clamp, setting="clamp", solver=self.name)
        super().check(problem)

    def unsupported(self, problem: Problem) -> str | None:
        """Tell which bounds or labels are missing."""
        if not isinstance(problem, ModelMerging):
            return "it merges models"
        if outside(problem, self.clamp):
            return "its clamp reaches outside the problem's bounds"
        if self.objective == "validation":
            bare = [t.name for t in problem.tasks if t.validation is None]
            if bare:
                return f"task {bare[0]!r} has no validation data; objective='entropy' needs none"
        return None

    def init(self, problem: Problem, rng: Rng, *, initial: Tensor | None = None) -> DescentState:
        """Return the state before the first minibatch.

        Args:
            problem: What is merged.
            rng: The run's key.
            initial: Decisions `[1, d]` or `[P, d]` to start from, in place of `start`.

        Raises:
            ShapeError: If there are neither one nor P of them.
        """
        own = merging_of(problem)
        preferences = self.members(own).to(own.device, own.dtype)
        n = len(preferences)
        n_layers, n_tasks = own.original.n_layers, own.original.n_tasks
        rows = torch.full((n, n_layers, n_tasks), self.start, dtype=own.dtype, device=own.device)
        if initial is not None:
            due = n_layers * n_tasks
            fits = initial.ndim == 2 and len(initial) in (1, n) and initial.shape[1] == due
            check.shape(fits, "initial", f"have shape [1, {due}] or [{n}, {due}]", list(initial.shape))
            rows = initial.to(rows).reshape(-1, n_layers, n_tasks).expand(n, -1, -1).clone()
        rows = rows.flatten(1) if self.layerwise else rows.mean(1)
        empty = rows.new_zeros(0, own.n_objectives)
        state = DescentState(
            rng=rng,
            rows=rows,
            adam=AdamState.zeros(rows),
            preferences=preferences,
            losses=rows.new_zeros(n, own.n_objectives),
            x=rows.new_zeros(0, n_layers * n_tasks),
            values=empty,
        )
        return self.restore(problem, state)

    def restore(self, problem: Problem, state: DescentState) -> DescentState:
        """Return the state with its view made again."""
        state.view = self._view(merging_of(problem))
        return state

    def step(self, problem: Problem, state: DescentState) -> DescentState:
        """Return the state after one minibatch of every task, one update, and a measurement when due."""
        view = state.view
        assert view is not None
        rng = state.rng.child("step", state.steps)
        batch = minibatch(view, rng, signal=self.objective, batch_size=self.batch_size)
        coefficients = self._clamped(view, state.rows)
        state.losses, gradient = self.slopes(view, coefficients, batch, preferences=state.preferences)
        gradient = gradient.flatten(1) if self.layerwise else gradient.sum(1)
        low, high = self.clamp
        moves = (state.rows >= low) & (state.rows <= high) & torch.isfinite(gradient).all(1, keepdim=True)
        Adam().step(state.rows, torch.where(moves, gradient, 0), state.adam, self.learning_rate)
        state.steps += 1
        state.work += len(state.rows) * batch.size * (1 + 2 * self.backwards(view, batch))
        if self._due(state):
            self._measure(view, state)
        return state

    def closed(self, problem: Problem, state: DescentState) -> DescentState:
        """Return the state with the members measured as they are now."""
        if self._due(state):
            return state
        state = dataclasses.replace(state)
        assert state.view is not None
        self._measure(state.view, state)
        return state

    def _due(self, state: DescentState) -> bool:
        """Tell whether the members are measured after this update."""
        return state.steps == 1 or state.steps % self.evaluate_every == 0 or state.steps == self.steps

    def _measure(self, view: ModelMerging, state: DescentState) -> None:
        state.x = self._clamped(view, state.rows).flatten(1)
        found = view.evaluate(state.x)
        state.values = found.values
        state.evaluations += len(state.x)
        state.work += found.total_work

    def front(self, problem: Problem, state: DescentState) -> Front:
        """Return the members as last measured, without the dominated ones, and what they were asked for."""
        own = merging_of(problem)
        view = own
        if self.ties and state.view is not None:
            view = own.with_vectors(state.view.vectors, variant=state.view.variant())
        info = {"preference": state.preferences.to(torch.float64)} if len(state.x) else {}
        return Front.of(view, state.x, Evaluation(state.values), info=info)

    def cost(self, state: DescentState) -> Cost:
        """Return measurements, updates, and all examples that went through networks."""
        return Cost(evaluations=state.evaluations, gradient_steps=state.steps, work=state.work)

    def done(self, state: DescentState) -> bool:
        """Tell whether all updates were made."""
        return state.steps >= self.steps

    def report(self, problem: Problem, state: DescentState) -> dict[str, float]:
        """Return the mean loss over members and tasks."""
        return {"loss": float(state.losses.mean())}

    def config(self) -> dict[str, Any]:
        """Return the hyper-parameters by name, JSON-able."""
        return {**super().config(), "clamp": list(self.clamp)}

    def _clamped(self, problem: ModelMerging, rows: Tensor) -> Tensor:
        held = rows.clamp(*self.clamp)
        n_layers, n_tasks = problem.n_coefficients
        if self.layerwise:
            return held.view(-1, n_layers, n_tasks)
        return held.unsqueeze(1).expand(-1, n_layers, -1).contiguous()

    def _view(self, problem: ModelMerging) -> ModelMerging:
        if not self.ties:
            return problem
        return problem.as_variant({"method": "ties", "trim": self.trim, "aggregate": "none"})
