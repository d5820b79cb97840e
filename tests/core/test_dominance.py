"""Dominance: brute force, moocore, the compiled twins beside the plain ones, relations, bad rows."""

import moocore
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from paretokit.core import (
    InputError,
    ShapeError,
    crowding_distance,
    dominates,
    epsilon_non_dominated,
    non_dominated,
    pareto_rank,
    total_violation,
)
from paretokit.core import _dominance as dominance

GRID = st.sampled_from([0.0, -0.0, 1.0, 2.0, 3.0, 4.0])
WILD = st.one_of(GRID, GRID, GRID, st.sampled_from([np.nan, np.inf, -np.inf]))


def rows(entries=WILD, least=0):
    shapes = st.tuples(st.integers(least, 12), st.integers(1, 5))
    return shapes.flatmap(lambda s: hnp.arrays(np.float64, s, elements=entries))


def slow_filter(X):
    good = np.isfinite(X).all(1)
    return np.array(
        [
            g and not any(h and (b <= a).all() and (b < a).any() for b, h in zip(X, good, strict=True))
            for a, g in zip(X, good, strict=True)
        ],
        bool,
    )


def slow_rank(X):
    """Peel fronts; failed rows share the last one."""
    rank = np.full(len(X), -1)
    left = np.isfinite(X).all(1)
    k = 0
    while left.any():
        front = slow_filter(np.where(left[:, None], X, np.nan))
        rank[front] = k
        left &= ~front
        k += 1
    rank[~np.isfinite(X).all(1)] = k
    return rank


@pytest.fixture(scope="module", params=["plain", "compiled"])
def path(request):
    """Run every test on both twins: `worth` is what chooses between them."""
    compiled = request.param == "compiled"
    patch = pytest.MonkeyPatch()
    for kernels in (dominance.RANKING, dominance.FILTERING):
        patch.setattr(kernels, "worth", lambda seconds=0.0: compiled, raising=True)
    yield request.param
    patch.undo()


@settings(max_examples=150, deadline=None)
@given(X=rows(), keep=st.booleans())
def test_filter_is_brute_force(path, X, keep):
    mask = non_dominated(X, keep_duplicates=keep)
    expected = slow_filter(X)
    if not keep:
        seen = set()
        for i in np.flatnonzero(expected):
            key = tuple(X[i] + 0.0)
            expected[i] = key not in seen
            seen.add(key)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, expected)


@settings(max_examples=150, deadline=None)
@given(X=rows())
def test_rank_is_peeling(path, X):
    np.testing.assert_array_equal(pareto_rank(X), slow_rank(X))


@settings(max_examples=80, deadline=None)
@given(X=rows(GRID, least=1), data=st.data())
def test_filter_relations(path, X, data):
    mask = non_dominated(X)
    assert mask.any()  # a finite set has a front
    order = data.draw(st.permutations(range(len(X))))
    np.testing.assert_array_equal(non_dominated(X[order]), mask[order])
    np.testing.assert_array_equal(non_dominated(3 * X - 7), mask)
    np.testing.assert_array_equal(non_dominated(-X, maximize=True), mask)
    np.testing.assert_array_equal(pareto_rank(X) == 0, mask)
    signs = np.array(data.draw(st.lists(st.booleans(), min_size=X.shape[1], max_size=X.shape[1])))
    np.testing.assert_array_equal(non_dominated(np.where(signs, -X, X), maximize=signs), mask)


