"""The one sampler: rolls a policy out on any design environment, forwards or backwards, without reading anything back.

Trajectories are padded to the environment's longest, so that the number of operations depends on no data.
"""

from __future__ import annotations

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.problems.design._environment import NOTHING
from paretokit.solvers.gflownet._policy import Afresh, FlowModel, masked_log_softmax
from paretokit.solvers.gflownet._trajectories import Trajectories


def entry(cumulative: Tensor, mask: Tensor, u: Tensor) -> Tensor:
    """Return the legal entry `[n]` at which each cumulative distribution `[n, A]` exceeds u in [0, 1).

    `NOTHING` for rows without a legal entry.
    """
    chosen = (cumulative <= u.unsqueeze(-1) * cumulative[:, -1:]).sum(-1)
    last = mask.shape[-1] - 1 - mask.flip(-1).to(torch.int8).argmax(-1)
    return torch.where(mask.any(-1), torch.minimum(chosen, last), NOTHING)


def drawn(probabilities: Tensor, mask: Tensor, u: Tensor) -> Tensor:
    """Return the legal entry `[n]` that u in [0, 1) draws from each distribution `[n, A]`, or `NOTHING`."""
    return entry(probabilities.cumsum(-1), mask, u)


def explored(log_probabilities: Tensor, mask: Tensor, epsilon: float) -> Tensor:
    r"""Return :math:`(1-\epsilon)\,\pi + \epsilon / |A(s)|`, the policy mixed with the uniform one over actions."""
    policy = torch.where(mask, log_probabilities.exp(), 0)
    if epsilon == 0:
        return policy
    return (1 - epsilon) * policy + epsilon * mask.to(policy) / mask.sum(-1, keepdim=True).clamp_min(1)


@torch.no_grad()
def sample(
    model: FlowModel,
    row: Tensor,
    condition: Tensor | None,
    *,
    n: int,
    rng: Rng,
    epsilon: float = 0.0,
    start: Tensor | None = None,
) -> Trajectories:
    """Return n trajectories of the policy of a row `[D]`, each under its condition.

    Args:
        model: The flow model.
        row: Its parameters.
        condition: `[n, c]`, or None.
        n: How many.
        rng: Source of all choices: number ``step, trajectory`` of one block, so padding changes nothing.
        epsilon: Probability of a uniform legal action instead of the policy's.
        start: Where to begin `[n, k]`; the environment's start unless given. Each state is then read anew.

    Cost: `max_steps` evaluations of n states.
    """
    env, device = model.environment, row.device
    states = env.start(n, device) if start is None else start
    walker = model.walker(row, condition) if start is None else Afresh(model, row, condition)
    u = rng.uniform(env.max_steps, n, device=device).to(row.dtype)
    path, actions, backward = [states], [], []
    for step in range(env.max_steps):
        mask = env.mask(states)
        policy = masked_log_softmax(walker.logits(states, step), mask)
        action = drawn(explored(policy, mask, epsilon), mask, u[step])
        states, undone = env.advance(states, action)
        backward.append(undone)
        path.append(states)
        actions.append(action)
    return Trajectories(torch.stack(path), torch.stack(actions), torch.stack(backward), condition)


@torch.no_grad()
def retrace(model: FlowModel, row: Tensor, condition: Tensor | None, *, finished: Tensor, rng: Rng) -> Trajectories:
    """Return trajectories that end in given finished states `[n, k]`, drawn backwards from the backward policy.

    Cost: `max_steps` backward moves of n states, with network evaluations where the backward policy is learned.
    """
    env, device = model.environment, row.device
    n, states = len(finished), finished
    u = rng.uniform(env.max_steps, n, device=device).to(row.dtype)
    path, actions, backward = [states], [], []
    for step in range(env.max_steps):
        mask = env.backward_mask(states)
        log_policy = backward_log_policy(model, row, states, condition)
        move = drawn(explored(log_policy, mask, 0.0), mask, u[step])
        actions.append(env.redoing(states, move))
        states = env.back(states, move)
        path.append(states)
        backward.append(move)
    return _aligned(path[::-1], actions[::-1], backward[::-1], condition)


def backward_log_policy(model: FlowModel, row: Tensor, states: Tensor, condition: Tensor | None) -> Tensor:
    """Return log-probabilities of backward actions `[n, B]`: the model's where it learns them, else uniform."""
    mask = model.environment.backward_mask(states)
    if model.backward:
        logits = model.outputs(row, states, condition).backward
        assert logits is not None
        return masked_log_softmax(logits, mask)
    return masked_log_softmax(torch.zeros(mask.shape, dtype=row.dtype, device=row.device), mask)


def _aligned(
    path: list[Tensor], actions: list[Tensor], backward: list[Tensor], condition: Tensor | None
) -> Trajectories:
    """Return trajectories whose padding is at the end, from ones that are padded at the begin."""
    states, moves, undone = torch.stack(path), torch.stack(actions), torch.stack(backward)
    idle = (moves == NOTHING).sum(0)
    steps = torch.arange(len(states), device=states.device).unsqueeze(1)
    at = (steps + idle).clamp_max(len(states) - 1)
    states = states.gather(0, at.unsqueeze(-1).expand_as(states))
    beyond = steps[:-1] + idle >= len(moves)
    at = at[:-1].clamp_max(len(moves) - 1)
    moves = torch.where(beyond, NOTHING, moves.gather(0, at))
    undone = torch.where(beyond, NOTHING, undone.gather(0, at))
    return Trajectories(states, moves, undone, condition)
