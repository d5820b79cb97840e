"""Whole distributions of scores, and how they come about with cost, with bands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from paretokit.bench._bootstrap import check_options, cut_of, draw_counts, middle_means
from paretokit.bench._statistics_table import ScoreTable
from paretokit.core import Rng
from paretokit.core import _check as check

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

COSTS = ("evaluations", "work", "seconds")
MOST = 100
"""Number of costs at which a longer curve is read."""


def performance_profile(
    table: ScoreTable,
    *,
    thresholds: Sequence[float] | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return, for each solver and threshold, the share of runs that score at least as well, with pointwise bands.

    ``F(tau) = (1/M) sum_p (1/n_p) sum_i [x_{p,i} at least as good as tau]``. One solver is stochastically better than
    another where its curve lies nowhere below. Bands are percentiles of the stratified bootstrap of `aggregate`, each
    threshold by itself.

    Args:
        table: Scores; several problems must be on one scale (`ScoreTable.relative` or `common_scores`).
        thresholds: Scores at which the share is read; 101 evenly spaced ones over all scores by default.
        level: Coverage of the band at each threshold.
        resamples: Number of resamples.
        seed: Of the resampling.

    Returns:
        Columns solver, threshold, share, low, high.

    Source: the run-score distributions of R. Agarwal et al., NeurIPS 2021, after E. Dolan and J. More, Mathematical
    Programming 91, 2002.
    """
    import pandas as pd

    check_options(level=level, resamples=resamples)
    sign = 1.0 if table.larger else -1.0
    if thresholds is None:
        ends = [min(v.min() for v in table.values), max(v.max() for v in table.values)]
        taus = np.linspace(ends[0], ends[1], 101)
    else:
        taus = np.asarray(thresholds, dtype=np.float64)
        check.shape(taus.ndim == 1 and len(taus) > 0, "thresholds", "be a sequence of numbers", taus.shape)
    counts = draw_counts([len(v) for v in table.values], resamples, Rng.from_seed(seed))
    s, t, problems = len(table.solvers), len(taus), len(table.problems)
    shares, samples = np.zeros(s * t), np.zeros((resamples, s * t))
    for matrix, drawn in zip(table.goodness, counts, strict=True):
        reached = (matrix[:, :, None] >= sign * taus).reshape(len(matrix), s * t).astype(np.float64)
        shares += reached.mean(0) / problems
        samples += drawn @ reached / (len(matrix) * problems)
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2], axis=0)
    columns = {"solver": np.repeat(table.solvers, t), "threshold": np.tile(taus, s)}
    return pd.DataFrame(columns | {"share": shares, "low": low, "high": high})


def anytime(
    curves: pd.DataFrame,
    *,
    against: str = "evaluations",
    statistic: str = "iqm",
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return each solver's score at every cost, over seeds, with a bootstrap interval at each.

    A run keeps its last score until the next snapshot and after its end; a curve begins where the last of its runs has
    its first snapshot. Longer curves are read at 100 evenly spaced costs.

    Args:
        curves: Columns problem, solver, seed, value and the cost.
        against: "evaluations", "work" (the problem's own unit) or "seconds". Seconds compare solvers only where they
            ran alone on the same machine.
        statistic: "iqm", "median" or "mean" over seeds.
        level: Coverage of the interval at each cost by itself.
        resamples: Number of resamples.
        seed: Of the resampling.

    Returns:
        Columns problem, solver, the cost, estimate, low, high, seeds.

    Raises:
        UnknownNameError: If a column is missing.
        InputError: If a solver has no finite score on a problem in `curves`.
    """
    import pandas as pd

    check_options(level=level, resamples=resamples)
    check.one_of(COSTS, against=against)
    for column in ("problem", "solver", "seed", "value", against):
        check.known(column, [str(c) for c in curves.columns], kind="column")
    parts = []
    for (problem, solver), group in curves.groupby(["problem", "solver"], sort=False):
        cost, scores = _tracks(group, against, name=f"{solver} on {problem}")
        n = len(scores)
        drawn = draw_counts([n], resamples, Rng.from_seed(seed))[0]
        cut = cut_of(statistic, n)
        samples = middle_means(scores, drawn, cut)
        low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2], axis=0)
        estimate = middle_means(scores, np.ones((1, n)), cut)[0]
        columns = {against: cost, "estimate": estimate, "low": low, "high": high, "seeds": n}
        parts.append(pd.DataFrame({"problem": problem, "solver": solver} | columns))
    check.that(bool(parts), "curves", "hold at least one run", "none")
    joined: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return joined


def _tracks(group: Any, against: str, *, name: str) -> tuple[Floats, Floats]:
    """Return costs `[t]` and every run's score held between its snapshots `[n, t]`."""
    runs = []
    for _, run in group.groupby("seed"):
        kept = run[np.isfinite(run["value"].to_numpy(dtype=np.float64))].sort_values(against, kind="stable")
        check.that(len(kept) > 0, "curves", "hold a finite score of every run", f"a run of {name} without one")
        runs.append((kept[against].to_numpy(dtype=np.float64), kept["value"].to_numpy(dtype=np.float64)))
    cost = np.unique(np.concatenate([c for c, _ in runs]))
    cost = cost[cost >= max(c[0] for c, _ in runs)]
    if len(cost) > MOST:
        cost = np.linspace(cost[0], cost[-1], MOST)
    return cost, np.stack([v[np.searchsorted(c, cost, side="right") - 1] for c, v in runs])
