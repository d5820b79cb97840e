"""One indicator of many runs as arrays: what every statistic reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from paretokit.core import Front, ProtocolError
from paretokit.core import _check as check
from paretokit.indicators import larger_is_better, score_names

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
KEYS = ("problem", "solver", "seed", "indicator", "value")


@runtime_checkable
class FinishedRuns(Protocol):
    """What statistics and reports read of an experiment."""

    @property
    def name(self) -> str:
        """What the experiment is called."""
        ...

    @property
    def frame(self) -> pd.DataFrame:
        """Tidy: one row a (problem, solver, seed, indicator), with its value, points, costs, status and protocol."""
        ...

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Versions, machine, suite and command."""
        ...

    def fronts(self, problem: str, solver: str) -> Sequence[Front]:
        """Return the final fronts of a solver on a problem, one a seed."""
        ...

    def curves(self, indicator: str) -> pd.DataFrame:
        """Return a tidy frame: problem, solver, seed, evaluations, work, seconds, value; one row a snapshot."""
        ...


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """One indicator of every run: a matrix `[seeds, solvers]` a problem.

    Attributes:
        indicator: What was scored.
        larger: Whether larger is better.
        solvers: Columns.
        problems: One matrix each.
        seeds: The rows of each matrix.
        values: The matrices; every entry is finite.
        filled: (problem, solver, seed) of the runs without a finite score, which count as the worst of the problem.
    """

    indicator: str
    larger: bool
    solvers: tuple[str, ...]
    problems: tuple[str, ...]
    seeds: tuple[tuple[Any, ...], ...]
    values: tuple[Floats, ...]
    filled: tuple[tuple[str, str, Any], ...] = ()

    @cached_property
    def goodness(self) -> tuple[Floats, ...]:
        """The matrices with the sign that makes larger better."""
        return self.values if self.larger else tuple(-matrix for matrix in self.values)

    @cached_property
    def medians(self) -> Floats:
        """Medians over seeds, `[problems, solvers]`."""
        return np.stack([np.median(matrix, axis=0) for matrix in self.values])

    def relative(self) -> ScoreTable:
        """Return scores on one scale for all problems: 0 is the worst score on the problem, 1 the best.

        The ends are those of the runs at hand: the scale moves when a solver joins or leaves. Scores that are on one
        scale already (`common_scores`) need no such step. A problem on which all scores are equal is 1 throughout.
        """
        scaled = []
        for matrix in self.goodness:
            low, high = matrix.min(), matrix.max()
            scaled.append((matrix - low) / (high - low) if high > low else np.ones_like(matrix))
        return replace(self, larger=True, values=tuple(scaled))

    def only(self, problem: str) -> ScoreTable:
        """Return the table of one problem."""
        check.known(problem, self.problems, kind="problem")
        k = self.problems.index(problem)
        filled = tuple(entry for entry in self.filled if entry[0] == problem)
        return replace(self, problems=(problem,), seeds=(self.seeds[k],), values=(self.values[k],), filled=filled)


def score_table(
    frame: pd.DataFrame, indicator: str, *, larger: bool | None = None, missing: str = "refuse"
) -> ScoreTable:
    """Return one indicator of a tidy frame as matrices of seeds by solvers.

    Args:
        frame: Columns problem, solver, seed, indicator, value, and protocol where known.
        indicator: Which one.
        larger: Whether larger is better; known for the indicators of `score_names()`.
        missing: What happens to runs without a finite score, as failed ones are: "refuse" raises, "worst" counts them
            as the worst finite score of the problem (a failure is then never worth more than a bad front).

    Raises:
        InputError: If a run is there twice or not at all, or (with "refuse") has no finite score.
        UnknownNameError: If the frame lacks a column or the indicator.
        ProtocolError: If scores of one problem were measured under different protocols.
    """
    check.one_of(("refuse", "worst"), missing=missing)
    for column in KEYS:
        check.known(column, [str(c) for c in frame.columns], kind="column")
    check.known(indicator, [str(i) for i in frame["indicator"].unique()], kind="indicator")
    if larger is None:
        hint = "pass larger=True or larger=False"
        check.that(indicator in score_names(), "larger", "be given for an indicator of your own", None, hint)
        larger = larger_is_better(indicator)
    own = frame[frame["indicator"] == indicator]
    own = own.assign(problem=own["problem"].astype(str), solver=own["solver"].astype(str))
    one_protocol(own)
    solvers = tuple(own["solver"].unique())
    problems, seeds, matrices, filled = [], [], [], []
    for problem, group in own.groupby("problem", sort=False):
        twice = group[group.duplicated(["solver", "seed"])]
        if len(twice):
            row = twice.iloc[0]
            check.fail("frame", "hold every run once", f"{row['solver']!r} on {problem!r}, seed {row['seed']}, twice")
        runs = set(zip(group["solver"], group["seed"], strict=True))
        absent = [(s, k) for k in sorted(group["seed"].unique()) for s in solvers if (s, k) not in runs]
        if absent:
            solver, seed = absent[0]
            got = f"none for {solver!r} on {problem!r}, seed {seed}"
            hint = "a run that was never made is no failure; keep the seeds and solvers that all problems have"
            check.fail("frame", "hold a row of every run", got, hint)
        pivot = group.pivot(index="seed", columns="solver", values="value").reindex(columns=list(solvers))
        matrix = pivot.to_numpy(dtype=np.float64).copy()
        gaps = [(problem, solvers[j], pivot.index[i]) for i, j in np.argwhere(~np.isfinite(matrix))]
        if gaps:
            _, solver, seed = gaps[0]
            got = f"none for {solver!r} on {problem!r}, seed {seed}"
            hint = 'failed runs count as the worst with missing="worst"'
            check.that(missing == "worst", "frame", "hold a finite score of every run", got, hint)
            finite = matrix[np.isfinite(matrix)]
            check.that(len(finite) > 0, "frame", "hold a finite score of each problem", f"none on {problem!r}")
            matrix[~np.isfinite(matrix)] = finite.min() if larger else finite.max()
        problems.append(problem)
        seeds.append(tuple(pivot.index))
        matrices.append(matrix)
        filled += gaps
    return ScoreTable(indicator, larger, solvers, tuple(problems), tuple(seeds), tuple(matrices), tuple(filled))


def one_protocol(frame: pd.DataFrame) -> None:
    """Raise `ProtocolError` if rows of one problem carry different protocols (frames without the column pass)."""
    if "protocol" not in frame.columns:
        return
    for problem, group in frame.groupby("problem", sort=False):
        found = list(dict.fromkeys(str(p) for p in group["protocol"]))
        if len(found) > 1:
            shown = " against ".join(text if len(text) <= 200 else f"{text[:199]}…" for text in found[:2])
            raise ProtocolError(f"scores on {problem!r} must be measured alike to be compared; got {shown}")
