"""Memory of transitions: one row each, whole rows in one gather, never more room than was used."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

FIRST_ROOM = 1024


@dataclass
class Replay:
    """The last `capacity` transitions of each group of members: a group is one member, or all of them.

    A row holds observation `[o]`, action `[k]`, successor `[o]`, reward `[m]` and whether the episode terminated, side
    by side, so that a batch is one gather. Room doubles up to the capacity when it is needed: a checkpoint holds what
    was seen. One million half-cheetah transitions (o = 17, k = 6, m = 2) take 172 MB in float32.

    Attributes:
        rows: `[G, room, width]`, G = 1 where all members share.
        capacity: Most transitions of a group.
        seen: Transitions that each group has ever taken in.
    """

    rows: Tensor = field(repr=False)
    capacity: int
    seen: int = 0

    @classmethod
    def empty(
        cls, groups: int, width: int, capacity: int, *, dtype: torch.dtype, device: torch.device | str = "cpu"
    ) -> Replay:
        """Return the memory before the first transition."""
        return cls(torch.zeros(groups, min(capacity, FIRST_ROOM), width, dtype=dtype, device=device), capacity)

    def __len__(self) -> int:
        """Number of transitions that a group holds."""
        return min(self.seen, self.capacity)

    def add(self, new: Tensor) -> None:
        """Take in rows `[G, n, width]` (n at most the capacity), the oldest making room; in place."""
        n = new.shape[1]
        self._make_room(min(self.seen + n, self.capacity))
        at = self.seen % self.capacity
        first = min(n, self.capacity - at)
        self.rows[:, at : at + first] = new[:, :first]
        if first < n:
            self.rows[:, : n - first] = new[:, first:]
        self.seen += n

    def sample(self, uniform: Tensor) -> Tensor:
        """Return rows `[P, B, width]` for uniform numbers `[P, B]`, drawn with replacement from each member's group."""
        groups, room, width = self.rows.shape
        index = (uniform * len(self)).to(torch.int64)
        if groups > 1:
            index = index + torch.arange(groups, device=index.device).unsqueeze(-1) * room
        return self.rows.view(-1, width).index_select(0, index.view(-1)).view(*uniform.shape, width)

    def select(self, members: Tensor, *, shared: bool) -> Replay:
        """Return the memory of some members, copied; a shared one stays shared among them."""
        rows = self.rows.clone() if shared else self.rows[members].clone()
        return Replay(rows, self.capacity, self.seen)

    def _make_room(self, n: int) -> None:
        groups, room, width = self.rows.shape
        if n <= room:
            return
        while room < n:
            room = min(2 * room, self.capacity)
        larger = self.rows.new_zeros(groups, room, width)
        larger[:, : self.rows.shape[1]] = self.rows
        self.rows = larger
