"""Rehearsal for each preference: what answering costs where it has to be trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from torch import Tensor

from paretokit.core import Problem, Rng
from paretokit.problems.continual import ContinualLearning
from paretokit.solvers.continual._asked import over_seen, rows_of, wrong_length
from paretokit.solvers.continual._point import MemoryLearner, MemoryState, gradient_of_parts
from paretokit.solvers.gradient._preferences import Preferences, checked


@final
@dataclass(frozen=True, kw_only=True)
class PreferenceRehearsal(MemoryLearner):
    r"""Trains one network a preference, on the task at hand and remembered examples of earlier ones, all stacked.

    .. math:: \min_{\theta_w} \sum_k w_k \, l_k(\theta_w)

    with the loss of the task at hand on a minibatch, and those of earlier ones on what is remembered. While tasks are
    to come, their shares go to the seen ones in proportion.

    Attributes:
        memory: Examples kept of each task.
        preferences: How many, or rows on the simplex; evenly spread unless given.
        warm: Whether a network goes on from the last task's, else each task trains new ones.
        epochs, batch_size, learning_rate: Of the training by Adam, on each task.

    Cost: a network a preference, in one program; a preference that was not among them has to be trained.

    Source: the strong rival in Lu, Caprio, Eaton and Lee (2023), arXiv 2305.14782, whose code ignores the preference
    and never zeroes its gradients; this is what its text says.
    """

    preferences: Preferences = None
    warm: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "preferences", checked(self.preferences))

    def unsupported(self, problem: Problem) -> str | None:
        """Tell whether preferences have another number of entries than there are tasks."""
        return wrong_length(checked(self.preferences), problem.n_objectives)

    def wanted(self, problem: Problem) -> Tensor:
        """Return the preferences `[n, m]`."""
        return rows_of(checked(self.preferences), problem.n_objectives)

    def members(self, problem: ContinualLearning) -> int:
        """Return one network a preference."""
        return len(self.wanted(problem))

    def begun(self, problem: ContinualLearning, state: MemoryState) -> None:
        """Start new networks, unless they go on."""
        if not self.warm:
            first = problem.space.sample(1, state.rng.child("start", state.task)).to(state.rows)
            state.rows = first.expand(len(state.rows), -1).clone()

    def gradient(
        self, problem: ContinualLearning, state: MemoryState, batch: tuple[Tensor, Tensor], rng: Rng
    ) -> tuple[Tensor, Tensor]:
        """Return weighted losses `[P]` and their gradients."""
        memory, most = state.memory, max(self.batch_size, self.memory)
        parts = [(k, *memory.some(k, most, rng.child("memory", k))) for k in range(len(memory))]
        parts.append((state.task, *batch))
        weights = over_seen(self.wanted(problem), state.task + 1)[:, : state.task + 1]
        state.work += 3.0 * len(state.rows) * sum(len(labels) for _, _, labels in parts)
        return gradient_of_parts(problem, state.rows, parts, weights)

    def decisions(self, problem: ContinualLearning, state: MemoryState) -> tuple[Tensor, Tensor | None]:
        """Return the networks, and the preferences over the tasks that they have seen."""
        seen = state.task + 1 if state.update else max(state.task, 1)
        return problem.space.project(state.rows), over_seen(self.wanted(problem), min(seen, problem.n_objectives))

    def config(self) -> dict[str, Any]:
        """Return the hyper-parameters by name, JSON-able."""
        rows = checked(self.preferences)
        given = [list(row) for row in rows] if isinstance(rows, tuple) else rows
        return {**super().config(), "preferences": given}
