"""A front of merges from few evaluations: quadratic surrogates of every task, searched in place of the networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from torch import Tensor

from paretokit.core import Cost, Evaluation, Front, Problem, Rng, Solver
from paretokit.core import _check as check
from paretokit.problems.merging import ModelMerging
from paretokit.scalarization import tchebycheff
from paretokit.solvers.merging._closed_form import merging_of
from paretokit.solvers.merging._inside import check_inside, outside
from paretokit.solvers.merging._preference_merging import lattice
from paretokit.solvers.merging._quadratic import Quadratic

POOL = 4096


@dataclass
class SurrogateState:
    """What was measured.

    Attributes:
        rng: The run's key.
        design: Coefficients `[n, K]` that the surrogates are fitted on, measured in order.
        c: Coefficients measured so far.
        values: Their values.
        work: Examples that went through networks.
        finished: Whether the surrogates' front was measured.
    """

    rng: Rng
    design: Tensor
    c: Tensor
    values: Tensor
    work: float = 0.0
    finished: bool = False


@final
@dataclass(frozen=True, kw_only=True)
class SurrogateMerging(Solver[SurrogateState]):
    r"""Measures a few dozen merges, fits a quadratic a task, and measures only what the quadratics promise.

    .. math:: \hat v_t(c) = g_t^{-1}(b_t + a_t^\top c + c^\top Q_t c), \qquad
              \min_{c} \max_t w_t\, \hat v_t(c) \ \text{ for each preference } w

    with one coefficient a task vector. Fitting and searching cost no network passes, so that any preference is answered
    at once after the run (`result.at`).

    Attributes:
        evaluations: Merges of the design: each task vector alone, the mean, then half random shares of a random total
            and half uniform; twice the quadratic's number of coefficients unless given.
        partitions: Of the lattice of preferences whose merges are measured at the end (see `PreferenceMerging`).
        region: Bounds of each coefficient.
        batch_size: Merges measured a step.

    The front is the non-dominated part of everything measured.

    Cost: `evaluations` merges, and one a preference.

    Source: Li et al. (2024), "MAP: low-compute model merging with amortized Pareto fronts via quadratic approximation".
    Deviations from the authors' code: ridge regression behind the link in place of nonlinear least squares, and a
    scalarized search a preference in place of NSGA-III.
    """

    solves: ClassVar[type[Problem]] = ModelMerging
    state_type: ClassVar[type] = SurrogateState

    evaluations: int | None = None
    partitions: int | None = None
    region: tuple[float, float] = (0.0, 1.0)
    batch_size: int = 8

    def __post_init__(self) -> None:
        check.fields(self)
        check.at_least(1, batch_size=self.batch_size)
        for name in ("evaluations", "partitions"):
            if getattr(self, name) is not None:
                check.at_least(1, **{name: getattr(self, name)})
        pair = tuple(self.region)
        check.that(len(pair) == 2 and pair[0] < pair[1], "region", "be two increasing numbers", self.region)
        object.__setattr__(self, "region", (float(pair[0]), float(pair[1])))

    @property
    def finishes(self) -> bool:
        """Whether the run ends by itself."""
        return True

    def check(self, problem: Problem) -> None:
        """Raise unless the problem can be solved: `InputError` for a region outside its bounds."""
        check_inside(problem, self.region, setting="region", solver=self.name)
        super().check(problem)

    def unsupported(self, problem: Problem) -> str | None:
        """Tell which bounds are too narrow, or how many evaluations a quadratic needs."""
        if not isinstance(problem, ModelMerging):
            return "it merges models"
        if outside(problem, self.region):
            return "its region reaches outside the problem's bounds"
        least = problem.vectors.n_tasks + 2
        if self.evaluations is not None and self.evaluations < least:
            return f"its {self.evaluations} evaluations are fewer than {least}, each task vector, the mean and one more"
        return None

    def init(self, problem: Problem, rng: Rng, *, initial: Tensor | None = None) -> SurrogateState:
        """Return the state before the first evaluation.

        Args:
            problem: What is merged.
            rng: The run's key.
            initial: Decisions `[n, d]` whose mean coefficients a task take the places of the design's last ones.
        """
        own = merging_of(problem)
        k = own.vectors.n_tasks
        design = self._design(k, rng.child("design"))
        if initial is not None:
            due = own.space.dim
            check.shape(initial.ndim == 2 and initial.shape[1] == due, "initial", f"have {due} columns", initial.shape)
            given = own.coefficients(initial.double()).mean(1).clamp(*self.region)[: len(design)]
            design = torch.cat([design[: len(design) - len(given)], given.cpu()])
        design = design.to(own.device, own.dtype)
        return SurrogateState(rng, design, design[:0], design.new_zeros(0, own.n_objectives))

    def step(self, problem: Problem, state: SurrogateState) -> SurrogateState:
        """Return the state after some merges of the design, or those that the surrogates promise, were measured."""
        own = merging_of(problem)
        begin = len(state.c)
        chosen = state.design[begin : begin + self.batch_size]
        if not len(chosen):
            asked = lattice(own.n_objectives, self.partitions).to(own.device)
            chosen = self._surrogate(own, state).best(asked, self._pool(state), self.region).to(own.dtype)
            state.finished = True
        found = own.evaluate(_rows(own, chosen))
        state.c, state.values = torch.cat([state.c, chosen]), torch.cat([state.values, found.values])
        state.work += found.total_work
        return state

    def front(self, problem: Problem, state: SurrogateState) -> Front:
        """Return the non-dominated merges of all that were measured; `design` says which the surrogates did not ask."""
        own = merging_of(problem)
        before = torch.arange(len(state.c), device=state.c.device) < len(state.design)
        return Front.of(own, _rows(own, state.c), Evaluation(state.values), info={"design": before})

    def answer(self, problem: Problem, state: SurrogateState, preference: Tensor, *, n: int, rng: Rng) -> Tensor:
        """Return the decision `[n, d]` that the surrogates promise for a preference, then the pool's next best."""
        own = merging_of(problem)
        surrogate, pool = self._surrogate(own, state), self._pool(state)
        w = preference.to(pool).unsqueeze(0)
        first = surrogate.best(w, pool, self.region)
        order = tchebycheff(surrogate.errors(pool), weights=w)[:, 0].argsort(stable=True)
        return _rows(own, torch.cat([first, pool[order[: n - 1]]]).to(own.dtype))[:n]

    def cost(self, state: SurrogateState) -> Cost:
        """Return the merges measured, and the examples that took."""
        return Cost(evaluations=len(state.c), work=state.work)

    def done(self, state: SurrogateState) -> bool:
        """Tell whether the surrogates' front was measured."""
        return state.finished

    def config(self) -> dict[str, Any]:
        """Return the hyper-parameters by name, JSON-able."""
        return {**super().config(), "region": list(self.region)}

    def _design(self, k: int, rng: Rng) -> Tensor:
        n = (k + 1) * (k + 2) if self.evaluations is None else self.evaluations
        fixed = torch.cat([torch.eye(k, dtype=torch.float64), torch.full((1, k), 1 / k, dtype=torch.float64)])
        low, high = self.region
        left = max(0, n - len(fixed))
        shares = -torch.log1p(-rng.child("shares").uniform(left, k))
        shares = shares / shares.sum(1, keepdim=True).clamp_min(1e-12)
        total = 0.5 + 1.5 * rng.child("total").uniform(left, 1)
        uniform = low + (high - low) * rng.child("uniform").uniform(left, k)
        odd = (torch.arange(left) % 2 == 1).unsqueeze(1)
        return torch.cat([fixed, torch.where(odd, uniform, shares * total)])[:n].clamp(low, high)

    def _pool(self, state: SurrogateState) -> Tensor:
        k = state.design.shape[1]
        low, high = self.region
        drawn = low + (high - low) * state.rng.child("pool").uniform(POOL, k).to(state.c.device)
        return torch.cat([state.c.double(), drawn])

    def _surrogate(self, problem: ModelMerging, state: SurrogateState) -> Quadratic:
        return Quadratic.fit(state.c, state.values, problem.objectives)


def _rows(problem: ModelMerging, c: Tensor) -> Tensor:
    """Return one coefficient a task `[n, K]` as decisions `[n, L * K]`."""
    return c.unsqueeze(1).expand(-1, problem.vectors.n_layers, -1).flatten(1)
