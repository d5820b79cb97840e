"""What a model says of given trajectories: the numbers that every criterion is made of."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from paretokit.solvers.gflownet._policy import FlowModel, Outputs, masked_log_softmax
from paretokit.solvers.gflownet._trajectories import Trajectories


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


def scores(model: FlowModel, row: Tensor, trajectories: Trajectories) -> Scores:
    """Return the scores of trajectories under the parameters `row [D]`.

    Cost: one evaluation of each state on the way, in one batch.
    """
    env, moved = model.environment, trajectories.moved
    states = trajectories.states
    outputs = model.along(row, states, trajectories.condition)
    if outputs is not None:
        before = Outputs(outputs.forward[:-1], None, outputs.log_flow[:-1])
        steps, n = moved.shape
        mask = env.mask(states[:-1].flatten(0, 1)).view(steps, n, -1)
        log_policy = masked_log_softmax(before.forward, mask)
        forward = _taken(log_policy, trajectories.actions, moved)
        parents = env.backward_mask(states[1:].flatten(0, 1)).view(steps, n, -1)
        blank = torch.zeros(parents.shape, dtype=row.dtype, device=row.device)
        back = blank if outputs.backward is None else outputs.backward[1:]
        backward = _taken(masked_log_softmax(back, parents), trajectories.backward, moved)
        return Scores(forward, backward, torch.where(moved, before.log_flow, 0), moved)
    at, who = moved.nonzero().unbind(1)
    condition = None if trajectories.condition is None else trajectories.condition[who]
    here, there = states[at, who], states[at + 1, who]
    out = model.outputs(row, here, condition)
    log_policy = masked_log_softmax(out.forward, env.mask(here))
    forward = log_policy.gather(1, trajectories.actions[at, who].unsqueeze(1)).squeeze(1)
    parents = env.backward_mask(there)
    if model.backward:
        logits = model.outputs(row, there, condition).backward
        assert logits is not None
    else:
        logits = torch.zeros(parents.shape, dtype=row.dtype, device=row.device)
    log_back = masked_log_softmax(logits, parents)
    backward = log_back.gather(1, trajectories.backward[at, who].unsqueeze(1)).squeeze(1)
    blank = torch.zeros(moved.shape, dtype=row.dtype, device=row.device)
    spread = [blank.index_put((at, who), v) for v in (forward, backward, out.log_flow)]
    return Scores(spread[0], spread[1], spread[2], moved)


def _taken(log_policy: Tensor, actions: Tensor, moved: Tensor) -> Tensor:
    chosen = log_policy.gather(-1, actions.clamp_min(0).unsqueeze(-1)).squeeze(-1)
    return torch.where(moved, chosen, 0)
