"""Constrained policy optimization of a stack: one trust-region step a rollout, constraints by their surrogates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from paretokit.core._threads import kernel_threads, one_torch_thread
from paretokit.problems.morl._morl import MORL
from paretokit.solvers.morl._ppo import PPO, Floors, PPOState
from paretokit.solvers.morl._ppo_plain import distribution
from paretokit.solvers.morl._ppo_update import Batch, Networks, update
from paretokit.solvers.morl._trust_region import trust_region_step


@dataclass(frozen=True, kw_only=True)
class TrustRegion:
    """How large and how exact a step is.

    Attributes:
        radius: delta, the largest mean Kullback-Leibler divergence of a step.
        damping: Added to the Fisher matrix.
        iterations: Conjugate-gradient iterations.
        backtracks: Halvings of a step that breaks the region or a constraint, before it is given up.
    """

    radius: float = 0.01
    damping: float = 0.1
    iterations: int = 10
    backtracks: int = 10


def train_constrained(
    ppo: PPO, problem: MORL, state: PPOState, weights: Tensor, floors: Floors, region: TrustRegion
) -> PPOState:
    """Return the members after one rollout, a trust-region step of each actor, and the usual updates of the critics.

    Args:
        ppo: How rollouts are made and critics trained.
        problem: Whose environment.
        state: Changed in place.
        weights: Of the objectives that are maximized `[P, m]`.
        floors: Bounds of the other objectives; `sharpness` and `margin` are not read.
        region: The trust region.
    """
    with one_torch_thread(when=state.preference.device.type == "cpu"):  # small tensors, many operators
        data, batch = ppo.experience(problem, state, weights, floors)
        actor_step(batch, state.networks, weights, floors, region)
        own = replace(batch, advantage=torch.zeros_like(batch.advantage), barrier=None)
        kept = state.networks.actor_rows.clone()
        settings = replace(ppo.settings, entropy_coef=0.0)
        update(own, state.networks, settings, rate=ppo.learning_rate, threads=kernel_threads())
    state.networks.actor_rows.copy_(kept)
    state.spent.env_steps += batch.log_probs.numel()
    state.spent.gradient_steps += (1 + ppo.epochs * ppo.minibatches) * len(state.rngs)
    state.updates += 1
    if ppo.normalize_observations:
        state.observations.update(data.observations.flatten(1, 2))
    return state


def actor_step(batch: Batch, networks: Networks, weights: Tensor, floors: Floors, region: TrustRegion) -> Tensor:
    """Move the actors by one trust-region step, in place; return which members moved, bool `[P]`.

    A step is halved until it keeps the region and worsens no violated constraint and breaks no other, by the
    surrogates on all rows; one that never does is given up.
    """
    rows, raw = networks.actor_rows, batch.advantages
    assert raw is not None
    gain = floors.gain
    excess = (floors.floor - floors.value).to(rows.dtype)
    wanted = (raw * weights.to(raw).unsqueeze(1)).sum(-1)

    def surrogates(at: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return returns gained along the weights `[P]` and by each objective `[P, m]`, and the divergence `[P]`."""
        logs, _ = distribution(replace(networks, actor_rows=at), batch.observations, batch.actions)
        ratio = (logs - batch.log_probs).exp()
        moved = gain * ((ratio - 1).unsqueeze(-1) * raw).mean(1)
        return gain * ((ratio - 1) * wanted).mean(1), moved, (ratio - 1 - ratio.log()).mean(1)

    at = rows.detach().clone().requires_grad_()
    along, moved, _ = surrogates(at)
    parts = [along, *moved.unbind(-1)]
    gradients = torch.stack(
        [torch.autograd.grad(part.sum(), at, retain_graph=i + 1 < len(parts))[0] for i, part in enumerate(parts)], 1
    )
    product = fisher_product(batch, networks, region.damping)
    solved = torch.stack([conjugate_gradient(product, g, region.iterations) for g in gradients.unbind(1)], 1)
    step, recovers = trust_region_step(gradients[:, 0], gradients[:, 1:], excess, floors.active, region.radius, solved)
    scale, moved_yet = torch.ones(len(rows), 1, dtype=rows.dtype, device=rows.device), torch.zeros_like(recovers)
    limit = excess.clamp_min(0)
    for _ in range(region.backtracks):
        trial = rows + torch.where(moved_yet.unsqueeze(-1), 0.0, scale * step)
        with torch.no_grad():
            better, paid, divergence = surrogates(trial)
        kept = ((excess - paid <= limit + 1e-9) | ~floors.active).all(-1)
        fits = (divergence <= 1.5 * region.radius) & kept & (recovers | (better >= 0)) & torch.isfinite(divergence)
        new = fits & ~moved_yet
        rows.copy_(torch.where(new.unsqueeze(-1), trial, rows))
        moved_yet = moved_yet | fits
        if bool(moved_yet.all()):
            break
        scale = scale * 0.5
    return moved_yet


def fisher_product(batch: Batch, networks: Networks, damping: float) -> Callable[[Tensor], Tensor]:
    """Return the map from directions `[P, D]` to (F + damping I) times them, F the mean Fisher matrix of the actors."""
    at = networks.actor_rows.detach().clone().requires_grad_()
    outputs = networks.actor(at, batch.observations)
    if networks.head == "categorical":
        logs = torch.log_softmax(outputs, -1)
        old = logs.detach()
        divergence = (old.exp() * (old - logs)).sum(-1).mean(1)
    else:
        log_std = at[:, networks.actor.n_parameters :].unsqueeze(1)
        mean, spread = outputs.detach(), log_std.detach()
        scaled = ((2 * spread).exp() + (mean - outputs).square()) / (2 * (2 * log_std).exp())
        divergence = (log_std - spread + scaled - 0.5).sum(-1).mean(1)
    (slope,) = torch.autograd.grad(divergence.sum(), at, create_graph=True)

    def product(direction: Tensor) -> Tensor:
        (bent,) = torch.autograd.grad((slope * direction).sum(), at, retain_graph=True)
        return bent + damping * direction

    return product


def conjugate_gradient(product: Callable[[Tensor], Tensor], target: Tensor, iterations: int) -> Tensor:
    """Return the solutions x `[P, D]` of A x = `target` of P symmetric positive systems (Hestenes and Stiefel 1952)."""
    x, residual = torch.zeros_like(target), target.clone()
    direction, norm = residual.clone(), residual.square().sum(-1, keepdim=True)
    for _ in range(iterations):
        image = product(direction)
        length = norm / (direction * image).sum(-1, keepdim=True).clamp_min(1e-20)
        x = x + length * direction
        residual = residual - length * image
        new = residual.square().sum(-1, keepdim=True)
        direction, norm = residual + new / norm.clamp_min(1e-20) * direction, new
    return x
