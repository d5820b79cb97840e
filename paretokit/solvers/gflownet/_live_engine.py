"""Rolling out perceptrons on the processor: only trajectories that have not ended are evaluated."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.core._kernel import KernelModule
from paretokit.problems.design._environment import NOTHING, DesignEnvironment
from paretokit.problems.design._states import States
from paretokit.solvers.gflownet._edge_flows import EdgeFlows, edge_flows
from paretokit.solvers.gflownet._mlp_policy import MLPFlow
from paretokit.solvers.gflownet._perceptron import Layers, Reading, gather_plain
from paretokit.solvers.gflownet._policy import Outputs, masked_log_softmax
from paretokit.solvers.gflownet._sampler import entry, explored
from paretokit.solvers.gflownet._scores import Reader, Scores, balance, scores
from paretokit.solvers.gflownet._trajectories import Trajectories

KERNELS = KernelModule("paretokit.solvers.gflownet._live_kernels", compile_seconds=3.0)


@dataclass(frozen=True)
class LiveEngine:
    """For perceptrons with or without conditions, on the processor.

    Gives the trajectories and scores of `StateByState` up to rounding (a choice differs where a random number falls
    within rounding of a boundary). Reads back how many trajectories go on, which costs nothing on the processor; on
    other devices `StateByState` reads nothing back.

    Attributes:
        model: What is rolled out.
        states: All states of its environment, in which moves are looked up; None where they are too many.

    Cost: one evaluation of each unfinished state on the way; first layers are sums of rows where the environment
    knows its `ones`, and what they read of conditions is computed once a trajectory.
    """

    model: MLPFlow
    states: States | None

    @torch.no_grad()
    def sample(self, row: Tensor, condition: Tensor | None, *, n: int, rng: Rng, epsilon: float = 0.0) -> Trajectories:
        """Return n trajectories."""
        env = self.model.environment
        layers = Layers(self.model.mlp, row, env.n_features)
        base = layers.base(condition)
        paths = Trajectories(
            torch.empty(env.max_steps + 1, *env.start(n).shape, dtype=torch.int64),
            torch.full((env.max_steps, n), NOTHING),
            torch.full((env.max_steps, n), NOTHING),
            condition,
        )
        if self.states is None or self.states.seen.dtype != torch.int64:
            by_moves(env, layers, base, paths, rng=rng, epsilon=epsilon)
        else:
            by_table(self.states, layers, base, paths, rng=rng, epsilon=epsilon)
        return paths

    def scores(self, row: Tensor, trajectories: Trajectories) -> Scores:
        """Return the scores of trajectories."""
        return scores(self.model, row, trajectories, read=self._reader(row, trajectories.condition))

    def balance(self, row: Tensor, trajectories: Trajectories) -> Tensor:
        """Return the sums of their log-probabilities, forwards minus backwards `[n]`."""
        return balance(self.model, row, trajectories, read=self._reader(row, trajectories.condition))

    def edge_flows(self, row: Tensor, trajectories: Trajectories) -> EdgeFlows:
        """Return the flows into and out of their states."""
        return edge_flows(self.model, row, trajectories, read=self._reader(row, trajectories.condition))

    def _reader(self, row: Tensor, condition: Tensor | None) -> Reader:
        env = self.model.environment

        def read(states: Tensor, who: Tensor) -> Outputs:
            reading = Reading(seen(env, states), condition, None if condition is None else who)
            return self.model.read(row, reading)

        return read


def seen(environment: DesignEnvironment, states: Tensor) -> Tensor:
    """Return what `Reading` takes of states: where they are 1, or their features."""
    ones = environment.ones(states)
    return environment.observe(states) if ones is None else ones


def by_moves(
    env: DesignEnvironment, layers: Layers, base: Tensor, paths: Trajectories, *, rng: Rng, epsilon: float
) -> None:
    """Fill trajectories by the environment's own moves."""
    steps, n = paths.actions.shape
    u = rng.uniform(steps, n).to(base.dtype)
    live, states = torch.arange(n), env.start(n)
    paths.states[0] = states
    for step in range(steps):
        mask = env.mask(states)
        several = None if len(base) == 1 else live
        hidden = layers.first(Reading(seen(env, states), None, several), base)
        logits = layers.after(layers.active(hidden))[-1][:, : env.n_actions]
        policy = explored(masked_log_softmax(logits, mask), mask, epsilon)
        action = entry(policy.cumsum(-1), mask, u[step, live])
        paths.actions[step, live], paths.backward[step, live] = action, env.undoing(states, action)
        states = env.step(states, action)
        paths.states[step + 1] = paths.states[step]
        paths.states[step + 1, live] = states
        on = (~env.done(states)).nonzero().flatten()
        live, states = live[on], states[on]
        if not len(live):
            paths.states[step + 2 :] = paths.states[step + 1]
            break


