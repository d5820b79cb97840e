"""OP-GFN: a sampler that keeps the order of objects, without scalarization or temperature."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Literal, final

import torch
from torch import Tensor

from paretokit.core import Choice, Problem, Rng, SearchSpace, non_dominated
from paretokit.core import _check as check
from paretokit.problems.design._design import CompositionalDesign
from paretokit.solvers.gflownet._criterion import Criterion, Flows
from paretokit.solvers.gflownet._gflownet import GFlowNet, GFlowNetState, Request, design_of
from paretokit.solvers.gflownet._search import GFLOWNET_SPACE


def pareto_targets(gains: Tensor, same: Tensor | None = None) -> Tensor:
    r"""Return the distribution q `[n]` that is uniform on the batch's non-dominated objects.

    Args:
        gains: To be maximized `[n, m]`.
        same: Number of equal objects that each row stands among `[n]`, over which its share is divided.
    """
    best = torch.as_tensor(non_dominated(gains, maximize=True), device=gains.device).to(gains.dtype)
    weights = best if same is None else best / same
    return weights / weights.sum()


def pareto_order(learned: Tensor, targets: Tensor, same: Tensor | None = None) -> Tensor:
    r"""Return the Kullback-Leibler divergence from the learned distribution of a batch to its targets.

    .. math:: L_{OP} = \sum_i q_i \log \frac{q_i}{p_i}, \qquad
              p_i = \frac{\hat R(x_i) / n_i}{\sum_j \hat R(x_j) / n_j}

    Args:
        learned: Learned log-rewards `[n]`.
        targets: q `[n]`, from `pareto_targets` with the same `same`.
        same: Number n_i of equal objects that each row stands among `[n]`; 1 where None. With it the loss is one of
            different objects, and how often an object happens to be in the batch moves nothing.
    """
    if same is not None:
        learned = learned - same.to(learned.dtype).log()
    inside = torch.where(targets > 0, targets.log(), torch.zeros_like(targets))
    return (targets * (inside - torch.log_softmax(learned, 0))).sum()


def pairwise_order(learned: Tensor, reward: Tensor, partner: Tensor, *, tie: float = 1e-6) -> Tensor:
    r"""Return the mean cross-entropy of the order within pairs (i, partner i), for one objective.

    .. math:: -\sum_{j \in \{i, \pi(i)\}} y_j \log \frac{\hat R(x_j)}{\hat R(x_i) + \hat R(x_{\pi(i)})}

    with y = (1, 0) for the better one and (1/2, 1/2) for ties; pairs of an object with itself are left out.
    """
    gap = reward - reward[partner]
    y = torch.where(gap.abs() < tie, 0.5, (gap > 0).to(learned.dtype)).to(learned.dtype)
    log_p = torch.nn.functional.logsigmoid(learned - learned[partner])
    log_q = torch.nn.functional.logsigmoid(learned[partner] - learned)
    real = (partner != torch.arange(len(partner), device=partner.device)).to(learned.dtype)
    return -((y * log_p + (1 - y) * log_q) * real).sum() / real.sum().clamp_min(1)


@final
@dataclass(frozen=True, kw_only=True)
class OPGFN(GFlowNet):
    r"""Order-preserving GFlowNet: learns rewards under which the batch's non-dominated objects are equally likely.

    .. math:: L_{OP} = KL\big(q \,\|\, \mathrm{softmax}(\log \hat R)\big), \qquad
              \log \hat R(x) = \log Z + \sum_t \log P_F - \sum_t \log P_B

    (here for trajectory balance), q uniform on the non-dominated objects of the batch. In the limit the sampler is
    uniform on the front, its concave parts included. Needs neither weights nor a temperature nor log Z. With one
    objective, random pairs are ordered instead.

    Labels are relative to a batch: an object that is best in a weak batch is pushed up there and down in a strong one.
    Batches that hold the non-dominated objects found so far (`replay`) settle that: on grids of 32 x 32 cells a quarter
    of each batch (``Replay(share=0, pareto=0.25)``) and a learning rate of 1e-2 put over 0.92 of samples on the front.
    Among very many objects the loss is content with a small lead over the batch: on words of 36 letters the sampler
    hardly moves from random words, with replay less than without; a `MOGFN` with a sharp reward finds that front.

    Attributes:
        duplicates: Whether equal objects of a batch "share" one label and one place in the softmax, or each is one
            "apart" (as in the authors' code, which rewards what is sampled often).

    Further attributes: see `pk.solvers.gflownet.GFlowNet`. `n_samples` is the number of objects of a measurement.

    Source: Chen and Mauch (2024), ICLR; written from its mathematics.
    """

    search_space: ClassVar[SearchSpace] = {**GFLOWNET_SPACE, "duplicates": Choice(("share", "apart"))}

    n_samples: int = 1024
    duplicates: Literal["share", "apart"] = "share"

    def __post_init__(self) -> None:
        super().__post_init__()
        check.one_of(("share", "apart"), duplicates=self.duplicates)
        check.at_least(2, batch_size=self.batch_size)

    def condition_dim(self, problem: CompositionalDesign) -> int:
        """Return 0: nothing is asked for."""
        return 0

    def requests(self, problem: CompositionalDesign, state: GFlowNetState, n: int) -> Request:
        """Return n requests for nothing in particular: equal weights."""
        return _nothing(n, problem)

    def measured(self, problem: CompositionalDesign) -> Request:
        """Return one request."""
        return _nothing(1, problem)

    def loss(self, flows: Flows, request: Request, gains: Tensor) -> Tensor:
        """Return the criterion's order-preserving loss."""
        criterion = self.criterion
        assert isinstance(criterion, Criterion)
        flows = dataclasses.replace(flows, log_z=flows.log_z.detach())  # its gradient is rounding, which Adam magnifies
        dtype = flows.row.dtype
        if gains.shape[1] == 1:
            partner = torch.roll(torch.arange(len(gains), device=gains.device), 1)  # a batch comes in random order
            reward = gains[:, 0].clamp_min(1e-30).log()
            return criterion.order(flows, lambda learned: pairwise_order(learned, reward, partner))
        same = None
        if self.duplicates == "share":
            _, number, counts = torch.unique(flows.trajectories.last, dim=0, return_inverse=True, return_counts=True)
            same = counts[number]
        targets = pareto_targets(gains, same).to(dtype)
        return criterion.order(flows, lambda learned: pareto_order(learned, targets, same))

    def draw(self, problem: Problem, state: GFlowNetState, *, n: int, rng: Rng) -> Tensor:
        """Return n objects `[n, d]` of the sampler."""
        design = design_of(problem)
        return self.sampled(design, state, _nothing(n, design), rng)


def _nothing(n: int, problem: CompositionalDesign) -> Request:
    m = problem.n_objectives
    ones = torch.ones(n, dtype=torch.float64, device=problem.device)
    return Request(ones.unsqueeze(1).expand(n, m) / m, ones)
