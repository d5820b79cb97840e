"""What all continual learners share: tasks in order, minibatches by epochs, a measurement after each task."""

from __future__ import annotations

import dataclasses
import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from paretokit.core import Cost, Evaluation, Front, Problem, Rng, Solver, transient
from paretokit.core import _check as check
from paretokit.nn import Adam, AdamState
from paretokit.problems.continual import ContinualLearning


@dataclass(kw_only=True)
class LearnerState:
    """A learner between two updates.

    Attributes:
        rng: The run's key.
        rows: What is trained, a member a row `[P, D]`.
        adam: Moments.
        task: The task that is learned, from 0.
        update: Updates made on it.
        losses: Of the last minibatch `[P]`.
        stages: Networks after each learned task `[tasks, n, d]`.
        x: Decisions as last measured `[n, d]`.
        values: Their values `[n, m]`.
        asked: What each measured decision was asked for `[n, m]`; no rows where nobody asked.
        measured_at: Updates made when they were measured.
        steps: Updates made.
        evaluations: Decisions measured.
        work: Examples through networks, a backward pass as two.
        data: Training examples of the task.
    """

    rng: Rng
    rows: Tensor
    adam: AdamState
    task: int = 0
    update: int = 0
    losses: Tensor
    stages: Tensor
    x: Tensor
    values: Tensor
    asked: Tensor
    measured_at: int = -1
    steps: int = 0
    evaluations: int = 0
    work: float = 0.0
    data: tuple[Tensor, Tensor] | None = transient()


S = TypeVar("S", bound=LearnerState)


def stream_of(problem: Problem) -> ContinualLearning:
    """Return the problem as what it was checked to be."""
    assert isinstance(problem, ContinualLearning)
    return problem


