import numpy as np
import pytest
from made import Made, normal_frame
from scipy import stats

from paretokit import bench
from paretokit.bench._ranks import friedman, nemenyi_difference, ranks_of
from paretokit.core import InputError


def table_of(medians):
    """A table whose medians over three seeds are the given ones: problems by solvers."""
    names = [f"s{k}" for k in range(len(medians[0]))]
    gaps = {f"p{i}": {n: [v, v, v] for n, v in zip(names, row, strict=True)} for i, row in enumerate(medians)}
    return bench.score_table(Made(gaps).frame, "igd_plus")


def test_ranks_are_scipys_with_the_best_first():
    goodness = np.random.default_rng(0).integers(0, 4, size=(30, 6)).astype(float)
    assert (ranks_of(goodness) == stats.rankdata(-goodness, axis=1)).all()


@pytest.mark.parametrize("ties", [False, True])
def test_friedman_agrees_with_scipy(ties):
    goodness = np.random.default_rng(1).normal(size=(9, 5)) + np.arange(5) * 0.4
    goodness = np.round(goodness) if ties else goodness
    statistic, p, p_ratio = friedman(goodness)
    theirs = stats.friedmanchisquare(*goodness.T)
    assert statistic == pytest.approx(theirs.statistic)
    assert p == pytest.approx(theirs.pvalue)
    ratio = 8 * statistic / (9 * 4 - statistic)
    assert p_ratio == pytest.approx(stats.f.sf(ratio, 4, 32))


def test_friedman_of_equal_columns_finds_nothing_and_of_a_strict_order_everything():
    assert friedman(np.ones((5, 3))) == (0.0, 1.0, 1.0)
    statistic, _, p_ratio = friedman(np.tile([3.0, 2.0, 1.0], (5, 1)))
    assert (statistic, p_ratio) == (10.0, 0.0)


def test_critical_values_are_those_of_demsars_table():
    table = {2: 1.960, 3: 2.343, 4: 2.569, 5: 2.728, 6: 2.850, 7: 2.949, 8: 3.031, 9: 3.102, 10: 3.164}
    for k, q in table.items():
        assert nemenyi_difference(k, 1) / (k * (k + 1) / 6) ** 0.5 == pytest.approx(q, abs=1.1e-3)
    loose = {2: 1.645, 3: 2.052, 4: 2.291, 5: 2.459, 6: 2.589, 7: 2.693, 8: 2.780, 9: 2.855, 10: 2.920}
    for k, q in loose.items():
        assert nemenyi_difference(k, 1, 0.10) / (k * (k + 1) / 6) ** 0.5 == pytest.approx(q, abs=1.1e-3)


def test_the_example_of_demsar_is_reproduced():
    # J. Demsar, JMLR 7, 2006, table 6 and section 3.2.2: C4.5 and three variants by AUC on 14 data sets.
    auc = [
        (0.763, 0.768, 0.771, 0.798), (0.599, 0.591, 0.590, 0.569), (0.954, 0.971, 0.968, 0.967),
        (0.628, 0.661, 0.654, 0.657), (0.882, 0.888, 0.886, 0.898), (0.936, 0.931, 0.916, 0.931),
        (0.661, 0.668, 0.609, 0.685), (0.583, 0.583, 0.563, 0.625), (0.775, 0.838, 0.866, 0.875),
        (1.000, 1.000, 1.000, 1.000), (0.940, 0.962, 0.965, 0.962), (0.619, 0.666, 0.614, 0.669),
        (0.972, 0.981, 0.9751, 0.975), (0.957, 0.978, 0.946, 0.970),
    ]  # fmt: skip
    found = bench.critical_difference(table_of([[1 - v for v in row] for row in auc]))
    ranks = dict(zip(found.solvers, found.ranks, strict=True))
    assert ranks == pytest.approx({"s0": 3.143, "s1": 2.000, "s2": 2.893, "s3": 1.964}, abs=5e-4)
    assert found.difference == pytest.approx(1.25, abs=0.01)
    plain = 12 * 14 / (4 * 5) * (sum(r**2 for r in found.ranks) - 4 * 25 / 4)
    assert plain == pytest.approx(9.28, abs=0.01)  # the paper's, without the correction for ties
    assert found.chi_square > plain


def test_groups_join_what_lies_within_the_critical_difference():
    medians = [[1.0, 2.0, 3.0, 4.0]] * 20
    found = bench.critical_difference(table_of(medians))
    assert found.solvers == ("s0", "s1", "s2", "s3")
    assert found.ranks == (1.0, 2.0, 3.0, 4.0)
    assert found.difference == pytest.approx(2.569 * (20 / 120) ** 0.5, abs=1e-3)
    assert found.groups == (("s0", "s1"), ("s1", "s2"), ("s2", "s3"))
    few = bench.critical_difference(table_of(medians[:2]))
    assert few.groups == (("s0", "s1", "s2", "s3"),)
    by_pairs = bench.critical_difference(table_of(medians), post_hoc="wilcoxon")
    assert (by_pairs.groups, by_pairs.difference) == ((), None)
    assert bench.critical_difference(table_of(medians[:4]), post_hoc="wilcoxon").groups == (found.solvers,)


def test_seeds_are_blocks_of_a_single_problem():
    table = bench.score_table(normal_frame({"a": 0.0, "b": 3.0}, problems=2), "hypervolume")
    found = bench.critical_difference(table.only("p1"), blocks="seeds")
    assert (found.blocks, found.solvers, found.groups) == (12, ("b", "a"), ())


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: bench.critical_difference(table_of([[1.0, 2.0]])), "`table` must hold at least two problems; got 1"),
        (lambda: bench.critical_difference(table_of([[1.0], [2.0]])), "`table` must hold at least two solvers; got 1"),
        (
            lambda: bench.critical_difference(table_of([[1.0, 2.0]] * 2), blocks="seeds"),
            "`table` must hold one problem where seeds are blocks",
        ),
        (lambda: bench.critical_difference(table_of([[1.0, 2.0]] * 2), blocks="seed"), "`blocks` must be one of"),
        (lambda: bench.critical_difference(table_of([[1.0, 2.0]] * 2), post_hoc="t"), "`post_hoc` must be one of"),
        (lambda: bench.critical_difference(table_of([[1.0, 2.0]] * 2), alpha=0.0), "`alpha` must lie strictly"),
    ],
)
def test_bad_options_get_one_line(call, line):
    with pytest.raises(InputError, match=line):
        call()
