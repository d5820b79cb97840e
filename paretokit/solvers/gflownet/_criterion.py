"""What flows must satisfy: the four criteria, each with the learned log-reward that order-preserving training ranks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from torch import Tensor

from paretokit.solvers.gflownet._engine import Engine
from paretokit.solvers.gflownet._scores import Scores
from paretokit.solvers.gflownet._trajectories import Trajectories

Ranking = Callable[[Tensor], Tensor]
"""From learned log-rewards `[n]` of a batch to the loss of their order, a scalar."""


@dataclass(frozen=True)
class Flows:
    """What a criterion reads: trajectories under the present parameters.

    Attributes:
        engine: Rolls out and scores.
        row: Parameters `[D]`, with gradients.
        trajectories: n of them.
        log_z: Log partition function of each one's condition `[n]`, with gradients.
    """

    engine: Engine
    row: Tensor
    trajectories: Trajectories
    log_z: Tensor

    @cached_property
    def scores(self) -> Scores:
        """Log-probabilities and log flows along the trajectories."""
        return self.engine.scores(self.row, self.trajectories)


class Criterion(ABC):
    """A frozen record of weights; `name` is what configurations call it."""

    name: ClassVar[str]

    @abstractmethod
    def loss(self, flows: Flows, log_reward: Tensor) -> Tensor:
        """Return the mean squared violation, a scalar, for log-rewards `[n]` of the finished objects."""

    @abstractmethod
    def order(self, flows: Flows, ranking: Ranking) -> Tensor:
        """Return the order-preserving loss, a scalar: the criterion inside, `ranking` of learned rewards at the end."""
