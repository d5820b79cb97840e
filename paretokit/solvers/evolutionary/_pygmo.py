"""Every static multi-objective algorithm of pygmo behind our contract."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

import numpy as np
from torch import Tensor

from paretokit.core import Cost, Front, InputError, ParetoError, Problem, Rng, Solver
from paretokit.core import _check as check
from paretokit.solvers.evolutionary._foreign import (
    Entry,
    Floats,
    ForeignState,
    Replay,
    answers,
    entry_of,
    evaluate,
    fresh,
    front_of,
    plain,
    refusal,
)

_MOEAD = (
    *("CR", "F", "decomposition", "eta_m", "gen", "limit", "neighbours", "pop_size", "preserve_diversity"),
    *("realb", "weight_generation"),
)
_MACO = ("evalstop", "focus", "gen", "ker", "memory", "n_gen_mark", "pop_size", "q", "threshold")
_NSPSO = (
    *("c1", "c2", "chi", "diversity_mechanism", "gen", "leader_selection_range", "memory", "omega"),
    *("pop_size", "v_coeff"),
)
_NSGA3 = (
    *("cr", "divisions", "divisions_inner", "eta_c", "eta_mut", "gen", "mut", "pop_size", "random_mating"),
    "use_memory",
)

ALGORITHMS: dict[str, Entry] = {
    "ihs": Entry(
        "pygmo:ihs",
        ("bw_max", "bw_min", "gen", "phmcr", "pop_size", "ppar_max", "ppar_min"),
        constraints=False,
        kinds=1,
        defaults={"gen": 100},
    ),
    "maco": Entry("pygmo:maco", _MACO, constraints=False, kinds=1, defaults={"memory": True}),
    "moead": Entry("pygmo:moead", _MOEAD, constraints=False, kinds=0),
    "moead_gen": Entry("pygmo:moead_gen", _MOEAD, constraints=False, kinds=0),
    "nsga2": Entry("pygmo:nsga2", ("cr", "eta_c", "eta_m", "gen", "m", "pop_size"), constraints=False, kinds=1),
    "nsga3": Entry("pygmo:nsga3", _NSGA3, constraints=False, kinds=1),
    "nspso": Entry("pygmo:nspso", _NSPSO, constraints=False, kinds=0, defaults={"memory": True}),
}

EXCLUDED: dict[str, str] = {}


class Bridge:
    """A pygmo problem that asks a Python function, in whole batches where the algorithm offers them.

    pygmo copies problems whenever it likes; all copies are this one object.
    """

    def __init__(self, problem: Problem, answer: Callable[[Floats], Floats]) -> None:
        space = problem.space
        self.order = np.argsort(space.kinds.numpy() > 0, kind="stable")
        self.lower, self.upper = space.lower.numpy()[self.order], space.upper.numpy()[self.order]
        self.n_whole, self.n_objectives = int((space.kinds > 0).sum()), problem.n_objectives
        self.answer = answer
        self.error: BaseException | None = None

    def __deepcopy__(self, memo: Any) -> Bridge:
        return self

    def get_nobj(self) -> int:
        """Return the number of objectives."""
        return self.n_objectives

    def get_nix(self) -> int:
        """Return the number of whole columns, which pygmo keeps last."""
        return self.n_whole

    def get_bounds(self) -> tuple[Floats, Floats]:
        """Return the bounds in pygmo's order."""
        return self.lower, self.upper

    def fitness(self, x: Floats) -> Floats:
        """Return the objectives of one row."""
        return self.batch_fitness(x)

    def batch_fitness(self, flat: Floats) -> Floats:
        """Return the objectives of rows written one after the other, likewise flat."""
        try:
            return self.answer(self.to_ours(np.asarray(flat).reshape(-1, len(self.order)))).reshape(-1)
        except BaseException as error:
            self.error = error
            raise

    def to_ours(self, rows: Floats) -> Floats:
        """Return rows with the columns in the space's order."""
        ours = np.empty_like(rows)
        ours[:, self.order] = rows
        return ours


@dataclass
class PygmoRun:
    """The live side of a run: one algorithm object and its population."""

    bridge: Bridge
    algorithm: Any
    population: Any


