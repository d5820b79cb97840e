"""On-policy data of a stack: what P policies did in N lanes for T steps, and what their critics say of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from paretokit.core import Lanes
from paretokit.nn import Moments
from paretokit.problems.morl._environment import Environment
from paretokit.problems.morl._network import NetworkWiring
from paretokit.problems.morl._rollout import Stand, Step, noise_of, require_finite, rollout


@dataclass
class Trajectories:
    """T steps of N lanes of P policies.

    Attributes:
        observations: As the environment gave them `[P, T, N, o]`.
        inputs: What the networks saw `[P, T, N, i]`, normalized.
        successors: What they would see next, before any reset `[P, T, N, i]`.
        actions: Raw actions `[P, T, N]` (int64) or `[P, T, N, k]`.
        rewards: `[P, T, N, m]`, raw.
        terminated, truncated: bool `[P, T, N]`.
    """

    observations: Tensor
    inputs: Tensor
    successors: Tensor
    actions: Tensor
    rewards: Tensor
    terminated: Tensor
    truncated: Tensor


def collect(
    environment: Environment,
    stand: Stand,
    wiring: NetworkWiring,
    rows: Tensor,
    *,
    steps: int,
    lanes: Lanes,
    horizon: int,
    discount: float,
) -> tuple[Trajectories, Stand]:
    """Return T sampled steps of every lane, and where the lanes then stand.

    Args:
        environment: What is stepped.
        stand: Where the lanes stand `[P, N, ...]`.
        wiring: How rows act.
        rows: Policies `[P, d]`.
        steps: T.
        lanes: Where this call's numbers come from.
        horizon: Time limit of an episode.
        discount: Of the accrued reward.

    Raises:
        InputError: If an observation or a reward is not finite; the message names the step.
    """
    members, n = stand.elapsed.shape
    noise = noise_of(environment, lanes.child("environment"), steps, n, rows.device)
    deviates = wiring.deviates(lanes.child("actions"), steps, n, rows.device)
    body, log_std = wiring.mlp.layers(rows[:, : wiring.n_body]), rows[:, wiring.n_body : wiring.n_parameters]
    spread = log_std.exp().unsqueeze(1)
    i, m = wiring.mlp.sizes[0], environment.n_objectives
    o = environment.observation_dim
    out = Trajectories(
        observations=torch.empty(members, steps, n, o, device=rows.device),
        inputs=rows.new_empty(members, steps, n, i),
        successors=rows.new_empty(members, steps, n, i),
        actions=wiring.empty_actions(members, steps, n, rows),
        rewards=torch.empty(members, steps, n, m, dtype=torch.float64, device=rows.device),
        terminated=torch.empty(members, steps, n, dtype=torch.bool, device=rows.device),
        truncated=torch.empty(members, steps, n, dtype=torch.bool, device=rows.device),
    )

    def act(observation: Tensor, accrued: Tensor, t: int) -> Tensor:
        seen = wiring.inputs(rows, observation, accrued)
        raw = wiring.draw(wiring.mlp.forward(body, seen), spread, deviates[:, t])
        out.inputs[:, t], out.actions[:, t] = seen, raw
        return wiring.applied(raw)

    def record(t: int, step: Step) -> None:
        out.observations[:, t] = step.observation
        out.rewards[:, t], out.terminated[:, t], out.truncated[:, t] = step.reward, step.terminated, step.truncated
        # What follows inside an episode is the next input; only ends need their own.
        out.successors[:, t] = wiring.inputs(rows, step.successor, step.accrued) if ends(step, t) else 0.0

    def ends(step: Step, t: int) -> bool:
        return t == steps - 1 or bool(step.truncated.any())

    with torch.no_grad():
        stand = rollout(
            environment, stand, act, steps=steps, noise=noise, horizon=horizon, discount=discount, record=record
        )
    cut = out.truncated.clone()
    cut[:, -1] = True
    out.successors[:, :-1] = torch.where(cut[:, :-1].unsqueeze(-1), out.successors[:, :-1], out.inputs[:, 1:])
    if not bool(torch.isfinite(out.rewards).all() & torch.isfinite(out.inputs).all()):
        _name_the_step(out, environment)
    return out, stand


def _name_the_step(out: Trajectories, environment: Environment) -> None:
    for t in range(out.rewards.shape[1]):
        one = Step(*(out.inputs[:, t], out.actions[:, t], out.rewards[:, t]), *(out.terminated[:, t],) * 2,
                   out.inputs[:, t], out.rewards[:, t], out.rewards[:, t])  # fmt: skip
        require_finite(one, t, environment)


@dataclass
class RewardScale:
    """Scales each member's rewards by the spread of its discounted returns, in training only.

    Attributes:
        running: Discounted return so far of each lane `[P, N, m]`, float64.
        moments: Of those returns.
    """

    running: Tensor
    moments: Moments

    @classmethod
    def start(cls, members: int, n: int, m: int, device: torch.device | str = "cpu") -> RewardScale:
        """Return the scale before any reward."""
        running = torch.zeros(members, n, m, dtype=torch.float64, device=device)
        return cls(running, Moments.start(members, m, device))

    def update(self, data: Trajectories, discount: float) -> None:
        """Take in the rewards of a rollout, in place."""
        seen = torch.empty_like(data.rewards)
        running = self.running
        ended = (data.terminated | data.truncated).unsqueeze(-1)
        for t in range(data.rewards.shape[1]):
            running = running * discount + data.rewards[:, t]
            seen[:, t] = running
            running = running.masked_fill(ended[:, t], 0.0)
        self.running = running
        self.moments.update(seen.flatten(1, 2))

    @property
    def unit(self) -> Tensor:
        """Spread of the discounted returns `[P, m]`: what one normalized unit means in raw reward."""
        return (self.moments.variance + 1e-8).sqrt()

    def select(self, members: Tensor) -> RewardScale:
        """Return the scale of some members, copied."""
        return RewardScale(self.running[members].clone(), self.moments.select(members))
