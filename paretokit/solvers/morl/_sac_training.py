"""One call of soft actor-critic's `improve`: steps of every lane, each followed by the updates that are due."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from paretokit.core import Lanes
from paretokit.core._threads import kernel_threads, one_torch_thread
from paretokit.problems.morl._morl import MORL
from paretokit.problems.morl._rollout import Step, noise_of, require_finite, rollout
from paretokit.solvers.morl._sac_heads import head_of
from paretokit.solvers.morl._sac_update import Batch, Learner

if TYPE_CHECKING:
    from paretokit.solvers.morl._sac import SAC, SACState

BLOCK = 16  # updates whose numbers are drawn together
MOST_TOGETHER = 8  # members in one batched product; more leave the caches


class Training:
    """What one call holds: views of the state and the numbers it draws; everything that lasts is in the state.

    Args:
        solver: Hyper-parameters.
        problem: Whose environment.
        state: Changed in place.
        weights: Of the objectives `[P, m]`.
    """

    def __init__(self, solver: SAC, problem: MORL, state: SACState, weights: Tensor) -> None:
        self.solver, self.problem, self.state = solver, problem, state
        self.env, self.device = problem.env.to(problem.device), problem.device
        networks, members = state.networks, len(state.rngs)
        self.dtype = networks.actor.dtype
        self.weights = weights.to(self.device, self.dtype)
        self.wiring, self.lanes = solver.wiring(problem), Lanes(state.rngs)
        self.rule, self.head = solver.rule(self.env), head_of(self.env.actions, self.dtype, self.device)
        self.starts, self.rate = solver.starts_after(self.env), solver.update_rate(self.env)
        moments = solver.moments(state)
        self.shift = None if moments is None else moments.mean.to(self.dtype).unsqueeze(1)
        self.scale = None if moments is None else moments.scale.to(self.dtype).unsqueeze(1)
        self.unit = state.rewards.unit.to(self.dtype).unsqueeze(1) if solver.normalize_rewards else None
        self.layers = self.wiring.mlp.layers(networks.actor)
        self.threads = min(kernel_threads(), members) if self.device.type == "cpu" else 1
        groups = max(self.threads, -(-members // MOST_TOGETHER))
        self.parts = [slice(members * g // groups, members * (g + 1) // groups) for g in range(groups)]
        critic = solver.critic(self.env)
        self.learners = [
            Learner(networks.part(part), self.wiring.mlp, critic, head=self.head, rule=self.rule) for part in self.parts
        ]
        self.pool: ThreadPoolExecutor | None = None
        self.block, self.uniform, self.normal = -1, torch.empty(0), torch.empty(0)

    def run(self, steps: int) -> None:
        """Make time steps in every lane, with their updates, and renew the statistics.

        Groups of members learn in threads of their own, torch's operators keeping to one thread each: no operator
        waits for another core, and a group's networks stay in the core's cache.
        """
        with one_torch_thread(when=self.threads > 1):
            if self.threads == 1:
                self._run(steps)
                return
            with ThreadPoolExecutor(self.threads - 1, initializer=torch.set_num_threads, initargs=(1,)) as self.pool:
                self._run(steps)

    def _run(self, steps: int) -> None:
        state, n = self.state, self.solver.n_envs
        own = self.lanes.child("rollout", state.steps)
        deviates = self.wiring.deviates(own.child("actions"), steps, n, self.device)
        first = own.child("warm up").uniform(steps, n, self.wiring.noise, device=self.device)
        seen: list[Tensor] = []
        gained: list[Tensor] = []

        def act(observation: Tensor, accrued: Tensor, t: int) -> Tensor:  # noqa: ARG001 - the loop's signature
            if state.steps < self.starts:
                return self.head.warm_up(first[:, t])
            outputs = self.wiring.mlp.forward(self.layers, self.normalized(observation))
            return self.wiring.applied(self.wiring.draw(outputs, outputs, deviates[:, t]))

        def record(t: int, step: Step) -> None:
            require_finite(step, t, self.env)
            self.remember(step)
            running = state.rewards.running * self.rule.discount + step.reward
            seen.append(step.observation)
            gained.append(running)
            state.rewards.running = running.masked_fill((step.terminated | step.truncated).unsqueeze(-1), 0.0)
            state.steps += n
            while state.updates < int(max(0, state.steps - self.starts) * self.rate):
                self.update()

        with torch.no_grad():
            state.stand = rollout(
                self.env,
                state.stand,
                act,
                steps=steps,
                noise=noise_of(self.env, own.child("environment"), steps, n, self.device),
                horizon=self.problem.protocol.measurement.horizon,
                discount=self.rule.discount,
                record=record,
            )
        state.spent.env_steps += steps * n * len(self.lanes)
        if self.solver.normalize_observations:
            state.observations.update(torch.cat(seen, 1))
        if self.solver.normalize_rewards:
            state.rewards.moments.update(torch.cat(gained, 1))

    def normalized(self, observation: Tensor) -> Tensor:
        """Return what networks see of observations `[P, B, o]`."""
        observation = observation.to(self.dtype)
        if self.shift is None or self.scale is None:
            return observation
        clip = self.wiring.network.observation_clip
        return ((observation - self.shift) * self.scale).clamp_(-clip, clip)

    def remember(self, step: Step) -> None:
        """Store a transition of each lane."""
        members, n = step.terminated.shape
        parts = (
            step.observation,
            step.action.view(members, n, -1),
            step.successor,
            step.reward,
            step.terminated.unsqueeze(-1),
        )
        rows = torch.cat([part.to(self.dtype) for part in parts], -1)
        self.state.replay.add(rows.view(1, members * n, -1) if self.solver.shared_buffer else rows)

    def update(self) -> None:
        """Make one update of every member."""
        state, o, m = self.state, self.env.observation_dim, self.env.n_objectives
        self.draw()
        at = state.updates % BLOCK
        rows = state.replay.sample(self.uniform[:, at])
        observation, action, successor, reward, terminated = rows.split([o, self.head.stored, o, m, 1], -1)
        batch = Batch(
            inputs=self.normalized(observation),
            action=action,
            reward=reward if self.unit is None else reward / self.unit,
            successors=self.normalized(successor),
            follows=(1 - terminated.squeeze(-1)) * self.rule.discount,
            weights=self.weights,
            noise=self.normal[:, at],
        )
        state.updates += 1
        self._learn([batch.part(part) for part in self.parts])
        acted = self.rule.policy_delay if state.updates % self.rule.policy_delay == 0 else 0
        state.spent.gradient_steps += len(self.lanes) * (1 + acted)

    def _learn(self, batches: list[Batch]) -> None:
        """Update groups of members side by side, the first share on this thread."""

        def some(first: int) -> None:
            with torch.no_grad():  # what a thread was told is not known to the others
                for g in range(first, len(batches), self.threads):
                    self.learners[g].update(batches[g], self.state.updates)

        others = [self.pool.submit(some, first) for first in range(1, self.threads)] if self.pool else []
        some(0)
        for other in others:
            other.result()

    def draw(self) -> None:
        """Draw the numbers of a block of updates, each member's from its own lane."""
        block, batch = self.state.updates // BLOCK, self.solver.batch_size
        if block == self.block:
            return
        own = self.lanes.child("updates", block)
        self.block, self.uniform = block, own.child("batch").uniform(BLOCK, batch, device=self.device)
        shape = (BLOCK, 1 + self.rule.policy_delay, batch, self.head.noise)
        u = own.child("noise").uniform(*shape, dtype=torch.float32, device=self.device)
        # Halfway between the 2^24 grid points: never 0 or 1.
        self.normal = (torch.erfinv(2 * u + (2.0**-24 - 1)) * 2**0.5).to(self.dtype)
