"""AdaMerging: coefficients of task vectors by entropy minimization on unlabeled data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.problems.merging import ModelMerging
from paretokit.solvers.merging._descent import Descent
from paretokit.solvers.merging._minibatches import Minibatch, weighted


@final
@dataclass(frozen=True, kw_only=True)
class AdaMerging(Descent):
    r"""Learns how much of each task vector each layer takes, by making the merged model's predictions certain.

    .. math:: \min_\lambda \sum_t \frac1n \sum_{x \in B_t} H\big(\operatorname{softmax} h_t(f(x; \theta(\lambda)))\big),
              \qquad \theta^{(l)}(\lambda) = \theta_0^{(l)} + \sum_k \operatorname{clamp}(\lambda_{lk})\, \tau_k^{(l)}

    The gradient is :math:`\partial/\partial\lambda_{lk} = \langle g^{(l)}, \tau_k^{(l)} \rangle`, where g is the
    gradient to the merged weights of all tasks together: one merge, one pass forward and back over the tasks' joined
    batches, and one contraction a step.

    Attributes:
        layerwise: Coefficients a layer and task (as `ModelMerging(layers=...)` says), or else one a task.
        ties: Whether TIES's trimmed and sign-elected task vectors are merged: AdaMerging++.
        trim: Share of each task vector that TIES keeps.
        steps: Updates until the method ends.
        learning_rate: Of Adam.
        start: All coefficients at first.
        clamp: What coefficients are clamped to before they merge; those outside feel no gradient.
        batch_size: Examples a task and step.
        objective: "entropy" of unlabeled data, or the "validation" cross-entropy where there are labels.
        evaluate_every: Updates between two measurements, the first update and the last one included.

    The front is the model as last measured.

    Cost: three times `batch_size` examples a task and step, one evaluation a measurement; two model-sized buffers
    beside the task vectors, a third where the tasks' joined batch is too large for one pass.

    Source: Yang, Wang, Shen, Liu, Guo, Wang and Tao (2024), ICLR. Deviations from the authors' code: one batch a task
    and step where two were drawn, every tensor of the network has coefficients that are learned, and weights are merged
    once a step for all tasks, which changes no number.
    """

    def members(self, problem: ModelMerging) -> Tensor:
        """Return one member that wants all tasks equally."""
        return torch.full((1, problem.n_objectives), 1 / problem.n_objectives, dtype=torch.float64)

    def slopes(
        self, problem: ModelMerging, coefficients: Tensor, batch: Minibatch, *, preferences: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the losses, and the gradient of their sum."""
        return weighted(problem, coefficients, batch, torch.ones_like(preferences))
