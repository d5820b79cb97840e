"""Is the difference real? Tests between pairs of solvers, with one error rate for the whole family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paretokit.bench._statistics import better_pairs
from paretokit.bench._statistics_table import ScoreTable
from paretokit.core import _check as check

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

METHODS = ("mann-whitney", "wilcoxon")


def holm(p_values: ArrayLike) -> Floats:
    """Return p-values adjusted for a family of tests.

    Reject where they are at most alpha: the chance of any false rejection is then at most alpha, however the tests
    depend on each other.

    With ``p_(1) <= ... <= p_(k)``: ``adjusted_(j) = max_{i <= j} min(1, (k - i + 1) p_(i))``.

    Args:
        p_values: Of the whole family `[k]`; none may be left out because it looks large.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6,
    1979.
    """
    p = np.asarray(p_values, dtype=np.float64)
    check.shape(p.ndim == 1, "p_values", "have shape [k]", p.shape)
    check.that(bool(((p >= 0) & (p <= 1)).all()), "p_values", "lie in [0, 1]", p.tolist())
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(np.minimum(1.0, p[order] * np.arange(len(p), 0, -1)))
    out = np.empty_like(stepped)
    out[order] = stepped
    return out


def wilcoxon_p(differences: Floats) -> Floats:
    """Return two-sided p-values of Wilcoxon's signed-rank test, one a row of differences `[k, n]`.

    By ``scipy.stats.wilcoxon``: exact up to 50 pairs without ties, normal approximation else; pairs that are equal
    are dropped, and where all are, p = 1. Rows are tested by the same rule alone and together.

    Source: F. Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1, 1945.
    """
    from scipy.stats import wilcoxon

    out = np.ones(len(differences))
    size = np.sort(np.abs(differences), axis=1)
    tied = (size[:, :1] == 0).any(1) | (np.diff(size, axis=1) == 0).any(1)
    if (~tied).any():
        out[~tied] = wilcoxon(differences[~tied], axis=1).pvalue
    for k in np.nonzero(tied)[0]:
        left = differences[k][differences[k] != 0]
        if len(left):
            ties = len(np.unique(np.abs(left))) < len(left)
            out[k] = wilcoxon(left, method="asymptotic" if ties else "auto").pvalue
    return out


def mann_whitney_p(a: Floats, b: Floats) -> Floats:
    """Return two-sided p-values of the Mann-Whitney U test, one a row of the samples `[k, n]`.

    By ``scipy.stats.mannwhitneyu``: exact where no two values are equal and a sample has at most 8, normal
    approximation with corrections for ties and continuity else; where all values are equal, p = 1.

    Source: H. Mann and D. Whitney, Annals of Mathematical Statistics 18, 1947.
    """
    from scipy.stats import mannwhitneyu

    out = np.ones(len(a))
    both = np.sort(np.concatenate([a, b], axis=1), axis=1)
    tied = (np.diff(both, axis=1) == 0).any(1)
    constant = both[:, 0] == both[:, -1]
    if (~tied).any():
        out[~tied] = mannwhitneyu(a[~tied], b[~tied], axis=1).pvalue
    rest = tied & ~constant
    if rest.any():
        out[rest] = mannwhitneyu(a[rest], b[rest], axis=1, method="asymptotic").pvalue
    return out


def pairwise_tests(table: ScoreTable, *, method: str = "mann-whitney", alpha: float = 0.05) -> pd.DataFrame:
    """Return a test of every pair of solvers on every problem, with p-values by Holm over all of them.

    The hypothesis of each test is that seeds of both solvers score by the same law. The family is the whole table: in a
    table of solvers that do not differ, any difference at all is claimed with a chance of at most alpha.

    Args:
        table: Scores.
        method: "mann-whitney" for seeds that are independent between solvers; "wilcoxon" (signed ranks) where a seed
            means the same instance for all solvers, as it does for problems with noise or data drawn by the seed.
        alpha: Familywise error rate.

    Returns:
        Columns problem, a, b, median_a, median_b, effect (the chance that a run of a beats one of b, ties half), p,
        p_holm, significant, better (the solver with the larger effect where significant, else "").

    Raises:
        InputError: If there are fewer than two solvers, or so few seeds that no test could ever reject (fewer than 4
            for Mann-Whitney, 6 for Wilcoxon, at alpha = 0.05 before correction).
    """
    import pandas as pd

    check.one_of(METHODS, method=method)
    check.that(0 < alpha < 1, "alpha", "lie strictly between 0 and 1", alpha)
    check.that(len(table.solvers) >= 2, "table", "hold at least two solvers", len(table.solvers))
    least = 6 if method == "wilcoxon" else 4
    fewest = min(len(v) for v in table.values)
    hint = "fewer can never show a difference"
    check.that(fewest >= least, "table", f"hold at least {least} seeds of each problem", fewest, hint)
    pairs = list(combinations(range(len(table.solvers)), 2))
    rows = []
    for problem, values, goodness in zip(table.problems, table.values, table.goodness, strict=True):
        a, b = (goodness[:, [pair[side] for pair in pairs]].T for side in (0, 1))
        p = wilcoxon_p(a - b) if method == "wilcoxon" else mann_whitney_p(a, b)
        medians = np.median(values, axis=0)
        for k, (i, j) in enumerate(pairs):
            rows.append(
                {
                    "problem": problem,
                    "a": table.solvers[i],
                    "b": table.solvers[j],
                    "median_a": medians[i],
                    "median_b": medians[j],
                    "effect": better_pairs(a[k], b[k]).mean(),
                    "p": p[k],
                }
            )
    frame = pd.DataFrame(rows)
    frame["p_holm"] = holm(frame["p"].to_numpy())
    frame["significant"] = frame["p_holm"] <= alpha
    winners = np.where(frame["effect"] > 0.5, frame["a"], frame["b"])
    frame["better"] = np.where(frame["significant"], winners, "")
    return frame


def tied_with_best(table: ScoreTable, tests: pd.DataFrame) -> Mapping[str, tuple[str, Sequence[str]]]:
    """Return, for each problem, the solver of the best median and those that no test tells from it.

    "Tied" says that a difference was not shown, not that there is none.
    """
    best = np.stack([np.median(matrix, axis=0) for matrix in table.goodness]).argmax(1)
    found = {}
    for problem, k in zip(table.problems, best, strict=True):
        name = table.solvers[k]
        own = tests[(tests["problem"] == problem) & ~tests["significant"]]
        near = {*own[own["a"] == name]["b"], *own[own["b"] == name]["a"]}
        found[problem] = (name, [solver for solver in table.solvers if solver in near])
    return found
