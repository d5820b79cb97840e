"""Averaged gradient episodic memory: one constraint in place of one a task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.problems.continual import ContinualLearning
from paretokit.solvers.continual._point import MemoryLearner, MemoryState, gradient_of_parts, gradient_on


def without_conflict(gradient: Tensor, reference: Tensor) -> Tensor:
    r"""Return a gradient without what conflicts with a reference `[*batch, d]`.

    .. math:: d = g - \frac{\min(\langle g, r \rangle, 0)}{\langle r, r \rangle} r, \qquad \langle d, r \rangle \ge 0
    """
    inner = (gradient * reference).sum(-1, keepdim=True).clamp_max(0)
    length = reference.square().sum(-1, keepdim=True)
    return gradient - torch.where(length > 0, inner / length, 0) * reference


@final
@dataclass(frozen=True, kw_only=True)
class AGEM(MemoryLearner):
    r"""Takes from each gradient what would raise the mean loss on what is remembered.

    .. math:: d = g - \frac{\min(\langle g, r \rangle, 0)}{\langle r, r \rangle} r

    with the gradient r of as many remembered examples as a minibatch has, of all earlier tasks together.

    Attributes:
        memory: Examples kept of each task.
        epochs, batch_size, learning_rate: Of the training by Adam, on each task.

    One network whatever is preferred: the front is one point.

    Source: Chaudhry, Ranzato, Rohrbach and Elhoseiny (2019), ICLR. Deviations: Adam, as for all learners here, whose
    scaling may turn the projection; several epochs.
    """

    def gradient(
        self, problem: ContinualLearning, state: MemoryState, batch: tuple[Tensor, Tensor], rng: Rng
    ) -> tuple[Tensor, Tensor]:
        """Return the loss `[1]` and the gradient without conflict."""
        loss, own = gradient_on(problem, state.rows, batch, state.task)
        state.work += 3.0 * len(batch[1])
        if not len(state.memory):
            return loss, own
        parts = state.memory.mixed(len(batch[1]), rng)
        sizes = torch.tensor([float(len(labels)) for _, _, labels in parts])
        state.work += 3.0 * float(sizes.sum())
        reference = gradient_of_parts(problem, state.rows, parts, sizes / sizes.sum())[1]
        return loss, without_conflict(own, reference)
