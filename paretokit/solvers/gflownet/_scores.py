"""What a model says of given trajectories: the numbers that every criterion is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from paretokit.solvers.gflownet._policy import FlowModel, Outputs, masked_log_softmax
from paretokit.solvers.gflownet._trajectories import Trajectories

Reader = Callable[[Tensor, Tensor], Outputs]
"""From states `[M, k]` and the trajectories `[M]` under whose conditions they stand to a model's outputs."""


@dataclass(frozen=True)
class Scores:
    r"""Log-probabilities along n trajectories under the present parameters, with gradients; 0 where nothing happens.

    Attributes:
        forward: :math:`\log P_F(s_{t+1} \mid s_t)` `[T, n]`.
        backward: :math:`\log P_B(s_t \mid s_{t+1})` `[T, n]`.
        log_flow: :math:`\log F(s_t)` of the states before each action `[T, n]`.
        moved: Where there is an action, bool `[T, n]`.
    """

    forward: Tensor
    backward: Tensor
    log_flow: Tensor
    moved: Tensor

    @property
    def balance(self) -> Tensor:
        r"""Sum of :math:`\log P_F - \log P_B` along each trajectory `[n]`."""
        return (self.forward - self.backward).sum(0)


def scores(model: FlowModel, row: Tensor, trajectories: Trajectories, *, read: Reader | None = None) -> Scores:
    """Return the scores of trajectories under the parameters `row [D]`.

    Args:
        model: The flow model.
        row: Its parameters.
        trajectories: n of them.
        read: A cheaper way to the model's outputs.

    Cost: one evaluation of each state on the way, in one batch.
    """
    whole = _whole(model, row, trajectories)
    if whole is not None:
        return whole
    moved = trajectories.moved
    at, who = moved.nonzero().unbind(1)
    visited = _visited(model, trajectories, at, who, read or reader(model, row, trajectories.condition))
    blank = torch.zeros(moved.shape, dtype=row.dtype, device=row.device)
    spread = [blank.index_put((at, who), v) for v in visited]
    return Scores(spread[0], spread[1], spread[2], moved)


def balance(model: FlowModel, row: Tensor, trajectories: Trajectories, *, read: Reader | None = None) -> Tensor:
    """Return `Scores.balance` `[n]` alone, as `scores` would."""
    whole = _whole(model, row, trajectories)
    if whole is not None:
        return whole.balance
    at, who = trajectories.moved.nonzero().unbind(1)
    forward, backward, _ = _visited(model, trajectories, at, who, read or reader(model, row, trajectories.condition))
    blank = torch.zeros(len(trajectories), dtype=row.dtype, device=row.device)
    return blank.index_add(0, who, forward - backward)


def _whole(model: FlowModel, row: Tensor, trajectories: Trajectories) -> Scores | None:
    """Return the scores from one pass along the trajectories, where the model has one."""
    env, moved, states = model.environment, trajectories.moved, trajectories.states
    outputs = model.along(row, states, trajectories.condition)
    if outputs is None:
        return None
    steps, n = moved.shape
    mask = env.mask(states[:-1].flatten(0, 1)).view(steps, n, -1)
    forward = _taken(masked_log_softmax(outputs.forward[:-1], mask), trajectories.actions, moved)
    parents = env.backward_mask(states[1:].flatten(0, 1)).view(steps, n, -1)
    blank = torch.zeros(parents.shape, dtype=row.dtype, device=row.device)
    back = blank if outputs.backward is None else outputs.backward[1:]
    backward = _taken(masked_log_softmax(back, parents), trajectories.backward, moved)
    return Scores(forward, backward, torch.where(moved, outputs.log_flow[:-1], 0), moved)


def reader(model: FlowModel, row: Tensor, condition: Tensor | None) -> Reader:
    """Return the model's outputs of states `[M, k]`, each under the condition of a trajectory `[M]`."""
    return lambda states, who: model.outputs(row, states, None if condition is None else condition[who])


def _visited(
    model: FlowModel, trajectories: Trajectories, at: Tensor, who: Tensor, read: Reader
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what `Scores` holds of the moves ``at, who`` `[M]`."""
    env = model.environment
    here, there = trajectories.states[at, who], trajectories.states[at + 1, who]
    out = read(here, who)
    log_policy = masked_log_softmax(out.forward, env.mask(here))
    forward = log_policy.gather(1, trajectories.actions[at, who].unsqueeze(1)).squeeze(1)
    parents = env.backward_mask(there)
    if not model.backward:
        return forward, -parents.sum(-1).to(forward.dtype).log(), out.log_flow
    logits = read(there, who).backward
    assert logits is not None
    log_back = masked_log_softmax(logits, parents)
    return forward, log_back.gather(1, trajectories.backward[at, who].unsqueeze(1)).squeeze(1), out.log_flow


def _taken(log_policy: Tensor, actions: Tensor, moved: Tensor) -> Tensor:
    chosen = log_policy.gather(-1, actions.clamp_min(0).unsqueeze(-1)).squeeze(-1)
    return torch.where(moved, chosen, 0)