@pytest.mark.parametrize("m", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("n", [1500, 2600])
def test_large_sets_agree_with_moocore(m, n):
    """Beyond 1024 rows: radix sort, several blocks of bit sets, strong rows removed first."""
    dominance.FILTERING.load(), dominance.RANKING.load()
    rng = np.random.default_rng(m * n)
    simplex = rng.exponential(size=(n, m))
    for X in (rng.random((n, m)), simplex / simplex.sum(1, keepdims=True), rng.integers(-9, 9, (n, m)).astype(float)):
        if m > 1:  # moocore keeps one of several equal points of a single objective
            np.testing.assert_array_equal(non_dominated(X), moocore.is_nondominated(X, keep_weakly=True))
            np.testing.assert_array_equal(non_dominated(X, keep_duplicates=False), moocore.is_nondominated(X))
            np.testing.assert_array_equal(pareto_rank(X), moocore.pareto_rank(X))
        np.testing.assert_array_equal(pareto_rank(X) == 0, non_dominated(X))


def test_chain_has_as_many_fronts_as_points(path):
    order = np.random.default_rng(0).permutation(700)
    for m in (1, 2, 3, 4):
        np.testing.assert_array_equal(pareto_rank(np.repeat(order[:, None], m, 1)), order)


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("m", [2, 3, 4])
def test_twins_agree_on_stacks(m, keep):
    rng = np.random.default_rng(m)
    X = rng.integers(0, 7, (5, 60, m)).astype(float)
    X[rng.random(X.shape) < 0.02] = np.nan
    alive, violation = rng.random((5, 60)) < 0.9, rng.integers(-1, 3, (5, 60)).astype(float)
    ranks, flags = np.empty((2, 5, 60), np.int64), np.empty((2, 5, 60), bool)
    dominance.RANKING.load().rank_stack(X, violation, alive, ranks[0])
    dominance.FILTERING.load().filter_stack(X, alive, keep, flags[0])
    tensors = [torch.from_numpy(a) for a in (X, violation, alive)]
    dominance._rank_plain(*tensors, torch.from_numpy(ranks[1]))
    dominance._filter_plain(tensors[0], tensors[2], keep, torch.from_numpy(flags[1]))
    np.testing.assert_array_equal(ranks[0], ranks[1])
    np.testing.assert_array_equal(flags[0], flags[1])


def test_plain_twin_spans_several_tiles(monkeypatch):
    monkeypatch.setattr(dominance, "TILE", 16 * 16)
    monkeypatch.setattr(dominance.RANKING, "worth", lambda seconds=0.0: False)
    monkeypatch.setattr(dominance.FILTERING, "worth", lambda seconds=0.0: False)
    X = np.random.default_rng(1).integers(0, 9, (101, 3)).astype(float)
    np.testing.assert_array_equal(pareto_rank(X), slow_rank(X))
    np.testing.assert_array_equal(non_dominated(X), slow_filter(X))


def test_batches_masks_and_tensors(path):
    rng = np.random.default_rng(2)
    X, mask = rng.integers(0, 5, (2, 3, 9, 3)).astype(float), rng.random((2, 3, 9)) < 0.7
    flags, ranks = non_dominated(X, mask=mask), pareto_rank(X, mask=mask)
    assert flags.shape == ranks.shape == (2, 3, 9)
    for i in np.ndindex(2, 3):
        np.testing.assert_array_equal(flags[i][mask[i]], non_dominated(X[i][mask[i]]))
        np.testing.assert_array_equal(ranks[i][mask[i]], pareto_rank(X[i][mask[i]]))
    assert not flags[~mask].any()
    assert (ranks[~mask] == -1).all()
    tensor = non_dominated(torch.tensor(X, dtype=torch.float32), mask=torch.tensor(mask))
    assert tensor.dtype == torch.bool
    np.testing.assert_array_equal(tensor.numpy(), flags)
    assert pareto_rank(torch.tensor(X)).dtype == torch.int64
    assert non_dominated(np.empty((0, 3))).shape == (0,)
    assert pareto_rank(np.empty((4, 0, 3))).shape == (4, 0)
    assert non_dominated([[1, 2], [2, 1], [2, 2]]).tolist() == [True, True, False]


def test_inputs_stay_untouched(path):
    X = np.array([[1.0, -0.0], [np.nan, 2.0], [0.0, 1.0]])
    X.flags.writeable = False
    non_dominated(X, maximize=True), pareto_rank(X)
    np.testing.assert_array_equal(X, [[1.0, 0.0], [np.nan, 2.0], [0.0, 1.0]])


def test_constrained_dominance(path):
    X = np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 1.0], [2.0, 2.0], [5.0, 5.0], [4.0, 4.0], [np.nan, 0.0]])
    V = np.array([[3.0, -9.0], [0.0, 0.0], [-1.0, -1.0], [0.0, -5.0], [0.5, 0.5], [1.0, 0.0], [0.0, 0.0]])
    assert total_violation(V).tolist() == [3, 0, 0, 0, 1, 1, 0]
    # feasible first, then violation 1 (two rows, one dominates the other), then 3, then the failed one
    assert pareto_rank(X, violations=V).tolist() == [4, 0, 0, 1, 3, 2, 5]
    assert np.flatnonzero(non_dominated(X, violations=V)).tolist() == [1, 2]
    assert np.flatnonzero(non_dominated(X, violations=V + 10)).tolist() == [0]
    assert not non_dominated(X, violations=np.full_like(V, np.nan)).any()
    assert (pareto_rank(X, violations=np.full_like(V, np.inf)) == 0).all()
    assert total_violation(torch.tensor([[np.nan, -1.0], [-1.0, -1.0]])).tolist() == [np.inf, 0.0]


