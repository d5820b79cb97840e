"""Live Gymnasium environments in lanes, and the record from which they are rebuilt."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretokit.core import InputError, transient
from paretokit.core import _check as check
from paretokit.problems.morl._gymnasium_spaces import Row


@dataclass
class Lane:
    """One live environment.

    Attributes:
        env: The environment.
        seed: Of its last reset.
        t: Steps since.
        observation: What it shows.
        over: Whether its episode has ended.
    """

    env: Any
    seed: int = 0
    t: int = 0
    observation: Row = field(default_factory=lambda: np.zeros(0, dtype=np.float32))
    over: bool = False


@dataclass(eq=False, kw_only=True)
class Live:
    """P times N live environments, and the record that they are rebuilt from: what a `GymnasiumEnvironment` steps.

    All but `lanes` is data: it can be saved, loaded, and selected from by member (`live[members]`). Lanes that are
    missing are rebuilt when they are needed, by replaying seeds and actions.

    Attributes:
        seeds: Of the last resets, int64 `[P, N]`.
        begun: Where in `history` each lane's episode begins, int64 `[P, N]`.
        history: What all lanes were given in each step, `[P, N]` or `[P, N, k]`, since the oldest episode began.
        observations: What the lanes show, float32 `[P, N, o]`; a replay is checked against it.
        over: Whether their episodes have ended, bool `[P, N]`.
        device: Where observations go; the record itself stays on the CPU.
        lanes: The live objects in C order, or None.
    """

    seeds: Tensor
    begun: Tensor
    history: list[Tensor]
    observations: Tensor
    over: Tensor
    device: str = "cpu"
    lanes: list[Lane] | None = transient()  # noqa: RUF009 - it returns a dataclass field

    @classmethod
    def fresh(cls, lanes: list[Lane], members: int, dim: int, *, device: str) -> Live:
        """Return lanes that are still to be reset."""
        shape = (members, len(lanes) // members)
        seeds, over = torch.zeros(shape, dtype=torch.int64), torch.zeros(shape, dtype=torch.bool)
        seen = torch.zeros(*shape, dim, dtype=torch.float32)
        return cls(
            seeds=seeds, begun=seeds.clone(), history=[], observations=seen, over=over, device=device, lanes=lanes
        )

    def __getitem__(self, members: Any) -> Live:
        """Return a copy of some members; its lanes are rebuilt when they are needed."""
        keep = [self.seeds, self.begun, self.observations, self.over]
        seeds, begun, seen, over = (tensor[members].clone() for tensor in keep)
        history = [given[members].clone() for given in self.history]
        return replace(self, seeds=seeds, begun=begun, history=history, observations=seen, over=over, lanes=None)

    def clone(self) -> Live:
        """Return a copy; its lanes are rebuilt when they are needed."""
        return self[:]

    def show(self) -> None:
        """Write down what the lanes show."""
        assert self.lanes is not None
        rows = np.stack([lane.observation for lane in self.lanes])
        self.observations = torch.from_numpy(rows).reshape(self.observations.shape)
        self.over = torch.tensor([lane.over for lane in self.lanes]).reshape(self.over.shape)

    def forget(self) -> None:
        """Drop the actions from before the oldest episode."""
        first = int(self.begun.min()) if self.begun.numel() else 0
        if first:
            self.history, self.begun = self.history[first:], self.begun - first


@contextlib.contextmanager
def guarded(active: bool) -> Iterator[None]:
    """Put the global generators of Python and NumPy back afterwards; costs 0.3 ms."""
    if not active:
        yield
        return
    kept = random.getstate(), np.random.get_state()  # noqa: NPY002 - foreign code draws from it
    try:
        yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])  # noqa: NPY002 - put back as it was


def seed_globals(seed: int, step: int) -> None:
    """Seed the global generators for one step of one lane, so that it replays; call it inside `guarded` only."""
    mark = (seed * 0x9E3779B1 + step) & 0xFFFFFFFF
    random.seed(mark)
    np.random.seed(mark)  # noqa: NPY002 - foreign code draws from it


@dataclass(frozen=True)
class Stepper:
    """How one lane is reset and stepped.

    Attributes:
        name: What errors call the environment.
        m: Number of reward components.
        dim: Length of an observation.
        read: Reads observations.
        act: Makes actions.
        seeds_globals: Whether global generators are seeded with each step.
    """

    name: str
    m: int
    dim: int
    read: Callable[[Any], Row]
    act: Callable[[Any], Any]
    seeds_globals: bool

    def reset(self, lane: Lane, seed: int) -> None:
        """Begin an episode."""
        if self.seeds_globals:
            seed_globals(seed, 0)
        seen, _ = lane.env.reset(seed=seed)
        lane.seed, lane.t, lane.over = seed, 0, False
        lane.observation = self._seen(seen, 0)

    def step(self, lane: Lane, given: Any) -> NDArray[np.float64]:
        """Step a lane and return the reward `[m]`.

        A lane whose episode has ended stays, with reward 0. An action that is not a number ends the episode with a
        reward that is none either, so that the policy counts as failed.
        """
        if lane.over:
            return np.zeros(self.m)
        lane.t += 1
        if np.isnan(given).any():
            lane.over = True
            return np.full(self.m, np.nan)
        if self.seeds_globals:
            seed_globals(lane.seed, lane.t)
        seen, reward, terminated, truncated, _ = lane.env.step(self.act(given))
        lane.over = bool(terminated) or bool(truncated)
        lane.observation = self._seen(seen, lane.t)
        paid = np.asarray(reward, dtype=np.float64)
        if paid.shape != (self.m,):
            got = f"{paid.shape[0]} in step {lane.t}" if paid.ndim == 1 else f"shape {paid.shape} in step {lane.t}"
            raise InputError(check.message(f"reward of {self.name}", f"have the declared {self.m} components", got))
        if not np.isfinite(paid).all():
            raise InputError(check.message(f"reward of {self.name}", "be finite", f"{paid.tolist()} in step {lane.t}"))
        return paid

    def _seen(self, seen: Any, t: int) -> Row:
        row = self.read(seen)
        if row.shape != (self.dim,):
            rule = f"have the declared {self.dim} numbers"
            raise InputError(check.message(f"observation of {self.name}", rule, f"{row.shape[0]} in step {t}"))
        if not np.isfinite(row).all():
            raise InputError(check.message(f"observation of {self.name}", "be finite", f"NaN or infinity in step {t}"))
        return row
