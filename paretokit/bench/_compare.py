"""`compare`: one problem, several solvers, several seeds, one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from paretokit.bench._cells import in_words
from paretokit.bench._scoring import shared_scoring
from paretokit.core import Front, Problem, Scoring, Solver, same_measurement
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
                    "protocol": in_words(result.front.protocol.measurement),
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

    @property
    def name(self) -> str:
        """What a report is headed with."""
        return self.problem.name

    @property
    def frame(self) -> pd.DataFrame:
        """`runs`, under the name by which statistics and reports ask for it."""
        return self.runs

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Versions, machine and budget."""
        first = next((result for runs in self.results.values() for result in runs), None)
        return {} if first is None else first.provenance

    def fronts(self, problem: str, solver: str) -> list[Front]:
        """Return the final fronts of a solver, one a seed."""
        check.known(problem, [self.problem.name], kind="problem")
        check.known(solver, self.results, kind="solver")
        return [result.front for result in self.results[solver]]

    def curves(self, indicator: str) -> pd.DataFrame:
        """Return a tidy frame of anytime values: problem, solver, seed, evaluations, work, seconds, value."""
        import pandas as pd

        parts = []
        for solver, results in self.results.items():
            for result in results:
                curve = result.convergence(indicator, scoring=self.scoring)
                curve["seconds"] /= result.provenance.get("members", 1)
                kept = curve[["evaluations", "work", "seconds"]].assign(value=curve[indicator])
                kept.insert(0, "seed", result.seed)
                kept.insert(0, "solver", solver)
                kept.insert(0, "problem", self.problem.name)
                parts.append(kept)
        return pd.concat(parts, ignore_index=True)

    def __repr__(self) -> str:
        note = f"; {', '.join(self.union)} from the union of all fronts" if self.union else ""
        point = self.scoring.reference_point
        at = "no reference point" if point is None else f"({', '.join(number(v) for v in point)})"
        head = f"{self.problem.name}, {len(self.results)} solvers, scored at {at}{note}"
        return f"{head}\n{self.table.to_string(index=False, float_format=lambda v: f'{v:.5g}')}"

    def _repr_html_(self) -> str:
        return f"<p>{self.problem.name}</p>{self.table.to_html(index=False)}"


