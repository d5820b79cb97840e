"""A finished experiment: every cell of a store, scored alike problem by problem."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretokit.bench._cells import Cell
from paretokit.bench._runner import Where, run_cells
from paretokit.bench._scoring import scores_of, shared_scoring
from paretokit.bench._store import CellRecord, CellRun, Store, plan_entry
from paretokit.bench._suite import Suite
from paretokit.core import Front, Problem, Scoring, same_measurement
from paretokit.core import _check as check
from paretokit.run._checkpoint import environment

if TYPE_CHECKING:
    import pandas as pd

COSTS = ("evaluations", "env_steps", "gradient_steps", "work", "seconds")


@dataclass(frozen=True, eq=False)
class Experiment:
    """What a suite found: runs of many solvers on many problems.

    Attributes:
        name: Title.
        cells: What was to be run.
        records: Finished and failed cells by hash; cells that are still open are absent.
        indicators: What is scored, the headline first.
        provenance: Suite, command, versions, machine.
    """

    name: str
    cells: tuple[Cell, ...]
    records: Mapping[str, CellRecord] = field(repr=False)
    indicators: tuple[str, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Tidy: one row a (problem, solver, seed, indicator).

        Columns: problem, solver, seed, indicator, value, points, evaluations, work, seconds, status, cell, protocol.
        Runs of failed cells have status "failed" and NaN; open cells have no rows. An indicator that a problem does not
        define (IGD+ where no front is known) has no rows on it.

        Raises:
            ProtocolError: If fronts of one problem were measured differently; the message names the difference.
        """
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for problem in self.problems:
            rows += self._rows(problem)
        columns = ["problem", "solver", "seed", "indicator", "value", "points", "evaluations", "work", "seconds"]
        return pd.DataFrame(rows, columns=[*columns, "status", "cell", "protocol"])

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """Names of the problems, in the order of the suite."""
        return tuple(dict.fromkeys(cell.problem.name for cell in self.cells))

    @cached_property
    def failures(self) -> Mapping[str, str]:
        """Tracebacks by cell name."""
        found = {cell.name: self.records[cell.digest].error for cell in self.cells if cell.digest in self.records}
        return {name: error for name, error in found.items() if error}

    def fronts(self, problem: str, solver: str) -> list[Front]:
        """Return a solver's final fronts on a problem, one a seed that has one, in the order of seeds."""
        return [front for _, _, front in self._runs(problem, solver)]

    def curves(self, indicator: str) -> pd.DataFrame:
        """Return an indicator of the fronts on the way: problem, solver, seed, costs, value; one row a snapshot.

        Snapshots are scored as the final fronts are, so the last row of a run is its value in `frame`, but for solvers
        that answer with an archive or measure once more at the end.
        """
        import pandas as pd

        check.known(indicator, self.indicators, kind="indicator")
        rows: list[dict[str, Any]] = []
        for name in self.problems:
            scoring = self._scoring(name)
            for solver in self._solvers(name):
                for _, run, front in self._runs(name, solver):
                    fronts = [
                        Front(v, None, front.objectives, front.protocol, None, {}, front.problem)
                        for v in run.snapshots.split(list(run.sizes))
                    ]
                    values = scores_of(fronts, indicator, scoring)
                    if values is None:
                        continue
                    base = {"problem": name, "solver": solver, "seed": run.seed}
                    for step, value in zip(run.steps.tolist(), values, strict=True):
                        rows.append(base | dict(zip(COSTS, step, strict=True)) | {"value": value})
        return pd.DataFrame(rows, columns=["problem", "solver", "seed", *COSTS, "value"])

    def _solvers(self, problem: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(cell.solver.name for cell in self.cells if cell.problem.name == problem))

    def _runs(self, problem: str, solver: str) -> list[tuple[Cell, CellRun, Front]]:
        own = [
            c for c in self.cells if c.problem.name == problem and c.solver.name == solver and c.digest in self.records
        ]
        made = self._made(problem)
        found = [
            (cell, run, self.records[cell.digest].front(run, made))
            for cell in own
            for run in self.records[cell.digest].runs
        ]
        return sorted(found, key=lambda entry: entry[1].seed)

    def _made(self, problem: str) -> Problem | None:
        """Return a problem whose front is known, which scores need; others are not built for a table."""
        if problem not in self._built:
            own = [c for c in self.cells if c.problem.name == problem and c.digest in self.records]
            known = any(self.records[c.digest].front_kind != "unknown" for c in own)
            self._built[problem] = own[0].problem.make(own[0].folder) if known else None
        return self._built[problem]

    @cached_property
    def _built(self) -> dict[str, Problem | None]:
        return {}

    def _scoring(self, problem: str) -> Scoring:
        fronts = [front for solver in self._solvers(problem) for front in self.fronts(problem, solver)]
        for front in fronts:
            same_measurement(fronts[0].protocol, front.protocol)
        return shared_scoring(fronts, fronts[0].protocol.scoring)[0] if fronts else Scoring()

    def _rows(self, problem: str) -> list[dict[str, Any]]:
        scoring = self._scoring(problem)
        runs = [(solver, *entry) for solver in self._solvers(problem) for entry in self._runs(problem, solver)]
        columns = {i: scores_of([front for *_, front in runs], i, scoring) for i in self.indicators}
        rows: list[dict[str, Any]] = []
        for position, (solver, cell, run, front) in enumerate(runs):
            base = {
                "problem": problem,
                "solver": solver,
                "seed": run.seed,
                "points": len(front),
                "evaluations": run.cost.evaluations,
                "work": run.cost.work,
                "seconds": run.seconds,
                "status": run.status,
                "cell": cell.digest,
                "protocol": cell.protocol,
            }
            rows += [base | {"indicator": i, "value": v[position]} for i, v in columns.items() if v is not None]
        kept = [i for i, v in columns.items() if v is not None] if runs else list(self.indicators)
        for cell in self.cells:
            record = self.records.get(cell.digest)
            if cell.problem.name == problem and record is not None and record.error:
                rows += [_failed(cell, seed, indicator) for seed in cell.seeds for indicator in kept]
        order = {solver: k for k, solver in enumerate(self._solvers(problem))}
        return sorted(rows, key=lambda row: (order[row["solver"]], row["seed"]))


