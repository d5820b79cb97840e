"""What flows must satisfy: the four criteria, each with the learned log-reward that order-preserving training ranks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from paretokit.solvers.gflownet._edge_flows import EdgeFlows
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

    @cached_property
    def balance(self) -> Tensor:
        r"""Sum of :math:`\log P_F - \log P_B` along each trajectory `[n]`."""
        return self.engine.balance(self.row, self.trajectories)

    @cached_property
    def edges(self) -> EdgeFlows:
        """Log flows into and out of the states on the way, the logits read as log edge flows."""
        return self.engine.edge_flows(self.row, self.trajectories)


class Criterion(ABC):
    """A frozen record of weights; `name` is what configurations call it."""

    name: ClassVar[str]

    @abstractmethod
    def loss(self, flows: Flows, log_reward: Tensor) -> Tensor:
        """Return the mean squared violation, a scalar, for log-rewards `[n]` of the finished objects."""

    @abstractmethod
    def order(self, flows: Flows, ranking: Ranking) -> Tensor:
        """Return the order-preserving loss, a scalar: the criterion inside, `ranking` of learned rewards at the end."""


def last_moves(moved: Tensor) -> Tensor:
    """Tell which actions finish an object, bool `[T, n]`, from where there is an action `[T, n]`."""
    return moved & ~torch.cat([moved[1:], torch.zeros_like(moved[:1])])


def after(before: Tensor, moved: Tensor, end: Tensor) -> Tensor:
    """Return numbers of the states after each action `[T, n]` from those before and those of the objects `[n]`."""
    following = torch.cat([before[1:], torch.zeros_like(before[:1])])
    return torch.where(last_moves(moved), end, following)


def mean_square(violation: Tensor, where: Tensor, moved: Tensor) -> Tensor:
    """Return the sum of squared violations `[T, n]` at `where`, over the number of all actions of the batch."""
    return torch.where(where, violation, 0).square().sum() / moved.sum().clamp_min(1)
