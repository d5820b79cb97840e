"""The one rollout loop of the package: PPO, SAC, EUPG, tabular learners and evaluation all step through it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from paretokit.core import InputError, Lanes
from paretokit.problems.morl._environment import Environment
from paretokit.problems.morl._live import Live


@dataclass
class Stand:
    """Where every lane stands.

    Attributes:
        state: The environment's state `[P, N, s]`, or live environments.
        elapsed: Steps made in the current episode, int64 `[P, N]`.
        accrued: Discounted reward of the current episode so far, float64 `[P, N, m]`.
    """

    state: Tensor | Live
    elapsed: Tensor
    accrued: Tensor


@dataclass
class Step:
    """What one step of all lanes gave, as a recorder sees it.

    Attributes:
        observation: What the policy saw `[P, N, o]`.
        action: What it did `[P, N]` or `[P, N, k]`.
        reward: `[P, N, m]`, float64.
        terminated: The episode ended, nothing follows: bool `[P, N]`.
        truncated: The time limit cut the episode: bool `[P, N]`.
        successor: Observation after the step, before any reset `[P, N, o]`.
        before: Steps made in the episode before this one, int64 `[P, N]`.
        accrued: Discounted reward of the episode before this step, float64 `[P, N, m]`.
    """

    observation: Tensor
    action: Tensor
    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    successor: Tensor
    before: Tensor
    accrued: Tensor


class Act(Protocol):
    """How a stack of policies acts."""

    def __call__(self, observation: Tensor, accrued: Tensor, t: int) -> Tensor:
        """Return actions `[P, N]` or `[P, N, k]` in step t for observations `[P, N, o]` and accrued `[P, N, m]`."""
        ...


def begin(environment: Environment, lanes: Lanes, n: int, device: torch.device | str = "cpu") -> Stand:
    """Return N fresh lanes a member, each member's drawn from its own source."""
    noise = lanes.uniform(n, environment.reset_noise, device=device)
    elapsed = torch.zeros(len(lanes), n, dtype=torch.int64, device=device)
    accrued = torch.zeros(len(lanes), n, environment.n_objectives, dtype=torch.float64, device=device)
    return Stand(environment.initial(noise), elapsed, accrued)


def noise_of(environment: Environment, lanes: Lanes, steps: int, n: int, device: torch.device | str = "cpu") -> Tensor:
    """Return the noise `[P, steps, N, k]` of one call of `rollout`, each member's from its own source."""
    return lanes.uniform(steps, n, environment.step_noise + environment.reset_noise, device=device)


def rollout(
    environment: Environment,
    stand: Stand,
    act: Act,
    *,
    steps: int,
    noise: Tensor,
    horizon: int | None,
    discount: float,
    record: Callable[[int, Step], bool | None],
    restart: bool = True,
) -> Stand:
    """Return where the lanes stand after some steps; `record(t, step)` sees each, and a true answer ends the loop.

    Args:
        environment: What is stepped.
        stand: Where the lanes stand; it is not changed.
        act: The policies.
        steps: How many.
        noise: Uniform numbers `[P, steps, N, step_noise + reset_noise]` of this call (see `noise_of`).
        horizon: Time limit of an episode, or None.
        discount: Of `accrued`.
        record: Called after each step.
        restart: Whether ended episodes begin anew; else their lanes run on and `record` must not count them.

    Raises:
        InputError: If the environment answers with an observation or a reward that is not a number.
    """
    state, elapsed, accrued = stand.state, stand.elapsed, stand.accrued
    k_step = environment.step_noise
    observation = environment.observe(state)
    gains = discount ** elapsed.to(torch.float64)
    for t in range(steps):
        action = act(observation, accrued, t)
        move = environment.step(state, action, noise[:, t, :, :k_step])
        state, before = move.state, elapsed
        successor = environment.observe(state)
        elapsed = elapsed + 1
        truncated = torch.zeros_like(move.terminated) if horizon is None else elapsed >= horizon
        step = Step(observation, action, move.reward, move.terminated, truncated, successor, before, accrued)
        accrued = accrued + gains.unsqueeze(-1) * move.reward
        gains = gains * discount
        if record(t, step):
            break
        observation = successor
        if restart:
            ended = move.terminated | truncated
            if bool(ended.any()):
                state = environment.reset(state, ended, noise[:, t, :, k_step:])
                observation = environment.observe(state)
                elapsed = elapsed.masked_fill(ended, 0)
                accrued = accrued.masked_fill(ended.unsqueeze(-1), 0.0)
                gains = gains.masked_fill(ended, 1.0)
    return Stand(state, elapsed, accrued)


def returns(
    environment: Environment,
    act: Act,
    *,
    members: int,
    lanes: Lanes,
    horizon: int,
    discount: float,
    device: torch.device | str = "cpu",
) -> tuple[Tensor, Tensor]:
    """Return discounted returns `[P, E, m]` and lengths `[P, E]` of one episode an evaluation seed.

    Every member meets the same E episodes (common random numbers).

    Args:
        environment: What is stepped.
        act: The P policies.
        members: P.
        lanes: One source an episode, E of them.
        horizon: Time limit.
        discount: Of the returns.
        device: Where.
    """
    m, count = environment.n_objectives, len(lanes)
    total = torch.zeros(members, count, m, dtype=torch.float64, device=device)
    length = torch.zeros(members, count, dtype=torch.int64, device=device)
    alive = torch.ones(members, count, dtype=torch.bool, device=device)

    def record(t: int, step: Step) -> bool:  # noqa: ARG001 - the loop's signature
        # Compares instead of multiplying: lanes that have ended may hold anything.
        nonlocal alive, total, length
        gain = discount ** step.before.to(torch.float64)
        paid = gain.unsqueeze(-1) * step.reward
        total = total + torch.where(alive.unsqueeze(-1), paid, 0.0)
        length = length + alive
        alive = alive & ~(step.terminated | step.truncated)
        return not bool(alive.any())

    own = lanes.child("reset").uniform(environment.reset_noise, device=device)
    state = environment.initial(own.expand(members, *own.shape).contiguous())
    stand = Stand(state, torch.zeros_like(length), torch.zeros_like(total))
    noise = lanes.child("steps").uniform(horizon, environment.step_noise, device=device)
    rollout(
        environment,
        stand,
        act,
        steps=horizon,
        noise=noise.transpose(0, 1).expand(members, horizon, *noise.shape[::2]),
        horizon=horizon,
        discount=discount,
        record=record,
        restart=False,
    )
    return total, length


def require_finite(step: Step, t: int, environment: Environment) -> None:
    """Raise naming the step unless observations and rewards are numbers."""
    for name, tensor in (("observation", step.successor), ("reward", step.reward)):
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(f"`{name}` of {environment.id} must be finite; got NaN or infinity in step {t}")
