"""``paretokit list``: what there is."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import textwrap
from typing import TYPE_CHECKING, Any

from paretokit.cli._options import as_json
from paretokit.cli._text import table
from paretokit.core import MissingPackageError
from paretokit.core import _check as check

if TYPE_CHECKING:
    from paretokit.core import Problem

WIDTH = 90  # of the last column, which may be long
FRONTS = {"convex": "exact convex coverage set"}
OWN = {
    "problems": ("objectives", "constrained", "front", "world"),
    "solvers": ("source", "fits"),
    "indicators": (),
}
"""Filters by what they are for; every list takes `--match`."""
OPTIONS = {"fits": "for"}


def world_of(path: str) -> str:
    """Return the world of a problem's dotted path: synthetic, morl, …."""
    return path.split(".")[2]


def _problem_facts(name: str, world: str, made: Problem) -> dict[str, Any]:
    return {
        "id": name,
        "world": world,
        "objectives": [dataclasses.asdict(o) for o in made.objectives],
        "variables": made.space.dim,
        "constraints": made.n_constraints,
        "front": made.front_kind,
    }


def _kept(facts: dict[str, Any], args: argparse.Namespace) -> bool:
    front = None if args.front is None else FRONTS.get(args.front, args.front)
    return (
        (args.objectives is None or len(facts["objectives"]) == args.objectives)
        and (not args.constrained or facts["constraints"] > 0)
        and (front is None or facts["front"] == front)
    )


def problem_rows(args: argparse.Namespace) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the facts of the problems that pass the filters, and lines on those that lack a package."""
    from paretokit.problems._registry import PROBLEMS, make

    worlds = {name: world_of(PROBLEMS.paths[name]) for name in PROBLEMS.names()}
    if args.world is not None:
        check.known(args.world, set(worlds.values()), kind="world")
    found, missing = [], []
    for name, world in worlds.items():
        if args.match.lower() not in name.lower() or args.world not in (None, world):
            continue
        try:
            facts = _problem_facts(name, world, make(name))
        except MissingPackageError as error:
            missing.append(f"{name} is left out: {error}")
            continue
        if _kept(facts, args):
            found.append(facts)
    return found, missing


def _problem_table(rows: list[dict[str, Any]]) -> str:
    cells = []
    for row in rows:
        trades = [f"{o['sense']} {o['name']}" + (f" [{o['unit']}]" if o["unit"] else "") for o in row["objectives"]]
        senses = textwrap.shorten(", ".join(trades), WIDTH, placeholder=" …")
        sizes = [str(n) for n in (len(row["objectives"]), row["variables"], row["constraints"])]
        cells.append([row["id"], *sizes, row["front"], senses])
    head = ["problem", "objectives", "variables", "constraints", "true front", "trades off"]
    return table(head, cells, right=[False, True, True, True])


def solver_table(args: argparse.Namespace) -> Any:
    """Return the records of the solvers that pass the filters."""
    from paretokit import problems, solvers
    from paretokit.solvers import SolverTable

    fits = None if args.fits is None else solvers.fitting(problems.make(args.fits))
    return SolverTable(
        record
        for record in solvers.list()
        if args.match.lower() in record.name.lower()
        and args.source in (None, record.source)
        and (fits is None or record.name in fits)
    )


def claim(item: object) -> str:
    """Return the first sentence of a docstring, which is its claim."""
    lines = (inspect.getdoc(item) or "").partition("\n\n")[0]
    return " ".join(lines.split())


def indicator_rows(match: str) -> list[dict[str, str]]:
    """Return name and claim of the indicators whose name contains a text."""
    from paretokit import indicators

    found = [(name, getattr(indicators, name)) for name in indicators.__all__ if match.lower() in name.lower()]
    return [{"name": name, "claim": claim(item)} for name, item in found if callable(item)]


def _only_own_filters(args: argparse.Namespace) -> None:
    for what, names in OWN.items():
        given = [name for name in names if getattr(args, name) not in (None, False)]
        if given and what != args.what:
            option = f"--{OPTIONS.get(given[0], given[0])}"
            check.fail(option, f"be left out for `list {args.what}`", option, f"it filters {what}")


def run(args: argparse.Namespace) -> int:
    """Print one table, or JSON."""
    _only_own_filters(args)
    rest: list[str] = []
    if args.what == "problems":
        rows, rest = problem_rows(args)
        text = _problem_table(rows)
    elif args.what == "solvers":
        records = solver_table(args)
        rows, text = [dataclasses.asdict(record) for record in records], repr(records)
    else:
        rows = indicator_rows(args.match)
        text = table(["indicator", "what it says"], [[row["name"], row["claim"]] for row in rows])
    if args.json:
        print(as_json(rows))
    else:
        print("\n".join([text, *rest]) if rows or rest else f"no {args.what} match")
    return 0
