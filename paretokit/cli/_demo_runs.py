"""What the demo's panels share: solvers with options, their runs, lines of the table, and texts of the report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from paretokit.cli._demo_panels import Picture, Row, Tick
from paretokit.core import Problem, Solver
from paretokit.run import Budget, Result, solve

SCORES = ("hypervolume", "r2", "sparsity", "igd_plus")
_KNOWN = {
    "exact": "known exactly",
    "exact convex coverage set": "known as an exact convex coverage set",
    "approximate": "known approximately",
}
_BEHIND = {
    "exact": " The exact front lies behind in gray.",
    "exact convex coverage set": " The exact convex coverage set lies behind in gray.",
    "approximate": " The best known front lies behind in gray.",
}


def known(kind: str) -> str:
    """Return how far a problem's front is known, by its `front_kind`."""
    return _KNOWN.get(kind, "unknown")


def behind(kind: str) -> str:
    """Return what a picture's caption says of the known front, by the problem's `front_kind`."""
    return _BEHIND.get(kind, "")


def numbers(values: Sequence[float]) -> str:
    """Return numbers in brackets."""
    return "(" + ", ".join(f"{v:.6g}" for v in values) + ")"


@final
@dataclass(frozen=True, kw_only=True)
class Entrant:
    """A solver by name.

    Attributes:
        name: As `solvers.make` takes it.
        options: Of the solver.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def call(self) -> str:
        """Name and options as Python."""
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.options.items())})"

    @property
    def making(self) -> str:
        """Python that makes it."""
        return f'pk.solvers.make("{self.name}"{"".join(f", {k}={v!r}" for k, v in self.options.items())})'

    def made(self) -> Solver[Any]:
        """Return the solver."""
        from paretokit import solvers

        return solvers.make(self.name, **self.options)

    def row(self, result: Result, work: float) -> Row:
        """Return its line in the table, given the work that it was allowed."""
        scores = {score: result.scores.get(score) for score in SCORES}
        short = result.status == "budget" and result.cost.work < work
        return Row(self.name, len(result.front), scores, result.seconds, "out of time" if short else result.status)


def race(
    problem: Problem, entrants: Sequence[Entrant], tick: Tick, *, budget: Budget, seed: int, place: str
) -> dict[str, Result]:
    """Return each solver's run by name, at equal budgets, none longer than `tick` allows."""
    results: dict[str, Result] = {}
    for entrant in entrants:
        timed = dataclasses.replace(budget, seconds=tick(f"{entrant.name} on {place}"))
        result = solve(problem, entrant.made(), budget=timed, seed=seed, progress=False)
        if result.status == "interrupted":
            raise KeyboardInterrupt
        results[entrant.name] = result
    return results


def best_of(rows: Sequence[Row]) -> str:
    """Return the solver of largest hypervolume."""
    return max(rows, key=lambda row: row.scores["hypervolume"] or 0.0).solver


def chosen(result: Result, preference: Sequence[float]) -> Any:
    """Return the choice by preference from a front, or None where it is empty."""
    return result.front.pick(preference) if len(result.front) else None


def code(entrant: Entrant, made: Sequence[str], *, budget: str, seed: int, preference: Sequence[float]) -> str:
    """Return Python that reproduces a run and its choice; `made` are the lines that make `problem`."""
    lines = [
        "import paretokit as pk",
        "",
        *made,
        f"solver = {entrant.making}",
        f"result = pk.solve(problem, solver, budget=pk.Budget({budget}), seed={seed})",
        f"print(result.front.pick({list(preference)}))",
    ]
    return "\n".join(lines)


def pictures(
    folder: Path,
    results: Mapping[str, Result],
    choice: Any,
    *,
    stem: str,
    order: Sequence[str],
    best: str,
    course: str,
    against: str,
    captions: Sequence[str],
) -> tuple[Picture, ...]:
    """Write fronts, their course against cost, and the choice; the latter two where there is a point.

    Args:
        folder: Where to.
        results: By solver.
        choice: From the front of `best`, or None.
        stem: Of the files.
        order: Of the solvers, by which they have their colors.
        best: The solver chosen from.
        course: What the file of the course is called.
        against: Its cost.
        captions: One each.
    """
    from paretokit.cli import _pictures as draw

    fronts, line, picked = (folder / f"{stem}-{part}.png" for part in ("fronts", course, "choice"))
    draw.fronts(results, fronts, order=order)
    made = [Picture(fronts, captions[0])]
    if any(len(result.front) for result in results.values()):
        draw.convergence(results, line, order=order, against=against)
        made.append(Picture(line, captions[1]))
    if choice is not None:
        draw.choice(results[best], choice, picked, order=order, name=best)
        made.append(Picture(picked, captions[2]))
    return tuple(made)
