"""Fronts from files: a CSV of objective values, or the folder of a saved result or front."""

from __future__ import annotations

import argparse
import csv
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paretokit.cli._options import parse_names
from paretokit.cli._targets import problem_of
from paretokit.core import Front, Objective, Problem
from paretokit.core import _check as check

COLUMNS = "`--objectives a,b` names the columns to read"


@dataclass(frozen=True)
class ReadFront:
    """A front and where it comes from.

    Attributes:
        name: The file, as it was given.
        rows: How many rows it held.
        front: Those of them that are non-dominated and distinct.
    """

    name: str
    rows: int
    front: Front


def read_fronts(args: argparse.Namespace) -> list[ReadFront]:
    """Return the fronts of the given files, all with the same objectives.

    Raises:
        InputError: For a cell that is no finite number (row and column are named), a file that is no table, objectives
            that differ from file to file.
        UnknownNameError: For a column that is not there; the nearest are offered.
    """
    problem = None if args.problem is None else problem_of(args.problem, args.problem_option)
    names, senses = parse_names(args.objectives), parse_names(args.senses)
    for sense in senses or ():
        check.one_of(("min", "max"), senses=sense)
    check.that(problem is None or senses is None, "senses", "be left out with --problem", args.senses)
    found = [read_front(file, problem=problem, names=names, senses=senses) for file in args.fronts]
    first = found[0]
    for other in found[1:]:
        same = [o.name for o in other.front.objectives] == [o.name for o in first.front.objectives]
        labels = [o.name for o in other.front.objectives]
        wanted = f"have the objectives of {first.name}, {[o.name for o in first.front.objectives]}"
        check.that(same, other.name, wanted, labels, COLUMNS)
    return found


def read_front(
    file: Path, *, problem: Problem | None = None, names: list[str] | None = None, senses: list[str] | None = None
) -> ReadFront:
    """Return the front of one file or folder."""
    if file.is_dir():
        check.that(names is None and senses is None, "objectives", "be left out for a saved result", file)
        front = _saved(file, problem)
        return ReadFront(str(file), len(front), front)
    columns, values = read_table(file, _wanted(file, problem, names))
    objectives: Sequence[Objective | str] = columns if problem is None else problem.objectives
    if senses is not None:
        rule = f"have {len(columns)} entries, one for each of {_short(columns)}"
        check.shape(len(senses) == len(columns), "senses", rule, len(senses), COLUMNS)
    front = Front.from_values(values, objectives=objectives, senses=senses)  # type: ignore[arg-type]  # checked above
    if problem is not None:
        front = dataclasses.replace(front, protocol=problem.protocol, problem=problem)
    return ReadFront(str(file), len(values), front)


def _saved(folder: Path, problem: Problem | None) -> Front:
    from paretokit.run import Result

    inner = folder / "result"
    place = inner if (inner / "result.json").exists() else folder
    kept = [name for name in ("result", "front") if (place / f"{name}.json").exists()]
    check.that(bool(kept), "front", "be a CSV file, or the folder of a saved result or front", repr(str(folder)))
    return Result.load(place, problem).front if kept[0] == "result" else Front.load(place, problem)


def _wanted(file: Path, problem: Problem | None, names: list[str] | None) -> list[str] | None:
    """Return the columns to read; those of the problem's objectives where the file has them."""
    if names is not None or problem is None:
        if names is not None and problem is not None:
            rule = f"name {problem.n_objectives} columns, one for each objective of {problem.name}"
            check.shape(len(names) == problem.n_objectives, "objectives", rule, len(names))
        return names
    labels = [o.name for o in problem.objectives]
    head, _ = _head(file)
    if set(labels) <= set(head):
        return labels
    rule = f"have the columns {_short(labels)}, or {len(labels)} columns"
    check.shape(len(head) == len(labels), str(file), rule, _short(head), COLUMNS)
    return None


def _head(file: Path) -> tuple[list[str], bool]:
    """Return a file's column names, and whether its first line holds them; f1, f2, … where that line is numbers."""
    cells = _lines(file)[0]
    if all(_is_number(cell) for cell in cells):
        return [f"f{i + 1}" for i in range(len(cells))], False
    return cells, True


def _lines(file: Path) -> list[list[str]]:
    """Return the cells of all lines that are not empty, at least one."""
    check.that(file.exists(), "front", "be a file or folder that is there", repr(str(file)))
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            lines = [[cell.strip() for cell in row] for row in csv.reader(opened) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        check.fail("front", "be a CSV file of text", repr(str(file)), str(error))
    check.that(bool(lines), "front", "hold a table", f"{str(file)!r}, which is empty")
    return lines


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan


def _is_number(cell: str) -> bool:
    return cell.lower() == "nan" or not np.isnan(_number(cell))


def read_table(file: Path, names: list[str] | None = None) -> tuple[list[str], Any]:
    """Return the names and the finite values `[n, m]` of a CSV file's columns.

    The first line names the columns, unless it is all numbers.

    Args:
        file: The file.
        names: Columns to read, all by default.

    Raises:
        InputError: For a cell that is no finite number; the message names its row (the first row of values is 1) and
            column.
    """
    head, named = _head(file)
    for name in names or ():
        check.known(name, head, kind="column")
    twice = [name for name in head if head.count(name) > 1]
    check.that(not twice, "front", "have columns of distinct names", repr(twice[0]) if twice else "")
    lines = _lines(file)[int(named) :]
    for row, cells in enumerate(lines, 1):
        check.shape(len(cells) == len(head), "front", f"have {len(head)} cells a row", f"{len(cells)} in row {row}")
    columns = names or head
    places = [head.index(name) for name in columns]
    values = np.array([[_number(row[i]) for i in places] for row in lines]).reshape(len(lines), len(places))
    for row, column in np.argwhere(~np.isfinite(values))[:1].tolist():
        cell = lines[row][places[column]]
        hopeless = not np.isfinite(values[:, column]).any()
        hint = COLUMNS if hopeless else "delete the row if it is a failed candidate"
        shown = repr(cell) if cell else "an empty cell"
        check.fail("front", "hold finite numbers", f"{shown} in row {row + 1}, column {columns[column]!r}", hint)
    return columns, values


def _short(names: Sequence[str]) -> str:
    return f"{', '.join(names[:6])}{', …' if len(names) > 6 else ''}"
