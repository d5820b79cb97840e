"""Sparsity, spacing, spread, cardinality and Pareto-clusters entropy: peers, closed forms, limits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from paretokit import indicators as pi
from paretokit.core import InputError, ShapeError, UnknownNameError

SETS = hnp.arrays(np.float64, st.tuples(st.integers(2, 15), st.integers(1, 4)), elements=st.floats(-9, 9, width=32))


@settings(max_examples=60, deadline=None)
@given(A=SETS)
def test_sparsity_is_the_published_formula(A):
    total = 0.0
    for j in range(A.shape[1]):
        column = sorted(A[:, j])
        total += sum((column[i + 1] - column[i]) ** 2 for i in range(len(A) - 1))
    np.testing.assert_allclose(pi.sparsity(A), total / (len(A) - 1), rtol=1e-9, atol=1e-12)


def test_sparsity_by_hand_and_for_lonely_points():
    line = np.stack([np.arange(5.0), -np.arange(5.0)], 1)
    assert pi.sparsity(line) == pi.sparsity(line, maximize=True) == 2.0
    for lonely in (np.empty((0, 2)), line[:1], line * np.nan):
        assert np.isnan(pi.sparsity(lonely))
        assert pi.sparsity(lonely, compat=True) == 0


@pytest.mark.parametrize("m", [2, 3, 5])
def test_spacing_agrees_with_pymoo(m):
    from pymoo.indicators.spacing import SpacingIndicator

    A = np.random.default_rng(m).random((30, m))
    np.testing.assert_allclose(pi.spacing(A, ddof=0), SpacingIndicator()(A), rtol=1e-12)
    schott = pi.spacing(A) / pi.spacing(A, ddof=0)
    assert schott == pytest.approx(math.sqrt(30 / 29), rel=1e-12)


def test_spacing_by_hand():
    A = [[0.0, 0.0], [1.0, 1.0], [4.0, 5.0]]
    gaps = np.array([2.0, 2.0, 7.0])
    assert pi.spacing(A) == pytest.approx(gaps.std(ddof=1), rel=1e-14)
    assert pi.spacing(A, metric="euclidean") == pytest.approx(np.sqrt([2, 2, 25]).std(ddof=1), rel=1e-14)
    even = np.stack([np.arange(6.0), -np.arange(6.0)], 1)
    assert pi.spacing(even) == 0


def test_spread_by_hand():
    even = np.stack([np.arange(5.0), 4 - np.arange(5.0)], 1)
    ends = even[[0, -1]]
    for variant in ("deb", "generalized"):
        assert pi.spread(even, ends, variant=variant) == pytest.approx(0, abs=1e-15)
        assert pi.spread(-even, -ends, variant=variant, maximize=True) == pytest.approx(0, abs=1e-15)
    # the middle three: one unit (sqrt 2) is missing at each end, gaps are equal
    middle, unit = even[1:4], math.sqrt(2)
    assert pi.spread(middle, ends, variant="deb") == pytest.approx(2 * unit / (2 * unit + 2 * unit))
    assert pi.spread(middle, ends) == pytest.approx(2 * unit / (2 * unit + 3 * unit))
    # an uneven front that reaches its ends, in any order of rows
    uneven = np.array([[4.0, 0.0], [0.0, 4.0], [1.0, 3.0]])
    assert pi.spread(uneven, ends[::-1], variant="deb") == pytest.approx(2 * unit / (4 * unit))
    assert np.isnan(pi.spread(even[:1], ends))
    assert np.isnan(pi.spread(np.empty((0, 2)), ends, variant="deb"))
    assert pi.spread(even[[0, 0]], even[:1]) == 0


def test_debs_spread_masked_is_sliced():
    rng = np.random.default_rng(0)
    A, mask = rng.random((4, 8, 2)), rng.random((4, 8)) < 0.6
    ends = [[0.0, 1.0], [1.0, 0.0]]
    out = pi.spread(A, ends, variant="deb", mask=mask)
    np.testing.assert_allclose(out, [pi.spread(a[k], ends, variant="deb") for a, k in zip(A, mask, strict=True)])
    assert np.isfinite(out).any()


def test_cardinality_counts_different_front_points():
    A = [[0.0, 3.0], [0.04, 2.96], [0.0, 3.0], [2.0, 1.0], [2.0, 2.0], [np.nan, 0.0], [9.0, -np.inf]]
    assert pi.cardinality(A) == 3
    assert pi.cardinality(A, maximize=True) == 3
    assert pi.cardinality(A, tolerance=0.1) == 3
    assert pi.cardinality(A, tolerance=0.5) == 3
    assert pi.cardinality(np.array(A) + 0.25, tolerance=0.5) == 2
    assert pi.cardinality([A, A], tolerance=10.0).tolist() == [1, 1]
    assert pi.cardinality(np.empty((2, 0, 3)), tolerance=0.1).tolist() == [0, 0]
    assert pi.cardinality(A).dtype == np.int64
    with pytest.raises(InputError, match="`tolerance` must be finite and at least 0; got -1"):
        pi.cardinality(A, tolerance=-1)


def test_entropy_of_known_histograms():
    R = np.eye(4)
    even = np.repeat(R, 5, 0)
    assert pi.pc_entropy(even, R) == pytest.approx(math.log(4), rel=1e-14)
    assert pi.pc_entropy(np.repeat(R[:1], 9, 0), R) == 0
    uneven = np.concatenate([R[:1]] * 3 + [R[1:2]])
    expected = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert pi.pc_entropy(uneven, R) == pytest.approx(expected, rel=1e-14)
    published = -sum(p * math.log(p + 1e-8) for p in (0.75, 0.25))
    assert pi.pc_entropy(uneven, R, compat=True) == pytest.approx(published, rel=1e-14)
    # ties go to the first reference point; a masked reference point attracts nothing
    assert pi.pc_entropy(np.full((3, 4), 0.25), R) == 0
    assert pi.pc_entropy(even, R, reference_mask=[True, False, False, False]) == 0


@pytest.mark.parametrize(("d", "size"), [(2, 19), (3, 271), (4, 3439)])
def test_entropy_upper_bounds_of_the_cube_faces(d, size):
    """The reference set of the goal-conditioned papers: the unit grid of 10 an axis where some coordinate is 1."""
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 10)] * d, indexing="ij"), -1).reshape(-1, d)
    faces = grid[(grid == 1).any(1)]
    assert len(faces) == size
    assert pi.pc_entropy(faces, faces, maximize=True) == pytest.approx(math.log(size), rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 9999))
def test_entropy_is_bounded(seed):
    rng = np.random.default_rng(seed)
    A, R = rng.random((rng.integers(1, 30), 3)), rng.random((rng.integers(1, 9), 3))
    assert 0 <= pi.pc_entropy(A, R) <= math.log(min(len(A), len(R))) + 1e-12


def test_wrong_options_of_diversity_get_one_line():
    A = np.zeros((3, 2))
    with pytest.raises(UnknownNameError, match="did you mean 'manhattan'"):
        pi.spacing(A, metric="manhatan")
    with pytest.raises(InputError, match=r"`ddof` must be one of \[0, 1\]; got 2"):
        pi.spacing(A, ddof=2)
    with pytest.raises(UnknownNameError, match="did you mean 'generalized'"):
        pi.spread(A, A, variant="generalised")
    with pytest.raises(ShapeError, match="`values` must have two objectives for Deb's spread; got 3"):
        pi.spread(np.zeros((3, 3)), np.zeros((2, 3)), variant="deb")
    with pytest.raises(ShapeError, match="`extremes` must be two points for Deb's spread; got 3"):
        pi.spread(A, A, variant="deb")
    with pytest.raises(ShapeError, match=r"`extremes` must have shape \[e, 2\]; got \(0, 2\)"):
        pi.spread(A, np.empty((0, 2)))
    with pytest.raises(InputError, match="`extremes` must be finite"):
        pi.spread(A, [[np.nan, 0.0]])
