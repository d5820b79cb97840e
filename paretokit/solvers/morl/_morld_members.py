"""Members that train in turns: one state each, whose networks can still be handed from one to another."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from paretokit.core import Lanes, Rng, UnsupportedProblemError
from paretokit.problems.morl._morl import MORL
from paretokit.solvers.morl._improver import Aim, AnyImprover, Spent


@runtime_checkable
class Replays(Protocol):
    """An improver that can train on what it has stored, without new steps of the environment."""

    def replay(self, problem: MORL, state: Any, aim: Aim, *, passes: int) -> Any:
        """Return the members after some gradient steps on their stored data."""
        ...


def spent(groups: list[Any]) -> Spent:
    """Return what all members have spent together."""
    parts: list[Spent] = [group.spent for group in groups]
    return Spent(sum(p.env_steps for p in parts), sum(p.gradient_steps for p in parts))


def hand_over(improver: AnyImprover, groups: list[Any], source: int, target: int) -> None:
    """Copy the networks of one member over another's, within one stack or between stacks of one; in place.

    Raises:
        UnsupportedProblemError: If the members' states cannot be put together.
    """
    if len(groups) == 1:
        improver.transfer(groups[0], source, target)
        return
    pair = _pair(groups[source], groups[target])
    improver.transfer(pair, 0, 1)
    groups[target] = improver.select(pair, torch.tensor([1]))


def _pair(first: Any, second: Any) -> Any:
    """Return the stack of two members' states; of the state's own counters it has the larger ones.

    What was spent is the second's.
    """
    parts = {}
    for name in _kept(first):
        a, b = getattr(first, name), getattr(second, name)
        counter = isinstance(a, int) and not isinstance(a, bool)
        parts[name] = max(a, b) if counter else _joined(a, b)
    return dataclasses.replace(second, **parts)


def _joined(first: Any, second: Any) -> Any:
    """Return tensors and sources one below the other; everything else has to be equal."""
    if isinstance(first, Spent | Rng):
        return second
    if isinstance(first, Tensor) and first.shape[1:] == second.shape[1:]:
        return torch.cat([first, second])
    if isinstance(first, Lanes):
        return Lanes(first.rngs + second.rngs)
    if isinstance(first, list | tuple) and any(isinstance(item, Rng) for item in first):
        return first + second
    if isinstance(first, list | tuple) and len(first) == len(second):
        return type(first)(_joined(a, b) for a, b in zip(first, second, strict=True))
    if dataclasses.is_dataclass(first) and not isinstance(first, type):
        parts = {name: _joined(getattr(first, name), getattr(second, name)) for name in _kept(first)}
        return dataclasses.replace(second, **parts)
    if not isinstance(first, Tensor) and (first is second or first == second):
        return first
    raise UnsupportedProblemError(
        f'`cooperation` "transfer" in turns needs members that stack; got a {type(first).__name__} that differs '
        '(selection="all" trains them as one stack)'
    )


def _kept(state: Any) -> list[str]:
    return [f.name for f in dataclasses.fields(state) if not f.metadata.get("transient")]
