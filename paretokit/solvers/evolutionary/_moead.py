"""MOEA/D."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, final

import torch
from torch import Tensor

from paretokit.core import Choice, Evaluation, LogRange, Problem, Range, SearchSpace
from paretokit.core import _check as check
from paretokit.core._threads import one_torch_thread
from paretokit.solvers.evolutionary._decomposition import replaced
from paretokit.solvers.evolutionary._directions import (
    Given,
    Partitions,
    checked_directions,
    checked_partitions,
    directions_of,
    misfit,
    neighborhoods,
)
from paretokit.solvers.evolutionary._draws import distinct_pairs, places, unit, word, words
from paretokit.solvers.evolutionary._genetic import (
    VARIATION_SPACE,
    Genetic,
    Memory,
    PopulationState,
    check_variation,
    operators,
)
from paretokit.solvers.evolutionary._members import LIGHT_WORK
from paretokit.solvers.evolutionary._sweep import KERNELS as FUSED
from paretokit.solvers.evolutionary._sweep import Sweep, bounds, compilable
from paretokit.solvers.evolutionary._variation import bred


@final
@dataclass(frozen=True, kw_only=True)
class MOEAD(Genetic):
    """Solve one scalarized subproblem a weight, each helped by its neighbors.

    Parents come from a subproblem's neighborhood (with `neighbor_mating_prob`, else from everywhere); their child may
    take over every neighboring subproblem that it solves better. Less total violation comes first, then the
    scalarized value.

    Attributes:
        reference_directions: Weights `[n, m]` on the simplex, one a subproblem; a lattice unless given.
        partitions: Partitions of the simplex lattice, or of the outer and inner of two layers (see `NSGA3`).
        decomposition: "tchebycheff", "pbi", or "auto": Tchebycheff for two objectives, PBI beyond.
        theta: Penalty of PBI for the distance from the direction.
        n_neighbors: Size T of a neighborhood, the subproblem itself included.
        n_offspring: Children c that are bred and evaluated together. 1 is the authors' order, in which every child
            profits from the one before; more spread improvements later, and pay where a problem evaluates many rows in
            little more than the time of one.
        neighbor_mating_prob: Probability that parents come from the neighborhood.
        crossover_prob: Probability that a mating crosses at all.
        crossover_var_prob: Probability that it crosses a variable.
        crossover_eta: Distribution index of the crossover.
        mutation_prob: Probability that a child mutates at all.
        mutation_var_prob: Probability that it mutates a variable; min(1/2, 1/d) by default.
        mutation_eta: Distribution index of the mutation.

    A step is a sweep: one child of each of the n subproblems, in random order, c of them at a time. `ask` and `tell`
    deal in those c children.

    Cost: O(T m) a child, beside its breeding in O(d) and its evaluation.

    Zhang and Li (2007), "MOEA/D: a multiobjective evolutionary algorithm based on decomposition", IEEE TEVC 11(6).
    The authors visit subproblems in their order and mutate every child; here, as in pymoo, the order is random and a
    tenth of the children is not mutated at all.
    """

    search_space: ClassVar[SearchSpace] = {
        "decomposition": Choice(("tchebycheff", "pbi")),
        "theta": LogRange(0.5, 20.0),
        "n_neighbors": Range(3, 40),
        "neighbor_mating_prob": Range(0.5, 1.0),
        **VARIATION_SPACE,
    }

    reference_directions: Given = None
    partitions: Partitions | None = None
    decomposition: Literal["auto", "tchebycheff", "pbi"] = "auto"
    theta: float = 5.0
    n_neighbors: int = 20
    n_offspring: int = 1
    neighbor_mating_prob: float = 0.9
    crossover_prob: float = 1.0
    crossover_var_prob: float = 0.5
    crossover_eta: float = 20.0
    mutation_prob: float = 0.9
    mutation_var_prob: float | None = None
    mutation_eta: float = 20.0

    def __post_init__(self) -> None:
        check.fields(self)
        object.__setattr__(self, "reference_directions", checked_directions(self.reference_directions))
        checked_partitions(self.partitions)
        both = self.reference_directions is not None and self.partitions is not None
        check.that(not both, "partitions", "be left out where `reference_directions` are given", self.partitions)
        check.one_of(("auto", "tchebycheff", "pbi"), decomposition=self.decomposition)
        check.at_least(0, theta=self.theta)
        check.at_least(2, n_neighbors=self.n_neighbors)
        check.at_least(1, n_offspring=self.n_offspring)
        check.probability(neighbor_mating_prob=self.neighbor_mating_prob)
        check_variation(self)

    def weights(self, problem: Problem) -> Tensor:
        """Return the weights `[n, m]` of the subproblems."""
        return directions_of(self.reference_directions, self.partitions, problem.n_objectives)

    def unsupported(self, problem: Problem) -> str | None:
        """Tell where given weights do not fit."""
        if reason := misfit(self.reference_directions, problem):
            return reason
        if len(self.weights(problem)) < 2:
            return "it needs at least two subproblems"
        return None

    def size(self, problem: Problem) -> int:
        """Return the number of subproblems."""
        return len(self.weights(problem))

    def step(self, problem: Problem, state: PopulationState) -> PopulationState:
        """Return the state one sweep later, changed in place; the first step evaluates the first population."""
        cells = len(state.keys) * (self.n_offspring if state.step else self.size(problem)) * problem.space.dim
        parts = self._parts(problem)
        with one_torch_thread(when=problem.light and cells < LIGHT_WORK and state.x.device.type == "cpu"):
            sweep = None
            while True:
                evaluation = self.evaluated(problem, state)
                if sweep is None:
                    sweep = self._sweep(problem, state)
                self._take(problem, state, evaluation, sweep)
                if (state.step - 1) % parts == 0:
                    return state

    def tell(self, problem: Problem, state: PopulationState, evaluation: Evaluation) -> PopulationState:
        """Return the state, changed in place, after the asked decisions were evaluated (values `[P, c, m]`)."""
        if state.asked is None:
            self.ask(problem, state)
        self._take(problem, state, evaluation, self._sweep(problem, state))
        return state

    def breed(self, problem: Problem, state: PopulationState, keys: Tensor) -> Tensor:
        """Return one child of each subproblem whose turn it is."""
        near, n = self._neighborhood(problem).to(state.x.device), state.x.shape[1]
        owner = self._owner(problem, state)
        count, reach = owner.shape[1], near.shape[1]
        drawn = words(word(keys, 10), 3 * count).reshape(-1, count, 3)
        local = torch.take_along_dim(near[owner], distinct_pairs(drawn[..., :2], reach), 2)
        everywhere = distinct_pairs(drawn[..., :2], n)
        own = unit(drawn[..., 2:]) < self.neighbor_mating_prob
        ops = operators(self, problem, eliminate_duplicates=False)
        return bred(keys, state.x, torch.where(own, local, everywhere), ops)

    def survive(
        self, problem: Problem, state: PopulationState, f: Tensor, v: Tensor, keys: Tensor
    ) -> tuple[Tensor, Memory]:
        """Return the row that holds each subproblem."""
        seen = torch.where(torch.isfinite(v).unsqueeze(-1), f, torch.inf).amin(1)
        ideal = torch.minimum(state.memory["ideal"], seen) if state.memory else seen
        weights = self.weights(problem).to(f)
        if state.step:
            near, owner = self._neighborhood(problem).to(f.device), self._owner(problem, state)
        else:  # given rows beyond one a subproblem may go anywhere
            near = torch.arange(len(weights), device=f.device).unsqueeze(0)
            owner = near.new_zeros(len(f), f.shape[1] - len(weights))
        return replaced(f, v, ideal, weights, near, owner, theta=self._theta(problem)), {"ideal": ideal}

    def _take(self, problem: Problem, state: PopulationState, evaluation: Evaluation, sweep: Sweep | None) -> None:
        """Change the state in place, so that it is whole between any two children."""
        if sweep is not None and state.step and evaluation.stderr is None:
            sweep.told(problem, state, evaluation)
        else:
            vars(state).update(vars(FUSED.plain(Genetic.tell, self, problem, state, evaluation)))

    def _sweep(self, problem: Problem, state: PopulationState) -> Sweep | None:
        """Return what the compiled call needs, where it pays."""
        ops = operators(self, problem, eliminate_duplicates=False)
        if not compilable(state, ops):
            return None
        return Sweep(
            state.signs,
            self.weights(problem),
            self._neighborhood(problem),
            theta=self._theta(problem),
            parts=self._parts(problem),
            mating_prob=self.neighbor_mating_prob,
            ops=ops,
        )

    def _theta(self, problem: Problem) -> float:
        """Return the penalty of PBI, or -1 for Tchebycheff."""
        if self.decomposition == "auto":
            return -1.0 if problem.n_objectives <= 2 else self.theta
        return self.theta if self.decomposition == "pbi" else -1.0

    def _parts(self, problem: Problem) -> int:
        """Return how many times a sweep asks."""
        return -(-self.size(problem) // self.n_offspring)

    def _owner(self, problem: Problem, state: PopulationState) -> Tensor:
        """Return the subproblems of the asked children `[P, c]`: the next ones of a random order, sweep by sweep."""
        n = self.size(problem)
        sweep, begin, end = bounds(n, self._parts(problem), state.step)
        return places(word(word(state.keys, -3), sweep), begin, end - begin, n)

    def _neighborhood(self, problem: Problem) -> Tensor:
        return neighborhoods(self.reference_directions, self.partitions, problem.n_objectives, self.n_neighbors)
