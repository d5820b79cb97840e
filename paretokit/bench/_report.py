"""One file that says what was compared, what came out, how sure that is, and how to do it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretokit.bench._latex import _reading, latex_table
from paretokit.bench._ranks import CriticalDifference
from paretokit.bench._report_cells import marked_cells
from paretokit.bench._report_figures import of_problem, overall, ranking
from paretokit.bench._report_groups import Group, groups_of
from paretokit.bench._report_page import STYLE, facts, figures, grid, score_rows, text
from paretokit.bench._statistics_scale import common_scores
from paretokit.bench._statistics_table import FinishedRuns, ScoreTable, one_protocol
from paretokit.bench._vorobev import vorobev
from paretokit.core import EvaluationProtocol, Front
from paretokit.core import _check as check
from paretokit.core._text import number

if TYPE_CHECKING:
    import pandas as pd

_UNION_HEAD = ("solver", "share of the union's hypervolume ↑", "IGD+ ↓", "R2 ↓", "additive epsilon ↓")

AS_PLANNED = ("budget", "finished")
"""Ends of a run that need no mention."""

MOST_OBJECTIVES = 4
"""Most objectives for which the union's hypervolume is taken in the report."""


@dataclass(frozen=True, eq=False)
class _Work:
    """What all sections read.

    Attributes:
        experiment: Finished runs.
        frame: Their tidy frame.
        groups: What stands in one table each.
        fronts: By problem and solver.
        alpha: Error rate of a family.
        level: Of intervals.
        method: Of tests.
    """

    experiment: FinishedRuns
    frame: pd.DataFrame
    groups: Sequence[Group]
    fronts: Mapping[str, dict[str, Sequence[Front]]]
    alpha: float
    level: float
    method: str


def write_report(
    experiment: FinishedRuns,
    folder: str | Path,
    *,
    method: str = "mann-whitney",
    alpha: float = 0.05,
    level: float = 0.95,
) -> Path:
    """Write ``report.html``, ``table.parquet``, ``table.csv`` and one ``INDICATOR.tex`` an indicator; return the page.

    The page needs nothing outside itself: figures are inside. The first indicator of the frame heads it. Runs without a
    finite score count as the worst of their problem and are named; seeds that some solver has not run yet are left out.
    Problems that different solvers ran on stand in different tables.

    Args:
        experiment: Finished runs.
        folder: Is made where it is missing; files of the same names are replaced.
        method: Test of every pair on every problem: "mann-whitney", or "wilcoxon" where a seed means the same instance.
        alpha: Familywise error rate of each table.
        level: Of bootstrap intervals.

    Raises:
        InputError: If there is no run, or no indicator of known direction with a finite score.
        ProtocolError: If scores or fronts of one problem were measured under different protocols.
        MissingPackageError: If pyarrow is not installed (the extra "report").
    """
    check.package("pyarrow", extra="report")
    frame = experiment.frame
    check.that(len(frame) > 0, "experiment", "hold at least one run", "none")
    one_protocol(frame)
    groups = groups_of(frame)
    check.that(bool(groups), "experiment", "hold an indicator with finite scores", list(frame["indicator"].unique()))
    problems = [str(p) for p in frame["problem"].unique()]
    solvers = [str(s) for s in frame["solver"].unique()]
    fronts = {p: {s: experiment.fronts(p, s) for s in solvers} for p in problems}
    work = _Work(experiment, frame, groups, fronts, alpha, level, method)
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    _write_tables(work, path)
    body = [_head(work), *(_results(work, group, k) for k, group in enumerate(groups)), _union(work)]
    for name in dict.fromkeys(group.headline.indicator for group in groups):
        curves = experiment.curves(name)
        body += [
            _problem(work, group.headline.only(problem), curves)
            for group in groups
            for problem in group.headline.problems
            if group.headline.indicator == name
        ]
    body += [_costs(work), _ends(work), _again(work)]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><title>{text(experiment.name)}</title>'
        f"<style>{STYLE}</style></head><body><main>{''.join(body)}</main></body></html>"
    )
    file = path / "report.html"
    file.write_text(page, encoding="utf-8")
    return file


def _write_tables(work: _Work, path: Path) -> None:
    plain = work.frame.copy()
    for column in plain.columns:
        if plain[column].dtype == object:
            plain[column] = plain[column].astype(str)
    plain.to_parquet(path / "table.parquet", index=False)
    plain.to_csv(path / "table.csv", index=False)
    for k, group in enumerate(work.groups):
        for name, table in group.tables.items():
            file = name if len(work.groups) == 1 else f"{name}-{k + 1}"
            tex = latex_table(table, method=work.method, alpha=work.alpha, label=f"tab:{file}")
            (path / f"{file}.tex").write_text(tex, encoding="utf-8")


