"""How observations and actions of Gymnasium become rows of numbers and back."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretokit.core import InputError
from paretokit.core import _check as check
from paretokit.problems.morl._environment import Actions, Continuous, Discrete

Row = NDArray[np.float32]


@dataclass(frozen=True)
class Reader:
    """How an observation is read.

    Attributes:
        dim: Length of the row.
        read: Returns the row of an observation.
        note: What a user should know about its order, or "".
        n_states: Number of observations where they are numbers 0 … n - 1, else 0.
    """

    dim: int
    read: Callable[[Any], Row]
    note: str = ""
    n_states: int = 0


def reader(space: Any, name: str) -> Reader:
    """Return how observations of a space are read.

    Boxes are flattened in C order, everything else as `gymnasium.spaces.utils.flatten` does: numbers of finite sets
    one-hot, dictionaries in the order of their keys.

    Raises:
        InputError: If an observation has no fixed length.
    """
    spaces = importlib.import_module("gymnasium.spaces")
    if isinstance(space, spaces.Box):
        dim = math.prod(space.shape)
        note = f"{name}: observations of shape {space.shape} are flattened in C order" if len(space.shape) > 1 else ""
        return Reader(dim, lambda seen: np.asarray(seen, dtype=np.float32).reshape(-1), note)
    if not space.is_np_flattenable or isinstance(space, spaces.Text):
        raise InputError(check.message("observation_space", "have a fixed length", type(space).__name__))
    utils = importlib.import_module("gymnasium.spaces.utils")

    def read(seen: Any) -> Row:
        return np.asarray(utils.flatten(space, seen), dtype=np.float32)

    if isinstance(space, spaces.Discrete):
        return Reader(int(space.n), read, n_states=int(space.n))
    note = f"{name}: observations are one row of {_parts(space, spaces)}"
    return Reader(int(utils.flatdim(space)), read, note)


def _parts(space: Any, spaces: Any) -> str:
    if isinstance(space, spaces.Dict):
        return ", ".join(f"{key} ({_parts(part, spaces)})" for key, part in space.spaces.items())
    if isinstance(space, spaces.Tuple):
        return ", ".join(_parts(part, spaces) for part in space.spaces)
    if isinstance(space, spaces.Discrete):
        return f"{space.n} one-hot"
    if isinstance(space, spaces.MultiDiscrete):
        return " + ".join(str(n) for n in np.ravel(space.nvec)) + " one-hot"
    return f"{math.prod(space.shape)} numbers"


def actions_of(space: Any) -> Actions:
    """Return the actions of a space.

    Raises:
        InputError: If it is neither `Discrete` nor a `Box` of numbers.
    """
    spaces = importlib.import_module("gymnasium.spaces")
    if isinstance(space, spaces.Discrete):
        return Discrete(int(space.n))
    if isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating):
        return Continuous(tuple(map(float, np.ravel(space.low))), tuple(map(float, np.ravel(space.high))))
    kind = type(space).__name__ if not isinstance(space, spaces.Box) else f"Box of {space.dtype}"
    raise InputError(check.message("action_space", "be Discrete or a Box of floating point numbers", kind))


def acting(space: Any) -> Callable[[Any], Any]:
    """Return how a number, or a row of numbers `[k]` float64, becomes an action: clipped to the box, in its dtype."""
    if not hasattr(space, "low"):
        start = int(space.start)
        return lambda given: int(given) + start
    low, high, shape, dtype = np.ravel(space.low), np.ravel(space.high), space.shape, space.dtype
    return lambda given: np.clip(given, low, high).astype(dtype).reshape(shape)
