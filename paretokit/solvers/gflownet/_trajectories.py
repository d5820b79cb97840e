"""Trajectories: how a batch of objects was built."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from paretokit.problems.design._environment import NOTHING


@dataclass
class Trajectories:
    """n ways from the start to finished objects, padded to T actions.

    Log-probabilities are no part of it: losses recompute them under the present parameters.

    Attributes:
        states: The states before each action and the last one `[T + 1, n, k]`, int64.
        actions: `[T, n]`, `NOTHING` after the end.
        backward: The backward action that undoes each action `[T, n]`, `NOTHING` likewise.
        condition: What the policy was given `[n, c]`; None without conditions.
    """

    states: Tensor
    actions: Tensor
    backward: Tensor
    condition: Tensor | None = None

    def __len__(self) -> int:
        return self.actions.shape[1]

    @property
    def last(self) -> Tensor:
        """The finished states `[n, k]`."""
        return self.states[-1]

    @property
    def moved(self) -> Tensor:
        """Where there is an action, bool `[T, n]`."""
        return self.actions != NOTHING

    def select(self, rows: Tensor) -> Trajectories:
        """Return some of the trajectories, copied."""
        condition = None if self.condition is None else self.condition[rows]
        return Trajectories(self.states[:, rows], self.actions[:, rows], self.backward[:, rows], condition)

    @staticmethod
    def cat(parts: list[Trajectories]) -> Trajectories:
        """Return trajectories of equal padding side by side."""
        conditions = [p.condition for p in parts]
        return Trajectories(
            torch.cat([p.states for p in parts], 1),
            torch.cat([p.actions for p in parts], 1),
            torch.cat([p.backward for p in parts], 1),
            None if conditions[0] is None else torch.cat([c for c in conditions if c is not None]),
        )
