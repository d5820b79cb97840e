"""Sub-trajectory balance: one equation for each piece of a trajectory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.solvers.gflownet._criterion import Criterion, Flows, Ranking


@final
@dataclass(frozen=True, kw_only=True)
class SubTrajectoryBalance(Criterion):
    r"""Asks that every piece of a trajectory balances, short ones most.

    .. math:: \sum_{0 \le i < j \le L} \omega_{ij} \Big(\log F(s_i) + \sum_{t=i}^{j-1} \log \frac{P_F(s_{t+1} \mid s_t)}
        {P_B(s_t \mid s_{t+1})} - \log F(s_j)\Big)^2, \qquad
        \omega_{ij} = \frac{\lambda^{j-i}}{\sum_{0 \le a < b \le L} \lambda^{b-a}}

    averaged over trajectories, with F(x) = R(x) for finished objects and F(s_0) = Z. Order-preserving: the pieces that
    do not end at the object, with the same weights, and ``order_weight`` times the mean, weighted with λ^length, of the
    rankings of what the last 1, 2, … actions say of the objects:
    :math:`\log F(s_{L-l}) + \sum \log P_F - \sum \log P_B`.

    Attributes:
        lambda_: λ; near 0 it is detailed balance, at large λ trajectory balance.
        order_weight: Of the rankings.

    Cost: one evaluation of each state on the way, and O(T^2 n) numbers.

    Source: Madan, Rector-Brooks, Korablyov, Bengio, Jain, Nica, Bosc, Bengio and Malkin (2023), ICML; the order Chen
    and Mauch (2024), ICLR. Deviations from the authors' codes: log F(s_0) is the log partition function, not an output
    of the network; a trajectory shorter than the length at hand enters its ranking as a whole, so that every ranking
    is of the whole batch.
    """

    name: ClassVar[str] = "SubTB"

    lambda_: float = 0.9
    order_weight: float = 0.1

    def __post_init__(self) -> None:
        check.fields(self)
        check.positive(lambda_=self.lambda_)
        check.at_least(0, order_weight=self.order_weight)

    def loss(self, flows: Flows, log_reward: Tensor) -> Tensor:
        """Return the mean over trajectories of the weighted mean over pieces."""
        pieces = _Pieces(flows)
        heights = torch.where(pieces.finished, log_reward - pieces.passed[-1], pieces.heights)
        return self._violation(heights, pieces.lengths, ends=True)

    def order(self, flows: Flows, ranking: Ranking) -> Tensor:
        """Return the balance inside and the rankings of the ends."""
        pieces = _Pieces(flows)
        inside = self._violation(pieces.heights, pieces.lengths, ends=False)
        steps = len(pieces.heights) - 1
        lengths = torch.arange(1, steps + 1, device=flows.row.device)
        begin = (pieces.lengths - lengths.unsqueeze(1)).clamp_min(0)
        learned = pieces.heights.gather(0, begin) + pieces.passed[-1]
        weights = self.lambda_ ** lengths.to(learned.dtype)
        ranked = torch.vmap(ranking)(learned)
        return inside + self.order_weight * (weights * ranked).sum() / weights.sum()

    def _violation(self, heights: Tensor, lengths: Tensor, *, ends: bool) -> Tensor:
        r"""Return the mean of :math:`\sum_{ij} \omega_{ij} (u_i - u_j)^2`, with the pieces that end at objects or not.

        Args:
            heights: u `[T + 1, n]`, anything beyond the lengths.
            lengths: L `[n]`.
            ends: Whether the pieces that end at L count; they weigh in the denominator always.
        """
        at = torch.arange(len(heights), device=heights.device)
        apart = (at - at.unsqueeze(1)).to(heights.dtype)  # j - i
        weights = torch.where(apart > 0, self.lambda_**apart, 0)
        by_end = weights.sum(0)  # of pieces that end at j
        total = by_end.cumsum(0)[lengths]
        counted = at.unsqueeze(1) <= (lengths if ends else lengths - 1)
        heights = torch.where(counted, heights, 0)
        gaps = heights.unsqueeze(1) - heights  # [i, j, n]
        square = (weights.unsqueeze(-1) * gaps.square()).sum(0)
        return (torch.where(counted, square, 0).sum(0) / total).mean()


class _Pieces:
    r"""Trajectories as heights :math:`u_t = \log F(s_t) - \sum_{k<t} \log P_F/P_B`: pieces balance where u is equal.

    Attributes:
        passed: The sums `[T + 1, n]`.
        heights: u `[T + 1, n]`, without a flow of the objects.
        lengths: L `[n]`.
        finished: Where the object stands, bool `[T + 1, n]`.
    """

    def __init__(self, flows: Flows) -> None:
        scores = flows.scores
        blank = torch.zeros_like(flows.log_z).unsqueeze(0)
        self.passed = torch.cat([blank, (scores.forward - scores.backward).cumsum(0)])
        log_flow = torch.cat([flows.log_z.unsqueeze(0), scores.log_flow[1:], blank])
        self.heights = log_flow - self.passed
        self.lengths = scores.moved.sum(0)
        self.finished = torch.arange(len(self.passed), device=self.passed.device).unsqueeze(1) == self.lengths
