"""Detailed balance: one equation for each action."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.solvers.gflownet._criterion import Criterion, Flows, Ranking, after, last_moves, mean_square


@final
@dataclass(frozen=True, kw_only=True)
class DetailedBalance(Criterion):
    r"""Asks that as much flows through each action forwards as backwards.

    .. math:: \big(\log F(s) + \log P_F(s' \mid s) - \log F(s') - \log P_B(s \mid s')\big)^2

    averaged over all actions of the batch, with F(x) = R(x) for finished objects and F(s_0) = Z. Order-preserving: the
    mean without the actions that finish (they still count among its terms), and ``order_weight`` times the ranking of
    :math:`\log \hat R(x) = \log F(s) + \log P_F(x \mid s) - \log P_B(s \mid x)`, s the state before the last action.

    Attributes:
        order_weight: Of the ranking.

    Cost: one evaluation of each state on the way.

    Source: Bengio, Lahlou, Deleu, Hu, Tiwari and Bengio (2023), JMLR; the order Chen and Mauch (2024), ICLR.
    Deviation from the authors' codes: log F(s_0) is the log partition function, not an output of the network.
    """

    name: ClassVar[str] = "DB"

    order_weight: float = 0.1

    def __post_init__(self) -> None:
        check.fields(self)
        check.at_least(0, order_weight=self.order_weight)

    def loss(self, flows: Flows, log_reward: Tensor) -> Tensor:
        """Return the mean over actions."""
        before, passed = _passed(flows)
        moved = flows.scores.moved
        return mean_square(passed - after(before, moved, log_reward), moved, moved)

    def order(self, flows: Flows, ranking: Ranking) -> Tensor:
        """Return the balance inside and the ranking at the last actions."""
        before, passed = _passed(flows)
        moved = flows.scores.moved
        last = last_moves(moved)
        inside = mean_square(passed - after(before, moved, torch.zeros_like(flows.log_z)), moved & ~last, moved)
        learned = torch.where(last, passed, 0).sum(0)
        return inside + self.order_weight * ranking(learned)


def _passed(flows: Flows) -> tuple[Tensor, Tensor]:
    """Return log flows before each action, and what the action passes on by the forward and backward policies."""
    scores = flows.scores
    before = torch.cat([flows.log_z.unsqueeze(0), scores.log_flow[1:]])
    return before, before + scores.forward - scores.backward
