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
    """Pareto."""

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
