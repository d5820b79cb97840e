"""Live Gymnasium environments in lanes, and the record from which they are rebuilt."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretokit.core import InputError
from paretokit.core import _check as check
from paretokit.problems.morl._gymnasium_spaces import Row


@dataclass(frozen=True, kw_only=True)
class Record:
    """What rebuilds live lanes: everything that happened to them since their last resets.

    Attributes:
        seeds: Of the last resets, int64 `[P, N]`.
        lengths: Steps since, int64 `[P, N]`.
        actions: All actions, lane after lane: int64 `[T]`, or float64 `[T, k]`, T the sum of the lengths.
        observations: What the lanes see now, float32 `[P, N, o]`; a replay is checked against it.
    """

    seeds: Tensor
    lengths: Tensor
    actions: Tensor
    observations: Tensor


@dataclass
class Lane:
    """One live environment.

    Attributes:
        env: The environment.
        seed: Of its last reset.
        actions: What it was given since.
        observation: What it shows.
        over: Whether its episode has ended.
    """

    env: Any
    seed: int = 0
    actions: list[Any] = field(default_factory=list)
    observation: Row = field(default_factory=lambda: np.zeros(0, dtype=np.float32))
    over: bool = False


@dataclass(eq=False)
class Live:
    """P times N lanes; the handle that a `GymnasiumEnvironment` calls a state. It changes when it is stepped.

    Attributes:
        lanes: In C order.
        shape: P and N.
        device: Where observations and rewards go.
    """

    lanes: list[Lane]
    shape: tuple[int, int]
    device: torch.device


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
        lane.seed, lane.actions, lane.over = seed, [], False
        lane.observation = self._seen(seen, 0)

    def step(self, lane: Lane, given: Any) -> NDArray[np.float64]:
        """Step a lane and return the reward `[m]`.

        A lane whose episode has ended stays, with reward 0. An action that is not a number ends the episode with a
        reward that is none either, so that the policy counts as failed.
        """
        if lane.over:
            return np.zeros(self.m)
        t = len(lane.actions) + 1
        if np.isnan(given).any():
            lane.actions.append(given)
            lane.over = True
            return np.full(self.m, np.nan)
        if self.seeds_globals:
            seed_globals(lane.seed, t)
        seen, reward, terminated, truncated, _ = lane.env.step(self.act(given))
        lane.actions.append(given)
        lane.over = bool(terminated) or bool(truncated)
        lane.observation = self._seen(seen, t)
        paid = np.asarray(reward, dtype=np.float64)
        if paid.shape != (self.m,):
            got = f"{paid.shape[0]} in step {t}" if paid.ndim == 1 else f"shape {paid.shape} in step {t}"
            raise InputError(check.message(f"reward of {self.name}", f"have the declared {self.m} components", got))
        if not np.isfinite(paid).all():
            raise InputError(check.message(f"reward of {self.name}", "be finite", f"{paid.tolist()} in step {t}"))
        return paid

    def _seen(self, seen: Any, t: int) -> Row:
        row = self.read(seen)
        if row.shape != (self.dim,):
            rule = f"have the declared {self.dim} numbers"
            raise InputError(check.message(f"observation of {self.name}", rule, f"{row.shape[0]} in step {t}"))
        if not np.isfinite(row).all():
            raise InputError(check.message(f"observation of {self.name}", "be finite", f"NaN or infinity in step {t}"))
        return row
