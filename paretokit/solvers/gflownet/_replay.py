"""Objects seen before, and among them the non-dominated ones, to be trained on again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import Rng, non_dominated
from paretokit.core import _check as check


@final
@dataclass(frozen=True, kw_only=True)
class Replay:
    r"""A ring of finished objects, whose trajectories are drawn anew from the backward policy when they are used.

    Non-dominated objects are kept apart from the ring, so that none is lost or stale when the ring turns.

    Attributes:
        capacity: Objects in the ring.
        warmup: Objects seen before any is replayed.
        share: Of a training batch that comes from the ring.
        pareto: Of a training batch that comes from the non-dominated objects.
        front: Most non-dominated objects kept; the latest.
    """

    capacity: int = 100_000
    warmup: int = 1000
    share: float = 0.4
    pareto: float = 0.1
    front: int = 2000

    def __post_init__(self) -> None:
        check.fields(self)
        check.at_least(1, capacity=self.capacity, warmup=self.warmup, front=self.front)
        check.probability(share=self.share, pareto=self.pareto)
        rule = "be at most 1 together with `pareto`"
        check.that(self.share + self.pareto <= 1, "share", rule, f"{self.share} and {self.pareto}")


@dataclass
class Memory:
    """What a replay holds.

    Attributes:
        states: The ring of finished states `[r, k]`.
        gains: Their objectives, to be maximized `[r, m]`.
        front_states, front_gains: The non-dominated ones, each once.
        seen: Objects ever added.
    """

    states: Tensor
    gains: Tensor
    front_states: Tensor
    front_gains: Tensor
    seen: int = 0

    @staticmethod
    def empty(width: int, m: int, device: torch.device | str = "cpu") -> Memory:
        """Return a memory of nothing."""
        states = torch.zeros(0, width, dtype=torch.int64, device=device)
        gains = torch.zeros(0, m, dtype=torch.float64, device=device)
        return Memory(states, gains, states.clone(), gains.clone())

    def add(self, states: Tensor, gains: Tensor, replay: Replay) -> None:
        """Take in finished states `[n, k]` with their gains `[n, m]`; rows that failed are left out."""
        good = torch.isfinite(gains).all(-1)
        states, gains = states[good], gains[good]
        place = (self.seen + torch.arange(len(states), device=states.device)) % replay.capacity
        more = min(self.seen + len(states), replay.capacity) - len(self.states)
        self.states = torch.cat([self.states, self.states.new_zeros(more, self.states.shape[1])])
        self.gains = torch.cat([self.gains, self.gains.new_zeros(more, self.gains.shape[1])])
        place, latest = place[-replay.capacity :], slice(-replay.capacity, None)  # the ring turns: the oldest go
        self.states[place], self.gains[place] = states[latest], gains[latest].to(self.gains)
        pool, scores = torch.cat([self.front_states, states]), torch.cat([self.front_gains, gains])
        best = torch.as_tensor(non_dominated(scores, maximize=True))
        pool, scores = pool[best], scores[best]
        first = _first_of_each(pool)
        self.front_states, self.front_gains = pool[first][-replay.front :], scores[first][-replay.front :]
        self.seen += len(states)

    def draw(self, n: int, replay: Replay, rng: Rng) -> tuple[Tensor, Tensor]:
        """Return the replayed part of a batch of n: finished states and gains, from the ring and from the front."""
        if self.seen < replay.warmup:
            return self.states[:0], self.gains[:0]
        ring = round(replay.share * n)
        best = min(round(replay.pareto * n), n - ring)
        a = rng.child("ring").integers(len(self.states), ring, device=self.states.device)
        b = rng.child("front").integers(len(self.front_states), best, device=self.states.device)
        states = torch.cat([self.states[a], self.front_states[b]])
        return states, torch.cat([self.gains[a], self.front_gains[b]])


def _first_of_each(rows: Tensor) -> Tensor:
    """Return the index of the first of equal rows, in order."""
    if not len(rows):
        return torch.zeros(0, dtype=torch.int64, device=rows.device)
    _, number = torch.unique(rows, dim=0, return_inverse=True)
    order = torch.arange(len(rows), device=rows.device)
    first = torch.full((int(number.max()) + 1,), len(rows), device=rows.device)
    return first.scatter_reduce(0, number, order, "amin").sort().values
