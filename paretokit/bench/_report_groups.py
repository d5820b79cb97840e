"""What may stand in one table: problems that the same solvers ran on, with the seeds that all of them ran."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paretokit.bench._statistics_table import ScoreTable, score_table
from paretokit.indicators import score_names

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Group:
    """Problems that share their solvers.

    Attributes:
        problems: In the order of the frame.
        tables: Scores by indicator, the headline first.
        frame: The group's rows that stand in tables.
        open: Runs that some solver has not made yet; they and their seeds stand in no table.
    """

    problems: tuple[str, ...]
    tables: Mapping[str, ScoreTable]
    frame: pd.DataFrame
    open: int

    @property
    def headline(self) -> ScoreTable:
        """Scores by the first indicator."""
        return next(iter(self.tables.values()))


def groups_of(frame: pd.DataFrame) -> tuple[Group, ...]:
    """Return groups of problems with equal sets of solvers, each with its complete seeds.

    A seed that a solver has no row of was not run: it is left out for all solvers of the problem. A row without a
    finite score is a failed run and counts as the worst. Groups without a finite score of a known indicator are
    left out.
    """
    import pandas as pd

    sets: dict[frozenset[str], list[str]] = {}
    for problem, own in frame.groupby("problem", sort=False):
        sets.setdefault(frozenset(own["solver"]), []).append(str(problem))
    found = []
    for solvers, problems in sets.items():
        parts, left_out = [], 0
        for problem in problems:
            own = frame[frame["problem"] == problem]
            runs = own.drop_duplicates(["solver", "seed"]).groupby("seed")["solver"].nunique()
            complete = runs[runs == len(solvers)].index
            left_out += int((len(solvers) - runs).sum())
            parts.append(own[own["seed"].isin(complete)])

        kept = pd.concat(parts, ignore_index=True)
        tables = _tables(kept)
        if tables:
            names = tuple(p for p in problems if any(p in table.problems for table in tables.values()))
            found.append(Group(names, tables, kept, left_out))
    return tuple(found)


def _tables(frame: pd.DataFrame) -> dict[str, ScoreTable]:
    """Return the scores of every indicator whose direction is known, on the problems where it has a finite one."""
    found = {}
    for indicator in [str(i) for i in frame["indicator"].unique()]:
        own = frame[frame["indicator"] == indicator]
        finite = own[np.isfinite(own["value"].to_numpy(dtype=float))]
        own = own[own["problem"].isin(finite["problem"].unique())]
        if indicator in score_names() and len(own):
            found[indicator] = score_table(own, indicator, missing="worst")
    return found
