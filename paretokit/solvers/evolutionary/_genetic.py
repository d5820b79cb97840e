"""What the native evolutionary solvers share: a stack of populations that breeds, is evaluated, and survives."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from paretokit.core import (
    Cost,
    Evaluation,
    Front,
    Lanes,
    LogRange,
    ParetoError,
    Problem,
    Range,
    Rng,
    SearchSpace,
    StackedSolver,
    to_min,
)
from paretokit.core import _check as check
from paretokit.core._threads import one_torch_thread
from paretokit.solvers.evolutionary._draws import word
from paretokit.solvers.evolutionary._members import LIGHT_WORK
from paretokit.solvers.evolutionary._variation import ROUNDS, Operators

Memory = dict[str, Tensor]


VARIATION_SPACE: SearchSpace = {
    "crossover_prob": Range(0.5, 1.0),
    "crossover_eta": LogRange(2.0, 50.0),
    "mutation_prob": Range(0.3, 1.0),
    "mutation_eta": LogRange(2.0, 100.0),
}
"""What is worth tuning of crossover and mutation."""


@dataclass
class PopulationState:
    """P populations and what was asked of them; smaller values are better throughout.

    Attributes:
        keys: Random key of each member, int64 `[P]`; generation g draws from ``word(keys, g)``.
        x: Decisions `[P, n, d]`, float64 (n = 0 before the first evaluation).
        f: Minimized values `[P, n, m]`; +inf in failed rows.
        v: Total constraint violation `[P, n]`; 0 where feasible, +inf where the row failed.
        signs: -1 for maximized objectives `[m]`.
        stderr: Standard errors `[P, n, m]`, where values are estimates.
        memory: What the method keeps beside (crowding, ideal point, …), each `[P, ...]`.
        asked: Decisions that wait for their evaluation `[P, c, d]`.
        step: Number of times that something was told (of generations, in most solvers).
        evaluations: Rows evaluated, of one member.
        work: What they cost in the problem's unit, the mean of the members.
    """

    keys: Tensor
    x: Tensor
    f: Tensor
    v: Tensor
    signs: Tensor
    stderr: Tensor | None = None
    memory: Memory = field(default_factory=dict)
    asked: Tensor | None = None
    step: int = 0
    evaluations: int = 0
    work: float = 0.0


def rows(stack: Tensor, index: Tensor) -> Tensor:
    """Return rows `index [P, n]` of a stack `[P, N, ...]`."""
    members, count = stack.shape[:2]
    flat = index + torch.arange(0, members * count, count, device=index.device).unsqueeze(1)
    picked = stack.reshape(members * count, *stack.shape[2:]).index_select(0, flat.reshape(-1))
    return picked.reshape(*index.shape, *stack.shape[2:])


def told(
    problem: Problem, state: PopulationState, evaluation: Evaluation
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Return the asked decisions with their minimized values (failed rows +inf), total violations and errors."""
    new = state.asked
    if new is None:
        raise ParetoError("`tell` needs decisions that were asked; call `ask` first")
    f = to_min(evaluation.values.detach().to(state.f), problem.objectives)
    v = evaluation.total_violation.detach().to(state.v)
    failed = v == torch.inf
    if bool(failed.any()):
        f = torch.where(failed.unsqueeze(-1), torch.inf, f)
    stderr = evaluation.stderr
    return new, f, v, None if stderr is None else stderr.detach().to(state.f)


