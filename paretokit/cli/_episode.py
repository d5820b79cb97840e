"""One episode of a policy in MO-Gymnasium's own environment, with its pictures."""

from __future__ import annotations

import contextlib
import importlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretokit.problems.morl import Policy

QUIET = {"SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy", "PYGAME_HIDE_SUPPORT_PROMPT": "1"}


@dataclass(frozen=True, eq=False)
class Episode:
    """What happened.

    Attributes:
        frames: 8-bit RGB images `[h, w, 3]`, the first of the reset, then one a step.
        rewards: Reward vectors `[steps, m]`.
        discount: Of the returns.
    """

    frames: tuple[NDArray[np.uint8], ...]
    rewards: NDArray[np.float64]
    discount: float

    @property
    def returns(self) -> NDArray[np.float64]:
        """Discounted returns `[m]`."""
        total: NDArray[np.float64] = self.discount ** np.arange(len(self.rewards)) @ self.rewards
        return total


def film(policy: Policy, *, horizon: int, seed: int = 0) -> Episode:
    """Return an episode of a policy in the environment that it was trained for, rendered by MO-Gymnasium.

    Raises:
        ImportError: If a package that the environment or its pictures need is missing.
        RuntimeError: If nothing can be rendered here.
    """
    with _headless():
        gymnasium = importlib.import_module("gymnasium.error")
        mo_gymnasium = importlib.import_module("mo_gymnasium")
        try:
            env = mo_gymnasium.make(policy.environment, render_mode="rgb_array", **policy.options)
            try:
                return _played(env, policy, horizon, seed)
            finally:
                env.close()
        except gymnasium.DependencyNotInstalled as error:
            raise ImportError(str(error)) from error


def _played(env: Any, policy: Policy, horizon: int, seed: int) -> Episode:
    observation, _ = env.reset(seed=seed)
    policy.reset()
    frames, over = [env.render()], False
    rewards: list[NDArray[np.float64]] = []
    while not over and len(rewards) < horizon:
        observation, reward, terminated, truncated, _ = env.step(policy.act(observation))
        policy.receive(reward)
        rewards.append(np.asarray(reward, dtype=np.float64))
        frames.append(env.render())
        over = terminated or truncated
    return Episode(tuple(frames), np.stack(rewards), policy.discount)


@contextlib.contextmanager
def _headless() -> Iterator[None]:
    """Let pygame draw without a screen and a sound card, and keep Gymnasium's notes from users."""
    added = [name for name in QUIET if name not in os.environ]
    os.environ.update({name: QUIET[name] for name in added})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name in added:
            os.environ.pop(name, None)