@final
@dataclass(frozen=True, kw_only=True)
class PygmoSolver(Solver[ForeignState]):
    """One of pygmo's algorithms, a fixed number of generations a step, resumed exactly by replaying its evaluations.

    One algorithm object lives as long as the run: made anew for each call, nspso and maco would forget their
    velocities and archives. A step is one `evolve` of `gen` generations, because T calls of one generation
    differ from one call of T for some of them. The first step evaluates the first population.

    A failed row is told as 1e20 in every objective. Binary columns count as integers.

    Attributes:
        algorithm: pygmo's name, e.g. "nsga2".
        options: Its arguments, except the seed, and `pop_size` (100, or the nearest size that the algorithm
            accepts for the number of objectives). `gen` is 1, for ihs 100 (there a generation is one evaluation,
            and its rates are annealed within a call); `memory` is on for nspso and maco.

    Raises:
        UnknownNameError: For an unknown algorithm or option; the nearest are offered.
        InputError: For a value or population size that pygmo refuses; the reason is pygmo's.
        UnsupportedProblemError: For constraints and kinds of columns that the algorithm does not handle.

    Cost: pygmo's own time, plus one copy of every row in the log; resuming costs the algorithm's time again, but
    no evaluation.

    Source: F. Biscani and D. Izzo, "A parallel global multiobjective framework for optimization: pagmo",
    Journal of Open Source Software 5(53), 2020.
    """

    algorithm: str = "nsga2"
    options: Mapping[str, Any] = field(default_factory=dict)
    state_type: ClassVar[type] = ForeignState

    def __post_init__(self) -> None:
        check.fields(self)
        entry_of("pygmo", self.algorithm, self.options, ALGORITHMS, EXCLUDED)
        object.__setattr__(self, "options", {name: plain(name, value) for name, value in self.options.items()})
        for name in ("gen", "pop_size"):
            value = self.options.get(name, 1)
            check.that(isinstance(value, int) and value >= 1, name, "be a whole number of at least 1", repr(value))

    @property
    def name(self) -> str:
        """The algorithm and its library."""
        return f"pygmo.{self.algorithm}"

    def config(self) -> dict[str, Any]:
        """Return the options, which `solvers.make(name, **options)` takes."""
        return dict(self.options)

    def unsupported(self, problem: Problem) -> str | None:
        """Return why the algorithm cannot solve the problem, or None."""
        fixed = int((problem.space.lower == problem.space.upper).sum())
        if fixed:
            return f"pygmo refuses variables that cannot vary, and {fixed} of {problem.space.dim} have equal bounds"
        return refusal(problem, ALGORITHMS[self.algorithm])

    def init(self, problem: Problem, rng: Rng, *, initial: Tensor | None = None) -> ForeignState:
        """Return the state before the first evaluation; `initial` takes the first places of the first population."""
        self.check(problem)
        state = fresh(problem, rng, initial)
        state.live = self._build(problem, state, lambda x: x)
        return state

    def step(self, problem: Problem, state: ForeignState) -> ForeignState:
        """Return the state one call of `gen` generations later; the first step evaluates the first population."""
        if state.live is None:
            self.restore(problem, state)
        rows, complete = state.log.rows, False
        try:
            self._advance(state.live, state, lambda x: _recorded(problem, state, x))
            complete = True
        finally:
            if not complete:
                state.log.truncate(rows)
                state.live = None
        state.steps += 1
        return state

    def front(self, problem: Problem, state: ForeignState) -> Front:
        """Return the front of the current population."""
        if state.live is None:
            self.restore(problem, state)
        run: PygmoRun = state.live
        x, values = np.asarray(run.population.get_x()), np.asarray(run.population.get_f())
        if state.steps == 0:
            x, values = np.zeros((0, problem.space.dim)), np.zeros((0, problem.n_objectives))
        return front_of(problem, run.bridge.to_ours(x), values)

    def cost(self, state: ForeignState) -> Cost:
        """Return the evaluations."""
        return Cost(evaluations=state.log.rows, work=state.work)

    def restore(self, problem: Problem, state: ForeignState) -> ForeignState:
        """Return the state with algorithm and population rebuilt by replaying the log.

        Raises:
            CheckpointError: If the algorithm asks for other rows than those recorded.
        """
        replay = Replay(state.log, self.name)
        run = self._build(problem, state, replay)
        steps, state.steps = state.steps, 0
        for _ in range(steps):
            self._advance(run, state, replay)
            state.steps += 1
        replay.finish()
        state.live = run
        return state

    def _build(self, problem: Problem, state: ForeignState, answer: Callable[[Floats], Floats]) -> PygmoRun:
        pygmo = check.package("pygmo", extra="all")
        entry, rng = ALGORITHMS[self.algorithm], Rng(state.key)
        options = {"gen": 1, **entry.defaults, **self.options}
        size = options.pop("pop_size", None) or _size(self.algorithm, problem.n_objectives, options)
        module, _, attribute = entry.path.partition(":")
        try:
            inner = getattr(importlib.import_module(module), attribute)(
                seed=rng.child("pygmo").seed32 & 0x7FFFFFFF, **options
            )
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(f"pygmo's {self.algorithm} refuses its options: {_reason(error)}") from error
        if hasattr(inner, "set_bfe"):
            inner.set_bfe(pygmo.bfe(pygmo.member_bfe()))
        bridge = Bridge(problem, answer)
        population = pygmo.population(pygmo.problem(bridge), size=0, seed=rng.child("population").seed32 & 0x7FFFFFFF)
        given = np.zeros((0, len(bridge.order))) if state.initial is None else state.initial.numpy()[:size]
        for i in range(size):
            row = given[i, bridge.order] if i < len(given) else population.random_decision_vector()
            population.push_back(row, np.zeros(problem.n_objectives))
        return PygmoRun(bridge, pygmo.algorithm(inner), population)

    def _advance(self, run: PygmoRun, state: ForeignState, answer: Callable[[Floats], Floats]) -> None:
        run.bridge.answer, run.bridge.error = answer, None
        if state.steps == 0:
            x = np.asarray(run.population.get_x())
            out = run.bridge.batch_fitness(x.reshape(-1)).reshape(len(x), -1)
            for i, (row, values) in enumerate(zip(x, out, strict=True)):
                run.population.set_xf(i, row, values)
            return
        try:
            run.population = run.algorithm.evolve(run.population)
        except (ParetoError, ValueError, RuntimeError, OverflowError) as error:
            if run.bridge.error is not None:
                raise run.bridge.error from None
            raise InputError(f"pygmo's {self.algorithm} refuses the run: {_reason(error)}") from error


