from itertools import combinations_with_replacement, product
from math import factorial

import numpy as np
import pandas as pd
import pytest
from made import Made, normal_frame
from scipy import stats

from paretokit import bench
from paretokit.bench._bootstrap import draw_counts, middle_means
from paretokit.bench._statistics_tests import mann_whitney_p, wilcoxon_p
from paretokit.core import InputError, ProtocolError, Rng, UnknownNameError


def table_of(means=None, **options):
    return bench.score_table(normal_frame(means or {"a": 0.0, "b": 0.5, "c": 1.0}, **options), "hypervolume")


def test_a_table_holds_seeds_by_solvers_and_knows_which_way_is_better():
    table = bench.score_table(Made({"p": {"a": [0.1, 0.2], "b": [0.3, 0.0]}}).frame, "igd_plus")
    assert (table.problems, table.solvers, table.seeds, table.larger) == (("p",), ("a", "b"), ((0, 1),), False)
    assert table.values[0].tolist() == [[0.1, 0.3], [0.2, 0.0]]
    assert table.goodness[0].tolist() == [[-0.1, -0.3], [-0.2, -0.0]]
    scaled = table.relative()
    assert scaled.larger
    assert np.allclose(scaled.values[0], [[2 / 3, 0], [1 / 3, 1]])
    assert table.only("p").medians.tolist() == table.medians.tolist()


def test_names_that_are_numbers_become_text():
    frame = one(problem=3, solver=7)
    assert (bench.score_table(frame, "hypervolume").solvers, frame["solver"].tolist()) == (("7",), [7])


def test_equal_scores_are_all_best_on_the_relative_scale():
    table = bench.score_table(Made({"p": {"a": [0.1, 0.1], "b": [0.1, 0.1]}}).frame, "hypervolume")
    assert (table.relative().values[0] == 1).all()


def test_failed_runs_count_as_the_worst_of_their_problem_where_asked():
    frame = Made({"p": {"a": [0.1, np.nan], "b": [0.3, 0.0]}, "q": {"a": [0.9, 0.9], "b": [0.9, 0.9]}}).frame
    table = bench.score_table(frame, "hypervolume", missing="worst")
    assert table.values[0].tolist() == [[0.9, 0.7], [0.7, 1.0]]
    assert table.filled == (("p", "a", 1),)
    lacking = frame[~((frame["seed"] == 0) & (frame["solver"] == "b"))]
    line = "hold a row of every run; got none for 'b' on 'p', seed 0 .a run that was never made is no failure"
    with pytest.raises(InputError, match=line):
        bench.score_table(lacking, "igd_plus", missing="worst")


def one(**columns):
    row = {"problem": "p", "solver": "a", "seed": 0, "indicator": "hypervolume", "value": 1.0}
    return pd.DataFrame([row | columns])


@pytest.mark.parametrize(
    ("frame", "options", "error", "line"),
    [
        (one().drop(columns="seed"), {}, UnknownNameError, "`column` must be a known name; got 'seed'"),
        (one(indicator="hypervolum"), {}, UnknownNameError, "`indicator` must be a known name.*mean 'hypervolum'"),
        (one(value=np.nan), {}, InputError, "finite score of every run; got none for 'a' on 'p', seed 0 .*worst"),
        (one(value=np.inf), {"missing": "worst"}, InputError, "finite score of each problem; got none on 'p'"),
        (pd.concat([one(), one()]), {}, InputError, "hold every run once; got 'a' on 'p', seed 0, twice"),
        (one(), {"missing": "drop"}, InputError, "`missing` must be one of"),
        (
            pd.concat([one(protocol="discount=1"), one(seed=1, protocol="discount=0.9")]),
            {},
            ProtocolError,
            "scores on 'p' must be measured alike to be compared; got discount=1 against discount=0.9",
        ),
    ],
)
def test_bad_frames_get_one_line(frame, options, error, line):
    with pytest.raises(error, match=line):
        bench.score_table(frame, "hypervolume", **options)


