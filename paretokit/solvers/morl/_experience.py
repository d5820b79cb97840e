"""What a tabular learner has seen: a model by counting, and the sets of policies that it implies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from paretokit.core._kernel import KernelModule
from paretokit.problems.morl._dynamic_programming import linear_support
from paretokit.solvers.morl import _tabular_learning as plain

KERNELS = KernelModule("paretokit.solvers.morl._tabular_learning_kernels", compile_seconds=8.0)

EXPLORATION = 0.99  # discount of exploration
SWEEPS = 100  # of exploration, which need not converge


@dataclass
class Transitions:
    """B transitions between the environment's numbered states, in the order in which they are to be counted.

    Attributes:
        before, action, after: int64 `[B]`.
        reward: `[B, m]`, float64.
        ended: Whether the environment ended the episode, bool `[B]`.
        first: Whether the episode began with it, bool `[B]`.
    """

    before: Tensor
    action: Tensor
    reward: Tensor
    after: Tensor
    ended: Tensor
    first: Tensor


@dataclass
class Policies:
    """Policies as tables over known states.

    Attributes:
        choice: Actions `[K, U]`, -1 where the policy never comes.
        values: What the experience says they return `[K, m]`.
    """

    choice: Tensor
    values: Tensor


@dataclass
class Experience:
    """Counts of everything seen; a known state has a number in order of discovery.

    Attributes:
        slot: Number of each of the environment's states, -1 where it is unknown, int64 `[S]`.
        states: The environment's state of each number, int64 `[U]`; U is the room, `mark[0]` of it is used.
        visits: int64 `[U, A]`.
        total: Summed rewards, float64 `[U, A, m]`.
        successor, counts: Outcomes seen (-2 where the episode ended) and how often, int64 `[U, A, K]`.
        started: Episodes begun, int64 `[U]`.
        mark: Known states; transitions done of the last batch; 1 once an action had two outcomes or rewards.
    """

    slot: Tensor
    states: Tensor
    visits: Tensor
    total: Tensor
    successor: Tensor
    counts: Tensor
    started: Tensor
    mark: Tensor

    @classmethod
    def empty(cls, *, n_states: int, n_actions: int, n_objectives: int) -> Experience:
        """Return no experience."""

        def room(*shape: int) -> Tensor:
            return torch.zeros(*shape, dtype=torch.int64)

        return cls(
            slot=torch.full((n_states,), -1),
            states=room(0),
            visits=room(0, n_actions),
            total=torch.zeros(0, n_actions, n_objectives, dtype=torch.float64),
            successor=room(0, n_actions, 1),
            counts=room(0, n_actions, 1),
            started=room(0),
            mark=room(3),
        )

    @property
    def n(self) -> int:
        """Number of known states."""
        return int(self.mark[0])

    @property
    def deterministic(self) -> bool:
        """Whether every action had one outcome and one reward so far."""
        return not bool(self.mark[2])

    def observe(self, seen: Transitions) -> None:
        """Count transitions, in place."""
        self._grow(min(len(self.slot), self.n + 2 * len(seen.before)))
        self.mark[1] = 0
        batch = (seen.before, seen.action, seen.reward, seen.after, seen.ended, seen.first)
        own = ("slot", "states", "visits", "total", "successor", "counts", "started", "mark")
        while _call("observe", *batch, *(getattr(self, name) for name in own)):
            more = torch.zeros_like(self.counts)
            self.successor, self.counts = torch.cat([self.successor, more], -1), torch.cat([self.counts, more], -1)

    def exploration(self) -> Tensor:
        """Return for each known state the action that leads to what was seen least, `[n]`."""
        value, choice = torch.zeros(len(self.states), dtype=torch.float64), torch.zeros_like(self.states)
        _call("explore", self.n, self.successor, self.counts, self.visits, EXPLORATION, SWEEPS, value, choice)
        return choice[: self.n]

    def known(self, states: Tensor) -> Tensor:
        """Return the numbers of the environment's states, n where they are unknown."""
        number = self.slot[states]
        return torch.where(number < 0, self.n, number)

    def tables(self, choice: Tensor) -> Tensor:
        """Return actions `[K, S]` for the environment's states of choices `[K, up to n]`, 0 where there is none."""
        out = torch.zeros(len(choice), len(self.slot), dtype=torch.int64)
        out[:, self.states[: choice.shape[1]]] = choice.clamp_min(0)
        return out

    def convex_set(self, *, discount: float, horizon: int) -> Policies:
        """Return deterministic policies one of which is best for each weight of the objectives, by linear support."""
        n, m = self.n, self.total.shape[2]
        starts = self.started[:n].nonzero().flatten()
        share = self.started[starts].to(torch.float64) / self.started[starts].sum()
        asked: list[tuple[Tensor, Tensor]] = []

        def solve(weights: Tensor) -> Tensor:
            value = torch.zeros(len(weights), n, m, dtype=torch.float64)
            choice = torch.zeros(len(weights), n, dtype=torch.int64)
            model = (self.successor, self.counts, self.visits, self.total)
            _call("optimize", n, *model, weights.contiguous(), discount, horizon, value, choice)
            returns = (share[:, None] * value[:, starts]).sum(1)
            asked.append((returns, choice))
            return returns

        found = linear_support(solve, m)
        returns, choices = (torch.cat(part) for part in zip(*asked, strict=True))
        which = torch.cdist(found, returns, p=1).argmin(-1)
        choice = choices[which]
        for row in choice:
            met = torch.zeros(n, dtype=torch.bool)
            _call("reach", starts, self.successor, self.counts, row, met)
            row[~met] = -1
        return Policies(choice, returns[which])

    def pareto_set(self, *, discount: float, horizon: int, capacity: int) -> Policies | None:
        """Return the policies of all non-dominated paths from the start to an episode's end.

        None where nothing of the kind is known: actions had several outcomes, episodes began in several states, or
        none has ended.
        """
        n, m = self.n, self.total.shape[2]
        starts = self.started[:n].nonzero().flatten()
        if not self.deterministic or len(starts) != 1:
            return None
        start, room = int(starts[0]), 16
        while True:
            points = torch.zeros(n, room, m, dtype=torch.float64)
            size, action = torch.zeros(n, dtype=torch.int64), torch.zeros(n, room, dtype=torch.int64)
            length = torch.zeros_like(action)
            seen, sets = (self.successor, self.visits, self.total, discount), (points, size, action, length)
            dropped = _call("pareto_sets", n, *seen, horizon, horizon, *sets)
            if not dropped or room == capacity:
                break
            room = min(capacity, 4 * room)
        count = int(size[start])
        if not count:
            return None
        choice, lasting = torch.full((count, n), -1), torch.zeros(count, dtype=torch.bool)
        _call("follow", start, *seen, *sets, choice, lasting)
        return Policies(choice[lasting], points[start, :count][lasting])

    def _grow(self, room: int) -> None:
        if room <= len(self.states):
            return
        room = min(len(self.slot), max(room, 2 * len(self.states)))
        for name in ("states", "visits", "total", "successor", "counts", "started"):
            old: Tensor = getattr(self, name)
            new = old.new_zeros(room, *old.shape[1:])
            new[: len(old)] = old
            setattr(self, name, new)


def _call(name: str, *arguments: Any) -> Any:
    """Run one of the functions of `_tabular_learning`, compiled once that pays."""
    arrays = [a.numpy() if isinstance(a, Tensor) else a for a in arguments]
    twin: Callable[..., Any] = getattr(plain, name)
    return KERNELS.run(name, twin, *arrays)