@settings(max_examples=60, deadline=None)
@given(X=rows(GRID, least=1), seed=st.integers(0, 99))
def test_ranks_under_constraints_refine_violation(path, X, seed):
    V = np.random.default_rng(seed).integers(-1, 3, (len(X), 1)).astype(float)
    rank, total = pareto_rank(X, violations=V), total_violation(V)
    np.testing.assert_array_equal(rank == 0, non_dominated(X, violations=V))
    for level in np.unique(total):
        inside = total == level
        np.testing.assert_array_equal(rank[inside] - rank[inside].min(), pareto_rank(X[inside]))
        assert (rank[total < level] < rank[inside].min()).all()


def test_dominates_pairs():
    a, b = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, np.nan], [0.0, 9.0]]), np.array([1.0, 2.0])
    assert dominates(a, b).tolist() == [False, False, False, False]
    assert dominates(a, b, weakly=True).tolist() == [True, True, False, False]
    assert dominates(b, a).tolist() == [False, False, True, False]
    assert dominates([2.0, 2.0], b, maximize=True)
    assert dominates([0.0, 3.0], b, maximize=[False, True])
    assert isinstance(dominates(torch.tensor([0.0, 0.0]), b), torch.Tensor)
    with pytest.raises(ShapeError, match="must have equally many objectives; `a` has 3, `b` has 2"):
        dominates([1.0, 2.0, 3.0], b)


@settings(max_examples=60, deadline=None)
@given(
    X=hnp.arrays(np.float64, st.tuples(st.integers(1, 25), st.just(2)), elements=st.floats(0, 10)), e=st.floats(0.1, 4)
)
def test_epsilon_front_covers_everything(X, e):
    kept = X[epsilon_non_dominated(X, e)]
    assert non_dominated(kept).all()
    assert len(np.unique(np.floor(kept / e), axis=0)) == len(kept)
    worst = (kept[:, None] - X[None]).max(-1).min(0)
    assert (worst <= e * (1 + 1e-9)).all()
    np.testing.assert_array_equal(epsilon_non_dominated(-X, e, maximize=True), epsilon_non_dominated(X, e))


def test_epsilon_front_by_hand():
    X = np.array([[0.1, 2.9], [0.3, 2.2], [1.5, 1.5], [2.5, 1.9], [np.nan, 0.0]])
    assert np.flatnonzero(epsilon_non_dominated(X, 1.0)).tolist() == [1, 2]
    assert np.flatnonzero(epsilon_non_dominated(X, [0.1, 0.1])).tolist() == [0, 1, 2]
    assert np.flatnonzero(epsilon_non_dominated(X[None], 1.0)[0]).tolist() == [1, 2]
    for bad in (0.0, -1.0, np.inf):
        with pytest.raises(InputError, match="`epsilon` must be positive and finite"):
            epsilon_non_dominated(X, bad)


def test_crowding_distance_by_hand():
    X = np.array([[0.0, 4.0], [1.0, 2.0], [3.0, 1.0], [4.0, 0.0], [5.0, 5.0], [np.nan, 1.0]])
    # second row: (3 - 0) / 4 + (4 - 1) / 4; third row: (4 - 1) / 4 + (2 - 0) / 4
    expected = [np.inf, 1.5, 1.25, np.inf, np.inf, 0.0]
    np.testing.assert_allclose(crowding_distance(X), expected)
    np.testing.assert_allclose(crowding_distance(-X, maximize=True), expected)
    np.testing.assert_allclose(crowding_distance(torch.tensor(X)).numpy(), expected)
    np.testing.assert_allclose(
        crowding_distance(np.stack([X, X]), ranks=np.stack([pareto_rank(X)] * 2)), [expected] * 2
    )
    flat = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    np.testing.assert_allclose(crowding_distance(flat, ranks=[0, 0, 0]), [np.inf, 1.0, np.inf])
    assert crowding_distance(np.empty((0, 2))).shape == (0,)


