"""Stratified bootstrap by counts against resampling with SciPy's trimmed mean; intervals asserted equal.

python -m benchmarks.bootstrap
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
from scipy.stats import trim_mean

from benchmarks._common import interleaved
from paretokit import bench
from paretokit.bench._bootstrap import draw_counts
from paretokit.core import Rng

SOLVERS, PROBLEMS, SEEDS, RESAMPLES = 8, 10, 31, 2000


def score_table() -> bench.ScoreTable:
    """Return normal scores of 8 solvers on 10 problems with 31 seeds."""
    draw = Rng.from_seed(0).numpy()
    keys = list(product(range(PROBLEMS), range(SEEDS), range(SOLVERS)))
    columns = dict(zip(("problem", "seed", "solver"), zip(*keys, strict=True), strict=True))
    values = draw.normal(np.arange(SOLVERS) * 0.1, size=(PROBLEMS, SEEDS, SOLVERS)).ravel()
    return bench.score_table(pd.DataFrame(columns | {"indicator": "hypervolume", "value": values}), "hypervolume")


def plain(table: bench.ScoreTable) -> np.ndarray:
    """Return lower and upper ends by drawing rows and trimming every resample, `[2, solvers]`."""
    counts = draw_counts([SEEDS] * PROBLEMS, RESAMPLES, Rng.from_seed(0))
    samples = np.empty((RESAMPLES, SOLVERS))
    for r in range(RESAMPLES):
        rows = [np.repeat(v, c[r].astype(int), axis=0) for v, c in zip(table.values, counts, strict=True)]
        samples[r] = trim_mean(np.concatenate(rows), 0.25)
    return np.quantile(samples, [0.025, 0.975], axis=0)


def main() -> None:
    """Print seconds of the interquartile mean and of the other statistics on the same table."""
    table = score_table()
    calls = {
        "interquartile mean, by counts": lambda: bench.aggregate(table, resamples=RESAMPLES),
        "interquartile mean, resampled": lambda: plain(table),
        "median, by counts": lambda: bench.aggregate(table, statistic="median", resamples=RESAMPLES),
        "probability of improvement": lambda: bench.probability_of_improvement(table, resamples=RESAMPLES),
        "performance profile": lambda: bench.performance_profile(table, resamples=RESAMPLES),
        "Mann-Whitney, 280 tests, Holm": lambda: bench.pairwise_tests(table),
    }
    times, results = interleaved(calls, repeats=3)
    fast = results["interquartile mean, by counts"].set_index("solver").loc[list(table.solvers), ["low", "high"]]
    assert np.allclose(fast.to_numpy().T, results["interquartile mean, resampled"])
    print(f"{SOLVERS} solvers, {PROBLEMS} problems, {SEEDS} seeds, {RESAMPLES} resamples; one thread")
    for name, seconds in times.items():
        print(f"  {name:32s} {seconds * 1e3:8.0f} ms")


if __name__ == "__main__":
    main()
