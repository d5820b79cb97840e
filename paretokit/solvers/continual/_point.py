"""Learners of one network that remember by a few examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.problems.continual import ContinualLearning
from paretokit.solvers.continual._learner import Learner, LearnerState, empty_fields, slopes, starting_rows
from paretokit.solvers.continual._memory import Memory


@dataclass(kw_only=True)
class MemoryState(LearnerState):
    """A learner with examples of earlier tasks.

    Attributes:
        memory: What it kept.
    """

    memory: Memory


@dataclass(frozen=True, kw_only=True)
class MemoryLearner(Learner[MemoryState]):
    """Networks that learn with a memory of some examples a task; subclasses say how they use it.

    The memory is drawn at random when a task ends.
    """

    state_type: ClassVar[type] = MemoryState

    memory: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        check.at_least(1, memory=self.memory)

    def members(self, problem: ContinualLearning) -> int:
        """Return how many networks are trained at once."""
        return 1

    def start(self, problem: ContinualLearning, rng: Rng, *, initial: Tensor | None) -> MemoryState:
        """Return the state before the first task."""
        rows = starting_rows(problem, self.members(problem), rng, initial=initial)
        return MemoryState(rng=rng, memory=Memory.empty(), **empty_fields(problem, rows))

    def learned(self, problem: ContinualLearning, state: MemoryState) -> None:
        """Keep some examples of the task."""
        assert state.data is not None
        state.memory.keep(state.data, self.memory, state.rng.child("memory", state.task))

    def decisions(self, problem: ContinualLearning, state: MemoryState) -> tuple[Tensor, Tensor | None]:
        """Return the networks as they are."""
        return problem.space.project(state.rows), None


def gradient_on(
    problem: ContinualLearning, rows: Tensor, batch: tuple[Tensor, Tensor], task: int
) -> tuple[Tensor, Tensor]:
    """Return mean cross-entropies `[P]` of a batch, and their gradients `[P, d]`."""
    rows = rows.detach().requires_grad_()
    with torch.enable_grad():
        loss = problem.cross_entropy(rows, *batch, task=task)
    return loss.detach(), slopes(loss, rows)


def gradient_of_parts(
    problem: ContinualLearning, rows: Tensor, parts: list[tuple[int, Tensor, Tensor]], weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Return weighted sums `[P]` of mean cross-entropies of several tasks' batches, and their gradients `[P, d]`.

    Args:
        problem: Whose losses they are.
        rows: Networks `[P, d]`.
        parts: Task, inputs and labels.
        weights: Of the parts, a member `[P, parts]` or for all `[parts]`.
    """
    rows = rows.detach().requires_grad_()
    with torch.enable_grad():
        if len({problem.columns[k] for k, _, _ in parts}) == 1:  # one head: all examples go through at once
            sizes = [len(labels) for _, _, labels in parts]
            scores = problem.scores(rows, torch.cat([x for _, x, _ in parts]), task=parts[0][0])
            target = torch.cat([y for _, _, y in parts]).expand(scores.shape[:2])
            each = -torch.log_softmax(scores, -1).gather(-1, target.unsqueeze(-1)).squeeze(-1)
            losses = torch.stack([part.mean(-1) for part in each.split(sizes, -1)], -1)
        else:
            losses = torch.stack([problem.cross_entropy(rows, x, y, task=k) for k, x, y in parts], -1)
        loss = (losses * weights.to(losses)).sum(-1)
    return loss.detach(), slopes(loss, rows)
