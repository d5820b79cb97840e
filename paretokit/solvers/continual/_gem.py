"""Gradient episodic memory: no step may raise the loss on what is remembered of any earlier task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.problems.continual import ContinualLearning
from paretokit.solvers.continual._point import MemoryLearner, MemoryState, gradient_on
from paretokit.solvers.gradient import dual_cone_weights


@final
@dataclass(frozen=True, kw_only=True)
class GEM(MemoryLearner):
    r"""Projects each gradient onto the directions that no remembered task's gradient conflicts with.

    .. math:: \min_d \lVert d - g \rVert^2 \quad \text{with } \langle d, g_k \rangle \ge 0 \text{ for all } k < t

    solved exactly in its dual, whose variables are as many as tasks (`solvers.gradient.dual_cone_weights`).

    Attributes:
        memory: Examples kept of each task.
        strength: Weight of every remembered gradient in what is projected (the paper's margin).
        epochs, batch_size, learning_rate: Of the training by Adam, on each task.

    One network whatever is preferred: the front is one point.

    Cost: a backward pass a remembered task.

    Source: Lopez-Paz and Ranzato (2017), NeurIPS. Deviations: Adam, as for all learners here, whose scaling may turn
    the projection; several epochs; no ridge in the program.
    """

    strength: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check.at_least(0, strength=self.strength)

    def gradient(
        self, problem: ContinualLearning, state: MemoryState, batch: tuple[Tensor, Tensor], rng: Rng
    ) -> tuple[Tensor, Tensor]:
        """Return the loss `[1]` and the projected gradient."""
        loss, own = gradient_on(problem, state.rows, batch, state.task)
        state.work += 3.0 * len(batch[1])
        if not len(state.memory):
            return loss, own
        held = self._remembered(problem, state, rng)
        rows = torch.cat([own, held]).to(torch.float64)
        weights = torch.full((len(rows),), self.strength, dtype=torch.float64)
        weights[0] = 1
        if not self.strength and bool((rows[1:] @ rows[0] >= 0).all()):
            return loss, own
        found = dual_cone_weights(rows @ rows.mT, weights.to(rows.device)) @ rows
        return loss, found.to(own).unsqueeze(0)

    def _remembered(self, problem: ContinualLearning, state: MemoryState, rng: Rng) -> Tensor:
        """Return the gradients of what is remembered, a task a row `[k, d]`."""
        memory = state.memory
        some = [memory.some(k, self.memory, rng.child("memory", k)) for k in range(len(memory))]
        state.work += 3.0 * sum(len(labels) for _, labels in some)
        alike = len({len(labels) for _, labels in some}) == 1 and problem.scenario == "domain"
        if not alike:
            return torch.cat([gradient_on(problem, state.rows, part, k)[1] for k, part in enumerate(some)])
        batch = torch.stack([inputs for inputs, _ in some]), torch.stack([labels for _, labels in some])
        return gradient_on(problem, state.rows.expand(len(some), -1).contiguous(), batch, 0)[1]
