"""SMS-EMOA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from paretokit.core import LogRange, Problem, SearchSpace
from paretokit.core import _check as check
from paretokit.solvers.evolutionary._crowding import ranked
from paretokit.solvers.evolutionary._genetic import (
    VARIATION_SPACE,
    Genetic,
    Memory,
    PopulationState,
    check_variation,
    operators,
)
from paretokit.solvers.evolutionary._shedding import shed
from paretokit.solvers.evolutionary._variation import offspring


@final
@dataclass(frozen=True, kw_only=True)
class SMSEMOA(Genetic):
    """Sort by Pareto rank, then shed the least contributor to the hypervolume: for few objectives, well spread.

    Values are normalized by the best and worst of the current population; the reference point lies at
    ``1 + reference_offset`` in every objective.

    Attributes:
        pop_size: Number n of solutions kept.
        n_offspring: Children a generation; n by default, 1 for the authors' steady state.
        reference_offset: Distance of the reference point from the normalized nadir point.
        crossover_prob: Probability that a mating crosses at all.
        crossover_var_prob: Probability that it crosses a variable.
        crossover_eta: Distribution index of the crossover.
        mutation_prob: Probability that a child mutates at all.
        mutation_var_prob: Probability that it mutates a variable; min(1/2, 1/d) by default.
        mutation_eta: Distribution index of the mutation.
        eliminate_duplicates: Whether children equal to a parent or to each other are bred anew (up to 10 times).

    Cost: O(n^2) a generation for two objectives; beyond, a few hypervolumes for every row that is shed.

    Beume, Naujoks and Emmerich (2007), "SMS-EMOA: Multiobjective selection based on dominated hypervolume", EJOR
    181(3). The authors breed one child a step; here, as in pymoo, n at once by default, and parents win tournaments by
    dominance.
    """

    search_space: ClassVar[SearchSpace] = {"pop_size": LogRange(20, 200), **VARIATION_SPACE}

    pop_size: int = 100
    n_offspring: int | None = None
    reference_offset: float = 10.0
    crossover_prob: float = 0.9
    crossover_var_prob: float = 0.5
    crossover_eta: float = 15.0
    mutation_prob: float = 0.9
    mutation_var_prob: float | None = None
    mutation_eta: float = 20.0
    eliminate_duplicates: bool = True

    def __post_init__(self) -> None:
        check.fields(self)
        check.at_least(2, pop_size=self.pop_size)
        if self.n_offspring is not None:
            check.at_least(1, n_offspring=self.n_offspring)
        check.at_least(0, reference_offset=self.reference_offset)
        check_variation(self)

    def size(self, problem: Problem) -> int:
        """Return `pop_size`."""
        return self.pop_size

    def breed(self, problem: Problem, state: PopulationState, keys: Tensor) -> Tensor:
        """Return the children of tournament winners."""
        ops = operators(self, problem, eliminate_duplicates=self.eliminate_duplicates)
        nothing, count = torch.zeros_like(state.v), self.n_offspring or self.pop_size
        return offspring(keys, state.x, state.f, state.v, nothing, by_dominance=True, ops=ops, count=count)

    def survive(
        self, problem: Problem, state: PopulationState, f: Tensor, v: Tensor, keys: Tensor
    ) -> tuple[Tensor, Memory]:
        """Return the best by rank and hypervolume contribution."""
        old, violation = (state.f, state.v) if state.step else (f, v)
        usable = (violation <= 0) | ((violation > 0).all(1, keepdim=True) & torch.isfinite(violation))
        low = torch.where(usable.unsqueeze(-1), old, torch.inf).amin(1, keepdim=True)
        high = torch.where(usable.unsqueeze(-1), old, -torch.inf).amax(1, keepdim=True)
        span = high - low
        scaled = (f - low) / torch.where((span > 0) & (span < torch.inf), span, 1.0)
        scaled = torch.where(torch.isfinite(scaled), scaled, torch.inf)
        return shed(scaled, ranked(f, v), self.pop_size, ref=1.0 + self.reference_offset), {}
