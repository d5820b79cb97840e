"""MOEA/D."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor

from paretokit.core import Problem
from paretokit.core import _check as check
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
from paretokit.solvers.evolutionary._draws import distinct_pairs, shuffled, unit, word, words
from paretokit.solvers.evolutionary._genetic import Genetic, Memory, PopulationState, check_variation, operators
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
        n_offspring: Children c a step; by default a twentieth of the subproblems, rounded up. Fewer spread improvements
            sooner, more are evaluated faster.
        neighbor_mating_prob: Probability that parents come from the neighborhood.
        crossover_prob: Probability that a mating crosses at all.
        crossover_var_prob: Probability that it crosses a variable.
        crossover_eta: Distribution index of the crossover.
        mutation_prob: Probability that a child mutates at all.
        mutation_var_prob: Probability that it mutates a variable; min(1/2, 1/d) by default.
        mutation_eta: Distribution index of the mutation.

    Cost: O(c T m) a step of c children.

    Zhang and Li (2007), "MOEA/D: a multiobjective evolutionary algorithm based on decomposition", IEEE TEVC 11(6).
    The authors breed and evaluate one child at a time (`n_offspring` 1); here a step breeds a twentieth of a sweep
    over the subproblems together, in random order, so that it can be evaluated in one batch.
    """

    reference_directions: Given = None
    partitions: Partitions | None = None
    decomposition: Literal["auto", "tchebycheff", "pbi"] = "auto"
    theta: float = 5.0
    n_neighbors: int = 20
    n_offspring: int | None = None
    neighbor_mating_prob: float = 0.9
    crossover_prob: float = 1.0
    crossover_var_prob: float = 0.5
    crossover_eta: float = 20.0
    mutation_prob: float = 0.9
    mutation_var_prob: float | None = None
    mutation_eta: float = 20.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "reference_directions", checked_directions(self.reference_directions))
        checked_partitions(self.partitions)
        both = self.reference_directions is not None and self.partitions is not None
        check.that(not both, "partitions", "be left out where `reference_directions` are given", self.partitions)
        check.one_of(("auto", "tchebycheff", "pbi"), decomposition=self.decomposition)
        check.at_least(0, theta=self.theta)
        check.at_least(2, n_neighbors=self.n_neighbors)
        if self.n_offspring is not None:
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

    def breed(self, problem: Problem, state: PopulationState, keys: Tensor) -> Tensor:
        """Return one child of each subproblem whose turn it is."""
        near, n = self._neighborhood(problem).to(state.x.device), state.x.shape[1]
        owner = self._owner(state, n)
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
        n = len(weights)
        if state.step:
            near, owner = self._neighborhood(problem).to(f.device), self._owner(state, n)
        else:  # given rows beyond one a subproblem may go anywhere
            near = torch.arange(n, device=f.device).unsqueeze(0)
            owner = near.new_zeros(len(f), f.shape[1] - n)
        if self.decomposition == "auto":
            theta = -1.0 if problem.n_objectives <= 2 else self.theta
        else:
            theta = self.theta if self.decomposition == "pbi" else -1.0
        return replaced(f, v, ideal, weights, near, owner, theta=theta), {"ideal": ideal}

    def _owner(self, state: PopulationState, n: int) -> Tensor:
        """Return the subproblems of this step's children `[P, c]`: the next ones of a random order, sweep by sweep."""
        parts = -(-n // min(self.n_offspring or -(-n // 20), n))
        sweep, part = divmod(state.step - 1, parts)
        order = shuffled(word(word(state.keys, -3), sweep), n, n)
        return order[:, n * part // parts : n * (part + 1) // parts].contiguous()

    def _neighborhood(self, problem: Problem) -> Tensor:
        return neighborhoods(self.reference_directions, self.partitions, problem.n_objectives, self.n_neighbors)
