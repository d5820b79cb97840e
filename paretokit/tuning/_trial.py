"""One setting on all tuning seeds: what it scores, and what it scores on the way."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from paretokit.core import Front, ParetoError, Problem, Scoring, Solver, non_dominated, to_min
from paretokit.core import _check as check
from paretokit.indicators import score_many
from paretokit.run import Budget, Moment, Result, solve

RUNGS = 10  # shares of a run's budget at which it is compared with the runs of other settings
NEEDS = {"hypervolume": ("reference_point",), "r2": ("ideal", "nadir"), "r2_exact": ("ideal", "nadir")}
MARGIN = 0.1  # how far beyond the worst value a reference point lies, in ranges

Report = Callable[[float, int], bool]


@dataclass(frozen=True)
class Task:
    """What all trials share.

    Attributes:
        problem: What is solved.
        budget: Of each run.
        seeds: Tuning seeds.
        indicator: What is made best.
        scoring: Under which; the same for all.
    """

    problem: Problem
    budget: Budget
    seeds: tuple[int, ...]
    indicator: str
    scoring: Scoring

    @property
    def length(self) -> int:
        """The step at which a trial is complete; each seed takes `RUNGS` of them."""
        return RUNGS * len(self.seeds)

    def score(self, front: Front) -> float:
        """Return the indicator of a front."""
        return score_many([front], self.indicator, scoring=self.scoring)[0]


@dataclass
class Outcome:
    """How a setting did.

    Attributes:
        scores: Of each finished seed.
        pruned: Whether it was ended early.
        interrupted: Whether the user ended it.
        error: One line where it failed.
    """

    scores: list[float] = field(default_factory=list)
    pruned: bool = False
    interrupted: bool = False
    error: str = ""

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return sum(self.scores) / len(self.scores) if self.scores else math.nan


def measured(task: Task, solver: Callable[[], Solver[Any]], report: Report) -> Outcome:
    """Return how a setting does on the tuning seeds, one after another.

    Args:
        task: What all trials share.
        solver: Makes it; what it refuses is the trial's failure.
        report: Takes the mean of the seeds so far, the present one as it stands, and a step that counts shares of the
            whole: ``RUNGS i + k`` when run i has spent k tenths of its budget. A true answer ends the trial.
    """
    outcome = Outcome()
    try:
        made = solver()
        for position, seed in enumerate(task.seeds):
            watch = _Watch(task, outcome, position * RUNGS, report)
            result = solve(task.problem, made, budget=task.budget, seed=seed, callbacks=[watch], progress=False)
            if result.status == "interrupted":
                outcome.interrupted = True
            if outcome.interrupted or outcome.pruned:
                return outcome
            outcome.error = _fault(task, result)
            if outcome.error:
                return outcome
            outcome.scores.append(task.score(result.front))
            last = position == len(task.seeds) - 1
            if report(outcome.mean, (position + 1) * RUNGS) and not last:
                outcome.pruned = True
                return outcome
    except Exception as error:  # noqa: BLE001 - a setting may crash in any way; the trial records how, the rest goes on
        outcome.error = _line(error)
    return outcome


def tested(task: Task, solver: Solver[Any], seed: int) -> dict[str, float | None]:
    """Return a solver's score with a fresh seed: of its front, and of the same decisions on held-out data (or None)."""
    result = solve(task.problem, solver, budget=task.budget, seed=seed, progress=False)
    if result.status == "interrupted":
        raise KeyboardInterrupt
    value = task.score(result.front)
    held_out = None
    if result.held_out is not None:
        again = dataclasses.replace(result.front, values=result.held_out, stderr=None)
        held_out = task.score(again.select(non_dominated(again.values, maximize=again.maximize)))
    return {"value": value, "held_out": held_out}


def scoring_of(problem: Problem, indicator: str) -> Scoring | None:
    """Return the problem's own scoring, or None where it lacks what an indicator needs."""
    scoring = problem.protocol.scoring
    lacking = [name for name in NEEDS.get(indicator, ()) if getattr(scoring, name) is None]
    return None if lacking else scoring


def scoring_from(problem: Problem, solver: Solver[Any], *, budget: Budget, seeds: tuple[int, ...]) -> Scoring:
    """Return a scoring from the union of the fronts of the defaults on the tuning seeds.

    Ideal and nadir are its ends, the reference point lies a tenth of the range beyond the nadir; what the problem's
    own scoring has stays.

    Raises:
        ParetoError: If these fronts are empty.
    """
    runs = [solve(problem, solver, budget=budget, seed=seed, progress=False) for seed in seeds]
    if any(run.status == "interrupted" for run in runs):
        raise KeyboardInterrupt
    fronts = [run.front for run in runs if len(run.front)]
    if not fronts:
        hint = "give the problem a reference point, ideal and nadir"
        raise ParetoError(check.message("solver", "find a point by default, to score others by", "no front", hint))
    union = fronts[0].merge(*fronts[1:])
    low, high = union.min_values.amin(0), union.min_values.amax(0)
    points = {"ideal": low, "nadir": high, "reference_point": high + MARGIN * (high - low).clamp_min(1e-9)}
    own = problem.protocol.scoring
    filled = {name: tuple(to_min(point, union.objectives).tolist()) for name, point in points.items()}
    return restored(dataclasses.asdict(own) | {n: v for n, v in filled.items() if getattr(own, n) is None})


def restored(record: Mapping[str, Any]) -> Scoring:
    """Return a scoring from its fields as JSON holds them."""

    def point(name: str) -> tuple[float, ...] | None:
        given = record.get(name)
        return None if given is None else tuple(given)

    return Scoring(
        reference_point=point("reference_point"),
        ideal=point("ideal"),
        nadir=point("nadir"),
        partitions=record.get("partitions"),
    )


@dataclass
class _Watch:
    """A callback that reports a run at each tenth of its budget."""

    task: Task
    outcome: Outcome
    offset: int
    report: Report
    rung: int = 0

    def __call__(self, moment: Moment) -> bool:
        """Tell whether the run shall end."""
        share = self.task.budget.spent(moment.cost, moment.iterations, moment.seconds)
        reached = min(int(share * RUNGS), RUNGS - 1)  # the last one is the final front's
        if reached <= self.rung:
            return False
        so_far = [*self.outcome.scores, self.task.score(moment.front)]
        value = sum(so_far) / len(so_far)
        if not math.isfinite(value):
            return False
        for rung in range(self.rung + 1, reached + 1):
            self.outcome.pruned |= self.report(value, self.offset + rung)
        self.rung = reached
        return self.outcome.pruned


def _fault(task: Task, result: Result) -> str:
    """Return in a line why a run counts as failed, or nothing."""
    if result.status == "failed":
        return f"the run with seed {result.seed} failed"
    if not math.isfinite(task.score(result.front)):
        return f"{task.indicator} of the run with seed {result.seed} is not finite"
    return ""


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
