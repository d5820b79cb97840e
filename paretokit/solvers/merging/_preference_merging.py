"""Preference-conditioned AdaMerging: a front of merged models, all preferences descended at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import torch
from torch import Tensor

from paretokit.core import Choice, Problem, SearchSpace
from paretokit.core import _check as check
from paretokit.indicators import simplex_lattice, two_layer_lattice
from paretokit.problems.merging import ModelMerging
from paretokit.solvers.merging._closed_form import merging_of
from paretokit.solvers.merging._descent import Descent
from paretokit.solvers.merging._exact_pareto import exact_pareto_weights
from paretokit.solvers.merging._minibatches import Minibatch, jacobians, passes_back, weighted

WEIGHTINGS = ("linear", "tchebycheff", "epo")
PARTITIONS = {1: 1, 2: 10, 3: 5, 4: 3}


def lattice(m: int, partitions: int | None) -> Tensor:
    """Return the preferences `[P, m]` of m tasks: a simplex lattice, of 11, 21 or 20 rows unless partitions are given.

    A lattice of five tasks or more would leave most of them out of every preference, so that unless partitions are
    given it is the center, each task alone, and each task preferred while all others count: 2 m + 1 rows.
    """
    if partitions is not None or m in PARTITIONS:
        return simplex_lattice(m, partitions or PARTITIONS[m])
    center = torch.full((1, m), 1 / m, dtype=torch.float64)
    return torch.cat([center, two_layer_lattice(m, 1, 1)])


@final
@dataclass(frozen=True, kw_only=True)
class PreferenceMerging(Descent):
    r"""Learns coefficients for each of many preferences, so that a front of merged models comes out.

    .. math:: \min_{\lambda_p} \sum_t w_{pt} L_t(\lambda_p) \ \text{("linear")}, \qquad
              \min_{\lambda_p} \max_t w_{pt} L_t(\lambda_p) \ \text{("tchebycheff")}, \qquad
              w_{pt} L_t(\lambda_p) \text{ equal for all } t \ \text{("epo")}

    where the :math:`L_t` are prediction entropies of unlabeled data, or cross-entropies of validation data. All
    members see the same minibatches, and small networks run as one program.

    Attributes:
        preferences: Rows on the simplex, one a member; a lattice unless given. A larger entry matters more.
        partitions: Of that lattice; 10, 5 or 3 for two, three or four tasks unless given. For more, the center, each
            task alone, and each preferred while all others count.
        weighting: "linear", "tchebycheff" (a subgradient: the worst task's), or "epo" (see `exact_pareto_weights`).

    Further attributes: see `AdaMerging`. The front's `preference` column says what each model was asked for.

    Cost: P times AdaMerging's for P preferences; with "epo" a contraction a task and a small linear program a member
    more, and, in the one program of small networks, one backward pass a task instead of one in all.

    Source: the objective of Yang et al. (2024), ICLR, weighted by preferences; Mahapatra and Rajan (2020), ICML, for
    exact Pareto search. The combination is this library's.
    """

    search_space: ClassVar[SearchSpace] = {
        **Descent.search_space,
        "weighting": Choice(("linear", "tchebycheff", "epo")),
    }

    preferences: Sequence[Sequence[float]] | None = None
    partitions: int | None = None
    weighting: Literal["linear", "tchebycheff", "epo"] = "linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        check.one_of(WEIGHTINGS, weighting=self.weighting)
        if self.partitions is not None:
            check.at_least(1, partitions=self.partitions)
        if self.preferences is None:
            return
        both = self.partitions is None
        check.that(both, "partitions", "be left out where preferences are given", self.partitions)
        rows = tuple(tuple(float(v) for v in row) for row in self.preferences)
        check.at_least(1, preferences=len(rows))
        for row in rows:
            whole = min(row, default=-1.0) >= 0 and abs(sum(row) - 1) < 1e-6
            check.that(whole, "preferences", "be rows on the simplex", list(row))
        object.__setattr__(self, "preferences", rows)

    def backwards(self, problem: ModelMerging, batch: Minibatch) -> int:
        """Return one; for exact Pareto weights one a task where tasks do not go back apart from each other."""
        return passes_back(problem, len(self.members(problem)), batch) if self.weighting == "epo" else 1

    def unsupported(self, problem: Problem) -> str | None:
        """Tell what is missing, and whether preferences have another number of entries."""
        reason = super().unsupported(problem)
        if reason or self.preferences is None:
            return reason
        m = merging_of(problem).n_objectives
        bad = [row for row in self.preferences if len(row) != m]
        return f"its preferences have {len(bad[0])} entries, the problem has {m} tasks" if bad else None

    def members(self, problem: ModelMerging) -> Tensor:
        """Return the preferences."""
        if self.preferences is not None:
            return torch.tensor(self.preferences, dtype=torch.float64)
        return lattice(problem.n_objectives, self.partitions)

    def slopes(
        self, problem: ModelMerging, coefficients: Tensor, batch: Minibatch, *, preferences: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the losses, and each member's direction."""
        if self.weighting == "epo":
            values, each = jacobians(problem, coefficients, batch)
            flat = each.flatten(2) if self.layerwise else each.sum(2)
            weights = exact_pareto_weights(flat @ flat.mT, values, preferences)
            return values, torch.einsum("pm,pmlk->plk", weights, each)
        if self.weighting == "linear":
            return weighted(problem, coefficients, batch, preferences)

        def worst(p: int, values: Tensor) -> Tensor:
            one = torch.zeros_like(values)
            top = int((preferences[p] * values).argmax())
            one[top] = preferences[p, top]
            return one

        return weighted(problem, coefficients, batch, worst)

    def config(self) -> dict[str, Any]:
        """Return the hyper-parameters by name, JSON-able."""
        rows = None if self.preferences is None else [list(row) for row in self.preferences]
        return {**super().config(), "preferences": rows}
