"""The update in stacked torch with automatic differentiation: any device, float32 or float64."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from paretokit.solvers.morl._ppo_update import Barrier, Batch, Networks, PPOSettings


def distribution(networks: Networks, observations: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
    """Return log-probabilities of actions `[P, n]` (densities of Gaussian heads) and entropies `[P, n]`.

    Args:
        networks: Whose actors.
        observations: `[P, n, o]`.
        actions: int64 `[P, n]`, or raw Gaussian actions `[P, n, k]`.
    """
    return _distribution(networks, networks.actor_rows, observations, actions)


def _distribution(networks: Networks, rows: Tensor, observations: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
    outputs = networks.actor(rows, observations)
    if networks.head == "categorical":
        logs = torch.log_softmax(outputs, -1)
        entropy = -(logs.exp() * logs).sum(-1)
        return logs.gather(-1, actions.unsqueeze(-1)).squeeze(-1), entropy
    log_std = rows[:, networks.actor.n_parameters :].unsqueeze(1)
    deviate = (actions - outputs) * torch.exp(-log_std)
    log_prob = (-0.5 * deviate.square() - log_std - 0.5 * math.log(2 * math.pi)).sum(-1)
    entropy = (log_std + 0.5 + 0.5 * math.log(2 * math.pi)).sum(-1)
    return log_prob, entropy.expand_as(log_prob)


def linearized_log(x: Tensor, margin: Tensor) -> Tensor:
    """Return the logarithm, continued below `margin` by its tangent there."""
    inside = torch.maximum(x, margin).log()
    return inside + torch.minimum(x - margin, torch.zeros_like(x)) / margin


def barrier_term(barrier: Barrier, ratio: Tensor, advantages: Tensor) -> Tensor:
    """Return the weighted sum of logarithms of the slacks `[P]` for ratios `[P, n]` and advantages `[P, n, m]`."""
    moved = ((ratio - 1).unsqueeze(-1) * advantages).mean(1)
    return (barrier.weight * linearized_log(barrier.slack + barrier.gain * moved, barrier.margin)).sum(-1)


def losses(
    batch: Batch, networks: Networks, settings: PPOSettings, *, rows: tuple[Tensor, Tensor], part: Tensor
) -> tuple[Tensor, Tensor]:
    """Return each member's loss `[P]` on some of its rows, and what is reported of it `[P, 6]`.

    Args:
        batch: All rows.
        networks: Shapes and head.
        settings: Common to all members.
        rows: Parameters of actors and critics.
        part: Numbers of the rows `[P, n]`.
    """
    own = torch.arange(len(part), device=part.device).unsqueeze(1)
    seen, advantage, old = batch.observations[own, part], batch.advantage[own, part], batch.values[own, part]
    log_prob, entropies = _distribution(networks, rows[0], seen, batch.actions[own, part])
    shift = log_prob - batch.log_probs[own, part]
    ratio, c = shift.exp(), settings.clip
    policy = -torch.minimum(ratio * advantage, ratio.clamp(1 - c, 1 + c) * advantage).mean(1)
    entropy = entropies.mean(1)

    value, target = networks.critic(rows[1], seen), batch.targets[own, part]
    near = old + (value - old).clamp(-settings.value_clip, settings.value_clip)
    worst = torch.maximum((value - target).square(), (near - target).square())
    critic = 0.5 * worst.mean((1, 2))

    loss = policy - settings.entropy_coef * entropy + settings.value_coef * critic
    barrier = torch.zeros_like(loss)
    if batch.barrier is not None and batch.advantages is not None:
        barrier = barrier_term(batch.barrier, ratio, batch.advantages[own, part])
        loss = loss - barrier
    with torch.no_grad():
        kl = (ratio - 1 - shift).mean(1)
        clipped = ((ratio - 1).abs() > c).to(loss.dtype).mean(1)
    return loss, torch.stack([policy, critic, entropy, kl, clipped, barrier], -1)


def gradients(
    batch: Batch, networks: Networks, settings: PPOSettings, *, part: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return gradients of actors `[P, Da]` and critics `[P, Dc]` on some rows, before clipping, and the report."""
    rows = networks.actor_rows.detach().requires_grad_(), networks.critic_rows.detach().requires_grad_()
    with torch.enable_grad():
        loss, report = losses(batch, networks, settings, rows=rows, part=part)
        actor, critic = torch.autograd.grad(loss.sum(), rows)
    return actor, critic, report.detach()


def update_plain(batch: Batch, networks: Networks, settings: PPOSettings, *, rates: tuple[Tensor, Tensor]) -> Tensor:
    """Do what `update` says and return its statistics as columns, float64 `[P, 7]`."""
    members, epochs, n = batch.permutations.shape
    total = torch.zeros(members, 7, dtype=torch.float64, device=networks.actor_rows.device)
    for epoch in range(epochs):
        for part in batch.permutations[:, epoch].split(n // settings.minibatches, 1):
            actor, critic, report = gradients(batch, networks, settings, part=part)
            norm = torch.cat([actor, critic], -1).norm(dim=-1, keepdim=True)
            scale = (settings.max_grad_norm / (norm + 1e-6)).clamp_max(1.0)
            settings.adam.step(networks.actor_rows, actor.mul_(scale), networks.actor_moments, rates[0])
            settings.adam.step(networks.critic_rows, critic.mul_(scale), networks.critic_moments, rates[1])
            total += torch.cat([report[:, :5], norm, report[:, 5:]], -1)
    return total / (epochs * settings.minibatches)
