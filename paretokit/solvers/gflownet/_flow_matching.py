"""Flow matching: one equation for each state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.solvers.gflownet._criterion import Criterion, Flows, Ranking, after, last_moves, mean_square


@final
@dataclass(frozen=True, kw_only=True)
class FlowMatching(Criterion):
    r"""Asks that as much flows into each state as out of it.

    .. math:: \Big(\log \sum_{s \to s'} F(s \to s') - \log \sum_{s' \to s''} F(s' \to s'')\Big)^2, \qquad
              \Big(\log \sum_{s \to x} F(s \to x) - \log R(x)\Big)^2

    for states on the way and for finished objects, averaged over all states that the batch enters. The network's
    logits are the log edge flows, so the policy is their softmax; there is neither a backward policy nor log Z (the
    flow out of the start is Z). Order-preserving: the mean without the objects (they still count among its terms), and
    ``order_weight`` times the ranking of the objects' log inflows.

    Attributes:
        order_weight: Of the ranking.

    Cost: one evaluation of each state on the way and one of each of its parents.

    Source: Bengio, Jain, Korablyov, Precup and Bengio (2021), NeurIPS; the order Chen and Mauch (2024), ICLR. Deviation
    from the authors' code: no small number is added to flows before the logarithm.
    """

    name: ClassVar[str] = "FM"

    order_weight: float = 0.1

    def __post_init__(self) -> None:
        check.fields(self)
        check.at_least(0, order_weight=self.order_weight)

    def loss(self, flows: Flows, log_reward: Tensor) -> Tensor:
        """Return the mean over entered states."""
        edges = flows.edges
        return mean_square(edges.inflow - after(edges.outflow, edges.moved, log_reward), edges.moved, edges.moved)

    def order(self, flows: Flows, ranking: Ranking) -> Tensor:
        """Return the matching inside and the ranking of the objects' inflows."""
        edges = flows.edges
        last = last_moves(edges.moved)
        violation = edges.inflow - after(edges.outflow, edges.moved, torch.zeros_like(flows.log_z))
        inside = mean_square(violation, edges.moved & ~last, edges.moved)
        return inside + self.order_weight * ranking(torch.where(last, edges.inflow, 0).sum(0))
