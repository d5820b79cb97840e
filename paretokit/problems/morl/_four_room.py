"""Four rooms: shapes of three colors are collected on the way to a goal."""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Self, final

import torch
from torch import Tensor

from paretokit.core import Objective
from paretokit.problems.morl._collection import collection_front
from paretokit.problems.morl._environment import Discrete, Environment, Move
from paretokit.problems.morl._lookup import digits, number_of

_SIDE = 13
_START, _GOAL = (12, 0), (0, 12)
_BLUE = ((0, 0), (2, 6), (6, 10), (12, 12))
_GREEN = ((0, 5), (5, 0), (7, 7), (10, 6))
_RED = ((5, 5), (6, 2), (7, 12), (12, 7))
# Shapes are numbered column by column, as their flags are.
_SHAPES = tuple(sorted((*_BLUE, *_GREEN, *_RED), key=lambda cell: cell[::-1]))
_COLORS = tuple(0 if cell in _BLUE else 1 if cell in _GREEN else 2 for cell in _SHAPES)
_COUNT = len(_SHAPES)
_DOORS = (2, 3, 9, 10)  # row 6 and column 6 are walls but for these; some of the doors hold a shape
_MOVES = ((0, -1), (-1, 0), (0, 1), (1, 0))

Cell = tuple[int, int]


def _is_open(cell: Cell) -> bool:
    row, column = cell
    inside = 0 <= row < _SIDE and 0 <= column < _SIDE
    return inside and (row != 6 or column in _DOORS) and (column != 6 or row in _DOORS)


@dataclass(frozen=True)
class _Tables:
    """What a step meets, by 4 cell + action.

    Attributes:
        cell: The cell after it.
        bit: The bit of the shape there (1 << number), of the goal (1 << 12), or 0.
        pays: `[676, 3]`, float64, for a bit that is new.
        places: Row and column by cell, float32 `[169, 2]`.
        flags: By the flags' bits, float32 `[4096, 12]`.
    """

    cell: Tensor
    bit: Tensor
    pays: Tensor
    places: Tensor
    flags: Tensor


