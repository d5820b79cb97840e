"""Random and quasi-random search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import Lanes, Problem, Rng
from paretokit.core import _check as check
from paretokit.core._rng import uniform
from paretokit.solvers.evolutionary._crowding import rank_and_crowding
from paretokit.solvers.evolutionary._draws import word
from paretokit.solvers.evolutionary._genetic import Genetic, Memory, PopulationState
from paretokit.solvers.evolutionary._variation import separable

MAX_SOBOL = torch.quasirandom.SobolEngine.MAXDIM


@final
@dataclass(frozen=True, kw_only=True)
class RandomSearch(Genetic):
    """Draw uniformly and keep the best by rank and crowding distance: what every other solver has to beat.

    Attributes:
        pop_size: Number n of solutions kept, and of draws a step.

    Cost: O(n log n) a step for two objectives.
    """

    pop_size: int = 100

    def __post_init__(self) -> None:
        check.fields(self)
        check.at_least(2, pop_size=self.pop_size)

    def size(self, problem: Problem) -> int:
        """Return `pop_size`."""
        return self.pop_size

    def breed(self, problem: Problem, state: PopulationState, keys: Tensor) -> Tensor:
        """Return uniform decisions."""
        space = problem.space
        if separable(space):
            return space.from_unit(uniform(keys, self.pop_size, space.dim))
        drawn = [space.sample(self.pop_size, Rng(key % (1 << 64))) for key in keys.tolist()]
        return torch.stack(drawn).to(state.x)

    def survive(
        self, problem: Problem, state: PopulationState, f: Tensor, v: Tensor, keys: Tensor
    ) -> tuple[Tensor, Memory]:
        """Return the best by rank and crowding distance."""
        return rank_and_crowding(f, v, self.pop_size)[0], {}


@final
@dataclass(frozen=True, kw_only=True)
class QuasiRandomSearch(Genetic):
    """Follow a scrambled Sobol sequence and keep the best by rank and crowding distance.

    Every member scrambles with its own seed, so members are independent; `initial` rows take the places of the
    last points of the first step.

    Attributes:
        pop_size: Number n of solutions kept, and of points a step; powers of two keep the sequence balanced.

    Owen (1998), "Scrambling Sobol' and Niederreiter-Xing points", Journal of Complexity 14(4); torch's Joe-Kuo
    direction numbers.
    """

    pop_size: int = 128

    def __post_init__(self) -> None:
        check.fields(self)
        check.at_least(2, pop_size=self.pop_size)

    def unsupported(self, problem: Problem) -> str | None:
        """Tell where the sequence has too few columns or the space is no product of columns."""
        if problem.space.dim > MAX_SOBOL:
            return f"its sequence has {MAX_SOBOL} columns, the problem has {problem.space.dim} variables"
        if not separable(problem.space):
            return f"it needs a space of independent columns, not {type(problem.space).__name__}"
        return None

    def size(self, problem: Problem) -> int:
        """Return `pop_size`."""
        return self.pop_size

    def first(self, problem: Problem, lanes: Lanes, n: int) -> Tensor:
        """Return the first points of each member's sequence."""
        return self._points(problem, lanes.keys, 0, n)

    def breed(self, problem: Problem, state: PopulationState, keys: Tensor) -> Tensor:
        """Return the next points of each member's sequence."""
        return self._points(problem, state.keys, state.step * self.pop_size, self.pop_size).to(state.x)

    @staticmethod
    def _points(problem: Problem, keys: Tensor, begin: int, count: int) -> Tensor:
        dim, parts = problem.space.dim, []
        for key in word(keys, -2).tolist():
            engine = torch.quasirandom.SobolEngine(dim, scramble=True, seed=key % (1 << 62))
            engine.fast_forward(begin)
            parts.append(engine.draw(count, dtype=torch.float64))
        return problem.space.from_unit(torch.stack(parts))

    def survive(
        self, problem: Problem, state: PopulationState, f: Tensor, v: Tensor, keys: Tensor
    ) -> tuple[Tensor, Memory]:
        """Return the best by rank and crowding distance."""
        return rank_and_crowding(f, v, self.pop_size)[0], {}
