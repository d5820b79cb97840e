"""``paretokit demo``: a minute of real problems, one table, pictures and a report."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

from paretokit.cli._demo_panels import AS_PLANNED, DemoPanel, PanelReport, panels
from paretokit.cli._text import number, table
from paretokit.core import MissingPackageError
from paretokit.core import _check as check

HEAD = ("problem", "solver", "points", "hypervolume", "R2", "sparsity", "IGD+", "time")
SCORES = ("hypervolume", "r2", "sparsity", "igd_plus")
LEAST, SHARE = 0.5, 0.4


def chosen(only: Sequence[str] | None) -> tuple[DemoPanel, ...]:
    """Return the panels of the given names, or all."""
    every = {panel.name: panel for panel in panels()}
    for name in only or ():
        check.known(name, every, kind="panel")
    return tuple(panel for name, panel in every.items() if not only or name in only)


class _Clock:
    """Moves the bar and shares out the time: 40 % of what is left after the least for all others, all for the last."""

    def __init__(self, seconds: float, runs: int, bar: Any) -> None:
        self.end, self.left, self.runs, self.bar = time.perf_counter() + seconds, runs, runs, bar

    def __call__(self, name: str) -> float:
        self.bar.update(min(1, self.runs - self.left))  # the run before this one has ended
        self.bar.set_description_str(name)
        self.left -= 1
        spare = self.end - time.perf_counter() - LEAST * self.left
        return max((SHARE if self.left else 1.0) * spare, LEAST)


def rows_of(name: str, report: PanelReport) -> list[list[str]]:
    """Return a panel's lines of the table; runs that did not end as planned say how."""
    lines = []
    for row in report.rows:
        star = "" if row.status in AS_PLANNED else f" ({row.status})"
        scores = [number(row.scores.get(score)) for score in SCORES]
        lines.append([name, row.solver, str(row.points), *scores, f"{row.seconds:.2f} s{star}"])
    return lines


def run(args: argparse.Namespace) -> int:
    """Run the panels, print the table, write the report."""
    from tqdm import tqdm

    from paretokit.cli._report import write_report
    from paretokit.cli._warm import load_ready

    check.positive(seconds=args.seconds)
    todo = chosen(args.only)
    args.out.mkdir(parents=True, exist_ok=True)
    begin, total = time.perf_counter(), sum(panel.n_runs for panel in todo)
    reports: dict[str, PanelReport] = {}
    missing: dict[str, MissingPackageError] = {}
    form = "{desc:34} {percentage:3.0f}%|{bar:30}| {elapsed}"
    with tqdm(total=total, disable=None, leave=False, bar_format=form) as bar:
        bar.set_description_str("loading kernels")
        load_ready()
        clock = _Clock(args.seconds, total, bar)
        for panel in todo:
            try:
                reports[panel.name] = panel.run(args.out, clock)
            except MissingPackageError as error:
                missing[panel.name] = error
    if not reports:
        raise next(iter(missing.values()))
    lines = [line for name, report in reports.items() for line in rows_of(name, report)]
    print(table(HEAD, lines, right=[False, False, *[True] * 6]))
    for name, report in reports.items():
        if report.picked:
            print(f"\n{name}: {report.picked.asked}\n  {report.picked.why}")
    for name, reason in missing.items():
        print(f"\n{name} is left out: {reason}")
    seconds = time.perf_counter() - begin
    file = write_report(args.out, list(reports.values()), seconds)
    count = sum(len(report.pictures) + len(report.more) for report in reports.values())
    print(f"\n{seconds:.0f} s. Open {file} ({count} pictures beside it).")
    return 0
