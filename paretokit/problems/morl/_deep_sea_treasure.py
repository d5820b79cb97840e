"""Deep sea treasure: a submarine trades the treasure's value against time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import Objective
from paretokit.core import _check as check
from paretokit.problems.morl._dynamic_programming import TabularModel, deterministic_model
from paretokit.problems.morl._environment import Discrete
from paretokit.problems.morl._lookup import Lookup, digits, number_of

_ROWS = 11
# The first row of rock in each column (11: none). Treasures lie on the rock of the given columns, from the left.
_SLOPE = (2, 3, 4, 5, 5, 5, 8, 8, 10, 11)
_LEFT_SLOPE = (11, 10, 8, 8, 5, 5, 5, 4, 3, 2)
_CONVEX = (0.7, 8.2, 11.5, 14.0, 15.1, 16.1, 19.6, 20.3, 22.4, 23.7)
_CONCAVE = (1.0, 2.0, 3.0, 5.0, 8.0, 16.0, 24.0, 50.0, 74.0, 124.0)
_SEAS = {
    # treasure: (id, rock by column, first column with a treasure, values, column of the start)
    "convex": ("deep-sea-treasure-v0", (*_SLOPE, 11), 0, _CONVEX, 0),
    "concave": ("deep-sea-treasure-concave-v0", (*_SLOPE, 11), 0, _CONCAVE, 0),
    "mirrored": ("deep-sea-treasure-mirrored-v0", (*_LEFT_SLOPE, *_SLOPE), 10, _CONCAVE, 10),
}
_MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))


@final
@dataclass(frozen=True, kw_only=True)
class DeepSeaTreasure(Lookup):
    r"""Ten treasures, each farther and worth more: a known front of ten points, at γ = 1 of shape `treasure`.

    The submarine moves on a grid of 11 rows; each step pays (0, -1), the one that reaches a treasure (value, -1), and
    the episode ends there. Steps off the grid or into rock go nowhere and are paid alike. A treasure of value v that
    lies n steps away gives the point

    .. math:: \left( v \gamma^{n-1},\ -\frac{1 - \gamma^n}{1 - \gamma} \right)

    Observation: row and column. Actions: up, down, left, right. Time limit 100.

    Attributes:
        treasure: "convex" (values of Yang et al.), "concave" (of Vamplew et al.), or "mirrored" (concave, and as much
            sea without treasures to the left of the start).
        float_state: Whether observations are a tenth of row and column, as MO-Gymnasium's option of this name gives.

    Deviation from MO-Gymnasium 1.3: rewards are float64 (0.7 there is the float32 nearest to it).

    References:
        Vamplew, Dazeley, Berry, Issabekov and Dekker (2011), Empirical evaluation methods for multiobjective
        reinforcement learning algorithms, Machine Learning 84; Yang, Sun and Narasimhan (2019), A generalized algorithm
        for multi-objective reinforcement learning and policy adaptation, NeurIPS; Felten, Danoy, Talbi and Bouvry
        (2022), Metaheuristics-based exploration strategies for multi-objective reinforcement learning, ICAART.

    >>> DeepSeaTreasure(treasure="concave").pareto_front(1.0)[-1]
    tensor([124., -19.], dtype=torch.float64)
    """

    treasure: str = "convex"
    float_state: bool = False

    objectives = (Objective("treasure", "max"), Objective("time", "max", "steps"))
    observation_dim = 2
    actions = Discrete(4)
    horizon = 100
    discount = 0.99
    reference_point = (0.0, -50.0)
    front_kind = "exact"

    def __post_init__(self) -> None:
        check.one_of(tuple(_SEAS), treasure=self.treasure)
        object.__setattr__(self, "id", _SEAS[self.treasure][0])
        object.__setattr__(self, "n_states", _ROWS * self._width)

    @property
    def _width(self) -> int:
        return len(_SEAS[self.treasure][1])

    def values(self) -> Tensor:
        """Return the sea `[11, columns]`: the treasure of each cell, 0 for water, NaN for rock."""
        _, rock, first, worth, _ = _SEAS[self.treasure]
        rows = torch.arange(_ROWS).unsqueeze(-1)
        sea = torch.where(rows >= torch.tensor(rock), torch.nan, 0.0).to(torch.float64)
        for i, value in enumerate(worth):
            sea[rock[first + i] - 1, first + i] = value
        return sea

    def model(self) -> TabularModel:
        """Return what happens, as tables; states are cells, row by row."""
        sea = self.values()
        cells = digits(_ROWS, self._width)
        aim = cells.unsqueeze(1) + torch.tensor(_MOVES)
        last = torch.tensor([_ROWS - 1, self._width - 1])
        inside = ((aim >= 0) & (aim <= last)).all(-1)
        aim = torch.where(inside.unsqueeze(-1), aim, cells.unsqueeze(1))
        open_water = ~sea[aim[..., 0], aim[..., 1]].isnan()
        aim = torch.where(open_water.unsqueeze(-1), aim, cells.unsqueeze(1))
        found = sea[aim[..., 0], aim[..., 1]].nan_to_num(0.0)
        reward = torch.stack([found, torch.full_like(found, -1.0)], -1)
        return deterministic_model(number_of(aim, _ROWS, self._width), reward, found > 0, start=_SEAS[self.treasure][4])

    def observations(self) -> Tensor:
        """Return row and column of each state, float32 `[S, 2]`."""
        cells = digits(_ROWS, self._width).to(torch.float32)
        return cells * 0.1 if self.float_state else cells

    def state_index(self, observation: Tensor) -> Tensor:
        """Return the cell's number `[P, N]`, row by row, of observations `[P, N, 2]`."""
        return number_of((observation * 10).round() if self.float_state else observation, _ROWS, self._width)