def _recorded(problem: Problem, state: ForeignState, x: Floats) -> Floats:
    out = answers(problem, evaluate(problem, x, state), state)
    state.log.append(x, out)
    return out


def _reason(error: BaseException) -> str:
    """Return the last line of pygmo's message, without the C++ location."""
    return str(error).strip().splitlines()[-1].removeprefix("what:").strip()


def _size(algorithm: str, m: int, options: Mapping[str, Any]) -> int:
    """Return the default population size: 100, or what the algorithm's weights or directions ask for."""
    if algorithm in ("moead", "moead_gen") and options.get("weight_generation", "grid") == "grid":
        sizes = [math.comb(h + m - 1, m - 1) for h in range(1, 100)]
        return min((s for s in sizes if s > options.get("neighbours", 20)), key=lambda s: abs(s - 100))
    if algorithm == "nsga3":
        layers = [options.get("divisions", 12), options.get("divisions_inner", 0)]
        points = sum(math.comb(h + m - 1, m - 1) for h in layers if h)
        return max(100 if m < 4 else 0, 4 * math.ceil(points / 4))
    return 100


def pygmo(algorithm: str, **options: Any) -> PygmoSolver:
    """Return a solver for one of pygmo's multi-objective algorithms, e.g. ``pygmo("nspso", pop_size=60)``.

    Args:
        algorithm: pygmo's name; `solvers.list()` shows all.
        **options: The algorithm's own arguments (see `PygmoSolver`); an unknown one is refused with the nearest.
    """
    return PygmoSolver(algorithm=algorithm, options=options)
