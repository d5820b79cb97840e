"""Trajectory balance: one equation for each whole trajectory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor
from torch.nn.functional import mse_loss

from paretokit.solvers.gflownet._criterion import Criterion, Flows, Ranking


@final
@dataclass(frozen=True, kw_only=True)
class TrajectoryBalance(Criterion):
    r"""Asks that each trajectory carries its share of its object's reward.

    .. math:: \Big(\log Z + \sum_t \log P_F(s_{t+1} \mid s_t) - \log R(x) - \sum_t \log P_B(s_t \mid s_{t+1})\Big)^2

    averaged over trajectories. Order-preserving: the ranking of
    :math:`\log \hat R(x) = \log Z + \sum \log P_F - \sum \log P_B`, on which log Z has no influence where the ranking
    ignores a common factor.

    Cost: one evaluation of each state on the way.

    Source: Malkin, Jain, Bengio, Sun and Bengio (2022), NeurIPS; the order Chen and Mauch (2024), ICLR.
    """

    name: ClassVar[str] = "TB"

    def loss(self, flows: Flows, log_reward: Tensor) -> Tensor:
        """Return the mean over trajectories."""
        return mse_loss(flows.log_z + flows.balance, log_reward)

    def order(self, flows: Flows, ranking: Ranking) -> Tensor:
        """Return the ranking of what trajectories say their objects are worth."""
        return ranking(flows.log_z + flows.balance)
