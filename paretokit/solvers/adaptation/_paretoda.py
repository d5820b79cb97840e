"""ParetoDA: at each step, the weights under which all objectives and held-out target data gain together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.problems.adaptation import DomainAdaptation
from paretokit.solvers.adaptation._cooperation import DIRECTIONS, cooperative_weights
from paretokit.solvers.adaptation._training import AdaptationTraining, Gradients


@final
@dataclass(frozen=True, kw_only=True)
class ParetoDA(AdaptationTraining):
    r"""Adapts along directions that serve held-out target inputs and hinder no objective, weighed anew each step.

    A linear program of three variables a step (`cooperative_weights`) weighs the gradients of source loss, alignment
    and target information; the held-out gradient of the same target information is its guide. "descent" lets no
    objective rise; "guidance" follows the held-out gradient, and objectives at odds with it may rise by as much. For
    "guidance" the held-out loss is log K minus the mutual information, so that it is positive and its branch is taken
    until nothing is left to gain.

    Attributes:
        direction: "descent" or "guidance".
        dynamic: Whether there is a guide; without it the program is pure descent in either direction.
        n_members: Networks that train at once from starts of their own, on the same minibatches; the front holds those
            that no other dominates.
        alignment: "dann", "cdan", "mcc" or "mdd": what draws the domains together.
        refine: Whether target predictions are refined by Bayes' rule through a discriminator of domains for each class.
        steps: Updates, after which the run ends.
        batch_size: Examples of each domain, and of held-out target inputs.
        learning_rate: Of the first step.
        decay: After i steps the learning rate is ``learning_rate * (1 + decay * i) ** -0.75``.
        momentum: Nesterov's.
        weight_decay: Of all parameters.
        ramp: Steps over which features begin to feel adversaries: their factor is ``2 / (1 + exp(-i / ramp)) - 1``.
        hidden: Hidden layers of the adversary.
        class_hidden: Hidden layers of the classes' discriminators.
        evaluate_every: Updates between measurements.

    Cost: five backward passes a step through the features with a guide, else four; fixed weights take two. The program
    itself takes less than a millisecond for all members.

    Source: Lv et al. (2021), Pareto Domain Adaptation, NeurIPS. Deviations from the authors' code: predictions are
    refined as probabilities, not logits; the classes' discriminators count all examples; features get the weighted
    gradient only, not the unweighted one on top; running statistics and the reversal's schedule move once a step; the
    held-out loss is shifted by log K, without which "guidance" is never reached; the last network is returned, where
    theirs is chosen by target labels.
    """

    direction: Literal["descent", "guidance"] = "descent"
    dynamic: bool = True
    n_members: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check.one_of(DIRECTIONS, direction=self.direction)
        check.at_least(1, n_members=self.n_members)

    @property
    def guides(self) -> bool:
        """Whether the held-out gradient is read."""
        return self.dynamic

    @property
    def starts(self) -> str:
        """Each member in its own place."""
        return "random"

    def members(self, problem: DomainAdaptation) -> Tensor:
        """Return equal preferences."""
        return torch.full((self.n_members, 3), 1 / 3, dtype=torch.float64)

    def weigh(self, given: Gradients, rng: Rng) -> Tensor:
        """Return the solutions of the linear programs."""
        return cooperative_weights(given.gramian, given.guide, direction=self.direction, guided=given.guided)
