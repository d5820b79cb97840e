"""A store of finished cells on disk: one folder a cell, named by its hash, written aside and renamed.

Layout: ``store.json`` (format), ``suite.json`` (the plan), ``cells/HASH/`` (a finished or failed cell),
``work/HASH/`` (checkpoints of a cell that is running or was killed), ``locks/HASH``. A folder that is being written has
another name, so a process killed at any moment leaves only whole cells behind.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from paretokit.bench._cells import Cell, Part
from paretokit.core import CheckpointError, Cost, EvaluationProtocol, Front, Objective, Problem
from paretokit.core import _check as check
from paretokit.core import _serial as serial

FORMAT = 2


@dataclass(frozen=True, kw_only=True)
class CellRun:
    """What is kept of one seed.

    Attributes:
        values, x, stderr: The front.
        status: As in `Result`.
        seed, cost, seconds: As in `Result`; seconds are a member's share of its stack.
        steps: Evaluations, env_steps, gradient_steps, work and seconds at each kept snapshot `[k, 5]`.
        snapshots: Fronts at those moments, one below the other `[sum n_i, m]`; rows that are no solution are left out.
        sizes: How many rows each of them has.
    """

    values: Tensor
    x: Tensor | None
    stderr: Tensor | None
    status: str
    seed: int
    cost: Cost
    seconds: float
    steps: Tensor
    snapshots: Tensor
    sizes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class CellRecord:
    """A finished cell as it lies on disk.

    Attributes:
        digest: Hash of its content.
        objectives: Of the problem.
        measured: Protocol of the fronts.
        front_kind: "known", "approximate" or "unknown", as of the problem.
        unit: Of work.
        runs: One a seed.
        error: Traceback where the cell failed, else "".
        seconds: Wall time of the whole cell.
        environment: Versions, machine and threads under which it ran.
    """

    digest: str
    objectives: tuple[Objective, ...] = ()
    measured: EvaluationProtocol = field(default_factory=EvaluationProtocol)
    front_kind: str = "unknown"
    unit: str = ""
    runs: tuple[CellRun, ...] = ()
    error: str = ""
    seconds: float = 0.0
    environment: dict[str, Any] = field(default_factory=dict)

    def front(self, run: CellRun, problem: Problem | None) -> Front:
        """Return one run's front."""
        return Front(run.values, run.x, self.objectives, self.measured, run.stderr, {}, problem)