def test_own_indicators_need_their_direction():
    with pytest.raises(InputError, match="`larger` must be given for an indicator of your own"):
        bench.score_table(one(indicator="mine"), "mine")
    assert bench.score_table(one(indicator="mine"), "mine", larger=False).goodness[0].tolist() == [[-1.0]]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 8, 31])
def test_the_interquartile_mean_is_scipys_trimmed_mean(n):
    values = np.random.default_rng(n).normal(size=(n, 3))
    assert np.allclose(bench.interquartile_mean(values), stats.trim_mean(values, 0.25))


def test_middle_means_by_counts_are_those_of_the_resampled_values():
    draw = np.random.default_rng(0)
    values = draw.integers(0, 5, size=(13, 2)).astype(float)
    counts = np.stack([np.bincount(draw.integers(0, 13, 13), minlength=13) for _ in range(50)]).astype(float)
    for cut, plain in ((0, np.mean), (3, lambda v: stats.trim_mean(v, 0.25)), (6, np.median)):
        fast = middle_means(values, counts, cut)
        for r, times in enumerate(counts.astype(int)):
            for s in range(2):
                assert fast[r, s] == pytest.approx(plain(np.repeat(values[:, s], times)))


def test_resamples_keep_every_stratum_and_do_not_move_when_others_join():
    first = draw_counts([4, 7], 100, Rng.from_seed(0))
    assert [c.sum(1).tolist() for c in first] == [[4.0] * 100, [7.0] * 100]
    assert (draw_counts([4, 7, 9], 100, Rng.from_seed(0))[1] == first[1]).all()
    assert (draw_counts([4], 100, Rng.from_seed(1))[0] != first[0]).any()
    assert abs(draw_counts([5], 20000, Rng.from_seed(0))[0].mean(0) - 1).max() < 0.03


def test_the_bootstrap_of_a_mean_agrees_with_all_resamples_counted_by_hand():
    values = np.array([0.0, 1.0, 3.0, 7.0])
    weights, means = [], []
    for drawn in combinations_with_replacement(range(4), 4):
        times = np.bincount(drawn, minlength=4)
        weights.append(factorial(4) / np.prod([factorial(t) for t in times]))
        means.append(values[list(drawn)].mean())
    order = np.argsort(means)
    share = np.cumsum(np.array(weights)[order]) / 4**4
    exact = [np.array(means)[order][np.searchsorted(share, q)] for q in (0.05, 0.95)]
    frame = pd.concat([one(seed=k, value=v) for k, v in enumerate(values)])
    table = bench.score_table(frame, "hypervolume")
    row = bench.aggregate(table, statistic="mean", level=0.9, resamples=40000).iloc[0]
    assert row["estimate"] == values.mean()
    assert [row["low"], row["high"]] == exact


def plain_aggregate(table, counts, statistic):
    out = []
    for r in range(len(counts[0])):
        pooled = [np.repeat(v, c[r].astype(int), axis=0) for v, c in zip(table.values, counts, strict=True)]
        out.append(statistic(np.concatenate(pooled)))
    return np.array(out)


def test_aggregates_are_those_of_a_bootstrap_written_plainly():
    table = table_of()
    counts = draw_counts([12] * 3, 200, Rng.from_seed(3))
    samples = plain_aggregate(table, counts, lambda v: stats.trim_mean(v, 0.25))
    frame = bench.aggregate(table, resamples=200, seed=3).set_index("solver")
    assert frame.index.tolist() == ["c", "b", "a"]
    for k, solver in enumerate(table.solvers):
        low, high = np.quantile(samples[:, k], [0.025, 0.975])
        assert frame.loc[solver, ["low", "high"]].tolist() == pytest.approx([low, high])


