"""`compare`: one problem, several solvers, several seeds, one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretokit.core import Front, Problem, Scoring, Solver, same_measurement, to_min
from paretokit.core import _check as check
from paretokit.core._text import number
from paretokit.indicators import larger_is_better, score_many, score_names
from paretokit.run import Budget, Result, solve_many
from paretokit.run._solve import seeds_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Comparison:
    """Results of several solvers on one problem, scored alike.

    Attributes:
        problem: What was solved.
        results: The results by solver name, one a seed.
        indicators: Names of the indicators, in the order of the table.
        scoring: Reference point, ideal and nadir that all scores share: the problem's own, or, where it has none,
            taken from the union of all fronts.
        union: Which of them were taken from the union.
    """

    problem: Problem
    results: Mapping[str, Sequence[Result]]
    indicators: tuple[str, ...]
    scoring: Scoring
    union: tuple[str, ...] = field(default=())

    @cached_property
    def runs(self) -> pd.DataFrame:
        """Tidy frame: one row a (solver, seed, indicator) with its value, points, cost, seconds and status."""
        import pandas as pd

        rows = []
        for name, results in self.results.items():
            columns = {i: score_many([r.front for r in results], i, scoring=self.scoring) for i in self.indicators}
            for position, result in enumerate(results):
                base = {
                    "problem": self.problem.name,
                    "solver": name,
                    "seed": result.seed,
                    "points": len(result.front),
                    "evaluations": result.cost.evaluations,
                    "work": result.cost.work,
                    "seconds": result.seconds / result.provenance.get("members", 1),
                    "status": result.status,
                }
                rows += [base | {"indicator": i, "value": columns[i][position]} for i in self.indicators]
        return pd.DataFrame(rows)

    @cached_property
    def table(self) -> pd.DataFrame:
        """Median, quartiles and mean rank over seeds of each indicator: one row a (indicator, solver), best first.

        Ranks are taken seed by seed among the solvers (1 is best, ties share the mean), then averaged.
        """
        import pandas as pd

        parts = []
        for name in self.indicators:
            own = self.runs[self.runs["indicator"] == name]
            pivot = own.pivot(index="seed", columns="solver", values="value")
            ranks = pivot.rank(axis=1, ascending=not larger_is_better(name), na_option="bottom").mean()
            quartiles = own.groupby("solver")["value"].quantile([0.25, 0.5, 0.75]).unstack()
            part = pd.DataFrame(
                {
                    "indicator": name,
                    "solver": quartiles.index,
                    "median": quartiles[0.5].to_numpy(),
                    "q25": quartiles[0.25].to_numpy(),
                    "q75": quartiles[0.75].to_numpy(),
                    "iqr": (quartiles[0.75] - quartiles[0.25]).to_numpy(),
                    "rank": ranks[quartiles.index].to_numpy(),
                    "points": own.groupby("solver")["points"].median()[quartiles.index].to_numpy(),
                    "seconds": own.groupby("solver")["seconds"].median()[quartiles.index].to_numpy(),
                    "seeds": own.groupby("solver")["seed"].nunique()[quartiles.index].to_numpy(),
                }
            )
            parts.append(part.sort_values(["rank", "solver"], kind="stable"))
        return pd.concat(parts, ignore_index=True)

    def plot(self, indicator: str | None = None, *, ax: Axes | None = None) -> Axes:
        """Draw each solver's scores over seeds and return the axes (see `paretokit.plots.comparison`)."""
        from paretokit.plots import comparison

        name = indicator or self.indicators[0]
        check.known(name, self.indicators, kind="indicator")
        own = self.runs[self.runs["indicator"] == name]
        values = {solver: own[own["solver"] == solver]["value"].tolist() for solver in self.results}
        return comparison(
            values, indicator=name, larger_is_better=larger_is_better(name), title=self.problem.name, ax=ax
        )

    def convergence(self, indicator: str | None = None, *, against: str = "evaluations") -> pd.DataFrame:
        """Return a tidy frame of an indicator of every run's snapshots: solver, seed, cost, value."""
        import pandas as pd

        name = indicator or self.indicators[0]
        check.known(name, score_names(), kind="indicator")
        parts = []
        for solver, results in self.results.items():
            for result in results:
                curve = result.convergence(name, scoring=self.scoring)
                check.known(against, [str(c) for c in curve.columns], kind="column")
                parts.append(
                    pd.DataFrame({"solver": solver, "seed": result.seed, against: curve[against], "value": curve[name]})
                )
        frame = pd.concat(parts, ignore_index=True)
        frame.attrs["unit"] = self.problem.unit
        return frame

    def __repr__(self) -> str:
        note = f"; {', '.join(self.union)} from the union of all fronts" if self.union else ""
        point = self.scoring.reference_point
        at = "no reference point" if point is None else f"({', '.join(number(v) for v in point)})"
        head = f"{self.problem.name}, {len(self.results)} solvers, scored at {at}{note}"
        return f"{head}\n{self.table.to_string(index=False, float_format=lambda v: f'{v:.5g}')}"

    def _repr_html_(self) -> str:
        return f"<p>{self.problem.name}</p>{self.table.to_html(index=False)}"