@dataclass(frozen=True, eq=False)
class ComparisonGrid:
    """Results of several solvers on several problems; each problem is scored for itself.

    Attributes:
        name: What a report is headed with.
        parts: The comparison on each problem, by its name.
    """

    name: str
    parts: Mapping[str, Comparison]

    def __getitem__(self, problem: str) -> Comparison:
        """Return the comparison on one problem."""
        check.known(problem, self.parts, kind="problem")
        return self.parts[problem]

    @cached_property
    def runs(self) -> pd.DataFrame:
        """Tidy frame: one row a (problem, solver, seed, indicator)."""
        import pandas as pd

        own = [part.runs.assign(problem=name) for name, part in self.parts.items()]
        return pd.concat(own, ignore_index=True)

    @property
    def frame(self) -> pd.DataFrame:
        """`runs`, under the name by which statistics and reports ask for it."""
        return self.runs

    @cached_property
    def table(self) -> pd.DataFrame:
        """The tables of all problems: one row a (problem, indicator, solver), best first within each."""
        import pandas as pd

        tables = []
        for name, part in self.parts.items():
            own = part.table.copy()
            own.insert(0, "problem", name)
            tables.append(own)
        return pd.concat(tables, ignore_index=True)

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Versions, machine and budget."""
        return next(iter(self.parts.values())).provenance

    def fronts(self, problem: str, solver: str) -> list[Front]:
        """Return the final fronts of a solver on a problem, one a seed."""
        own = self[problem]
        return own.fronts(own.problem.name, solver)

    def curves(self, indicator: str) -> pd.DataFrame:
        """Return a tidy frame of anytime values: problem, solver, seed, evaluations, work, seconds, value."""
        import pandas as pd

        kept = {name: part for name, part in self.parts.items() if indicator in part.indicators}
        check.known(indicator, {i for part in self.parts.values() for i in part.indicators}, kind="indicator")
        return pd.concat([p.curves(indicator).assign(problem=n) for n, p in kept.items()], ignore_index=True)

    def __repr__(self) -> str:
        return "\n\n".join(repr(part) for part in self.parts.values())


Solvers = Solver[Any] | Sequence[Solver[Any]] | Mapping[str, Solver[Any]]


@overload
def compare(
    problems: Problem,
    solvers: Solvers,
    *,
    budget: Budget,
    seeds: int | Iterable[int] = 10,
    indicators: Sequence[str] | None = None,
    scoring: Scoring | None = None,
    checkpoint: str | Path | None = None,
    n_jobs: int = -1,
    progress: bool | None = None,
) -> Comparison: ...


@overload
def compare(
    problems: Sequence[Problem] | Mapping[str, Problem],
    solvers: Solvers,
    *,
    budget: Budget,
    seeds: int | Iterable[int] = 10,
    indicators: Sequence[str] | None = None,
    scoring: Scoring | None = None,
    checkpoint: str | Path | None = None,
    n_jobs: int = -1,
    progress: bool | None = None,
) -> ComparisonGrid: ...


def compare(
    problems: Problem | Sequence[Problem] | Mapping[str, Problem],
    solvers: Solvers,
    *,
    budget: Budget,
    seeds: int | Iterable[int] = 10,
    indicators: Sequence[str] | None = None,
    scoring: Scoring | None = None,
    checkpoint: str | Path | None = None,
    n_jobs: int = -1,
    progress: bool | None = None,
) -> Comparison | ComparisonGrid:
    """Run several solvers on a problem, or several, with the same budget and seeds; score final fronts alike.

    Stackable solvers run all seeds in one program, others in processes. Fronts are the solvers' own answers; for a
    fair comparison give all solvers the same population size (the table shows the median number of points).

    Args:
        problems: What to solve: a problem, or several, or several by name; one answers with a `Comparison`, several
            with a `ComparisonGrid`. Names of several must differ.
        solvers: Solvers, or solvers by name; equal names get a number.
        budget: Of each run.
        seeds: How many or which.
        indicators: Names; by default hypervolume, R2 and, where the true front is known, IGD+.
        scoring: Replaces the problem's reference point, ideal and nadir.
        checkpoint: Folder; each solver that can resumes from its own folder below it, one a problem for several.
        n_jobs: Processes for solvers that do not stack.
        progress: Whether to show bars.

    Raises:
        ProtocolError: If fronts were measured differently; the message names the difference.
        UnsupportedProblemError: If a solver cannot solve the problem; found before anything runs.
    """
    chosen = seeds_of(seeds)
    several = _named_problems(problems)
    named = _named(solvers)
    for problem in several.values():
        _indicators(problem, indicators)
        for solver in named.values():
            solver.check(problem)
    folder = None if checkpoint is None else Path(checkpoint)
    alone = isinstance(problems, Problem)
    parts: dict[str, Comparison] = {}
    for name, problem in several.items():
        settings = _Settings(
            budget=budget,
            seeds=chosen,
            indicators=_indicators(problem, indicators),
            scoring=scoring,
            checkpoint=folder if folder is None or alone else folder / name,
            n_jobs=n_jobs,
            progress=progress,
        )
        parts[name] = _compared(problem, named, settings)
        if any(r.status == "interrupted" for runs in parts[name].results.values() for r in runs):
            break
    return next(iter(parts.values())) if alone else ComparisonGrid("comparison", parts)


@dataclass(frozen=True, kw_only=True)
class _Settings:
    budget: Budget
    seeds: tuple[int, ...]
    indicators: tuple[str, ...]
    scoring: Scoring | None
    checkpoint: Path | None
    n_jobs: int
    progress: bool | None


def _indicators(problem: Problem, indicators: Sequence[str] | None) -> tuple[str, ...]:
    known = problem.front_kind != "unknown"
    names = tuple(indicators) if indicators else ("hypervolume", "r2", *(["igd_plus"] if known else []))
    for name in names:
        check.known(name, score_names(), kind="indicator")
    return names


def _compared(problem: Problem, named: Mapping[str, Solver[Any]], given: _Settings) -> Comparison:
    results = {}
    for name, solver in named.items():
        exact = given.checkpoint is not None and solver.resume_note == "exact"
        results[name] = solve_many(
            problem,
            solver,
            seeds=given.seeds,
            budget=given.budget,
            checkpoint=given.checkpoint / name if exact and given.checkpoint is not None else None,
            n_jobs=given.n_jobs,
            progress=given.progress,
        )
        if any(result.status == "interrupted" for result in results[name]):
            break
    fronts = [result.front for runs in results.values() for result in runs]
    for front in fronts:
        same_measurement(fronts[0].protocol, front.protocol)
    shared, union = shared_scoring(fronts, given.scoring or problem.protocol.scoring)
    return Comparison(problem, results, given.indicators, shared, union)


def _named_problems(problems: Problem | Sequence[Problem] | Mapping[str, Problem]) -> dict[str, Problem]:
    if isinstance(problems, Problem):
        return {problems.name: problems}
    check.at_least(1, problems=len(problems))
    entries = problems.items() if isinstance(problems, Mapping) else [(getattr(p, "name", ""), p) for p in problems]
    named: dict[str, Problem] = {}
    for name, problem in entries:
        check.that(isinstance(problem, Problem), "problems", "hold Problems", type(problem).__name__)
        hint = "pass a mapping from names to problems"
        check.that(name not in named, "problems", "have names of their own", f"two of {name!r}", hint)
        named[name] = problem
    return named


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
