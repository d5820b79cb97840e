"""Ranks over problems: Friedman's test and which solvers it cannot tell apart."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from paretokit.bench._statistics_table import ScoreTable
from paretokit.bench._statistics_tests import holm, wilcoxon_p
from paretokit.core import _check as check

Floats = NDArray[np.float64]

BLOCKS = ("problems", "seeds")
POST_HOC = ("nemenyi", "wilcoxon")


@dataclass(frozen=True, eq=False)
class CriticalDifference:
    """Mean ranks, the test of their equality, and the groups that are not told apart.

    Attributes:
        indicator: What was ranked.
        solvers: Best rank first.
        ranks: Mean ranks `[s]`, 1 is best.
        blocks: Number of blocks N that ranks are means of.
        chi_square: Friedman's statistic, corrected for ties.
        p: Its p-value by the chi-square law with s - 1 degrees of freedom.
        p_iman_davenport: The p-value of ``F = (N - 1) chi^2 / (N (s - 1) - chi^2)``, less conservative.
        difference: Nemenyi's critical difference of mean ranks; None after the post-hoc test by Wilcoxon.
        groups: Maximal groups of neighbors in rank, each of at least two, within which nothing differs significantly.
        alpha: Error rate of the whole family.
    """

    indicator: str
    solvers: tuple[str, ...]
    ranks: tuple[float, ...]
    blocks: int
    chi_square: float
    p: float
    p_iman_davenport: float
    difference: float | None
    groups: tuple[tuple[str, ...], ...]
    alpha: float


def ranks_of(goodness: Floats) -> Floats:
    """Return ranks within each row `[n, s]`: 1 for the largest, the mean rank where values are equal."""
    above = (goodness[:, None, :] > goodness[:, :, None]).sum(-1)
    equal = (goodness[:, None, :] == goodness[:, :, None]).sum(-1)
    ranks: Floats = above + (equal + 1) / 2
    return ranks


def friedman(goodness: Floats) -> tuple[float, float, float]:
    """Return Friedman's chi-square of rows of blocks `[N, s]`, its p-value, and that of Iman and Davenport.

    ``chi^2 = (s - 1) sum_j (R_j - N (s + 1) / 2)^2 / sum_{i,j} (r_ij - (s + 1) / 2)^2`` with rank sums R_j: the ties in
    the denominator make the correction. Agrees with ``scipy.stats.friedmanchisquare``, which wants three columns.

    Sources: M. Friedman, Journal of the American Statistical Association 32, 1937; R. Iman and J. Davenport,
    Communications in Statistics A9, 1980.
    """
    from scipy.stats import chi2, f

    n, s = goodness.shape
    ranks = ranks_of(goodness) - (s + 1) / 2
    spread = float((ranks**2).sum())
    if spread == 0:  # all equal in every block
        return 0.0, 1.0, 1.0
    statistic = float((s - 1) * (ranks.sum(0) ** 2).sum() / spread)
    room = n * (s - 1) - statistic
    ratio = np.inf if room <= 1e-12 * n * s else (n - 1) * statistic / room
    p_ratio = float(f.sf(ratio, s - 1, (s - 1) * (n - 1))) if n > 1 else 1.0
    return statistic, float(chi2.sf(statistic, s - 1)), p_ratio


def nemenyi_difference(solvers: int, blocks: int, alpha: float = 0.05) -> float:
    """Return how far mean ranks must lie apart: ``q_alpha / sqrt(2) * sqrt(s (s + 1) / (6 N))``.

    q_alpha is the quantile of the studentized range of s normal numbers (infinitely many degrees of freedom).

    Sources: P. Nemenyi, thesis, Princeton, 1963; J. Demsar, Journal of Machine Learning Research 7, 2006, table 5(a).
    """
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1 - alpha, solvers, np.inf))
    return q / sqrt(2) * sqrt(solvers * (solvers + 1) / (6 * blocks))


def critical_difference(
    table: ScoreTable, *, blocks: str = "problems", post_hoc: str = "nemenyi", alpha: float = 0.05
) -> CriticalDifference:
    """Return mean ranks of solvers, Friedman's test, and the groups that the post-hoc test cannot tell apart.

    Args:
        table: Scores, on any scale: only their order within a block counts.
        blocks: "problems" ranks the medians over seeds on each problem and speaks about problems like these; "seeds"
            ranks the runs of each seed on a single problem and speaks about that problem only.
        post_hoc: "nemenyi" compares mean ranks with the critical difference; "wilcoxon" compares each pair of solvers
            by signed ranks over blocks, by Holm, so that a verdict on two does not hang on which others take part.
        alpha: Familywise error rate of the post-hoc tests.

    Raises:
        InputError: If there are fewer than two solvers or blocks, or "seeds" are blocks of several problems.

    Sources: J. Demsar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7, 2006; A. Benavoli,
    G. Corani and F. Mangili, "Should we really use post-hoc tests based on mean-ranks?", JMLR 17, 2016.
    """
    check.one_of(BLOCKS, blocks=blocks)
    check.one_of(POST_HOC, post_hoc=post_hoc)
    check.that(0 < alpha < 1, "alpha", "lie strictly between 0 and 1", alpha)
    s = len(table.solvers)
    check.that(s >= 2, "table", "hold at least two solvers", s)
    if blocks == "seeds":
        hint = "pick one with table.only(problem)"
        check.that(len(table.problems) == 1, "table", "hold one problem where seeds are blocks", table.problems, hint)
        goodness = table.goodness[0]
    else:
        goodness = np.stack([np.median(matrix, axis=0) for matrix in table.goodness])
    n = len(goodness)
    check.that(n >= 2, "table", f"hold at least two {blocks}", n)
    mean = ranks_of(goodness).mean(0)
    order = np.argsort(mean, kind="stable")
    statistic, p, p_ratio = friedman(goodness)
    difference = nemenyi_difference(s, n, alpha) if post_hoc == "nemenyi" else None
    if difference is not None:
        alike = np.abs(mean[order][:, None] - mean[order][None, :]) < difference
    else:
        alike = np.ones((s, s), dtype=bool)
        pairs = list(combinations(range(s), 2))
        gaps = np.stack([goodness[:, order[i]] - goodness[:, order[j]] for i, j in pairs])
        for (i, j), adjusted in zip(pairs, holm(wilcoxon_p(gaps)), strict=True):
            alike[i, j] = alike[j, i] = adjusted > alpha
    names = tuple(table.solvers[k] for k in order)
    groups = tuple(names[a:b] for a, b in _runs(alike))
    ranks = tuple(float(r) for r in mean[order])
    return CriticalDifference(table.indicator, names, ranks, n, statistic, p, p_ratio, difference, groups, alpha)


def _runs(alike: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return maximal ranges of at least two neighbors all of whose pairs are alike."""
    s, found, reached = len(alike), [], 0
    for start in range(s):
        stop = start + 1
        while stop < s and alike[start : stop + 1, start : stop + 1].all():
            stop += 1
        if stop - start >= 2 and stop > reached:
            found.append((start, stop))
            reached = stop
    return found
