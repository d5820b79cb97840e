"""NSGA-II."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor

from paretokit.core import Evaluation, LogRange, Problem, SearchSpace
from paretokit.core import _check as check
from paretokit.solvers.evolutionary._crowding import rank_and_crowding
from paretokit.solvers.evolutionary._generation import KERNELS as FUSED
from paretokit.solvers.evolutionary._generation import fusible, next_generation
from paretokit.solvers.evolutionary._genetic import (
    VARIATION_SPACE,
    Genetic,
    Memory,
    PopulationState,
    check_variation,
    operators,
)
from paretokit.solvers.evolutionary._variation import offspring


@final
@dataclass(frozen=True, kw_only=True)
class NSGA2(Genetic):
    """Sort by Pareto rank, then keep the least crowded: the customary first choice for two objectives.

    Parents win binary tournaments (violation, dominance, crowding distance); children come from bounded simulated
    binary crossover and polynomial mutation; parents and children together are cut to `pop_size` by rank and crowding
    distance. Less total violation beats more, feasible beats infeasible, failed rows lose against all.

    Attributes:
        pop_size: Number n of solutions kept, and of children a generation.
        crossover_prob: Probability that a mating crosses at all.
        crossover_var_prob: Probability that it crosses a variable.
        crossover_eta: Distribution index of the crossover; larger keeps children nearer to their parents.
        mutation_prob: Probability that a child mutates at all.
        mutation_var_prob: Probability that it mutates a variable; min(1/2, 1/d) by default.
        mutation_eta: Distribution index of the mutation.
        eliminate_duplicates: Whether children equal to a parent or to each other are bred anew (up to 10 times).

    Cost: O(n log n) a generation for two objectives, O(m n^2) word operations / 128 beyond.

    Deb, Pratap, Agarwal and Meyarivan (2002), "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE
    TEVC 6(2). The authors' code crosses a variable with probability 1/2 inside a mating of probability 0.9 and mutates
    each variable with 1/d; here, as in pymoo, a tenth of the children is not mutated at all and duplicates are bred
    anew.
    """

    search_space: ClassVar[SearchSpace] = {"pop_size": LogRange(20, 400), **VARIATION_SPACE}

    pop_size: int = 100
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
        check_variation(self)

    def size(self, problem: Problem) -> int:
        """Return `pop_size`."""
        return self.pop_size

    def tell(self, problem: Problem, state: PopulationState, evaluation: Evaluation) -> PopulationState:
        """Return the state after the asked decisions were evaluated, and on the CPU with the next ones bred."""
        ops = operators(self, problem, eliminate_duplicates=self.eliminate_duplicates)
        if not fusible(state, evaluation, ops):
            return Genetic.tell(self, problem, state, evaluation)
        if state.asked is None:
            self.ask(problem, state)
        if not FUSED.worth():
            separate: PopulationState = FUSED.plain(Genetic.tell, self, problem, state, evaluation)
            return separate
        return next_generation(problem, state, evaluation, ops, size=self.pop_size)

    def breed(self, problem: Problem, state: PopulationState, keys: Tensor) -> Tensor:
        """Return the children of tournament winners."""
        return offspring(
            keys,
            state.x,
            state.f,
            state.v,
            state.memory["crowding"],
            by_dominance=True,
            ops=operators(self, problem, eliminate_duplicates=self.eliminate_duplicates),
            count=self.pop_size,
        )

    def survive(
        self, problem: Problem, state: PopulationState, f: Tensor, v: Tensor, keys: Tensor
    ) -> tuple[Tensor, Memory]:
        """Return the best by rank and crowding distance."""
        keep, crowding = rank_and_crowding(f, v, self.pop_size)
        return keep, {"crowding": crowding}