def compare(
    problem: Problem,
    solvers: Solver[Any] | Sequence[Solver[Any]] | Mapping[str, Solver[Any]],
    *,
    budget: Budget,
    seeds: int | Iterable[int] = 10,
    indicators: Sequence[str] | None = None,
    scoring: Scoring | None = None,
    checkpoint: str | Path | None = None,
    n_jobs: int = -1,
    progress: bool | None = None,
) -> Comparison:
    """Run several solvers on a problem with the same budget and seeds, and score their final fronts alike.

    Stackable solvers run all seeds in one program, others in processes. Fronts are the solvers' own answers; for a
    fair comparison give all solvers the same population size (the table shows the median number of points).

    Args:
        problem: What to solve.
        solvers: Solvers, or solvers by name; equal names get a number.
        budget: Of each run.
        seeds: How many or which.
        indicators: Names; by default hypervolume, R2 and, where the true front is known, IGD+.
        scoring: Replaces the problem's reference point, ideal and nadir.
        checkpoint: Folder; each solver resumes from its own folder below it (those that can).
        n_jobs: Processes for solvers that do not stack.
        progress: Whether to show bars.

    Raises:
        ProtocolError: If fronts were measured differently; the message names the difference.
        UnsupportedProblemError: If a solver cannot solve the problem; found before anything runs.
    """
    named = _named(solvers)
    known = problem.front_kind != "unknown"
    names = tuple(indicators) if indicators else ("hypervolume", "r2", *(["igd_plus"] if known else []))
    for name in names:
        check.known(name, score_names(), kind="indicator")
    for solver in named.values():
        solver.check(problem)
    chosen = seeds_of(seeds)
    results = {}
    for name, solver in named.items():
        folder = Path(checkpoint) / name if checkpoint is not None and solver.resume_note == "exact" else None
        results[name] = solve_many(
            problem, solver, seeds=chosen, budget=budget, checkpoint=folder, n_jobs=n_jobs, progress=progress
        )
        if any(result.status == "interrupted" for result in results[name]):
            break
    fronts = [result.front for runs in results.values() for result in runs]
    for front in fronts:
        same_measurement(fronts[0].protocol, front.protocol)
    shared, union = _shared(fronts, scoring or problem.protocol.scoring)
    return Comparison(problem, results, names, shared, union)


def _named(solvers: Solver[Any] | Sequence[Solver[Any]] | Mapping[str, Solver[Any]]) -> dict[str, Solver[Any]]:
    if isinstance(solvers, Solver):
        return {solvers.name: solvers}
    check.at_least(1, solvers=len(solvers))
    if isinstance(solvers, Mapping):
        return dict(solvers)
    named: dict[str, Solver[Any]] = {}
    for solver in solvers:
        check.that(isinstance(solver, Solver), "solvers", "hold Solvers", type(solver).__name__)
        count = sum(1 for other in solvers if other.name == solver.name)
        position = sum(1 for name in named if name.split(" #")[0] == solver.name) + 1
        named[solver.name if count == 1 else f"{solver.name} #{position}"] = solver
    return named


def _shared(fronts: Sequence[Front], scoring: Scoring) -> tuple[Scoring, tuple[str, ...]]:
    """Fill what the scoring lacks from the union of all fronts: its ideal, its nadir, and a tenth of the range more."""
    missing = tuple(n for n in ("ideal", "nadir", "reference_point") if getattr(scoring, n) is None)
    values = [front.min_values for front in fronts if len(front)]
    if not missing or not values:
        return scoring, ()
    objectives = fronts[0].objectives
    union = fronts[0].merge(*fronts[1:]).min_values
    low, high = union.amin(0), union.amax(0)
    points = {"ideal": low, "nadir": high, "reference_point": high + 0.1 * (high - low)}
    filled = {n: tuple(to_min(p, objectives).tolist()) for n, p in points.items() if n in missing}
    return (
        replace(
            scoring,
            ideal=filled.get("ideal", scoring.ideal),
            nadir=filled.get("nadir", scoring.nadir),
            reference_point=filled.get("reference_point", scoring.reference_point),
        ),
        missing,
    )
