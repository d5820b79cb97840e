"""An archive of policies from which training can go on: values, decision rows, critics, running statistics."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from paretokit.core import Evaluation, Front, Lanes, Problem, crowding_distance, non_dominated
from paretokit.nn import Moments
from paretokit.problems.morl._morl import MORL
from paretokit.problems.morl._rollout import begin
from paretokit.solvers.morl._collect import RewardScale
from paretokit.solvers.morl._improver import Spent
from paretokit.solvers.morl._ppo import PPO, PPOState


@dataclass
class Snapshots:
    """n policies with what continues them, buffers and optimizers left out.

    Attributes:
        values: Returns `[n, m]`, float64, larger better.
        stderr: Of the values `[n, m]`.
        rows: Decision rows `[n, d]`.
        actors, critics: Parameters as trained `[n, ...]`.
        means, variances, counts: Of the observations seen in training `[n, o]`, `[n, o]`, `[n]`.
        reward_means, reward_variances, reward_counts: Of the discounted returns seen in training.
        born: Environment steps that all members had made by then, int64 `[n]`.
    """

    values: Tensor
    stderr: Tensor
    rows: Tensor
    actors: Tensor
    critics: Tensor
    means: Tensor
    variances: Tensor
    counts: Tensor
    reward_means: Tensor
    reward_variances: Tensor
    reward_counts: Tensor
    born: Tensor

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def of(cls, state: PPOState, rows: Tensor, values: Tensor, stderr: Tensor) -> Snapshots:
        """Return copies of all members of a state whose policies were measured."""
        seen, paid = state.observations, state.rewards.moments
        made = cls(
            values=values.to(torch.float64),
            stderr=stderr.to(torch.float64),
            rows=rows,
            actors=state.networks.actor_rows,
            critics=state.networks.critic_rows,
            means=seen.mean,
            variances=seen.variance,
            counts=seen.count,
            reward_means=paid.mean,
            reward_variances=paid.variance,
            reward_counts=paid.count,
            born=torch.full((len(rows),), state.spent.env_steps, dtype=torch.int64, device=rows.device),
        )
        return made.select(torch.arange(len(rows), device=rows.device))

    def select(self, index: Tensor) -> Snapshots:
        """Return some of them, copied."""
        return Snapshots(**{f.name: getattr(self, f.name)[index].clone() for f in fields(self)})

    def join(self, others: Snapshots) -> Snapshots:
        """Return both, one below the other."""
        return Snapshots(**{f.name: torch.cat([getattr(self, f.name), getattr(others, f.name)]) for f in fields(self)})

    def pruned(self, capacity: int, reference_point: tuple[float, ...] | None) -> Snapshots:
        """Return the distinct non-dominated ones that are nowhere below the reference point.

        Beyond `capacity`, those with the largest crowding distance stay.
        """
        keep = torch.as_tensor(non_dominated(self.values, maximize=True, keep_duplicates=False))
        if reference_point is not None:
            floor = torch.tensor(reference_point, dtype=torch.float64, device=self.values.device)
            above = (self.values >= floor).all(-1)
            keep = keep & above if bool((keep & above).any()) else keep
        kept = self.select(keep.nonzero().flatten())
        if len(kept) <= capacity:
            return kept
        order = torch.argsort(kept.crowding(), descending=True, stable=True)[:capacity]
        return kept.select(order.sort().values)

    def crowding(self) -> Tensor:
        """Return crowding distances `[n]` (Deb et al. 2002); extremes are infinite."""
        return torch.as_tensor(crowding_distance(self.values, maximize=True))

    def resumed(self, ppo: PPO, problem: MORL, index: Tensor, lanes: Lanes) -> PPOState:
        """Return training states that go on from snapshots `index [P]` (repeats allowed), with fresh optimizers."""
        own, env = self.select(index), problem.env.to(problem.device)
        networks = ppo.networks(problem, own.actors, own.critics)
        n, m, device = ppo.n_envs, problem.n_objectives, problem.device
        scale = RewardScale.start(len(own), n, m, device)
        scale.moments = Moments(own.reward_means, own.reward_variances, own.reward_counts)
        return PPOState(
            networks=networks,
            stand=begin(env, lanes.child("begin"), n, device),
            observations=Moments(own.means, own.variances, own.counts),
            rewards=scale,
            preference=own.values.new_full((len(own), m), 1.0 / m).to(problem.dtype),
            rngs=lanes.rngs,
            updates=0,
            spent=Spent(),
        )


def archive_front(problem: Problem, kept: Snapshots | None) -> Front:
    """Return an archive as a front, with the environment steps after which each policy was found."""
    if kept is None:
        empty = torch.zeros(0, problem.n_objectives, dtype=problem.dtype)
        return Front.of(problem, torch.zeros(0, problem.space.dim, dtype=problem.dtype), Evaluation(empty))
    values = Evaluation(kept.values.to(problem.dtype), None, kept.stderr.to(problem.dtype))
    return Front.of(problem, kept.rows, values, info={"env_steps": kept.born})