@pytest.mark.parametrize("m", [2, 3])
def test_crowding_distance_agrees_with_pymoo(m):
    from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance

    X = np.random.default_rng(m).random((40, m))
    ranks = pareto_rank(X)
    ours = crowding_distance(X, ranks=ranks)
    for k in range(ranks.max() + 1):
        np.testing.assert_allclose(ours[ranks == k], calc_crowding_distance(X[ranks == k]) * m, rtol=1e-12)


@pytest.mark.parametrize("call", [non_dominated, pareto_rank, crowding_distance])
def test_bad_arguments_get_one_line(call):
    with pytest.raises(ShapeError, match=r"`values` must have shape \[\*batch, n, m\]; got \(3,\)"):
        call(np.zeros(3))
    with pytest.raises(InputError, match="`values` must be numbers"):
        call([["a", "b"]])
    with pytest.raises(InputError, match="`values` must be real; got torch.complex64"):
        call(torch.zeros(2, 2, dtype=torch.complex64))
    with pytest.raises(ShapeError, match="`maximize` must be a bool or one bool for each of the 2 objectives"):
        call(np.zeros((2, 2)), maximize=[True])
    with pytest.raises(ShapeError, match="`mask` must have the shape of the values without their last axis"):
        call(np.zeros((2, 2)), mask=np.ones(3, bool))
    with pytest.raises(InputError, match="`mask` must be Boolean"):
        call(np.zeros((2, 2)), mask=np.ones(2))


def test_bad_violations_and_ranks_get_one_line():
    with pytest.raises(ShapeError, match=r"`violations` must have shape \(2,\) \+ \(k,\), one row a point; got \(2,\)"):
        non_dominated(np.zeros((2, 2)), violations=np.zeros(2))
    with pytest.raises(ShapeError, match="`violations` must have shape"):
        pareto_rank(np.zeros((2, 2)), violations=np.zeros((3, 1)))
    with pytest.raises(ShapeError, match="`ranks` must have shape"):
        crowding_distance(np.zeros((2, 2)), ranks=[0])


def test_a_second_thread_changes_nothing(monkeypatch):
    dominance.FILTERING.load(), dominance.RANKING.load()
    X = np.random.default_rng(5).random((7, 50, 3))
    one = non_dominated(X), pareto_rank(X)
    monkeypatch.setattr(dominance, "THREAD_ROWS", 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    np.testing.assert_array_equal(non_dominated(X), one[0])
    np.testing.assert_array_equal(pareto_rank(X), one[1])


@pytest.mark.parametrize("m", [1, 2, 3, 5])
def test_kernels_serve_other_kernels(m):
    """The evolutionary solvers call the kernels on raw rows: failed rows last, equal rows equal, rows untouched."""
    from paretokit.core import _dominance_kernels as ranking
    from paretokit.core import _filter_kernels as filtering
    from paretokit.core import _sorting_kernels as sorting

    X = np.random.default_rng(m).integers(0, 6, (90, m)).astype(float)
    X[::17, 0] = [np.nan, np.inf, -np.inf, np.nan, np.inf, np.nan]
    before, ranks, flags = X.copy(), np.empty(90, np.int64), np.empty(90, bool)
    ranking.rank_kernel(X, ranks)
    filtering.filter_kernel(X, np.ones(90, bool), True, flags)  # noqa: FBT003 - kernels take positions
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(ranks, slow_rank(X))
    np.testing.assert_array_equal(flags, slow_filter(X))
    order = np.arange(90)[::-1].copy()
    sorting.stable_sort(np.where(np.isnan(X[:, 0]), 0, X[:, 0]), order, np.empty(120, np.int64))
    expected = np.argsort(np.where(np.isnan(X[::-1, 0]), 0, X[::-1, 0]), kind="stable")
    np.testing.assert_array_equal(order, np.arange(90)[::-1][expected])


@pytest.mark.parametrize("n", [5, 64, 1000, 5000])
@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_sorting_is_stable_for_every_size_and_sign(n, scale):
    from paretokit.core import _sorting_kernels as sorting

    values = np.random.default_rng(n).integers(-40, 40, n) * scale + 0.0
    values[0], values[-1] = np.inf, -np.inf
    order = np.arange(n)
    sorting.stable_sort(values, order, np.empty(n + 3, np.int64))
    np.testing.assert_array_equal(order, np.argsort(values, kind="stable"))