class Genetic(StackedSolver[PopulationState]):
    """Base of the native evolutionary solvers: subclasses say how to breed and who survives."""

    state_type: ClassVar[type] = PopulationState

    @abstractmethod
    def size(self, problem: Problem) -> int:
        """Return the population size on a problem."""

    @abstractmethod
    def breed(self, problem: Problem, state: PopulationState, keys: Tensor) -> Tensor:
        """Return the decisions of the next generation `[P, c, d]`, float64; `keys [P]` are this generation's."""

    @abstractmethod
    def survive(
        self, problem: Problem, state: PopulationState, f: Tensor, v: Tensor, keys: Tensor
    ) -> tuple[Tensor, Memory]:
        """Return the survivors among the old rows followed by the new ones, `[P, n]`, and the method's memory."""

    def first(self, problem: Problem, lanes: Lanes, n: int) -> Tensor:
        """Return the first n decisions of each member, `[P, n, d]`, float64: uniform ones."""
        return torch.stack([problem.space.sample(n, rng.child("initial")) for rng in lanes.rngs])

    def init_stack(self, problem: Problem, lanes: Lanes, *, initial: Tensor | None = None) -> PopulationState:
        """Return P populations that wait for their first evaluation: `initial` rows, then uniform ones."""
        n, d, m = self.size(problem), problem.space.dim, problem.n_objectives
        given = torch.zeros(0, d, dtype=torch.float64)
        if initial is not None:
            given = torch.as_tensor(initial).detach().to("cpu", torch.float64)
            check.shape(given.ndim == 2 and given.shape[1] == d, "initial", f"have shape [n, {d}]", tuple(given.shape))
        own = lanes.child(self.name.lower())
        device, members = problem.device, len(lanes)
        drawn = self.first(problem, own, max(n - len(given), 0))
        asked = torch.cat([given.expand(members, *given.shape), drawn], 1)
        signs = to_min(torch.ones(m, dtype=torch.float64), problem.objectives).to(device)
        return PopulationState(
            keys=own.keys.to(device),
            x=torch.zeros(members, 0, d, dtype=torch.float64, device=device),
            f=torch.zeros(members, 0, m, dtype=torch.float64, device=device),
            v=torch.zeros(members, 0, dtype=torch.float64, device=device),
            signs=signs,
            asked=self._rounded(problem, asked.to(device)),
        )

    def restore(self, problem: Problem, state: PopulationState) -> PopulationState:
        """Return the state on the problem's device."""

        def moved(t: Tensor | None) -> Tensor | None:
            return None if t is None else t.to(problem.device)

        tensors = {name: moved(getattr(state, name)) for name in ("keys", "x", "f", "v", "signs", "stderr", "asked")}
        memory = {name: t.to(problem.device) for name, t in state.memory.items()}
        return replace(state, **tensors, memory=memory)  # type: ignore[arg-type]

    def ask(self, problem: Problem, state: PopulationState) -> Tensor:
        """Return the decisions `[P, c, d]` of the next generation; asking again returns the same ones."""
        if state.asked is None:
            state.asked = self._rounded(problem, self.breed(problem, state, word(state.keys, 2 * state.step)))
        return state.asked.to(problem.dtype)

    def tell(self, problem: Problem, state: PopulationState, evaluation: Evaluation) -> PopulationState:
        """Return the state after the asked decisions were evaluated (values `[P, c, m]`)."""
        if state.asked is None:
            self.ask(problem, state)
        new, f, v, stderr = told(problem, state, evaluation)
        grown = state.evaluations + new.shape[1]
        if state.step:
            new, f, v = torch.cat([state.x, new], 1), torch.cat([state.f, f], 1), torch.cat([state.v, v], 1)
            if stderr is not None and state.stderr is not None:
                stderr = torch.cat([state.stderr, stderr], 1)
        keep, memory = self.survive(problem, state, f, v, word(state.keys, 2 * state.step + 1))
        return replace(
            state,
            x=rows(new, keep),
            f=rows(f, keep),
            v=rows(v, keep),
            stderr=None if stderr is None else rows(stderr, keep),
            memory=memory,
            asked=None,
            step=state.step + 1,
            evaluations=grown,
            work=state.work + evaluation.total_work / len(state.keys),
        )

    def step(self, problem: Problem, state: PopulationState) -> PopulationState:
        """Return the state one generation later."""
        members, d = len(state.keys), problem.space.dim
        cells = members * max(self.size(problem), 1) * d
        with one_torch_thread(when=problem.light and cells < LIGHT_WORK and state.x.device.type == "cpu"):
            return self.tell(problem, state, self.evaluated(problem, state))

    def evaluated(self, problem: Problem, state: PopulationState) -> Evaluation:
        """Return the evaluation of the asked decisions, the noise from the members' own lanes."""
        asked = self.ask(problem, state)
        if problem.deterministic:
            return problem.evaluate(asked)
        noise = word(word(state.keys, 2 * state.step), -1)
        return problem.evaluate(asked, Lanes(tuple(Rng(key % (1 << 64)) for key in noise.tolist())))

    def population(self, state: PopulationState) -> Tensor:
        """Return each member's values `[P, n, m]` in the user's senses; infeasible and failed rows are NaN."""
        values = state.f * state.signs
        bad = state.v > 0
        return torch.where(bad.unsqueeze(-1), torch.nan, values) if bool(bad.any()) else values

    def fronts(self, problem: Problem, state: PopulationState) -> tuple[Front, ...]:
        """Return the feasible non-dominated part of each population."""
        values = (state.f * state.signs).to(problem.dtype)
        x = state.x.to(problem.dtype)
        stderr = None if state.stderr is None else state.stderr.to(problem.dtype)

        def one(p: int) -> Front:
            errors = None if stderr is None else stderr[p]
            return Front.of(problem, x[p], Evaluation(values[p], state.v[p].unsqueeze(-1), errors))

        return tuple(one(p) for p in range(len(x)))

    def cost(self, state: PopulationState) -> Cost:
        """Return evaluations of one member, and what they cost in the problem's unit."""
        return Cost(evaluations=state.evaluations, work=state.work)

    @staticmethod
    def _rounded(problem: Problem, x: Tensor) -> Tensor:
        return x if problem.dtype == torch.float64 else x.to(problem.dtype).to(torch.float64)


class _Varying(Protocol):
    @property
    def crossover_prob(self) -> float: ...
    @property
    def crossover_var_prob(self) -> float: ...
    @property
    def crossover_eta(self) -> float: ...
    @property
    def mutation_prob(self) -> float: ...
    @property
    def mutation_var_prob(self) -> float | None: ...
    @property
    def mutation_eta(self) -> float: ...


def check_variation(solver: _Varying) -> None:
    """Raise unless probabilities and distribution indices are what they must be."""
    check.probability(crossover_prob=solver.crossover_prob, crossover_var_prob=solver.crossover_var_prob)
    check.probability(mutation_prob=solver.mutation_prob)
    if solver.mutation_var_prob is not None:
        check.probability(mutation_var_prob=solver.mutation_var_prob)
    check.at_least(0, crossover_eta=solver.crossover_eta, mutation_eta=solver.mutation_eta)


def operators(solver: _Varying, problem: Problem, *, eliminate_duplicates: bool) -> Operators:
    """Return the solver's operators on a problem; `mutation_var_prob` defaults to min(1/2, 1/d)."""
    rate = solver.mutation_var_prob
    return Operators(
        space=problem.space,
        crossover_prob=solver.crossover_prob,
        crossover_var_prob=solver.crossover_var_prob,
        crossover_eta=solver.crossover_eta,
        mutation_prob=solver.mutation_prob,
        mutation_var_prob=min(0.5, 1.0 / problem.space.dim) if rate is None else rate,
        mutation_eta=solver.mutation_eta,
        rounds=ROUNDS if eliminate_duplicates else 1,
        dtype=problem.dtype,
    )
