"""HyperGrid: walk from the origin of a grid along its axes, and stop where the objectives are high."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from paretokit.core import EvaluationProtocol, Objective, Rng, Scoring, Space, non_dominated
from paretokit.core import _check as check
from paretokit.core._space import INTEGER
from paretokit.problems._thin import thin
from paretokit.problems.design._design import CompositionalDesign
from paretokit.problems.design._environment import NOTHING, DesignEnvironment
from paretokit.problems.design._grid_functions import FUNCTIONS, on_grid

CELLS = 1 << 20  # most cells of which the exact front is found by looking at all


@final
@dataclass(frozen=True)
class GridEnvironment(DesignEnvironment):
    """Coordinates that grow one at a time: action i adds 1 to axis i, action d stops.

    A state is the d coordinates and whether it is finished. Backward action i takes 1 from axis i, backward action d
    takes the stop back.

    Attributes:
        dim: Number d of axes.
        side: Number of positions on each axis.
        edge_stops: Whether a walk ends, without the stop action, as soon as a coordinate is side - 1; else axes that
            are used up are masked.
    """

    dim: int
    side: int
    edge_stops: bool = True

    @property
    def n_actions(self) -> int:
        """One an axis, and the stop."""
        return self.dim + 1

    @property
    def n_backward(self) -> int:
        """One an axis, and the stop's."""
        return self.dim + 1

    @property
    def max_steps(self) -> int:
        """To the farthest cell, and the stop where that is an action there."""
        return self.dim * (self.side - 2) + 1 if self.edge_stops else self.dim * (self.side - 1) + 1

    @property
    def n_features(self) -> int:
        """One an axis and position."""
        return self.dim * self.side

    def start(self, n: int, device: torch.device | str = "cpu") -> Tensor:
        """Return n times the origin."""
        return torch.zeros(n, self.dim + 1, dtype=torch.int64, device=device)

    def mask(self, states: Tensor) -> Tensor:
        """Return axes that are not used up, and the stop; nothing where finished."""
        open_ = (states[:, -1:] == 0) & (states[:, :-1] < self.side - 1)
        return torch.cat([open_, states[:, -1:] == 0], 1)

    def step(self, states: Tensor, actions: Tensor) -> Tensor:
        """Return the cells one further along the chosen axes."""
        axes = torch.arange(self.dim + 1, device=states.device)
        states = states + (axes == actions.unsqueeze(1))
        if self.edge_stops:
            edge = (states[:, :-1] == self.side - 1).any(1, keepdim=True)
            states = torch.cat([states[:, :-1], states[:, -1:] | edge], 1)
        return states

    def backward_mask(self, states: Tensor) -> Tensor:
        """Return the axes along which a cell can be entered, or the stop.

        Where edges stop, a cell at the edge is entered only along the axis on which it lies there, from an open cell.
        """
        cells, finished = states[:, :-1], states[:, -1:] == 1
        if self.edge_stops:
            edge = cells == self.side - 1
            at_edge = edge.any(1, keepdim=True)
            moves = torch.where(at_edge, edge, (cells > 0) & ~finished)
            return torch.cat([moves, finished & ~at_edge], 1)
        return torch.cat([(cells > 0) & ~finished, finished], 1)

    def back(self, states: Tensor, backward: Tensor) -> Tensor:
        """Return the cells one back along the chosen axes, open."""
        axes = torch.arange(self.dim + 1, device=states.device)
        states = states - (axes == backward.unsqueeze(1)).to(torch.int64)
        moved = (backward != NOTHING).unsqueeze(1)
        return torch.cat([states[:, :-1], torch.where(moved, 0, states[:, -1:])], 1)

    def undoing(self, states: Tensor, actions: Tensor) -> Tensor:
        """Return the same numbers: an action's axis is its backward action's."""
        return actions

    def redoing(self, states: Tensor, backward: Tensor) -> Tensor:
        """Return the same numbers."""
        return backward

    def observe(self, states: Tensor) -> Tensor:
        """Return the position on each axis, one-hot `[n, d * side]`; whether a state is finished is not shown."""
        positions = torch.arange(self.side, device=states.device)
        return (states[:, :-1, None] == positions).flatten(1).to(torch.float32)

    def ones(self, states: Tensor) -> Tensor:
        """Return one place an axis."""
        return states[:, :-1] + self.side * torch.arange(self.dim, device=states.device)

    def decisions(self, states: Tensor) -> Tensor:
        """Return the coordinates."""
        return states[:, :-1].to(torch.float64)

    def finished(self, x: Tensor) -> Tensor:
        """Return the cells, finished."""
        cells = x.to(torch.int64)
        return torch.cat([cells, torch.ones_like(cells[:, :1])], 1)

    def done(self, states: Tensor) -> Tensor:
        """Tell which walks have stopped."""
        return states[:, -1] == 1