def by_table(states: States, layers: Layers, base: Tensor, paths: Trajectories, *, rng: Rng, epsilon: float) -> None:
    """Fill trajectories by moves that are looked up among all states."""
    steps, actions = len(paths.actions), states.children.shape[1]
    bounds = (states.forbidden if epsilon == 0 else torch.cat([states.forbidden, states.uniform], 1)).to(base.dtype)
    crowd = Crowd(states, layers.embedding, base, bounds, paths, rng)
    paths.states[0] = states.rows[0]
    hidden, bound = crowd.advance(None, -1)
    for step in range(steps):
        logits = layers.after(layers.active(hidden))[-1][:, :actions]
        policy = torch.log_softmax(logits + bound[:, :actions], -1).exp_()
        if epsilon:
            policy.mul_(1 - epsilon).add_(bound[:, actions:], alpha=epsilon)
        hidden, bound = crowd.advance(policy.cumsum(-1), step)
        if not len(hidden):
            paths.states[step + 2 :] = paths.states[step + 1]
            break


def compiled(like: Tensor) -> bool:
    """Tell whether the compiled twin runs."""
    return like.device.type == "cpu" and like.dtype in (torch.float32, torch.float64) and KERNELS.worth()


@dataclass
class Crowd:
    """Trajectories on their way through a table of states.

    Attributes:
        states: All states.
        embedding: First-layer weights `[F, H]`.
        base: What the first layer adds for each trajectory `[n, H]`, or for all `[1, H]`.
        bounds: What is handed out of each state beside `[S, b]`.
        paths: Where moves are written.
        rng: One block of numbers, number ``step, trajectory`` makes each choice.
        live: Which trajectories have not ended, in order.
        number: State of each trajectory `[n]`.
    """

    states: States
    embedding: Tensor
    base: Tensor
    bounds: Tensor
    paths: Trajectories
    rng: Rng
    live: Tensor = field(init=False)
    number: Tensor = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.paths)
        self.live, self.number = torch.arange(n), torch.zeros(n, dtype=torch.int64)
        self.alive = n
        self.hidden = torch.empty(n, self.base.shape[1], dtype=self.base.dtype)
        self.bound = torch.empty(n, self.bounds.shape[1], dtype=self.base.dtype)
        kept, paths = self.states.arrays, self.paths
        self.before = tuple(kept[name] for name in ("children", "undone", "rows"))
        given = (self.bounds, self.embedding, self.base, paths.states, paths.actions, paths.backward)
        bounds, embedding, base, *written = (t.numpy() for t in given)
        self.after = (bounds, embedding, kept["seen"], base, *written, self.hidden.numpy(), self.bound.numpy())
        self.lists = (self.live.numpy(), self.number.numpy())

    @cached_property
    def uniforms(self) -> Tensor:
        """What makes the choices `[T, n]`."""
        return self.rng.uniform(*self.paths.actions.shape).to(self.base.dtype)

    def advance(self, cumulative: Tensor | None, step: int) -> tuple[Tensor, Tensor]:
        """Return first layers `[m, H]` and bounds `[m, b]` of those that go on after a step by `cumulative [m, A]`.

        None for the begin, when nobody moves.
        """
        if not compiled(self.base):
            found: tuple[Tensor, Tensor] = KERNELS.plain(self.advance_plain, cumulative, step)
            return found
        if cumulative is None:
            cumulative = self.base.new_empty(0, self.states.children.shape[1])
        live, number = self.lists
        moved = (cumulative.numpy(), live, self.alive, number, self.rng.key, step)
        self.alive = KERNELS.load().advance(*moved, *self.before, *self.after)
        return self.hidden[: self.alive], self.bound[: self.alive]

    def advance_plain(self, cumulative: Tensor | None, step: int) -> tuple[Tensor, Tensor]:
        """Return what `advance` does, by gathers."""
        states, paths, live = self.states, self.paths, self.live[: self.alive]
        number = self.number[live]
        if cumulative is not None:
            action = entry(cumulative, states.children[number] != NOTHING, self.uniforms[step, live])
            paths.actions[step, live], paths.backward[step, live] = action, states.undone[number, action]
            number = states.children[number, action]
            self.number[live] = number
            paths.states[step + 1] = paths.states[step]
            paths.states[step + 1, live] = states.rows[number]
        on = (states.children[number] != NOTHING).any(-1).nonzero().flatten()
        live, number = live[on], number[on]
        self.alive = len(live)
        self.live[: self.alive] = live
        who = None if len(self.base) == 1 else live
        return gather_plain(self.embedding, states.seen[number], self.base, who), self.bounds[number]
