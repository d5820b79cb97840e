"""NSGA-III."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from paretokit.core import Problem, SearchSpace
from paretokit.core import _check as check
from paretokit.solvers.evolutionary._crowding import ranked
from paretokit.solvers.evolutionary._directions import (
    Given,
    Partitions,
    checked_directions,
    checked_partitions,
    directions_of,
    misfit,
)
from paretokit.solvers.evolutionary._genetic import (
    VARIATION_SPACE,
    Genetic,
    Memory,
    PopulationState,
    check_variation,
    operators,
)
from paretokit.solvers.evolutionary._niching import extremes, nadir, niching
from paretokit.solvers.evolutionary._variation import offspring


@final
@dataclass(frozen=True, kw_only=True)
class NSGA3(Genetic):
    """Sort by Pareto rank, then keep the directions to the front evenly served: for three and more objectives.

    Values are normalized by the ideal point and by the hyperplane through the extreme points; every solution belongs
    to the reference direction nearest to it, and of the front that is cut, directions with the fewest members are
    served first. Parents are drawn at random among feasible solutions, the less violating one of two otherwise.

    Attributes:
        reference_directions: Directions `[k, m]` on the simplex; a lattice unless given.
        partitions: Partitions of the simplex lattice, or of the outer and inner of two layers; by default 99 for two
            objectives, 12 for three, 8, 6, (4, 1) for four to six, (3, 2) up to ten.
        pop_size: Number n of solutions, at least the number of directions, which is the default.
        crossover_prob: Probability that a mating crosses at all.
        crossover_var_prob: Probability that it crosses a variable.
        crossover_eta: Distribution index of the crossover.
        mutation_prob: Probability that a child mutates at all.
        mutation_var_prob: Probability that it mutates a variable; min(1/2, 1/d) by default.
        mutation_eta: Distribution index of the mutation.
        eliminate_duplicates: Whether children equal to a parent or to each other are bred anew (up to 10 times).

    Cost: O(n k m) a generation beside the ranking.

    Deb and Jain (2014), "An evolutionary many-objective optimization algorithm using reference-point-based
    nondominated sorting approach, part I", IEEE TEVC 18(4); part II for constraints. Extreme points are kept from one
    generation to the next and intercepts are cut off at the worst values seen, as in pymoo.
    """

    search_space: ClassVar[SearchSpace] = VARIATION_SPACE

    reference_directions: Given = None
    partitions: Partitions | None = None
    pop_size: int | None = None
    crossover_prob: float = 1.0
    crossover_var_prob: float = 0.5
    crossover_eta: float = 30.0
    mutation_prob: float = 0.9
    mutation_var_prob: float | None = None
    mutation_eta: float = 20.0
    eliminate_duplicates: bool = True

    def __post_init__(self) -> None:
        check.fields(self)
        object.__setattr__(self, "reference_directions", checked_directions(self.reference_directions))
        checked_partitions(self.partitions)
        both = self.reference_directions is not None and self.partitions is not None
        check.that(not both, "partitions", "be left out where `reference_directions` are given", self.partitions)
        if self.pop_size is not None:
            check.at_least(2, pop_size=self.pop_size)
        check_variation(self)

    def directions(self, problem: Problem) -> Tensor:
        """Return the reference directions `[k, m]` on a problem."""
        return directions_of(self.reference_directions, self.partitions, problem.n_objectives)

    def unsupported(self, problem: Problem) -> str | None:
        """Tell where given directions do not fit."""
        if reason := misfit(self.reference_directions, problem):
            return reason
        count = len(self.directions(problem))
        if self.pop_size is not None and self.pop_size < count:
            return f"pop_size {self.pop_size} is below the number of reference directions, {count}"
        return None

    def size(self, problem: Problem) -> int:
        """Return `pop_size`, by default one solution a direction."""
        return self.pop_size or max(2, len(self.directions(problem)))

    def breed(self, problem: Problem, state: PopulationState, keys: Tensor) -> Tensor:
        """Return the children of random parents, the less violating of two."""
        ops = operators(self, problem, eliminate_duplicates=self.eliminate_duplicates)
        nothing, count = torch.zeros_like(state.v), self.size(problem)
        return offspring(keys, state.x, state.f, state.v, nothing, by_dominance=False, ops=ops, count=count)

    def survive(
        self, problem: Problem, state: PopulationState, f: Tensor, v: Tensor, keys: Tensor
    ) -> tuple[Tensor, Memory]:
        """Return the best by rank and niche."""
        n = self.size(problem)
        ranks = ranked(f, v)
        memory = self._normalization(state, f, v, ranks)
        ideal = memory["ideal"].unsqueeze(1)
        span = memory["nadir"].unsqueeze(1) - ideal
        scaled = (f - ideal) / torch.where(span == 0, 1e-12, span)
        scaled = torch.where((v > 0).unsqueeze(-1), 0.0, scaled)
        directions = self.directions(problem).to(f)
        directions = directions / directions.square().sum(1, keepdim=True).sqrt()
        return niching(scaled, ranks, directions.T.contiguous(), keys, n), memory

    @staticmethod
    def _normalization(state: PopulationState, f: Tensor, v: Tensor, ranks: Tensor) -> Memory:
        members, m = len(f), f.shape[2]
        old = state.memory or {
            "ideal": f.new_full((members, m), torch.inf),
            "worst": f.new_full((members, m), -torch.inf),
            "extreme": f.new_full((members, m, m), torch.inf),
            "nadir": f.new_ones(members, m),
        }
        feasible = v <= 0
        front = feasible & (ranks == 0)
        none = ~front.any(1, keepdim=True)
        low = torch.where(feasible.unsqueeze(-1), f, torch.inf).amin(1)
        high = torch.where(feasible.unsqueeze(-1), f, -torch.inf).amax(1)
        front_high = torch.where(front.unsqueeze(-1), f, -torch.inf).amax(1)
        ideal, worst = torch.minimum(old["ideal"], low), torch.maximum(old["worst"], high)
        extreme = extremes(f, front, ideal, old["extreme"])
        point = torch.where(none, old["nadir"], nadir(extreme, ideal, worst, front_high, high))
        return {"ideal": ideal, "worst": worst, "extreme": extreme, "nadir": point}