@dataclass(frozen=True, kw_only=True)
class Learner(Solver[S], Generic[S]):
    """One task after the other, each for some epochs by Adam; the run ends with the last one.

    Subclasses say what is trained (`start`), by which gradient (`gradient`), and what is kept of a task (`learned`).
    """

    solves: ClassVar[type[Problem]] = ContinualLearning
    state_type: ClassVar[type] = LearnerState

    epochs: int = 30
    batch_size: int = 32
    learning_rate: float = 5e-3

    def __post_init__(self) -> None:
        check.fields(self)
        check.at_least(1, epochs=self.epochs, batch_size=self.batch_size)
        check.positive(learning_rate=self.learning_rate)

    @property
    def finishes(self) -> bool:
        """Whether the last task ends the run."""
        return True

    @abstractmethod
    def start(self, problem: ContinualLearning, rng: Rng, *, initial: Tensor | None) -> S:
        """Return the state before the first task."""

    @abstractmethod
    def gradient(
        self, problem: ContinualLearning, state: S, batch: tuple[Tensor, Tensor], rng: Rng
    ) -> tuple[Tensor, Tensor]:
        """Return losses `[P]` and gradients `[P, D]` of a minibatch, and count the work."""

    @abstractmethod
    def decisions(self, problem: ContinualLearning, state: S) -> tuple[Tensor, Tensor | None]:
        """Return the networks that the learner answers with now `[n, d]`, and what each was asked for `[n, m]`."""

    def begun(self, problem: ContinualLearning, state: S) -> None:
        """Prepare for the task whose data has come."""

    def learned(self, problem: ContinualLearning, state: S) -> None:
        """Keep what later tasks need of the task that is over."""

    def init(self, problem: Problem, rng: Rng, *, initial: Tensor | None = None) -> S:
        """Return the state before the first task; rows of `initial [n, d]` are where networks start."""
        return self.start(stream_of(problem), rng, initial=initial)

    def restore(self, problem: Problem, state: S) -> S:
        """Return the state with the data of the task that it was in."""
        if state.update > 0:
            state.data = stream_of(problem).task(state.task)
        return state

    def step(self, problem: Problem, state: S) -> S:
        """Return the state after one minibatch; after a task's last one, what was learned is kept and measured.

        Raises:
            InputError: If a loss is not finite.
        """
        stream = stream_of(problem)
        if state.data is None:
            state.data = stream.task(state.task)
        if state.update == 0:
            state.adam = AdamState.zeros(state.rows)
            self.begun(stream, state)
        inputs, labels = state.data
        n = len(labels)
        each = math.ceil(n / self.batch_size)
        epoch, place = divmod(state.update, each)
        order = state.rng.child("order", state.task, epoch).permutation(n)
        chosen = order[place * self.batch_size : (place + 1) * self.batch_size].to(inputs.device)
        rng = state.rng.child("step", state.steps)
        state.losses, gradient = self.gradient(stream, state, (inputs[chosen], labels[chosen]), rng)
        if not bool(torch.isfinite(state.losses).all()):
            hint = f"task {stream.names[state.task]!r}, update {state.update + 1}; a smaller learning_rate may help"
            check.fail("losses", "be finite", [round(v, 4) for v in state.losses.tolist()][:4], hint)
        Adam().step(state.rows, gradient, state.adam, self.learning_rate)
        state.steps += 1
        state.update += 1
        if state.update == self.epochs * each:
            self.learned(stream, state)
            state.task, state.update, state.data = state.task + 1, 0, None
            x, _ = self._measure(stream, state)
            if self.keeps_stages:
                state.stages = torch.cat([state.stages.reshape(-1, *x.shape), x.unsqueeze(0)])
        return state

    @property
    def keeps_stages(self) -> bool:
        """Whether the networks after each task are kept, so that they can be compared later."""
        return True

    def closed(self, problem: Problem, state: S) -> S:
        """Return the state with the networks measured as they are now."""
        if state.measured_at == state.steps:
            return state
        state = dataclasses.replace(state)
        self._measure(stream_of(problem), state)
        return state

    def _measure(self, problem: ContinualLearning, state: S) -> tuple[Tensor, Tensor | None]:
        x, asked = self.decisions(problem, state)
        found = problem.evaluate(x, state.rng.child("evaluate", state.steps))
        state.x, state.values, state.measured_at = x, found.values, state.steps
        state.asked = x.new_zeros(0, problem.n_objectives) if asked is None else asked.to(x)
        state.evaluations += len(x)
        state.work += found.total_work
        return x, asked

    def front(self, problem: Problem, state: S) -> Front:
        """Return the networks as last measured, without the dominated ones, and what they were asked for."""
        info = {"preference": state.asked.to(torch.float64)} if len(state.asked) else {}
        return Front.of(problem, state.x, Evaluation(state.values), info=info)

    def cost(self, state: S) -> Cost:
        """Return measurements, updates of the stack, and all examples that went through networks."""
        return Cost(evaluations=state.evaluations, gradient_steps=state.steps, work=state.work)

    def done(self, state: S) -> bool:
        """Tell whether every task was learned."""
        return state.task >= state.values.shape[1]

    def report(self, problem: Problem, state: S) -> dict[str, float]:
        """Return the mean loss of the last minibatch, and the task."""
        return {"loss": float(state.losses.mean()), "task": float(state.task + 1)}


def empty_fields(problem: ContinualLearning, rows: Tensor) -> dict[str, Any]:
    """Return what a state begins with, whatever is trained."""
    none = torch.zeros(0, problem.n_objectives, dtype=problem.dtype, device=problem.device)
    x = none.new_zeros(0, problem.space.dim)
    return {
        "rows": rows,
        "adam": AdamState.zeros(rows),
        "losses": rows.new_zeros(len(rows)),
        "stages": none.new_zeros(0, 0, problem.space.dim),
        "x": x,
        "values": none,
        "asked": none,
    }


def starting_rows(problem: ContinualLearning, n: int, rng: Rng, *, initial: Tensor | None) -> Tensor:
    """Return n networks `[n, d]`: one start for all, or rows that were given, in turn."""
    if initial is None:
        rows = problem.space.sample(1, rng.child("start")).expand(n, -1)
    else:
        rows = initial[torch.arange(n, device=initial.device) % len(initial)]
    return rows.to(problem.device, problem.dtype).clone()


def slopes(loss: Tensor, rows: Tensor) -> Tensor:
    """Return each member's own gradient `[P, D]` of losses `[P]`; buffers that take no part have zero."""
    (found,) = torch.autograd.grad(loss.sum(), rows, materialize_grads=True)
    return found
