"""Generalized advantage estimation, one estimate an objective."""

from __future__ import annotations

import torch
from torch import Tensor

from paretokit.core import _check as check


def gae(
    rewards: Tensor,
    values: Tensor,
    successors: Tensor,
    *,
    terminated: Tensor,
    truncated: Tensor,
    discount: float,
    lam: float,
) -> Tensor:
    r"""Return advantages `[P, T, N, m]`; a time limit is bootstrapped, a terminal state is not.

    .. math:: \delta_t = r_t + \gamma\, [\text{not terminated}_t]\, V(s'_t) - V(s_t), \quad
              A_t = \delta_t + \gamma \lambda\, [\text{not ended}_t]\, A_{t+1}

    with s'_t the state after step t and before any reset, and A = 0 beyond the last step.

    Args:
        rewards: `[P, T, N, m]`.
        values: V of what the policy saw in each step `[P, T, N, m]`, in reward units.
        successors: V of each step's successor `[P, T, N, m]` (equal to the next step's value where no episode ended).
        terminated: Whether the environment ended the episode, bool `[P, T, N]`.
        truncated: Whether the time limit did, bool `[P, T, N]`.
        discount: gamma.
        lam: lambda; 0 gives one-step errors, 1 gives returns minus values.

    Raises:
        ShapeError: If shapes differ.

    Schulman, Moritz, Levine, Jordan and Abbeel (ICLR 2016).
    """
    for name, tensor in (("values", values), ("successors", successors)):
        check.shape(tensor.shape == rewards.shape, name, f"have shape {tuple(rewards.shape)}", tuple(tensor.shape))
    for name, tensor in (("terminated", terminated), ("truncated", truncated)):
        due = tuple(rewards.shape[:-1])
        check.shape(tuple(tensor.shape) == due, name, f"have shape {due}", tuple(tensor.shape))
    check.probability(discount=discount, lam=lam)
    return gae_plain(
        rewards, values, successors, terminated=terminated, truncated=truncated, discount=discount, lam=lam
    )


def gae_plain(
    rewards: Tensor,
    values: Tensor,
    successors: Tensor,
    *,
    terminated: Tensor,
    truncated: Tensor,
    discount: float,
    lam: float,
) -> Tensor:
    """Return what `gae` says, on any device."""
    follows = torch.where(terminated.unsqueeze(-1), 0.0, successors)
    delta = rewards + discount * follows - values
    decay = torch.where(terminated | truncated, 0.0, discount * lam).to(delta.dtype).unsqueeze(-1)
    out = torch.empty_like(delta)
    running = torch.zeros_like(delta[:, 0])
    for t in range(delta.shape[1] - 1, -1, -1):
        running = delta[:, t] + decay[:, t] * running
        out[:, t] = running
    return out
