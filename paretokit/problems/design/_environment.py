"""How objects are built, action by action: a pointed directed acyclic graph of integer states, batched and masked."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

NOTHING = -1  # the action of a finished state


class DesignEnvironment(ABC):
    r"""States as rows of whole numbers, forward and backward moves as tables of legal actions.

    A state is an int64 row `[k]`. `mask` tells its legal actions; a state without any is finished (terminal), and
    finished states are the objects x. The parents of a state are numbered by *backward actions*: `backward_mask` tells
    which there are, `back` goes there. Every path from the start to a state has the same number of actions (the graph
    is graded), stopping included. All methods are pure, take any number n of states, run on the states' device and
    read nothing back to the host.

    Subclasses are frozen: they hold sizes and tables, no state.
    """

    @property
    @abstractmethod
    def n_actions(self) -> int:
        """Number A of forward actions, stopping included."""

    @property
    @abstractmethod
    def n_backward(self) -> int:
        """Number B of backward actions."""

    @property
    @abstractmethod
    def max_steps(self) -> int:
        """Number T of actions of the longest trajectory, stopping included."""

    @property
    @abstractmethod
    def n_features(self) -> int:
        """Number F of entries of what `observe` returns."""

    @abstractmethod
    def start(self, n: int, device: torch.device | str = "cpu") -> Tensor:
        """Return n times the empty object `[n, k]`."""

    @abstractmethod
    def mask(self, states: Tensor) -> Tensor:
        """Return the legal actions of states, bool `[n, A]`; none where a state is finished."""

    @abstractmethod
    def step(self, states: Tensor, actions: Tensor) -> Tensor:
        """Return the states `[n, k]` after legal actions `[n]`; `NOTHING` leaves a state as it is."""

    @abstractmethod
    def backward_mask(self, states: Tensor) -> Tensor:
        """Return the backward actions that states have, bool `[n, B]`; none at the start."""

    @abstractmethod
    def back(self, states: Tensor, backward: Tensor) -> Tensor:
        """Return the parents `[n, k]` that backward actions `[n]` lead to; `NOTHING` leaves a state as it is."""

    @abstractmethod
    def undoing(self, states: Tensor, actions: Tensor) -> Tensor:
        """Return the backward actions `[n]` that lead from ``step(states, actions)`` back to `states`.

        `NOTHING` is undone by `NOTHING`.
        """

    def advance(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `step` and `undoing` return, both at once; overridden where they share work."""
        return self.step(states, actions), self.undoing(states, actions)

    @abstractmethod
    def redoing(self, states: Tensor, backward: Tensor) -> Tensor:
        """Return the actions `[n]` that lead from ``back(states, backward)`` to `states`; `NOTHING` by `NOTHING`."""

    @abstractmethod
    def observe(self, states: Tensor) -> Tensor:
        """Return what a network sees of states, float32 `[n, F]`."""

    def ones(self, states: Tensor) -> Tensor | None:
        """Return where `observe` is 1, int64 `[n, K]`, if it is 1 at K places of each state and 0 elsewhere, else None.

        Networks that know it add K rows of weights instead of multiplying F of them.
        """
        return None

    @abstractmethod
    def decisions(self, states: Tensor) -> Tensor:
        """Return the decision rows `[n, d]`, float64, of finished states."""

    @abstractmethod
    def finished(self, x: Tensor) -> Tensor:
        """Return the finished states `[n, k]` of decision rows `[n, d]` (one of them, where several mean the same)."""

    def done(self, states: Tensor) -> Tensor:
        """Tell which states are finished, bool `[n]`."""
        return ~self.mask(states).any(-1)
