"""Whole episodes of a stack of policies, from the first step to the last, and the policy gradient that they give."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretokit.core import InputError, Lanes
from paretokit.core._kernel import KernelModule
from paretokit.problems.morl._environment import Environment
from paretokit.problems.morl._lookup import Tabulated
from paretokit.problems.morl._network import NetworkWiring
from paretokit.problems.morl._rollout import Act, Step, begin, noise_of, rollout

KERNELS = KernelModule("paretokit.solvers.morl._episodes_kernels", compile_seconds=8.0)
MOST_STATES = 100_000  # of an environment whose tables are copied for the compiled twin


class Played(ABC):
    """N whole episodes of P policies.

    Attributes:
        lengths: int64 `[P, N]`.
        returns: Discounted returns `[P, N, m]`, float64.
    """

    lengths: Tensor
    returns: Tensor

    @abstractmethod
    def gradient(self, weights: Tensor, entropy: Tensor | None = None) -> Tensor:
        r"""Return the gradients `[P, D]` of what the episodes say of the policies' parameters.

        .. math:: \nabla_\theta \Bigl(\sum_e c_e \sum_t \log \pi_\theta(a_{e,t} \mid s_{e,t})
            + \kappa \sum_{e,t} H(\pi_\theta(\cdot \mid s_{e,t}))\Bigr)

        Args:
            weights: c `[P, N]`.
            entropy: κ `[P]`, or None for 0.
        """


@dataclass
class Episodes(Played):
    """Episodes step by step, padded to the longest of them, T steps; what follows an episode's end is zero.

    Attributes:
        wiring: How rows act.
        rows: Policies `[P, d]`.
        observations: `[P, N, T, o]`, float32.
        accrued: Discounted reward of the episode before each step `[P, N, T, m]`, float64.
        actions: int64 `[P, N, T]`.
        lengths, returns: As in `Played`.
    """

    wiring: NetworkWiring
    rows: Tensor
    observations: Tensor
    accrued: Tensor
    actions: Tensor
    lengths: Tensor
    returns: Tensor

    @property
    def alive(self) -> Tensor:
        """Which steps were made, bool `[P, N, T]`."""
        steps = torch.arange(self.actions.shape[2], device=self.lengths.device)
        return steps < self.lengths.unsqueeze(-1)

    def gradient(self, weights: Tensor, entropy: Tensor | None = None) -> Tensor:
        """Return the gradients, by backpropagation."""
        wiring, rows = self.wiring, self.rows
        with torch.no_grad():
            seen = wiring.inputs(rows, self.observations.flatten(1, 2), self.accrued.flatten(1, 2))
        leaf = rows[:, : wiring.n_body].detach().requires_grad_()
        logits = torch.log_softmax(wiring.mlp(leaf, seen), -1)
        chosen = logits.gather(-1, self.actions.flatten(1, 2).unsqueeze(-1)).squeeze(-1)
        alive = self.alive
        total = ((alive * weights.unsqueeze(-1)).flatten(1, 2).to(chosen.dtype) * chosen).sum()
        if entropy is not None:
            spread = -(logits.exp() * logits).sum(-1)
            total = total + ((alive * entropy.view(-1, 1, 1)).flatten(1, 2).to(chosen.dtype) * spread).sum()
        (gradient,) = torch.autograd.grad(total, leaf)
        return gradient


@dataclass
class Scores(Played):
    """Episodes of which only the summed gradients are kept.

    Attributes:
        score: Gradient of an episode's log-probability `[P, N, D]`, float64.
        spread: Gradient of the entropy of all steps of all episodes `[P, D]`, float64.
        dtype: Of the gradients to give.
        lengths, returns: As in `Played`.
    """

    score: Tensor
    spread: Tensor
    dtype: torch.dtype
    lengths: Tensor
    returns: Tensor

    def gradient(self, weights: Tensor, entropy: Tensor | None = None) -> Tensor:
        """Return the gradients, a weighted sum."""
        total = (weights.to(torch.float64).unsqueeze(1) @ self.score).squeeze(1)
        if entropy is not None:
            total = total + entropy.to(torch.float64).unsqueeze(-1) * self.spread
        return total.to(self.dtype)


@dataclass
class World:
    """An environment as flat tables, for the compiled twin; rows (s A + a) k + o as in `Lookup`.

    Attributes:
        next_state: `[S A k]`.
        reward: `[S A k, m]`.
        terminal: `[S A k]`.
        below: `[S A, k - 1]`.
        observations: `[S, o]`.
        n_actions, start: A and the first state.
        step_limit: Steps after which the environment ends an episode in any case, or None.
    """

    next_state: NDArray[np.int64]
    reward: NDArray[np.float64]
    terminal: NDArray[np.bool_]
    below: NDArray[np.float64]
    observations: NDArray[np.float64]
    n_actions: int
    start: int
    step_limit: int | None

    @classmethod
    def of(cls, environment: Environment) -> World | None:
        """Return an environment's tables where it is known as tables of moderate size, else None."""
        if not isinstance(environment, Tabulated) or not environment.has_model or environment.n_states > MOST_STATES:
            return None
        model = environment.model()
        s, a, k = model.next_state.shape
        return cls(
            next_state=model.next_state.reshape(-1).contiguous().numpy(),
            reward=model.reward.reshape(s * a * k, -1).contiguous().numpy(),
            terminal=model.terminal.reshape(-1).contiguous().numpy(),
            below=model.probability.cumsum(-1)[..., :-1].reshape(s * a, k - 1).contiguous().numpy(),
            observations=environment.observations().to(torch.float64).contiguous().numpy(),
            n_actions=a,
            start=int(model.initial.argmax()),
            step_limit=environment.step_limit,
        )