def _head(work: _Work) -> str:
    runs = len(work.frame.drop_duplicates(["problem", "solver", "seed"]))
    names = [problem for group in work.groups for problem in group.headline.problems]
    links = "".join(f'<a href="#{text(_anchor(p))}">{text(p)}</a>' for p in names)
    sizes = {"problem": work.frame["problem"].nunique(), "solver": work.frame["solver"].nunique(), "run": runs}
    counted = ", ".join(f"{size} {word}{'' if size == 1 else 's'}" for word, size in sizes.items())
    found = []
    for group in work.groups:
        on = f"On {', '.join(group.headline.problems)}: " if len(work.groups) > 1 else ""
        verdict = _verdict(group.headline, ranking(group.headline, work.alpha))
        found.append(f'<p class="lead">{text(on + verdict)}</p>')
    return (
        f'<h1>{text(work.experiment.name)}</h1><p class="soft">{counted}.</p>{"".join(found)}'
        f'<nav><a href="#results0">Results</a>{links}<a href="#again">How to do it again</a></nav>'
    )


def _anchor(problem: str) -> str:
    return f"problem-{problem.replace(' ', '-')}"


def _verdict(table: ScoreTable, ranks: CriticalDifference | None) -> str:
    """Return the finding in a sentence or two, no stronger than the tests allow."""
    if ranks is None:
        return "One solver, or one run each: nothing to compare."
    words, best = table.indicator.replace("_", " "), ranks.solvers[0]
    blocks = "problems" if len(table.problems) > 1 else "seeds"
    said = f"By {words}, {best} has the best mean rank, {ranks.ranks[0]:.2f} over {ranks.blocks} {blocks}"
    if ranks.p > ranks.alpha:
        return f"{said}, but Friedman's test finds no difference between the solvers at all (p = {ranks.p:.3f})."
    near = [name for group in ranks.groups if best in group for name in group if name != best]
    p = "p < 0.001" if ranks.p < 0.001 else f"p = {ranks.p:.3f}"
    if not near:
        return f"{said}, and is told apart from every other solver (Friedman {p}, then Nemenyi)."
    listed = ", ".join(near)
    return f"{said}. Solvers differ (Friedman {p}), but it is not told apart from {listed} (Nemenyi)."


def _results(work: _Work, group: Group, k: int) -> str:
    title = "Results" if len(work.groups) == 1 else f"Results on {', '.join(group.problems)}"
    parts = [f'<section id="results{k}"><h2>{text(title)}</h2>']
    if group.open:
        parts.append(f'<p class="note">{group.open} runs are not there yet; their seeds stand in no table.</p>')
    for name, table in group.tables.items():
        better = "larger is better" if table.larger else "smaller is better"
        cells = marked_cells(table, method=work.method, alpha=work.alpha)
        reading = _reading(table, work.method, work.alpha)
        parts.append(f"<h3>{text(name.replace('_', ' '))}: {better}</h3>{score_rows(table, cells)}")
        parts.append(f'<p class="note">{text(reading)} A tie says that no difference was shown, not that none is.</p>')
        found = ranking(table, work.alpha)
        if found is not None and table is not group.headline:
            listed = ", ".join(f"{s} {r:.2f}" for s, r in zip(found.solvers, found.ranks, strict=True))
            p = "p < 0.001" if found.p < 0.001 else f"p = {found.p:.3f}"
            parts.append(f'<p class="note">Mean ranks: {text(listed)} (Friedman {p}).</p>')
    table = group.headline
    scale = f"{table.indicator} of a problem, worst run 0, best run 1"
    shown = overall(table.relative(), ranking(table, work.alpha), scale=scale, level=work.level)
    parts.append(f"<h3>Over all problems, by {text(table.indicator.replace('_', ' '))}</h3>{figures(shown)}")
    return "".join([*parts, "</section>"])