@final
class GridCells(Space):
    """The cells at which a walk can end; where edges stop, at most one coordinate lies at the edge."""

    def __init__(self, environment: GridEnvironment) -> None:
        self.environment = environment
        upper = torch.full((environment.dim,), environment.side - 1.0, dtype=torch.float64)
        super().__init__(torch.zeros_like(upper), upper, torch.full_like(upper, INTEGER, dtype=torch.int64))

    def contains(self, x: Tensor) -> Tensor:
        """Tell for each row whether it is a cell that can be reached."""
        inside = ((x >= 0) & (x < self.environment.side) & (x == x.floor())).all(-1)
        return inside & ((x == self.upper.to(x)).sum(-1) <= 1) if self.environment.edge_stops else inside

    def contains_all(self, x: Tensor) -> bool:
        """Tell whether all rows are cells that can be reached; the hot path of evaluation."""
        whole = torch.equal(x.round().clamp(0, self.environment.side - 1), x)
        return whole and (not self.environment.edge_stops or bool(self.contains(x).all()))

    def project(self, x: Tensor) -> Tensor:
        """Return the nearest cell; of several coordinates at the edge the first stays there."""
        x = Space.project(self, x)
        if not self.environment.edge_stops:
            return x
        edge = x == self.upper.to(x)
        return x - (edge & (edge.cumsum(-1) > 1)).to(x)

    def sample(self, n: int, rng: Rng, *, dtype: torch.dtype = torch.float64) -> Tensor:
        """Return n uniform cells, projected."""
        return self.project(Space.sample(self, n, rng, dtype=dtype))

    def describe(self) -> dict[str, Any]:
        """Return bounds and whether edges stop."""
        return {**super().describe(), "edge_stops": self.environment.edge_stops}


@final
class HyperGrid(CompositionalDesign):
    r"""A grid of ``side ** dim`` cells with objectives that are functions of the cell's place u in [-1, 1]^d.

    .. math:: u_i = 2 s_i / (\text{side} - 1) - 1

    The functions are the optimization field's, scaled into about [0, 1] and maximized; of beale the large values are
    wanted. For more than two axes a function is the mean over consecutive pairs of axes (ours).

    Args:
        objectives: Names of functions, among beale, branin, currin, shubert and sphere.
        side: Positions on an axis.
        dim: Axes d, at least 2.
        edge_stops: Whether a walk ends as soon as it reaches an edge, as in the published multi-objective runs, so
            that at most one coordinate can be the last; else only by the stop action.

    The front is exact up to 2^20 cells, found by looking at all; `states` gives exact terminal distributions.

    Source: Bengio, Jain, Korablyov, Precup and Bengio (2021), NeurIPS; with several objectives Jain et al. (2023),
    ICML.
    """

    id = "hypergrid-v1"
    light = True

    def __init__(
        self,
        *,
        objectives: Sequence[str] = ("branin", "currin"),
        side: int = 32,
        dim: int = 2,
        edge_stops: bool = True,
    ) -> None:
        check.arguments(HyperGrid.__init__, locals())
        names = (objectives,) if isinstance(objectives, str) else tuple(objectives)
        check.at_least(1, objectives=len(names))
        for name in names:
            check.known(name, FUNCTIONS, kind="objectives")
        check.that(len(set(names)) == len(names), "objectives", "be different", list(names))
        check.whole(3, side=side)
        check.whole(2, dim=dim)
        self.functions = names
        self.objectives = tuple(Objective(name, "max") for name in names)
        self.environment = self.grid = GridEnvironment(dim, side, edge_stops)
        self.space = GridCells(self.grid)
        self.front_kind = "exact" if side**dim <= CELLS else "unknown"
        m = len(names)
        scoring = Scoring(reference_point=(0.0,) * m, ideal=(1.0,) * m, nadir=(0.0,) * m)
        self.protocol = EvaluationProtocol(scoring=scoring)

    def options(self) -> dict[str, Any]:
        """Return what the constructor takes."""
        grid = self.grid
        return {
            "objectives": list(self.functions),
            "side": grid.side,
            "dim": grid.dim,
            "edge_stops": grid.edge_stops,
        }

    def _score(self, x: Tensor) -> Tensor:
        u = 2 * x / (self.grid.side - 1) - 1
        return torch.stack([on_grid(name, u) for name in self.functions], -1)

    def cells(self) -> Tensor:
        """Return all decisions `[n, d]`, float64: the cells at which a walk can end."""
        axes = [torch.arange(self.grid.side, dtype=torch.float64)] * self.grid.dim
        cells = torch.cartesian_prod(*axes)
        return cells[self.space.contains(cells)]

    def pareto_front(self, n: int | None = None) -> Tensor | None:
        """Return the exact front `[n, m]`, equal values once; None where there are more than 2^20 cells."""
        if self.front_kind == "unknown":
            return None
        values = self._score(self.cells().to(self.device, self.dtype))
        front = values[non_dominated(values, maximize=True, keep_duplicates=False)]
        return front if n is None else thin(front, n)