@dataclass(frozen=True)
class Store:
    """Reads and writes the cells of an experiment below one folder."""

    path: Path

    def open(self) -> Store:
        """Return the store, made where it is not there yet.

        Raises:
            CheckpointError: If a newer version wrote it, or it cannot be written to.
        """
        if (self.path / "store.json").exists():
            self.check_format()
        try:
            for name in ("cells", "work", "locks"):
                (self.path / name).mkdir(parents=True, exist_ok=True)
            write_whole(self.path / "store.json", {"format": FORMAT})
        except OSError as error:
            raise unwritable(self.path, error) from error
        return self

    def existing(self) -> Store:
        """Return the store, which must be there."""
        if not (self.path / "store.json").is_file():
            near = [str(p.parent) for p in self.path.glob("*/store.json")] if self.path.is_dir() else []
            hint = f"did you mean {near[0]!r}?" if near else "`paretokit bench run SUITE` makes one"
            check.fail("store", "be the folder of an experiment", repr(str(self.path)), hint)
        self.check_format()
        return self

    def check_format(self) -> None:
        """Raise `CheckpointError` unless this version can read the store."""
        try:
            found = json.loads((self.path / "store.json").read_text("utf-8"))["format"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{self.path / 'store.json'} cannot be read: {error}") from error
        if found != FORMAT:
            age, hint = ("a newer", "upgrade paretokit, or choose") if found > FORMAT else ("an older", "choose")
            raise CheckpointError(
                f"{self.path} was written by {age} version: its format is {found}, this version reads {FORMAT} "
                f"({hint} another store)"
            )

    def write_plan(self, plan: Mapping[str, Any]) -> None:
        """Keep what is to be run, for `status`, `resume` and `report`."""
        try:
            write_whole(self.path / "suite.json", plan)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def read_plan(self) -> dict[str, Any]:
        """Return what `write_plan` kept."""
        try:
            plan: dict[str, Any] = json.loads((self.path / "suite.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{self.path / 'suite.json'} cannot be read: {error}") from error
        return plan

    def cells(self) -> tuple[Cell, ...]:
        """Return the cells of the plan."""
        return tuple(_cell(entry) for entry in self.read_plan()["cells"])

    def work(self, cell: Cell) -> Path:
        """Return where a cell keeps its checkpoints until it has finished."""
        return self.path / "work" / cell.digest

    def lock(self, cell: Cell) -> Any:
        """Return the lock that one process holds while it runs a cell; a dead process holds none."""
        filelock: Any = check.package("filelock", extra="bench")
        return filelock.FileLock(self.path / "locks" / cell.digest)

    def state(self, cell: Cell) -> str:
        """Return "done", "failed", "begun" (checkpoints are there) or "waiting"."""
        folder = self.path / "cells" / cell.digest
        if folder.is_dir():
            return "failed" if (folder / "error.txt").exists() else "done"
        return "begun" if self.work(cell).is_dir() else "waiting"

    def error(self, cell: Cell) -> str:
        """Return the traceback of a failed cell."""
        return (self.path / "cells" / cell.digest / "error.txt").read_text("utf-8")

    def write(self, record: CellRecord) -> None:
        """Write a finished cell, whole or not at all.

        Raises:
            CheckpointError: If the disk is full or read-only; nothing that was there is lost.
        """
        final = self.path / "cells" / record.digest
        aside = final.with_name(f".writing-{record.digest}-{os.getpid()}")
        try:
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir()
            serial.save_tree(aside, "cell", record)
            if record.error:
                (aside / "error.txt").write_text(record.error, "utf-8")
            shutil.rmtree(final, ignore_errors=True)
            aside.rename(final)
        except OSError as error:
            shutil.rmtree(aside, ignore_errors=True)
            raise unwritable(self.path, error) from error
        shutil.rmtree(self.path / "work" / record.digest, ignore_errors=True)

    def read(self, cell: Cell) -> CellRecord:
        """Return a finished cell.

        Raises:
            CheckpointError: If it is damaged.
        """
        record: CellRecord = serial.load_tree(self.path / "cells" / cell.digest, "cell", CellRecord)
        return record

    def forget(self, cells: Sequence[Cell]) -> int:
        """Remove what is stored of some cells and return of how many."""
        count = 0
        for cell in cells:
            places = [self.path / "cells" / cell.digest, self.work(cell)]
            count += any(place.exists() for place in places)
            for place in places:
                shutil.rmtree(place, ignore_errors=True)
        return count

    def strangers(self) -> list[Path]:
        """Return folders of cells that are not in the plan (of an earlier suite), and what killed writers left."""
        planned = {cell.digest for cell in self.cells()}
        found = [*(self.path / "cells").iterdir(), *(self.path / "work").iterdir()]
        return sorted(folder for folder in found if folder.name not in planned)


def unwritable(path: Path, error: OSError) -> CheckpointError:
    """Return the error of a store that is full, read-only or no folder."""
    hint = "finished cells are safe; free space or choose another store, then resume"
    return CheckpointError(check.message("store", "be a folder that can be written to", f"{path}: {error}", hint))


def write_whole(path: Path, body: Mapping[str, Any]) -> None:
    """Write JSON aside and rename it."""
    aside = path.with_name(f".{path.name}-{os.getpid()}")
    serial.write_synced(aside, json.dumps(body, indent=1, default=list).encode())
    aside.replace(path)


def plan_entry(cell: Cell) -> dict[str, Any]:
    """Return a cell as the plan keeps it."""
    return dataclasses.asdict(cell)


def _cell(entry: Mapping[str, Any]) -> Cell:
    parts = {kind: Part(**entry[kind]) for kind in ("problem", "solver")}
    return Cell(**{**entry, **parts, "seeds": tuple(entry["seeds"])})
