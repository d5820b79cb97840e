"""How much flows into and out of the states on given trajectories, for networks whose logits are log edge flows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from paretokit.solvers.gflownet._policy import FlowModel
from paretokit.solvers.gflownet._scores import Reader, reader
from paretokit.solvers.gflownet._trajectories import Trajectories


@dataclass(frozen=True)
class EdgeFlows:
    r"""Log flows along n trajectories under the present parameters, with gradients; 0 where nothing happens.

    Attributes:
        inflow: :math:`\log \sum_{s \to s_{t+1}} F(s \to s_{t+1})` of the states after each action `[T, n]`.
        outflow: :math:`\log \sum_{s_t \to s'} F(s_t \to s')` of the states before each action `[T, n]`.
        moved: Where there is an action, bool `[T, n]`.
    """

    inflow: Tensor
    outflow: Tensor
    moved: Tensor


def log_sum(logits: Tensor, mask: Tensor) -> Tensor:
    """Return the log of the sum of exponentials `[...]` of legal entries `[..., A]`; 0 where none is, no gradient."""
    some = mask.any(-1, keepdim=True)
    legal = torch.where(mask, logits, -torch.inf)
    return torch.where(some, legal, 0).logsumexp(-1) * some.squeeze(-1)


def edge_flows(model: FlowModel, row: Tensor, trajectories: Trajectories, *, read: Reader | None = None) -> EdgeFlows:
    """Return the flows along trajectories under the parameters `row [D]`, through `read` where it is cheaper.

    Cost: one evaluation of each state on the way and one of each of its parents, B + 1 in all, in one batch each.
    """
    env, moved = model.environment, trajectories.moved
    at, who = moved.nonzero().unbind(1)
    read = read or reader(model, row, trajectories.condition)
    here, there = trajectories.states[at, who], trajectories.states[at + 1, who]
    outflow = log_sum(read(here, who).forward, env.mask(here))
    has = env.backward_mask(there)
    owner, backward = has.nonzero().unbind(1)
    child = there[owner]
    parents, actions = env.back(child, backward), env.redoing(child, backward)
    flows = read(parents, who[owner]).forward
    entering = flows.gather(1, actions.unsqueeze(1)).squeeze(1)
    edges = torch.zeros(has.shape, dtype=row.dtype, device=row.device).index_put((owner, backward), entering)
    inflow = log_sum(edges, has)
    blank = torch.zeros(moved.shape, dtype=row.dtype, device=row.device)
    return EdgeFlows(blank.index_put((at, who), inflow), blank.index_put((at, who), outflow), moved)
