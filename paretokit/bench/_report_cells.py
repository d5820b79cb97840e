"""What a cell of a table of results shows: median, quartiles, and whether it is the best or tied with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paretokit.bench._statistics_table import ScoreTable
from paretokit.bench._statistics_tests import METHODS, pairwise_tests, tied_with_best
from paretokit.core import _check as check

ENOUGH = 6
"""Fewest seeds for which the report tests at all."""


@dataclass(frozen=True)
class Cell:
    """A solver's scores on a problem.

    Attributes:
        median: Over seeds.
        low: Lower quartile.
        high: Upper quartile.
        mark: "best" (median), "tied" (no test tells it from the best), or "".
        failed: Runs without a finite score, which count as the worst of the problem.
    """

    median: float
    low: float
    high: float
    mark: str
    failed: int


def marked_cells(
    table: ScoreTable, *, method: str = "mann-whitney", alpha: float = 0.05
) -> tuple[tuple[Cell, ...], ...]:
    """Return the cells of a table of results, problems by solvers.

    Ties are those of `pairwise_tests`, Holm over the whole table; with fewer than 6 seeds nothing is called tied.
    """
    check.one_of(METHODS, method=method)
    ties = {}
    if tested(table):
        ties = dict(tied_with_best(table, pairwise_tests(table, method=method, alpha=alpha)))
    rows = []
    for problem, values, goodness in zip(table.problems, table.values, table.goodness, strict=True):
        low, median, high = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
        best = int(np.median(goodness, axis=0).argmax())
        near = ties[problem][1] if problem in ties else ()
        row = []
        for k, solver in enumerate(table.solvers):
            mark = "best" if k == best else "tied" if solver in near else ""
            failed = sum(1 for entry in table.filled if entry[:2] == (problem, solver))
            row.append(Cell(float(median[k]), float(low[k]), float(high[k]), mark, failed))
        rows.append(tuple(row))
    return tuple(rows)


def tested(table: ScoreTable) -> bool:
    """Return whether there are enough seeds and solvers for tests."""
    return len(table.solvers) >= 2 and min(len(v) for v in table.values) >= ENOUGH