@final
@dataclass(frozen=True, kw_only=True)
class FourRoom(Environment):
    """Four rooms with four shapes of each of three colors: only discounting makes the colors compete.

    The walk on a 13 by 13 grid begins in the lower left corner. Coming to a shape for the first time pays 1 in its
    color (blue, green, red); coming to the goal in the upper right corner pays 1 in each and ends the episode. Steps
    into walls go nowhere. All shapes fit into the time limit of 200, so the undiscounted front is (5, 5, 5).

    Observation: row, column, and a flag for each shape whether it was collected, column by column. Actions: left, up,
    right, down. State `[P, N, 2]`: cell, flags as bits. There are 169 · 4096 numbered states.

    `pareto_front` is the exact front of discounted returns: 240 points at γ = 0.99, 652 at 0.95, 1642 at 0.9, found in
    about 5 s, once a process, by dynamic programming over the sets of collected shapes (see `collection_front`). The
    longest of their walks take 94 to 100 steps, so the time limit cuts none. At γ = 0.5 it takes more than a minute.

    The reference point (0, 0, 0) is our choice.

    References:
        Barreto, Dabney, Munos, Hunt, Schaul, van Hasselt and Silver (2017), Successor features for transfer in
        reinforcement learning, NeurIPS; the grid is that of MO-Gymnasium 1.3.
    """

    id = "four-room-v0"
    objectives = (Objective("blue", "max"), Objective("green", "max"), Objective("red", "max"))
    observation_dim = 2 + _COUNT
    actions = Discrete(4)
    horizon = 200
    n_states = _SIDE * _SIDE * 2**_COUNT
    discount = 0.99
    reference_point = (0.0, 0.0, 0.0)
    front_kind = "exact"
    device = torch.device("cpu")

    @cached_property
    def _tables(self) -> _Tables:
        cells = digits(_SIDE, _SIDE)
        after, bit, pays = [], [], []
        for row, column in cells.tolist():
            for down, right in _MOVES:
                aim = (row + down, column + right)
                moved = _is_open(aim)
                after.append(aim if moved else (row, column))
                number = _SHAPES.index(aim) if aim in _SHAPES else _COUNT if aim == _GOAL else None
                bit.append(0 if number is None or not moved else 1 << number)
                pays.append(
                    [float(number == _COUNT or (number is not None and _COLORS[number] == c)) for c in range(3)]
                )
        return _Tables(
            cell=number_of(torch.tensor(after), _SIDE, _SIDE).to(self.device),
            bit=torch.tensor(bit, device=self.device),
            pays=torch.tensor(pays, dtype=torch.float64, device=self.device),
            places=cells.to(self.device, torch.float32),
            flags=digits(*(2,) * _COUNT).flip(-1).to(self.device, torch.float32),
        )

    def initial(self, noise: Tensor) -> Tensor:
        """Return the lower left corner, with nothing collected, in every lane of `noise [P, N, 0]`."""
        state = torch.zeros(*noise.shape[:-1], 2, dtype=torch.int64, device=noise.device)
        state[..., 0] = _START[0] * _SIDE + _START[1]
        return state

    def step(self, state: Tensor, action: Tensor, noise: Tensor) -> Move:
        """Return what actions `[P, N]` do in states `[P, N, 2]`."""
        tables = self._tables
        cell, flags = state.unbind(-1)
        entry = (4 * cell + action).reshape(-1)
        met = tables.bit.index_select(0, entry).view(action.shape)
        fresh = met & ~flags
        reward = tables.pays.index_select(0, entry).view(*action.shape, 3) * (fresh > 0).unsqueeze(-1)
        goal = met >> _COUNT
        after = tables.cell.index_select(0, entry).view(action.shape)
        return Move(torch.stack([after, flags | (fresh & ((1 << _COUNT) - 1))], -1), reward, goal > 0)

    def observe(self, state: Tensor) -> Tensor:
        """Return row, column and flags of states, float32 `[P, N, 14]`."""
        tables = self._tables
        cell, flags = state.unbind(-1)
        places = tables.places.index_select(0, cell.reshape(-1))
        collected = tables.flags.index_select(0, flags.reshape(-1))
        return torch.cat([places, collected], -1).view(*cell.shape, -1)

    def state_index(self, observation: Tensor) -> Tensor:
        """Return the number `[P, N]` of observations `[P, N, 14]`."""
        return number_of(observation, _SIDE, _SIDE, *(2,) * _COUNT)

    def pareto_front(self, discount: float) -> Tensor | None:
        """Return the exact front `[n, 3]` of discounted returns of deterministic policies."""
        return four_room_front(discount)[0].clone()

    def to(self, device: torch.device | str) -> Self:
        """Return the environment with its tables on a device."""
        twin = copy.copy(self)
        twin.__dict__.pop("_tables", None)
        twin.__dict__["device"] = torch.device(device)
        return twin


@cache
def four_room_front(discount: float) -> tuple[Tensor, Tensor]:
    """Return the exact front `[n, 3]` and the length `[n]` of the shortest walk to each point."""
    return collection_front(shortest_paths(), _COLORS, discount=discount)


def shortest_paths() -> Tensor:
    """Return the steps `[13, 13]` from each shape and the start (last row) to each shape and the goal (last column)."""
    rows = []
    for begin in (*_SHAPES, _START):
        steps, queue = {begin: 0}, deque([begin])
        while queue:
            here = queue.popleft()
            if here == _GOAL:  # ends the episode: no path goes through it
                continue
            for down, right in _MOVES:
                there = (here[0] + down, here[1] + right)
                if _is_open(there) and there not in steps:
                    steps[there] = steps[here] + 1
                    queue.append(there)
        rows.append([steps[cell] for cell in (*_SHAPES, _GOAL)])
    return torch.tensor(rows)
