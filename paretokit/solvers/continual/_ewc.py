"""Elastic weight consolidation: parameters that mattered are held where they were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.problems.continual import ContinualLearning
from paretokit.solvers.continual._learner import Learner, LearnerState, empty_fields, starting_rows
from paretokit.solvers.continual._point import gradient_on

CHUNK = 256
"""Examples whose gradients are held at once."""


@dataclass(kw_only=True)
class EWCState(LearnerState):
    r"""A learner that is held by what it knows.

    Attributes:
        fisher: :math:`\sum_k F_k` over the tasks learned `[d]`.
        pull: :math:`\sum_k F_k \theta_k` `[d]`.
    """

    fisher: Tensor
    pull: Tensor


@final
@dataclass(frozen=True, kw_only=True)
class EWC(Learner[EWCState]):
    r"""Adds a quadratic penalty around every earlier task's network, by its diagonal empirical Fisher information.

    .. math:: l_t(\theta) + \frac{\lambda}{2} \sum_{k < t} \sum_d F_{kd} (\theta_d - \theta_{kd})^2, \qquad
              F_{kd} = \frac1N \sum_b \bigl(\partial_d \log p(y_b \mid u_b, \theta_k)\bigr)^2

    Attributes:
        strength: :math:`\lambda`.
        epochs, batch_size, learning_rate: Of the training by Adam, on each task.

    One network whatever is preferred: the front is one point. Quadratics add up, so memory does not grow.

    Source: Kirkpatrick et al. (2017), PNAS 114; the sum of the tasks' quadratics as in Huszár (2018), PNAS 115.
    """

    state_type: ClassVar[type] = EWCState

    strength: float = 100.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check.at_least(0, strength=self.strength)

    def start(self, problem: ContinualLearning, rng: Rng, *, initial: Tensor | None) -> EWCState:
        """Return the state before the first task."""
        rows = starting_rows(problem, 1, rng, initial=initial)
        none = torch.zeros_like(rows[0])
        return EWCState(rng=rng, fisher=none, pull=none.clone(), **empty_fields(problem, rows))

    def gradient(
        self, problem: ContinualLearning, state: EWCState, batch: tuple[Tensor, Tensor], rng: Rng
    ) -> tuple[Tensor, Tensor]:
        """Return the loss `[1]`, and the gradient with the penalty's."""
        loss, own = gradient_on(problem, state.rows, batch, state.task)
        state.work += 3.0 * len(batch[1])
        return loss, own + self.strength * (state.fisher * state.rows - state.pull)

    def learned(self, problem: ContinualLearning, state: EWCState) -> None:
        """Add the task's Fisher information."""
        assert state.data is not None
        fisher = empirical_fisher(problem, state.rows[0], state.data, state.task)
        state.fisher = state.fisher + fisher
        state.pull = state.pull + fisher * state.rows[0]
        state.work += 3.0 * len(state.data[1])

    def decisions(self, problem: ContinualLearning, state: EWCState) -> tuple[Tensor, Tensor | None]:
        """Return the network as it is."""
        return problem.space.project(state.rows), None


def empirical_fisher(problem: ContinualLearning, row: Tensor, data: tuple[Tensor, Tensor], task: int) -> Tensor:
    """Return the mean square of examples' gradients `[d]` at a network `[d]`: each example goes to a copy of it."""
    total = torch.zeros_like(row)
    for inputs, labels in zip(data[0].split(CHUNK), data[1].split(CHUNK), strict=True):
        rows = row.expand(len(labels), -1).contiguous()
        slopes = gradient_on(problem, rows, (inputs.unsqueeze(1), labels.unsqueeze(1)), task)[1]
        total += slopes.square().sum(0)
    return total / len(data[1])