def _failed(cell: Cell, seed: int, indicator: str) -> dict[str, Any]:
    nothing = float("nan")
    return {
        "problem": cell.problem.name,
        "solver": cell.solver.name,
        "seed": seed,
        "indicator": indicator,
        "value": nothing,
        "points": 0,
        "evaluations": 0,
        "work": 0.0,
        "seconds": nothing,
        "status": "failed",
        "cell": cell.digest,
        "protocol": cell.protocol,
    }


def run_suite(
    suite: Suite, store: str | Path, *, where: Where | None = None, command: str = "", progress: bool | None = None
) -> Experiment:
    """Run every cell of a suite that the store does not hold yet, and return the experiment.

    Args:
        suite: What is run; see `load_suite`.
        store: Folder of finished cells.
        where: Backend, by default processes on this machine.
        command: How it was called, for the record.
        progress: Whether to show a bar.

    Raises:
        InputError, UnknownNameError, UnsupportedProblemError, ProtocolError: If the suite breaks a rule; before
            anything runs.
        CheckpointError: If the store cannot be written to, or a newer version wrote it.
    """
    place = Store(Path(store)).open()
    cells = suite.cells()
    place.write_plan(
        {
            "name": suite.name,
            "indicators": list(suite.indicators),
            "checkpoint": suite.checkpoint,
            "suite": suite.text,
            "command": command,
            "cells": [plan_entry(cell) for cell in cells],
        }
    )
    run_cells(cells, place, where=where or Where(), checkpoint=suite.checkpoint, progress=progress)
    return load_experiment(store)


def resume_suite(
    store: str | Path, *, where: Where | None = None, failed: bool = False, progress: bool | None = None
) -> Experiment:
    """Run what an experiment has not finished; with `failed` its failed cells once more too.

    The plan is the store's own: the suite's file is not read again.

    Raises:
        InputError: If there is no experiment.
        CheckpointError: As in `run_suite`.
    """
    place = Store(Path(store)).existing()
    cells = place.cells()
    if failed:
        place.forget([cell for cell in cells if place.state(cell) == "failed"])
    checkpoint = float(place.read_plan()["checkpoint"])
    run_cells(cells, place, where=where or Where(), checkpoint=checkpoint, progress=progress)
    return load_experiment(store)


def load_experiment(store: str | Path) -> Experiment:
    """Return what an experiment has found so far.

    Raises:
        InputError: If there is no experiment at the folder.
        CheckpointError: If a newer version wrote it, or a cell is damaged.
    """
    place = Store(Path(store)).existing()
    plan = place.read_plan()
    cells = place.cells()
    records = {cell.digest: place.read(cell) for cell in cells if place.state(cell) in ("done", "failed")}
    provenance = environment() | {
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "threads": max((cell.threads for cell in cells), default=1),
        "command": plan["command"],
        "suite": plan["suite"],
        "finished": f"{len(records)} of {len(cells)} cells",
    }
    return Experiment(plan["name"], cells, records, tuple(plan["indicators"]), provenance)