@dataclass(frozen=True, kw_only=True)
class Play:
    """How episodes are played: environment, policies' wiring, measure.

    Which of the twins runs depends on nothing but problem and device, so that a seed's numbers never depend on the
    clock: training on whole episodes is long enough to be worth the compiler.

    Attributes:
        environment: What is stepped.
        wiring: How rows act: a categorical head, conditioned on the accrued reward, observations as they are.
        episodes: N a member.
        horizon: Time limit of an episode.
        discount: Of the returns and of the accrued reward.
        world: The environment's tables, where it has them.
        entropy: Whether gradients of the entropy will be asked for.
    """

    environment: Environment
    wiring: NetworkWiring
    episodes: int
    horizon: int
    discount: float
    entropy: bool = False
    world: World | None = None

    def __call__(self, rows: Tensor, lanes: Lanes, t: int) -> Played:
        """Return N whole episodes of each of the policies `rows [P, d]`, with actions sampled.

        Args:
            rows: Policies.
            lanes: One source a member.
            t: Number of the call, which the numbers depend on.

        Raises:
            InputError: If a return is not a number.
        """
        out: Played
        if self.world is not None and rows.device.type == "cpu":
            out = self.compiled(rows, lanes, t)
        else:
            out = self.plain(rows, lanes, t, act=self.compiled_act if rows.device.type == "cpu" else self.plain_act)
        if not bool(torch.isfinite(out.returns).all()):
            raise InputError(
                f"`reward` of {self.environment.id} must be finite; got an episode that returns NaN or inf"
            )
        return out

    def plain(
        self, rows: Tensor, lanes: Lanes, t: int, *, act: Callable[[Tensor, Tensor], Act] | None = None
    ) -> Episodes:
        """Return the episodes through the package's rollout loop.

        Args:
            rows: Policies.
            lanes: One source a member.
            t: Number of the call.
            act: `plain_act`, or `compiled_act` on the processor; the former unless given.
        """
        n, device = self.episodes, rows.device
        noise = lanes.child("actions", t).uniform(self.horizon, n, 1, device=device)
        going = torch.ones(len(rows), n, dtype=torch.bool, device=device)
        seen: list[Step] = []

        def record(t: int, step: Step) -> bool:  # noqa: ARG001 - the loop's signature
            nonlocal going
            seen.append(step)
            going = going & ~step.terminated
            return not bool(going.any())

        with torch.no_grad():
            rollout(
                self.environment,
                begin(self.environment, lanes.child("begin", t), n, device),
                (act or self.plain_act)(rows, noise),
                steps=self.horizon,
                noise=noise_of(self.environment, lanes.child("environment", t), self.horizon, n, device),
                horizon=self.horizon,
                discount=self.discount,
                record=record,
                restart=False,
            )
        return self._episodes(rows, seen)

    def _episodes(self, rows: Tensor, seen: list[Step]) -> Episodes:
        """Return the steps of lanes that ran on after their ends as episodes that stop there."""
        ended = torch.stack([step.terminated for step in seen], 2)
        over = ended.cumsum(2) - ended.to(torch.int64) > 0
        gains = self.discount ** torch.arange(len(seen), dtype=torch.float64, device=rows.device)
        reward = torch.stack([step.reward for step in seen], 2).masked_fill(over.unsqueeze(-1), 0.0)
        return Episodes(
            wiring=self.wiring,
            rows=rows,
            observations=torch.stack([step.observation for step in seen], 2).masked_fill(over.unsqueeze(-1), 0.0),
            accrued=torch.stack([step.accrued for step in seen], 2).masked_fill(over.unsqueeze(-1), 0.0),
            actions=torch.stack([step.action for step in seen], 2).masked_fill(over, 0),
            lengths=(~over).sum(2),
            returns=(gains.view(-1, 1) * reward).sum(2),
        )

    def plain_act(self, rows: Tensor, noise: Tensor) -> Act:
        """Return how the policies act for `noise [P, T, N, 1]`, in float64 so that the compiled twin does the same."""
        exact = rows.detach().to(torch.float64)

        def act(observation: Tensor, accrued: Tensor, t: int) -> Tensor:
            return self.wiring.act(exact, observation, accrued, noise[:, t])

        return act

    def compiled_act(self, rows: Tensor, noise: Tensor) -> Act:
        """Return the same with one call for all members and lanes."""
        wiring = self.wiring
        body = rows.detach()[:, : wiring.n_body].to(torch.float64).contiguous().numpy()
        sizes, relu = np.asarray(wiring.mlp.sizes, np.int64), wiring.mlp.activation == "relu"
        chance, kernel = noise.squeeze(-1).transpose(0, 1).contiguous().numpy(), KERNELS.load().act

        def act(observation: Tensor, accrued: Tensor, t: int) -> Tensor:
            action = torch.empty(observation.shape[:2], dtype=torch.int64)
            kernel(
                body,
                sizes,
                relu,
                observation.contiguous().numpy(),
                accrued.contiguous().numpy(),
                chance[t],
                action.numpy(),
            )
            return action

        return act

    def compiled(self, rows: Tensor, lanes: Lanes, t: int) -> Scores:
        """Return the episodes of an environment that is known as tables, played and differentiated in one call."""
        world, wiring, n = self.world, self.wiring, self.episodes
        assert world is not None
        members, m = len(rows), world.reward.shape[1]
        horizon = self.horizon if world.step_limit is None else min(self.horizon, world.step_limit)
        body = rows.detach()[:, : wiring.n_body].to(torch.float64).contiguous().numpy()
        lengths, returns = np.zeros((members, n), np.int64), np.zeros((members, n, m))
        score, spread = np.zeros((members, n, wiring.n_body)), np.zeros((members, wiring.n_body))
        per_step = self.environment.step_noise + self.environment.reset_noise
        actions = lanes.child("actions", t)
        outcomes = lanes.child("environment", t) if per_step else actions
        arguments: tuple[Any, ...] = (
            body,
            np.asarray(wiring.mlp.sizes, np.int64),
            wiring.mlp.activation == "relu",
            world.observations,
            (world.next_state, world.reward, world.terminal, world.below, world.n_actions, world.start),
            (outcomes.keys.numpy().view(np.uint64), actions.keys.numpy().view(np.uint64)),
            (per_step, horizon, self.entropy),
            self.discount,
            (lengths, returns, score, spread),
        )
        KERNELS.load().episodes(*arguments)
        return Scores(
            score=torch.from_numpy(score),
            spread=torch.from_numpy(spread),
            dtype=rows.dtype,
            lengths=torch.from_numpy(lengths),
            returns=torch.from_numpy(returns),
        )
