"""Generalized advantage estimation, one estimate an objective."""

from __future__ import annotations

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.core._kernel import KernelModule

KERNELS = KernelModule("paretokit.solvers.morl._gae_kernels", compile_seconds=2.0)


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

    Returns:
        In the widest dtype of rewards and values. The compiled twin gives the same bits.

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
    rewards, values, successors = (t.to(_common(rewards, values, successors)) for t in (rewards, values, successors))
    out = torch.empty(rewards.shape, dtype=rewards.dtype, device=rewards.device)
    numbers = (discount, discount * lam)
    if rewards.device.type == "cpu" and rewards.dtype in (torch.float32, torch.float64) and KERNELS.worth():
        tensors = (rewards, values, successors, terminated, terminated | truncated)
        KERNELS.load().backwards(*(t.detach().contiguous().numpy() for t in tensors), *numbers, out.numpy())
    else:
        KERNELS.plain(gae_plain, rewards, values, successors, terminated, truncated, numbers, out)
    return out


def _common(*tensors: Tensor) -> torch.dtype:
    dtype = tensors[0].dtype
    for tensor in tensors[1:]:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return dtype


def gae_plain(
    rewards: Tensor,
    values: Tensor,
    successors: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    numbers: tuple[float, float],
    out: Tensor,
) -> None:
    """Fill `out` with what `gae` says, on any device; `numbers` are gamma and gamma * lambda."""
    discount, decay = numbers
    delta = rewards + discount * torch.where(terminated.unsqueeze(-1), 0.0, successors) - values
    ended = (terminated | truncated).unsqueeze(-1)
    running = torch.zeros_like(delta[:, 0])
    for t in range(delta.shape[1] - 1, -1, -1):
        running = delta[:, t] + decay * torch.where(ended[:, t], 0.0, running)
        out[:, t] = running
