"""How well each solver does over all problems, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from paretokit.bench._bootstrap import check_options, cut_of, draw_counts, interval, middle_means
from paretokit.bench._statistics_table import ScoreTable
from paretokit.core import Rng
from paretokit.core import _check as check

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


def interquartile_mean(values: Floats) -> Floats:
    """Return the mean of the middle half of each column: a quarter of the values, rounded down, is cut at each end.

    Agrees with ``scipy.stats.trim_mean(values, 0.25)``. Robust as the median is, and almost as efficient as the mean
    (R. Agarwal, M. Schwarzer, P. Castro, A. Courville and M. Bellemare, NeurIPS 2021).
    """
    values = np.asarray(values, dtype=np.float64)
    check.shape(values.ndim >= 1 and len(values) > 0, "values", "hold at least one row", values.shape)
    cut = cut_of("iqm", len(values))
    kept: Floats = np.sort(values, axis=0)[cut : len(values) - cut].mean(0)
    return kept


def aggregate(
    table: ScoreTable,
    *,
    statistic: str = "iqm",
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return each solver's score over all problems and seeds with a stratified bootstrap interval, best first.

    The statistic is taken over the pooled runs of all problems, ``{x_{p,i}}``. A resample draws, within every problem,
    as many seeds as there are, with replacement; a seed brings the runs of all solvers, so that intervals are right
    whether or not a seed means the same instance for all of them. Intervals are percentiles of the resamples.

    Args:
        table: Scores; several problems must be on one scale (`ScoreTable.relative` or `common_scores`).
        statistic: "iqm", "median" or "mean".
        level: Coverage of each interval by itself; intervals of several solvers are not simultaneous.
        resamples: Number of resamples R.
        seed: Of the resampling.

    Returns:
        Columns solver, statistic, estimate, low, high, level, problems, runs.

    Cost: O(s R N) for s solvers with N runs each.

    Source: R. Agarwal, M. Schwarzer, P. Castro, A. Courville, M. Bellemare, "Deep reinforcement learning at the edge
    of the statistical precipice", NeurIPS 2021. Deviation from the authors' code: one draw of seeds serves all solvers.
    """
    import pandas as pd

    check_options(level=level, resamples=resamples)
    pooled = np.concatenate(table.values)
    cut = cut_of(statistic, len(pooled))
    counts = np.concatenate(draw_counts([len(v) for v in table.values], resamples, Rng.from_seed(seed)), axis=1)
    estimates = middle_means(pooled, np.ones((1, len(pooled))), cut)[0]
    samples = middle_means(pooled, counts, cut)
    rows = []
    for k, solver in enumerate(table.solvers):
        found = interval(estimates[k], samples[:, k], level)
        rows.append(
            {
                "solver": solver,
                "statistic": statistic,
                "estimate": found.estimate,
                "low": found.low,
                "high": found.high,
                "level": level,
                "problems": len(table.problems),
                "runs": len(pooled),
            }
        )
    frame = pd.DataFrame(rows)
    return frame.sort_values("estimate", ascending=not table.larger, kind="stable", ignore_index=True)


def probability_of_improvement(
    table: ScoreTable, *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Return how likely a run of one solver beats a run of another on a problem drawn at random, with intervals.

    With n seeds on each of M problems,
    ``P(a > b) = (1/M) sum_p (1/n_p^2) sum_{i,j} [a_{p,i} better than b_{p,j}] + [equal] / 2``: the mean over problems
    of the Mann-Whitney statistic divided by n^2, which is Vargha and Delaney's A. Needs no common scale. Resampling is
    that of `aggregate`.

    Returns:
        One row an ordered pair: a, b, estimate, low, high, level. ``P(a > b) + P(b > a) = 1``.

    Cost: O(s^2 R n^2 M) multiplications, as matrix products.

    Source: R. Agarwal et al., NeurIPS 2021; A. Vargha and H. Delaney, Journal of Educational and Behavioral
    Statistics 25(2), 2000.
    """
    import pandas as pd

    check_options(level=level, resamples=resamples)
    check.that(len(table.solvers) >= 2, "table", "hold at least two solvers", len(table.solvers))
    counts = draw_counts([len(v) for v in table.values], resamples, Rng.from_seed(seed))
    s, problems = len(table.solvers), len(table.problems)
    estimates, samples = np.zeros((s, s)), np.zeros((resamples, s, s))
    for matrix, drawn in zip(table.goodness, counts, strict=True):
        n = len(matrix)
        for a in range(s):
            for b in range(a + 1, s):
                wins = better_pairs(matrix[:, a], matrix[:, b])
                estimates[a, b] += wins.mean() / problems
                samples[:, a, b] += ((drawn @ wins) * drawn).sum(1) / (n * n * problems)
    rows = []
    for a in range(s):
        for b in range(s):
            if a == b:
                continue
            low, high, turned = min(a, b), max(a, b), a > b
            found = interval(estimates[low, high], samples[:, low, high], level)
            ends = (
                (1 - found.estimate, 1 - found.high, 1 - found.low)
                if turned
                else (
                    found.estimate,
                    found.low,
                    found.high,
                )
            )
            names = {"a": table.solvers[a], "b": table.solvers[b]}
            rows.append(names | dict(zip(("estimate", "low", "high"), ends, strict=True)) | {"level": level})
    return pd.DataFrame(rows)


def better_pairs(a: Floats, b: Floats) -> Floats:
    """Return 1 where a_i is larger than b_j, 1/2 where they are equal, else 0, `[n_a, n_b]`."""
    difference = a[:, None] - b[None, :]
    wins: Floats = np.where(difference > 0, 1.0, np.where(difference == 0, 0.5, 0.0))
    return wins
