"""Objects with a fixed number of slots that are filled in any order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.problems.design._environment import NOTHING, DesignEnvironment

OPEN = -1  # what an unset slot holds


@final
@dataclass(frozen=True, kw_only=True)
class SlotEnvironment(DesignEnvironment):
    """Slots that are set one at a time, in any order, each once: action ``slot * n_choices + choice``, then the stop.

    A state is the choice in each slot, -1 where it is open, and whether the object is finished. The stop, the last
    action, is legal once all are set. Backward action i opens slot i, the last takes the stop back. All trajectories
    have ``n_slots + 1`` actions.

    Attributes:
        n_slots: Number of slots.
        n_choices: Choices for each slot.
    """

    n_slots: int
    n_choices: int

    def __post_init__(self) -> None:
        check.fields(self)
        check.at_least(1, n_slots=self.n_slots)
        check.at_least(2, n_choices=self.n_choices)

    @property
    def n_actions(self) -> int:
        """One a slot and choice, and the stop."""
        return self.n_slots * self.n_choices + 1

    @property
    def n_backward(self) -> int:
        """One a slot, and the stop's."""
        return self.n_slots + 1

    @property
    def max_steps(self) -> int:
        """One a slot, and the stop."""
        return self.n_slots + 1

    @property
    def n_features(self) -> int:
        """One a slot and choice."""
        return self.n_slots * self.n_choices

    def start(self, n: int, device: torch.device | str = "cpu") -> Tensor:
        """Return n objects without a slot set."""
        states = torch.full((n, self.n_slots + 1), OPEN, dtype=torch.int64, device=device)
        states[:, -1] = 0
        return states

    def mask(self, states: Tensor) -> Tensor:
        """Return every choice of every open slot; the stop where none is open; nothing where finished."""
        is_open = states[:, :-1] == OPEN
        stop = ~is_open.any(1, keepdim=True) & (states[:, -1:] == 0)
        return torch.cat([is_open.repeat_interleave(self.n_choices, 1), stop], 1)

    def step(self, states: Tensor, actions: Tensor) -> Tensor:
        """Return the objects with a slot more set, or finished."""
        action = actions.unsqueeze(1)
        slots = torch.arange(self.n_slots, device=states.device)
        chosen = torch.where(slots == action // self.n_choices, action % self.n_choices, states[:, :-1])
        return torch.cat([chosen, states[:, -1:] | (action == self.n_actions - 1)], 1)

    def backward_mask(self, states: Tensor) -> Tensor:
        """Return the slots that are set, or the stop."""
        finished = states[:, -1:] == 1
        return torch.cat([(states[:, :-1] != OPEN) & ~finished, finished], 1)

    def back(self, states: Tensor, backward: Tensor) -> Tensor:
        """Return the objects with a slot open again, or not yet stopped."""
        move = backward.unsqueeze(1)
        slots = torch.arange(self.n_slots, device=states.device)
        chosen = torch.where(slots == move, OPEN, states[:, :-1])
        return torch.cat([chosen, torch.where(move == self.n_slots, 0, states[:, -1:])], 1)

    def undoing(self, states: Tensor, actions: Tensor) -> Tensor:
        """Return the slots that actions set; the stop's number is n_slots."""
        return torch.where(actions == NOTHING, NOTHING, actions // self.n_choices)

    def redoing(self, states: Tensor, backward: Tensor) -> Tensor:
        """Return the actions that set the slots as they are."""
        choice = states[:, :-1].gather(1, backward.clamp(0, self.n_slots - 1).unsqueeze(1)).squeeze(1)
        setting = backward * self.n_choices + choice
        return torch.where(backward == self.n_slots, self.n_actions - 1, torch.where(backward < 0, NOTHING, setting))

    def observe(self, states: Tensor) -> Tensor:
        """Return the choices one-hot, none for open slots, `[n, n_slots n_choices]`."""
        choices = torch.arange(self.n_choices, device=states.device)
        return (states[:, :-1, None] == choices).flatten(1).to(torch.float32)

    def decisions(self, states: Tensor) -> Tensor:
        """Return the choices, one column a slot."""
        return states[:, :-1].to(torch.float64)

    def finished(self, x: Tensor) -> Tensor:
        """Return the objects, finished."""
        choices = x.to(torch.int64)
        return torch.cat([choices, torch.ones_like(choices[:, :1])], 1)

    def done(self, states: Tensor) -> Tensor:
        """Tell which objects are finished."""
        return states[:, -1] == 1
