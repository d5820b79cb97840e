"""Suites: grids of problems, solvers, seeds and budgets, and the cells that they mean."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paretokit.bench._cells import Cell, Part, stacks
from paretokit.core import Problem, ProtocolError, Solver, same_measurement
from paretokit.core import _check as check
from paretokit.indicators import score_names

INDICATORS = ("hypervolume", "igd_plus", "r2")


@dataclass(frozen=True, kw_only=True)
class Small:
    """How a grid shrinks for a trial: what is given here takes the place of the grid's own.

    Attributes:
        problems, solvers: Names of those that are kept; () keeps all.
        seeds: Which seeds; () keeps all.
        budget: Limits; {} keeps the grid's.
    """

    problems: tuple[str, ...] = ()
    solvers: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    budget: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Every solver on every problem with every seed, under one budget."""

    problems: tuple[Part, ...]
    solvers: tuple[Part, ...]
    seeds: tuple[int, ...]
    budget: Mapping[str, Any] = field(default_factory=dict)
    small: Small = field(default_factory=Small)

    def shrunk(self) -> Grid:
        """Return the small form."""
        small = self.small
        return dataclasses.replace(
            self,
            problems=_kept(self.problems, small.problems, "problem"),
            solvers=_kept(self.solvers, small.solvers, "solver"),
            seeds=small.seeds or self.seeds,
            budget=small.budget or self.budget,
        )


@dataclass(frozen=True, kw_only=True)
class Suite:
    """An experiment as it is written down.

    Attributes:
        name: Title of tables and reports.
        grids: Each a product of problems, solvers and seeds.
        indicators: What is scored, the headline first.
        threads: Threads of each cell.
        group: Seeds a cell; None puts all seeds of a solver that stacks into one cell, and gives others a cell a seed.
        checkpoint: Seconds between two checkpoints inside a cell.
        folder: Where modules of the suite's own lie.
        text: The file, for the record.
    """

    name: str
    grids: tuple[Grid, ...]
    indicators: tuple[str, ...] = INDICATORS
    threads: int = 1
    group: int | None = None
    checkpoint: float = 30.0
    folder: str = ""
    text: str = ""

    def __post_init__(self) -> None:
        check.that(bool(self.name.strip()), "name", "be given", repr(self.name))
        check.at_least(1, grids=len(self.grids))
        for name in self.indicators:
            check.known(name, score_names(), kind="indicator")
        check.whole(1, threads=self.threads)
        if self.group is not None:
            check.whole(1, group=self.group)
        check.at_least(0.0, checkpoint=self.checkpoint)
        for grid in self.grids:
            check.at_least(1, problems=len(grid.problems), solvers=len(grid.solvers), seeds=len(grid.seeds))
            check.that(len(set(grid.seeds)) == len(grid.seeds), "seeds", "be distinct", list(grid.seeds))

    def shrunk(self) -> Suite:
        """Return the small form, with a name of its own."""
        return dataclasses.replace(self, name=f"{self.name}-small", grids=tuple(g.shrunk() for g in self.grids))

    def cells(self) -> tuple[Cell, ...]:
        """Return all cells, identified; everything that can be refused is refused here, before anything runs.

        Raises:
            UnknownNameError: For unknown ids and options.
            UnsupportedProblemError: If a solver cannot solve a problem of its grid.
            ProtocolError: If one name stands for problems that are measured differently.
            InputError: If two cells have one name.

        Cost: every problem and every solver is made once; no evaluation.
        """
        made: dict[str, tuple[Part, Problem]] = {}
        taken: dict[tuple[str, str], tuple[Part, Part]] = {}
        cells = []
        for grid in self.grids:
            solvers = [(part, part.make(self.folder)) for part in grid.solvers]
            for part in grid.problems:
                problem = self._one_problem(part, made)
                for own, solver in solvers:
                    _one_name(taken, part, own)
                    cells += self._group_cells(grid, (part, own), problem, solver)
        return tuple(cells)

    def _one_problem(self, part: Part, made: dict[str, tuple[Part, Problem]]) -> Problem:
        """Return the problem of a name, or raise where the name already stands for another one."""
        if part.name not in made:
            made[part.name] = (part, part.make(self.folder))
        before, problem = made[part.name]
        if before != part:
            other = part.make(self.folder)
            try:
                same_measurement(problem.protocol, other.protocol)
            except ProtocolError as error:
                raise ProtocolError(f"the suite mixes protocols on {part.name!r}: {error}") from error
            same = problem.fingerprint() == other.fingerprint()
            got = f"{dict(before.options)} and {dict(part.options)} for {part.name!r}"
            check.that(same, "problems", "differ in name where they differ in options", got, "give one a `name:`")
        return problem

    def _group_cells(self, grid: Grid, parts: tuple[Part, Part], problem: Problem, solver: Solver[Any]) -> list[Cell]:
        whole = Cell(
            problem=parts[0],
            solver=parts[1],
            seeds=grid.seeds,
            budget=grid.budget,
            threads=self.threads,
            folder=self.folder,
        )
        limits = whole.limits()
        solver.check(problem)
        ends = limits is not None or solver.finishes
        check.that(ends, "budget", f"be given, since {parts[1].name} never ends by itself", None)
        size = self.group or (len(grid.seeds) if stacks(solver, limits) else 1)
        groups = [grid.seeds[i : i + size] for i in range(0, len(grid.seeds), size)]
        return [dataclasses.replace(whole, seeds=group).identified(problem, solver) for group in groups]


def load_suite(path: str | Path) -> Suite:
    """Return the suite of a YAML file.

    Raises:
        InputError: If the file cannot be read or breaks a rule; the message names file, line and key.
        UnknownNameError: For an unknown key; the message offers the nearest.
    """
    place = Path(path)
    try:
        text = place.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        check.fail("suite", "be a readable YAML file", str(place), str(error))
    return parse_suite(text, source=place.name, folder=str(place.resolve().parent))


def parse_suite(text: str, *, source: str = "suite", folder: str = "") -> Suite:
    """Return the suite that a YAML text describes; see `load_suite`."""
    check.package("pydantic", extra="bench")
    check.package("yaml", extra="bench")
    from paretokit.bench._schema import parsed

    return parsed(text, source=source, folder=folder)


def _kept(parts: tuple[Part, ...], names: tuple[str, ...], kind: str) -> tuple[Part, ...]:
    for name in names:
        check.known(name, [part.name for part in parts], kind=kind)
    return tuple(part for part in parts if not names or part.name in names)


def _one_name(taken: dict[tuple[str, str], tuple[Part, Part]], problem: Part, solver: Part) -> None:
    key = (problem.name, solver.name)
    got = f"two of {solver.name!r} on {problem.name!r}"
    check.that(key not in taken, "cells", "have names of their own", got, "give one solver or problem a `name:`")
    taken[key] = (problem, solver)
