"""Experience replay: every minibatch holds as many examples of earlier tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.problems.continual import ContinualLearning
from paretokit.solvers.continual._point import MemoryLearner, MemoryState, gradient_of_parts


@final
@dataclass(frozen=True, kw_only=True)
class ExperienceReplay(MemoryLearner):
    r"""Descends the mean loss of a minibatch and of as many remembered examples.

    .. math:: \frac1{2 B} \Bigl(\sum_{b \in \text{task}} l_b + \sum_{b \in \text{memory}} l_b\Bigr)

    Attributes:
        memory: Examples kept of each task.
        epochs, batch_size, learning_rate: Of the training by Adam, on each task.

    One network whatever is preferred: the front is one point.

    Source: Chaudhry, Rohrbach, Elhoseiny, Ajanthan, Dokania, Torr and Ranzato (2019), arXiv 1902.10486. Deviations: the
    memory is filled when a task ends, with equal shares; several epochs.
    """

    def gradient(
        self, problem: ContinualLearning, state: MemoryState, batch: tuple[Tensor, Tensor], rng: Rng
    ) -> tuple[Tensor, Tensor]:
        """Return the loss `[1]` and its gradient."""
        parts = [(state.task, *batch)]
        if len(state.memory):
            parts += state.memory.mixed(len(batch[1]), rng)
        sizes = torch.tensor([float(len(labels)) for _, _, labels in parts])
        state.work += 3.0 * float(sizes.sum())
        return gradient_of_parts(problem, state.rows, parts, sizes / sizes.sum())
