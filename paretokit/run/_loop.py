"""The only loop: steps a solver until the budget is spent, and loses nothing on the way."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from types import FrameType
from typing import Any, Self

import torch
from torch import Tensor

from paretokit.core import (
    Cost,
    EvaluationError,
    Front,
    InputError,
    Lanes,
    ParetoError,
    Problem,
    Rng,
    Solver,
    StackedSolver,
)
from paretokit.core import _check as check
from paretokit.run._archive import EvaluationLog
from paretokit.run._budget import Budget
from paretokit.run._checkpoint import CheckpointFolder, RunRecord, environment
from paretokit.run._history import History
from paretokit.run._progress import Progress
from paretokit.run._result import Result

IDLE = 100  # steps after which a budget of which nothing was spent is called a mistake


@dataclass(frozen=True)
class Moment:
    """What a callback sees after each step.

    Attributes:
        problem, solver, state: The run; the state must not be changed.
        iterations: Steps made.
        cost: Spent by one member.
        seconds: Wall time so far.
        history: Everything recorded so far.
    """

    problem: Problem
    solver: Solver[Any]
    state: Any = field(repr=False)
    iterations: int
    cost: Cost
    seconds: float
    history: History = field(repr=False)

    @property
    def front(self) -> Front:
        """The (first member's) front, computed when asked for."""
        return self.solver.front(self.problem, self.state)


Callback = Callable[[Moment], bool | None]


class _Interrupts:
    """Turns the first Ctrl-C into a flag that is read between steps; the second one interrupts at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None
        self._ours = threading.current_thread() is threading.main_thread()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __enter__(self) -> Self:
        if self._ours:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *details: object) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, self._before)


@dataclass
class Loop:
    """One run of a solver: of one seed, or of all members of a stack at once."""

    problem: Problem
    solver: Solver[Any]
    budget: Budget | None
    seeds: tuple[int, ...]
    initial: Tensor | None = None
    folder: CheckpointFolder | None = None
    callbacks: Sequence[Callback] = ()
    progress: bool | None = None

    def run(self) -> list[Result]:
        """Run to the end and return one result a seed."""
        self.solver.check(self.problem)
        if self.budget is None and not self.solver.finishes:
            raise InputError(check.message("budget", f"be given, since {self.solver.name} never ends by itself", None))
        saved = self.folder.read() if self.folder else None
        log = EvaluationLog(len(self.seeds), self.problem.objectives)
        record = saved[1] if saved else RunRecord(History(), log)
        handle = self.problem.observed(record.log)
        state = self.solver.restore(handle, saved[0]) if saved else self._start(handle)
        begun, started = time.perf_counter() - record.seconds, time.strftime("%Y-%m-%dT%H:%M:%S%z")
        written, saved_at = time.perf_counter(), record.iterations if saved else -1
        error: Exception | None = None
        torn = False
        title = f"{self.solver.name} on {self.problem.name}"
        with _Interrupts() as interrupts, Progress(title, shown=self.progress) as bar:
            while not (status := self._ended(handle, state, record, interrupts)):
                try:
                    state = self.solver.step(handle, state)
                except KeyboardInterrupt:
                    status, torn = "interrupted", True
                    break
                except Exception as raised:
                    if isinstance(raised, ParetoError) and record.iterations == 0:
                        raise
                    error, status = raised, "failed"
                    break
                record.iterations += 1
                record.log.step_ended()
                record.seconds = time.perf_counter() - begun
                cost = self.solver.cost(state)
                snapshot = self._snapshot(handle, state) if record.history.due() else None
                report = self.solver.report(handle, state)
                record.history.record(cost, record.seconds, report, snapshot)
                if self.budget:
                    share = self.budget.spent(cost, record.iterations, record.seconds)
                    bar.show(share, f" {cost.evaluations:,} evaluations")
                if self.folder and time.perf_counter() - written >= self.folder.settings.seconds:
                    self.folder.write(state, record)
                    written, saved_at = time.perf_counter(), record.iterations
                moment = Moment(handle, self.solver, state, record.iterations, cost, record.seconds, record.history)
                if sum(bool(callback(moment)) for callback in self.callbacks):  # each is called
                    status = "stopped"
                    break
        if self.folder and saved_at != record.iterations and record.iterations:
            self.folder.close(state, record, status)
        closing = error is None and not torn and record.iterations > 0 and status != "failed"
        if closing:
            state, status, error = self._closed(handle, state, record, status, begun)
        results = self._results(handle, state, record, status, started)
        if error is not None:
            place = "the last measurement" if closing else f"step {record.iterations + 1}"
            raise EvaluationError(
                f"{type(error).__name__} in {place} of {title}: {error} (`error.result` holds everything before it)",
                results[0] if len(results) == 1 else results,
            ) from error
        return results

    def _closed(
        self, handle: Problem, state: Any, record: RunRecord, status: str, begun: float
    ) -> tuple[Any, str, Exception | None]:
        """Return the state that answers, and let history end with it; the checkpoint keeps the state as it was.

        Beside it the status, and what user code raised.
        """
        try:
            closed = self.solver.closed(handle, state)
        except KeyboardInterrupt:
            return state, "interrupted", None
        except Exception as raised:  # noqa: BLE001 - `run` raises it together with everything before it
            return state, "failed", raised
        if closed is not state:
            record.log.step_ended()
            record.seconds = time.perf_counter() - begun
            record.history.amend(self.solver.cost(closed), record.seconds, self._snapshot(handle, closed))
        return closed, status, None

    def _start(self, handle: Problem) -> Any:
        if isinstance(self.solver, StackedSolver):
            lanes = Lanes(tuple(Rng.from_seed(s).child("solver") for s in self.seeds))
            return self.solver.init_stack(handle, lanes, initial=self.initial)
        return self.solver.init(handle, Rng.from_seed(self.seeds[0]).child("solver"), initial=self.initial)

    def _snapshot(self, handle: Problem, state: Any) -> Tensor:
        if isinstance(self.solver, StackedSolver):
            return self.solver.population(state).detach().to("cpu", copy=True)
        return self.solver.front(handle, state).values.detach().to("cpu", copy=True).unsqueeze(0)

    def _ended(self, handle: Problem, state: Any, record: RunRecord, interrupts: _Interrupts) -> str:
        if interrupts.asked:
            return "interrupted"
        if record.log.failed and all(record.log.failed):
            return "failed"
        if record.iterations and self.solver.done(state):
            return "finished"
        budget = self.budget
        if budget is None or not record.iterations:
            return ""
        cost = self.solver.cost(state)
        share = budget.spent(cost, record.iterations, record.seconds)
        if share >= 1:
            return "budget"
        if budget.target is None and budget.stall is None:
            if share == 0 and record.iterations >= IDLE and not self.solver.finishes:
                spent = ", ".join(f.name for f in fields(cost) if getattr(cost, f.name)) or "nothing"
                hint = f"in {IDLE} steps it has spent {spent}"
                rule = f"limit something that {self.solver.name} spends"
                raise InputError(check.message("budget", rule, budget, hint))
            return ""
        front = self.solver.front(handle, state)
        if budget.target and len(front) and self._reached(front, budget):
            return "target"
        return "stall" if budget.stall and self._stalled(front, record, budget) else ""

    def _reached(self, front: Front, budget: Budget) -> bool:
        from paretokit.indicators import better, score

        targets = budget.target or {}
        scores = {name: score(front, name) for name in targets}
        return all(s == targets[n] or better(n, s, targets[n]) for n, s in scores.items())

    def _stalled(self, front: Front, record: RunRecord, budget: Budget) -> bool:
        from paretokit.indicators import hypervolume

        if not len(front):
            return False
        values = front.min_values.to(torch.float64)
        if not record.stall_reference:
            low, high = values.amin(0), values.amax(0)
            record.stall_reference = (high + 0.1 * (high - low).clamp_min(1e-9)).tolist()
        reference = torch.tensor(record.stall_reference, dtype=torch.float64)
        volume = float(hypervolume(values.cpu(), reference))
        best, when = record.stall
        if volume > best + budget.stall_tolerance * abs(best) or when == 0:
            record.stall = (volume, record.iterations)
            return False
        return record.iterations - when >= (budget.stall or 0)

    def _results(self, handle: Problem, state: Any, record: RunRecord, status: str, started: str) -> list[Result]:
        solver, problem = self.solver, self.problem
        # The handle's fronts would refer to the handle; users get their own problem back.
        if isinstance(solver, StackedSolver):
            fronts = solver.fronts(problem, state)
        else:
            fronts = (solver.front(problem, state),)
        provenance = environment() | {
            "problem": problem.name,
            "solver": solver.name,
            "budget": "" if self.budget is None else repr(self.budget),
            "started": started,
            "members": len(self.seeds),
        }
        out = []
        for p, front in enumerate(fronts):
            own = "failed" if record.log.failed and record.log.failed[p] else status
            nearest = None
            if not len(front) and own in ("budget", "finished", "target", "stall") and record.log.x:
                own, nearest = "infeasible", record.log.least_violating(p, 10)
            held_out = None
            if problem.held_out and len(front) and front.x is not None:
                held_out, _ = (front.problem or problem).assess(front.x)  # the front may stand on a variant
            out.append(
                Result(
                    front=front,
                    problem=problem,
                    solver=solver,
                    status=own,
                    seed=self.seeds[p],
                    cost=solver.cost(state),
                    seconds=record.seconds,
                    trace=record.history,
                    source=record.log,
                    held_out=held_out,
                    infeasible=nearest,
                    provenance=provenance,
                    state=state,
                    member=p,
                )
            )
        return out