def test_intervals_of_the_mean_agree_with_scipys_bootstrap():
    table = table_of(problems=1, seeds=40)
    ours = bench.aggregate(table, statistic="mean", resamples=20000).set_index("solver")
    for k, solver in enumerate(table.solvers):
        theirs = stats.bootstrap(
            (table.values[0][:, k],), np.mean, n_resamples=20000, method="percentile", rng=np.random.default_rng(0)
        ).confidence_interval
        assert ours.loc[solver, ["low", "high"]].tolist() == pytest.approx(list(theirs), abs=0.02)


def test_smaller_is_better_turns_the_order():
    frame = normal_frame({"a": 0.0, "b": 1.0}).assign(indicator="igd_plus")
    assert bench.aggregate(bench.score_table(frame, "igd_plus"))["solver"].tolist() == ["a", "b"]


def test_the_probability_of_improvement_is_the_mann_whitney_statistic_over_n_squared():
    table = table_of()
    frame = bench.probability_of_improvement(table, resamples=300, seed=5).set_index(["a", "b"])
    for i, j in product(range(3), repeat=2):
        if i == j:
            continue
        key = (table.solvers[i], table.solvers[j])
        u = [stats.mannwhitneyu(v[:, i], v[:, j]).statistic / len(v) ** 2 for v in table.values]
        assert frame.loc[key, "estimate"] == pytest.approx(np.mean(u))
        assert frame.loc[key, "estimate"] + frame.loc[key[::-1], "estimate"] == pytest.approx(1)
        assert frame.loc[key, "low"] == pytest.approx(1 - frame.loc[key[::-1], "high"])
    counts = draw_counts([12] * 3, 300, Rng.from_seed(5))
    samples = []
    for r in range(300):
        shares = []
        for v, c in zip(table.values, counts, strict=True):
            again = np.repeat(v, c[r].astype(int), axis=0)
            shares.append(
                (again[:, 0][:, None] > again[:, 1][None]).mean() + 0.5 * (again[:, 0][:, None] == again[:, 1]).mean()
            )
        samples.append(np.mean(shares))
    assert frame.loc[("a", "b"), ["low", "high"]].tolist() == pytest.approx(np.quantile(samples, [0.025, 0.975]))


def test_holm_agrees_with_its_definition():
    assert bench.holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    draw = np.random.default_rng(1)
    for _ in range(20):
        p = draw.random(9) ** 3
        for alpha in (0.01, 0.05, 0.2):
            rejected = set()
            for step, k in enumerate(np.argsort(p)):
                if p[k] > alpha / (9 - step):
                    break
                rejected.add(int(k))
            assert set(np.nonzero(bench.holm(p) <= alpha)[0].tolist()) == rejected
    with pytest.raises(InputError, match=r"`p_values` must lie in \[0, 1\]"):
        bench.holm([1.5])


def test_pairwise_tests_are_scipys_one_by_one():
    draw = np.random.default_rng(0)
    a, b = draw.normal(size=(6, 12)), draw.normal(size=(6, 12))
    b[0], b[1, :3], a[2], b[2] = a[0], a[1, :3], 1.0, 1.0
    a[3], b[3] = np.round(a[3]), np.round(b[3])
    ours = wilcoxon_p(a - b)
    assert ours[0] == ours[2] == 1.0
    for k in (4, 5):
        assert ours[k] == pytest.approx(stats.wilcoxon(a[k], b[k], method="exact").pvalue)
    assert ours[1] == pytest.approx(stats.wilcoxon((a[1] - b[1])[3:], method="exact").pvalue)
    rounded = (a[3] - b[3])[a[3] != b[3]]
    assert ours[3] == pytest.approx(stats.wilcoxon(rounded, method="asymptotic").pvalue)
    ours = mann_whitney_p(a, b)
    assert ours[2] == 1.0
    for k in (0, 1, 3, 4, 5):
        assert ours[k] == pytest.approx(stats.mannwhitneyu(a[k], b[k]).pvalue)