def _union(work: _Work) -> str:
    """Return interquartile means on the scale of the union of all fronts."""
    from paretokit.bench._statistics import aggregate

    every = [front for own in work.fronts.values() for fronts in own.values() for front in fronts]
    if not every or max(len(front.objectives) for front in every) > MOST_OBJECTIVES:
        return ""
    if not all(any(len(f) for fronts in own.values() for f in fronts) for own in work.fronts.values()):
        return ""
    frame, scales = common_scores(work.experiment)
    tables = []
    for group in groups_of(frame):
        pooled = {}
        for name, table in group.tables.items():
            found = aggregate(table, level=work.level)
            pooled[name] = {r["solver"]: r for r in found.to_dict("records")}
        rows: list[list[object]] = []
        for solver in group.headline.solvers:
            shown = [own[solver] for own in pooled.values()]
            rows.append([solver, *(f"{r['estimate']:.4f} [{r['low']:.4f}, {r['high']:.4f}]" for r in shown)])
        on = f"<h3>{text(', '.join(group.problems))}</h3>" if len(work.groups) > 1 else ""
        tables.append(on + grid([*_UNION_HEAD], rows))
    sizes = ", ".join(f"{problem} {len(scale.reference)}" for problem, scale in scales.items())
    return (
        "<section><h2>On one scale, from the union of all fronts</h2><p>Objectives are normalized by ideal and nadir "
        "of the union of all fronts of a problem, which is the reference set too. Interquartile means over all runs "
        f"with {work.level:.0%} stratified bootstrap intervals. The scale belongs to the solvers at hand.</p>"
        f'{"".join(tables)}<p class="note">Points of the union fronts: {text(sizes)}.</p></section>'
    )


def _problem(work: _Work, table: ScoreTable, curves: pd.DataFrame) -> str:
    (problem,) = table.problems
    fronts = {solver: work.fronts[problem][solver] for solver in table.solvers}
    shown = of_problem(table, _curves(curves, problem), fronts)
    rows: list[list[object]] = []
    for solver, own in fronts.items():
        held = [front for front in own if len(front)]
        if held and held[0].protocol.scoring.reference_point is not None and len(held[0].objectives) <= 3:
            found = vorobev(held)
            rows.append([solver, found.hypervolume, found.deviation, found.relative_deviation, len(held)])
    spread = ""
    if rows:
        head = ["Vorob'ev", "mean hypervolume", "deviation", "relative", "runs"]
        note = "How far the fronts of a solver lie around their mean front: 0 where all runs give the same front."
        spread = f'{grid(head, rows)}<p class="note">{note}</p>'
    return f'<section id="{text(_anchor(problem))}"><h2>{text(problem)}</h2>{figures(shown)}{spread}</section>'


def _curves(curves: pd.DataFrame, problem: str) -> pd.DataFrame | None:
    """Return the snapshots of a problem that have a finite score, or None."""
    import numpy as np

    if not len(curves):
        return None
    own = curves[curves["problem"] == problem]
    kept = own[np.isfinite(own["value"].to_numpy(dtype=float))]
    kept.attrs.update(curves.attrs)
    return kept


def _costs(work: _Work) -> str:
    columns = [c for c in ("evaluations", "work", "seconds", "points") if c in work.frame.columns]
    runs = work.frame.drop_duplicates(["problem", "solver", "seed"])
    medians = runs.groupby(["problem", "solver"], sort=False)[columns].median()
    rows = [
        [" / ".join(map(str, key)), *(float(v) for v in row)]
        for key, row in zip(medians.index, medians.to_numpy(), strict=True)
    ]
    note = "Medians over seeds. Seconds compare solvers only where each ran alone on the same machine."
    return f'<section><h2>Cost</h2>{grid(["problem / solver", *columns], rows)}<p class="note">{note}</p></section>'


def _ends(work: _Work) -> str:
    if "status" not in work.frame.columns:
        return ""
    runs = work.frame.drop_duplicates(["problem", "solver", "seed"])
    odd = runs[~runs["status"].isin(AS_PLANNED)]
    if not len(odd):
        return ""
    rows = [[f"{r['problem']} / {r['solver']}", r["seed"], r["status"]] for r in odd.to_dict("records")]
    return f"<section><h2>Runs that did not end as planned</h2>{grid(['run', 'seed', 'status'], rows)}</section>"


def _again(work: _Work) -> str:
    protocols: dict[str, Any] = {}
    for problem, own in work.fronts.items():
        held = [front for fronts in own.values() for front in fronts]
        if held:
            protocols[problem] = _told(held[0].protocol)
    measured = f"<h3>Protocol</h3>{facts(protocols)}" if protocols else ""
    return (
        f'<section id="again"><h2>How to do it again</h2>{facts(work.experiment.provenance)}{measured}'
        '<p class="note">Numbers of every run: table.parquet and table.csv beside this page; tables for a paper: '
        "*.tex.</p></section>"
    )


def _told(protocol: EvaluationProtocol) -> str:
    """Return what a protocol sets, in words."""
    pairs = [(f.name, getattr(part, f.name)) for part in (protocol.measurement, protocol.scoring) for f in fields(part)]
    said = []
    for name, value in pairs:
        if value is None or value == ():
            continue
        shown = f"({', '.join(number(v) for v in value)})" if isinstance(value, tuple) else str(value)
        said.append(f"{name.replace('_', ' ')} {shown}")
    return "; ".join(said)
