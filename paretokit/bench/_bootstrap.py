"""Stratified bootstrap by counts: seeds are drawn again within each problem, and nothing is ever sorted twice.

A resample is told by how often it holds each row, ``c [R, n]``. A mean of the middle of a sample of N values, the g
smallest and the g largest left out, is then a weighted mean of the sorted values: with cumulated counts C, the value of
rank r weighs as much as ``[C_{r-1}, C_r]`` overlaps ``[g, N - g]``. Mean (g = 0), interquartile mean (g = floor(N / 4))
and median (g = floor((N - 1) / 2)) are this one formula.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paretokit.core import Rng
from paretokit.core import _check as check

Floats = NDArray[np.float64]

STATISTICS = ("iqm", "median", "mean")


@dataclass(frozen=True)
class Interval:
    """An estimate with its bootstrap interval.

    Attributes:
        estimate: On the sample itself.
        low: Lower end.
        high: Upper end.
        level: Share of resamples between them.
    """

    estimate: float
    low: float
    high: float
    level: float


def cut_of(statistic: str, n: int) -> int:
    """Return how many of n values each end loses: none (mean), a quarter (iqm), all but the middle (median)."""
    check.one_of(STATISTICS, statistic=statistic)
    return {"mean": 0, "iqm": n // 4, "median": (n - 1) // 2}[statistic]


def draw_counts(sizes: Sequence[int], resamples: int, rng: Rng) -> list[Floats]:
    """Return how often each row of each stratum is drawn, `[resamples, size]` a stratum; rows sum to the size.

    Stratum k takes its numbers from ``rng.child("stratum", k)``: it does not move when others come or go after it.
    """
    drawn = []
    for k, size in enumerate(sizes):
        rows = rng.child("stratum", k).integers(size, resamples, size).numpy()
        flat = (rows + size * np.arange(resamples)[:, None]).reshape(-1)
        drawn.append(np.bincount(flat, minlength=resamples * size).reshape(resamples, size).astype(np.float64))
    return drawn


def middle_means(values: Floats, counts: Floats, cut: int) -> Floats:
    """Return the mean of the middle of every resample of every column, `[R, s]`.

    Args:
        values: A sample a column, `[N, s]`.
        counts: How often each resample holds each row, `[R, N]`; rows sum to N.
        cut: How many of the smallest and of the largest are left out.

    Cost: O(s R N) and one sort of each column.
    """
    n = len(values)
    out = np.empty((len(counts), values.shape[1]))
    for k in range(values.shape[1]):
        order = np.argsort(values[:, k], kind="stable")
        reach = np.clip(np.cumsum(counts[:, order], axis=1), cut, n - cut)
        weights = np.diff(reach, axis=1, prepend=float(cut))
        out[:, k] = weights @ values[order, k]
    return out / (n - 2 * cut)


def interval(estimate: float, samples: Floats, level: float) -> Interval:
    """Return the percentile interval of resampled estimates (B. Efron, Annals of Statistics, 1979)."""
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(estimate), float(low), float(high), level)


def check_options(*, level: float, resamples: int) -> None:
    """Raise `InputError` unless the level lies strictly between 0 and 1 and there are enough resamples for it."""
    check.probability(level=level)
    check.that(0 < level < 1, "level", "lie strictly between 0 and 1", level)
    check.whole(1, resamples=resamples)
    least = int(np.ceil(2 / (1 - level)))
    hint = "the ends are quantiles of the resamples"
    check.that(resamples >= least, "resamples", f"be at least {least} for a level of {level:g}", resamples, hint)