@pytest.mark.parametrize("method", ["mann-whitney", "wilcoxon"])
def test_a_planted_difference_is_claimed_for_the_better_solver(method):
    table = table_of({"a": 0.0, "same": 0.0, "better": 4.0}, problems=2, seeds=15)
    frame = bench.pairwise_tests(table, method=method)
    assert len(frame) == 6
    assert frame["p_holm"].tolist() == pytest.approx(bench.holm(frame["p"]).tolist())
    assert set(frame[frame["significant"]]["better"]) == {"better"}
    assert frame["significant"].sum() == 4
    ties = bench.tied_with_best(table, frame)
    assert ties == {"p0": ("better", []), "p1": ("better", [])}
    alone = bench.tied_with_best(table, frame.assign(significant=False))
    assert alone["p0"] == ("better", ["a", "same"])


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: bench.pairwise_tests(table_of({"a": 0.0})), "`table` must hold at least two solvers; got 1"),
        (lambda: bench.pairwise_tests(table_of(), method="t"), "`method` must be one of"),
        (lambda: bench.pairwise_tests(table_of(seeds=3)), "hold at least 4 seeds of each problem; got 3"),
        (lambda: bench.pairwise_tests(table_of(), alpha=1.0), "`alpha` must lie strictly between 0 and 1"),
        (lambda: bench.aggregate(table_of(), statistic="mode"), "`statistic` must be one of"),
        (lambda: bench.aggregate(table_of(), level=1.0), "`level` must lie strictly between 0 and 1"),
        (lambda: bench.aggregate(table_of(), resamples=10), "`resamples` must be at least 40 for a level of 0.95"),
        (lambda: bench.probability_of_improvement(table_of({"a": 0.0})), "hold at least two solvers"),
        (lambda: bench.performance_profile(table_of(), thresholds=[]), "`thresholds` must be a sequence of numbers"),
    ],
)
def test_bad_options_get_one_line(call, line):
    with pytest.raises(InputError, match=line):
        call()


def test_profiles_are_shares_of_runs_and_fall_with_the_threshold():
    table = table_of()
    frame = bench.performance_profile(table, thresholds=[-9.0, 0.3, 9.0])
    own = frame[frame["solver"] == "b"]
    middle = np.mean([(v[:, 1] >= 0.3).mean() for v in table.values])
    assert own["share"].tolist() == pytest.approx([1.0, middle, 0.0])
    assert (frame["low"] <= frame["share"]).all()
    assert (frame["share"] <= frame["high"]).all()
    down = bench.performance_profile(
        bench.score_table(Made({"p": {"a": [0.1, 0.4]}}).frame, "igd_plus"), thresholds=[0.2]
    )
    assert down["share"].tolist() == [0.5]
    assert len(bench.performance_profile(table)) == 3 * 101


def test_curves_hold_values_between_snapshots_and_band_them_by_the_bootstrap():
    rows = [("a", 0, 10, 1.0), ("a", 0, 30, 2.0), ("a", 1, 20, 4.0), ("a", 1, 25, 6.0), ("b", 0, 5, 1.0)]
    curves = pd.DataFrame(rows, columns=["solver", "seed", "evaluations", "value"]).assign(problem="p")
    frame = bench.anytime(curves, statistic="mean")
    own = frame[frame["solver"] == "a"]
    assert own["evaluations"].tolist() == [20, 25, 30]
    assert own["estimate"].tolist() == [2.5, 3.5, 4.0]
    assert own["low"].tolist() == [1.0, 1.0, 2.0]
    assert own["high"].tolist() == [4.0, 6.0, 6.0]
    assert own["seeds"].tolist() == [2, 2, 2]
    with pytest.raises(UnknownNameError, match="`column` must be a known name; got 'seconds'"):
        bench.anytime(curves, against="seconds")
    with pytest.raises(InputError, match="finite score of every run; got a run of b on p without one"):
        bench.anytime(curves.assign(value=[1.0, 1.0, 1.0, 1.0, np.nan]))
    with pytest.raises(InputError, match="`curves` must hold at least one run"):
        bench.anytime(curves[:0])
