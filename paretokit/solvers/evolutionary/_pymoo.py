"""Every static, non-interactive multi-objective algorithm of pymoo behind our contract."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

import numpy as np
from torch import Tensor

from paretokit.core import Cost, Evaluation, Front, ParetoError, Problem, Rng, Solver
from paretokit.core import _check as check
from paretokit.solvers.evolutionary._foreign import (
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
from paretokit.solvers.evolutionary._pymoo_table import ALGORITHMS, EXCLUDED


@dataclass
class PymooRun:
    """The live side of a run.

    Attributes:
        algorithm: The set up pymoo algorithm.
        pending: What it asked for and was not told yet.
        exhausted: Whether it found no new decision to ask for.
    """

    algorithm: Any
    pending: Any = None
    exhausted: bool = False


@final
@dataclass(frozen=True, kw_only=True)
class PymooSolver(Solver[ForeignState]):
    """One of pymoo's algorithms, a generation a step, resumed exactly by replaying its recorded evaluations.

    The same seed and options give the population that `pymoo.optimize.minimize` gives, except where noted:

    - CMOPSO truncates its archive with the run's generator; pymoo draws a seed from the system there, so that its
      own runs differ from each other.
    - SPEA2 starts with a fresh survival; pymoo shares one between all runs of a process.
    - MOPSO_CD's first population is evaluated once; pymoo evaluates another one and throws it away.

    Whole columns are rounded after variation; unordered categories are exchanged uniformly and drawn anew with
    probability 1/d each. A failed row is told as 1e20 in every objective and violation.

    Attributes:
        algorithm: pymoo's class name, e.g. "NSGA3".
        options: Its arguments as plain data. Operators are written ``{"name": "SBX", "eta": 15}``; reference
            directions as `ref_dirs` or as lattice `partitions` (about a hundred directions by default); `ref_points`
            in the problem's own senses; `n_max_gen` is the length of RVEA's schedule, after which it is done.

    Raises:
        UnknownNameError: For an unknown algorithm or option; the nearest are offered.
        InputError: For an excluded algorithm, with the reason, and for a missing or refused option.
        UnsupportedProblemError: For constraints or categories that the algorithm does not handle.

    Cost: pymoo's own time, plus one copy of every row in the log; resuming costs the algorithm's time again, but
    no evaluation.

    Source: J. Blank and K. Deb, "pymoo: Multi-Objective Optimization in Python", IEEE Access 8, 2020.
    """

    algorithm: str = "NSGA2"
    options: Mapping[str, Any] = field(default_factory=dict)
    state_type: ClassVar[type] = ForeignState

    def __post_init__(self) -> None:
        check.fields(self)
        entry_of("pymoo", self.algorithm, self.options, ALGORITHMS, EXCLUDED)
        object.__setattr__(self, "options", {name: plain(name, value) for name, value in self.options.items()})

    @property
    def name(self) -> str:
        """The algorithm and its library."""
        return f"pymoo.{self.algorithm}"

    def config(self) -> dict[str, Any]:
        """Return the options, which `solvers.make(name, **options)` takes."""
        return dict(self.options)

    def unsupported(self, problem: Problem) -> str | None:
        """Return why the algorithm cannot solve the problem, or None."""
        return refusal(problem, ALGORITHMS[self.algorithm])

    def init(self, problem: Problem, rng: Rng, *, initial: Tensor | None = None) -> ForeignState:
        """Return the state before the first evaluation; `initial` takes the first places of the first population."""
        self.check(problem)
        state = fresh(problem, rng, initial)
        state.live = self._build(problem, state)
        return state

    def ask(self, problem: Problem, state: ForeignState) -> Tensor:
        """Return the decisions `[n, d]` to evaluate next; asking again returns the same ones.

        Raises:
            ParetoError: If the algorithm has finished.
        """
        import torch

        x = self._asked(problem, state)
        if x is None:
            raise ParetoError(f"{self.name} has finished and asks for nothing more")
        rows: Tensor = problem.space.project(torch.from_numpy(x))
        return rows.to(problem.device, problem.dtype)

    def tell(self, problem: Problem, state: ForeignState, evaluation: Evaluation) -> ForeignState:
        """Return the state after the asked decisions were evaluated."""
        x = self._asked(problem, state)
        n = 0 if x is None else len(x)
        check.shape(len(evaluation.values) == n, "evaluation", f"hold {n} rows, as asked", len(evaluation.values))
        if x is not None:
            self._told(self._run(problem, state), x, answers(problem, evaluation, state), state)
        return state

    def step(self, problem: Problem, state: ForeignState) -> ForeignState:
        """Return the state one generation later, whether it asks for a population at once or row by row."""
        algorithm = self._run(problem, state).algorithm
        generation = algorithm.n_iter if algorithm.is_initialized else None
        while algorithm.n_iter == generation or not algorithm.is_initialized:
            x = self._asked(problem, state)
            if x is None:
                break
            self._told(self._run(problem, state), x, answers(problem, evaluate(problem, x, state), state), state)
        state.steps += 1
        return state

    def front(self, problem: Problem, state: ForeignState) -> Front:
        """Return the front of the final population, or of the archive of MOPSO_CD."""
        from paretokit.solvers.evolutionary import _pymoo_build as build

        return front_of(problem, *build.answer_of(self._run(problem, state).algorithm, self.algorithm))

    def cost(self, state: ForeignState) -> Cost:
        """Return the evaluations."""
        return Cost(evaluations=state.log.rows, work=state.work)

    def done(self, state: ForeignState) -> bool:
        """Tell whether the schedule is over or no new decision could be found."""
        return state.finished

    def restore(self, problem: Problem, state: ForeignState) -> ForeignState:
        """Return the state with its algorithm rebuilt by replaying the log.

        Raises:
            CheckpointError: If the algorithm asks for other rows than those recorded.
        """
        from paretokit.solvers.evolutionary import _pymoo_build as build

        run, replay = self._build(problem, state), Replay(state.log, self.name)
        with _quiet():
            while replay.position < state.log.rows:
                infills = run.algorithm.ask()
                if infills is None:
                    break
                build.tell(run.algorithm, infills, replay(build.rows_of(infills)))
        replay.finish()
        state.live = run
        return state

    def _build(self, problem: Problem, state: ForeignState) -> PymooRun:
        check.package("pymoo", extra="all")
        from paretokit.solvers.evolutionary import _pymoo_build as build

        with _quiet():
            entry = ALGORITHMS[self.algorithm]
            return PymooRun(build.build(problem, self.algorithm, entry, self.options, Rng(state.key), state.initial))

    def _run(self, problem: Problem, state: ForeignState) -> PymooRun:
        if state.live is None:
            self.restore(problem, state)
        run: PymooRun = state.live
        return run

    def _asked(self, problem: Problem, state: ForeignState) -> Floats | None:
        from paretokit.solvers.evolutionary import _pymoo_build as build

        run = self._run(problem, state)
        if run.pending is None and not state.finished:
            with _quiet():
                run.pending = run.algorithm.ask()
            state.finished = run.pending is None
        return None if run.pending is None else build.rows_of(run.pending)

    def _told(self, run: PymooRun, x: Floats, out: Floats, state: ForeignState) -> None:
        from paretokit.solvers.evolutionary import _pymoo_build as build

        with _quiet():
            build.tell(run.algorithm, run.pending, out)
        run.pending = None
        state.log.append(x, out)
        state.finished = bool(run.algorithm.termination.has_terminated())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence NumPy's floating-point warnings: pymoo divides by zero ranges on purpose."""
    with np.errstate(all="ignore"):
        yield


def pymoo(algorithm: str, **options: Any) -> PymooSolver:
    """Return a solver for one of pymoo's multi-objective algorithms, e.g. ``pymoo("NSGA3", partitions=12)``.

    Args:
        algorithm: pymoo's class name; `solvers.list()` shows all.
        **options: The algorithm's own arguments (see `PymooSolver`); an unknown one is refused with the nearest.
    """
    return PymooSolver(algorithm=algorithm, options=options)
