"""Distances, epsilon and coverage: moocore, pymoo, closed forms, numbers worked by hand."""

import math

import moocore
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from paretokit import indicators as pi
from paretokit.core import InputError, ShapeError, UnknownNameError

PAIRS = st.integers(1, 5).flatmap(
    lambda m: st.tuples(
        *(hnp.arrays(np.float64, st.tuples(st.integers(1, 12), st.just(m)), elements=st.floats(0.1, 9)) for _ in "ab")
    )
)


@settings(max_examples=60, deadline=None)
@given(pair=PAIRS, data=st.data())
def test_agrees_with_moocore(pair, data):
    A, R = pair
    m = A.shape[1]
    senses = data.draw(st.lists(st.booleans(), min_size=m, max_size=m))
    close = {"rtol": 1e-9, "atol": 1e-7}
    np.testing.assert_allclose(pi.igd(A, R), moocore.igd(A, R), **close)
    if m > 1:  # a single objective takes another path in moocore, which ignores p
        expected = moocore.avg_hausdorff_dist(A, R, p=2)
        np.testing.assert_allclose(pi.averaged_hausdorff(A, R, p=2), expected, **close)
    plus = moocore.igd_plus(A, R, maximise=senses)
    np.testing.assert_allclose(pi.igd_plus(A, R, maximize=senses), plus, **close)
    additive = moocore.epsilon_additive(A, ref=R, maximise=senses)
    np.testing.assert_allclose(pi.epsilon_additive(A, R, maximize=senses), additive, **close)
    factor = moocore.epsilon_mult(A, ref=R, maximise=senses)
    np.testing.assert_allclose(pi.epsilon_multiplicative(A, R, maximize=senses), factor, **close)


@pytest.mark.parametrize("m", [2, 3, 6])
def test_agrees_with_pymoo(m):
    from pymoo.indicators.gd import GD
    from pymoo.indicators.gd_plus import GDPlus
    from pymoo.indicators.igd import IGD
    from pymoo.indicators.igd_plus import IGDPlus

    rng = np.random.default_rng(m)
    A, R = rng.random((40, m)), rng.random((60, m))
    for ours, theirs in ((pi.gd, GD), (pi.gd_plus, GDPlus), (pi.igd, IGD), (pi.igd_plus, IGDPlus)):
        np.testing.assert_allclose(ours(A, R), theirs(R)(A), rtol=1e-12)


def test_powers_and_variants_by_hand():
    A, R = [[3.0, 0.0], [0.0, 4.0]], [[0.0, 0.0]]
    assert pi.gd(A, R) == 3.5
    assert pi.gd(A, R, p=2) == pytest.approx(math.sqrt(12.5))
    assert pi.gd(A, R, p=2, variant="veldhuizen") == 2.5
    assert pi.igd(A, R) == 3.0
    assert pi.igd(R, A, p=2, variant="veldhuizen") == 2.5
    assert pi.averaged_hausdorff(A, R) == 3.5
    assert pi.gd_plus(R, A) == 0.0
    assert pi.igd_plus(R, A) == 0.0
    assert pi.igd_plus(R, A, maximize=True) == 3.5
    assert pi.averaged_hausdorff(R, A, maximize=True, plus=True) == 3.5


def test_igd_is_not_pareto_compliant_but_igd_plus_is():
    """Figure 4 of Ishibuchi et al. (2015): A is dominated by B, yet has the smaller IGD."""
    R = [[10.0, 0.0], [6.0, 1.0], [2.0, 2.0], [1.0, 6.0], [0.0, 10.0]]
    A, B = [[4.0, 2.0], [3.0, 3.0], [2.0, 4.0]], [[8.0, 2.0], [4.0, 4.0], [2.0, 8.0]]
    assert pi.igd(A, R) == pytest.approx(3.707, abs=1e-3)
    assert pi.igd(B, R) == pytest.approx(2.591, abs=1e-3)
    assert pi.igd_plus(A, R) == pytest.approx(1.483, abs=1e-3)
    assert pi.igd_plus(B, R) == pytest.approx(2.260, abs=1e-3)


def test_zero_on_the_reference_set_itself():
    R = np.random.default_rng(0).random((30, 3)) + 1e6  # small distances far from the origin survive
    for f in (pi.igd, pi.igd_plus, pi.gd, pi.gd_plus, pi.averaged_hausdorff, pi.epsilon_additive):
        assert f(R, R) == 0
    assert pi.epsilon_multiplicative(R, R) == 1
    np.testing.assert_allclose(pi.igd(R + 1e-6, R), math.sqrt(3) * 1e-6, rtol=1e-3)


def test_epsilon_by_hand():
    A, R = [[2.0, 3.0], [4.0, 1.0]], [[1.0, 2.0], [3.0, 1.0]]
    assert pi.epsilon_additive(A, R) == 1
    assert pi.epsilon_additive(R, A) == 0
    assert pi.epsilon_multiplicative(A, R) == 2
    assert pi.epsilon_multiplicative(A, R, maximize=True) == 1
    assert pi.epsilon_additive(np.array(R) - 1, R) == -1
    assert pi.epsilon_multiplicative(np.empty((0, 2)), R) == math.inf
    assert pi.epsilon_multiplicative([[np.nan, 1.0]], R) == math.inf


@settings(max_examples=30, deadline=None)
@given(pair=PAIRS)
def test_epsilon_is_the_shift_that_reaches_coverage(pair):
    A, R = pair
    shift = pi.epsilon_additive(A, R)
    assert pi.coverage(A - shift - 1e-9, R) == 1
    assert pi.coverage(A - shift + 1e-6, R) < 1
    np.testing.assert_allclose(pi.epsilon_multiplicative(3 * A, 3 * R), pi.epsilon_multiplicative(A, R), rtol=1e-12)


def test_multiplicative_epsilon_batched_masked_and_refused():
    rng = np.random.default_rng(1)
    A, R, mask = rng.random((4, 6, 2)) + 0.1, rng.random((5, 2)) + 0.1, rng.random((4, 6)) < 0.6
    mask[:, 0] = True
    out = pi.epsilon_multiplicative(A, R, mask=mask)
    np.testing.assert_allclose(out, [pi.epsilon_multiplicative(a[k], R) for a, k in zip(A, mask, strict=True)])
    A[~mask] = -1  # rows that do not count need not be positive
    np.testing.assert_array_equal(pi.epsilon_multiplicative(A, R, mask=mask), out)
    with pytest.raises(InputError, match="`values` must be positive for a multiplicative epsilon; got -1"):
        pi.epsilon_multiplicative(A, R)
    with pytest.raises(InputError, match="`reference` must be positive"):
        pi.epsilon_multiplicative(A, -R, mask=mask)


def test_coverage_by_hand():
    A, B = [[1.0, 1.0], [0.0, 3.0]], [[1.0, 1.0], [2.0, 0.0], [0.0, 4.0], [np.nan, 9.0], [5.0, 5.0]]
    assert pi.coverage(A, B) == 0.75
    assert pi.coverage(B, A) == 0.5
    assert pi.coverage(A, B, maximize=True) == 0.25
    assert np.isnan(pi.coverage(A, np.empty((0, 2))))
    assert pi.coverage(A, B, others_mask=[False, True, False, True, True]) == 0.5
    np.testing.assert_array_equal(pi.coverage([A, A], [B[:2], A]), [0.5, 1.0])
    with pytest.raises(ShapeError, match="`others` must have no leading axes or those of `values`"):
        pi.coverage(A, [A, A])
    with pytest.raises(ShapeError, match="`others` must have 2 objectives"):
        pi.coverage(A, np.zeros((3, 3)))


def test_wrong_options_get_one_line():
    A = np.zeros((2, 2))
    for p in (0, -1.0, math.inf, math.nan):
        with pytest.raises(InputError, match="`p` must be positive and finite"):
            pi.igd(A, A, p=p)
    with pytest.raises(UnknownNameError, match="did you mean 'veldhuizen'"):
        pi.gd(A, A, variant="velthuizen")


def test_memory_stays_small_for_large_sets():
    """1e4 x 1e4 pairs: the matrix alone would take 800 MB."""
    import tracemalloc

    from paretokit.indicators import _nearest

    _nearest.KERNELS.load()
    A, R = np.random.default_rng(2).random((2, 10_000, 3))
    tracemalloc.start()
    value = pi.igd_plus(A, R)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0 <= value < 0.1
    assert peak < 50e6
