"""What every indicator promises: batches, masks, failed rows, kinds of arrays, senses, gradients, one-line errors."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paretokit import indicators as pi
from paretokit.core import InputError, ShapeError
from paretokit.indicators import _nearest

R = np.random.default_rng(7).random((6, 3)) + 0.1
W = pi.simplex_lattice(3, 4).numpy()
Z = [0.0, 0.0, 0.0]
E = np.eye(3)


def with_reference(f, **options):
    return lambda v, maximize=False, **o: f(v, _sensed(R, maximize), maximize=maximize, **options, **o)


def with_weights(f, **options):
    return lambda v, maximize=False, **o: f(v, W, maximize=maximize, **options, **o)


def with_utopian(**options):
    return lambda v, maximize=False, **o: pi.r2(
        v, W, utopian_point=_sensed(np.array(Z), maximize), maximize=maximize, **options, **o
    )


def _sensed(points, maximize):
    flip = np.broadcast_to(np.asarray(maximize), points.shape[-1:])
    return np.where(flip, -points, points)


CALLS = {
    "igd": with_reference(pi.igd),
    "igd p=2": with_reference(pi.igd, p=2),
    "igd_plus": with_reference(pi.igd_plus),
    "igd_plus p=3": with_reference(pi.igd_plus, p=3),
    "gd": with_reference(pi.gd),
    "gd veldhuizen": with_reference(pi.gd, p=2, variant="veldhuizen"),
    "gd_plus": with_reference(pi.gd_plus),
    "averaged_hausdorff": with_reference(pi.averaged_hausdorff, p=2),
    "averaged_hausdorff plus": with_reference(pi.averaged_hausdorff, plus=True),
    "epsilon_additive": with_reference(pi.epsilon_additive),
    "r2 tchebycheff": with_utopian(),
    "r2 augmented": with_utopian(utility="augmented", rho=0.1),
    "r2 linear": with_utopian(utility="linear"),
    "r2 achievement": with_utopian(utility="achievement"),
    "r2 desdeo": with_utopian(convention="desdeo"),
    "expected_utility": with_weights(pi.expected_utility),
    "maximum_utility_loss": lambda v, maximize=False, **o: pi.maximum_utility_loss(
        v, _sensed(R, maximize), W, maximize=maximize, **o
    ),
    "sparsity": pi.sparsity,
    "spacing": pi.spacing,
    "spacing euclidean": lambda v, **o: pi.spacing(v, metric="euclidean", ddof=0, **o),
    "spread": lambda v, maximize=False, **o: pi.spread(v, _sensed(E, maximize), maximize=maximize, **o),
    "coverage": lambda v, maximize=False, **o: pi.coverage(v, _sensed(R, maximize), maximize=maximize, **o),
    "cardinality": pi.cardinality,
    "pc_entropy": with_reference(pi.pc_entropy),
    "pc_entropy compat": with_reference(pi.pc_entropy, compat=True),
}
WORST = {
    "igd": math.inf,
    "igd_plus": math.inf,
    "gd": math.inf,
    "gd_plus": math.inf,
    "averaged_hausdorff": math.inf,
    "epsilon_additive": math.inf,
    "r2 tchebycheff": math.inf,
    "r2 linear": math.inf,
    "r2 desdeo": -math.inf,
    "expected_utility": -math.inf,
    "maximum_utility_loss": math.inf,
    "sparsity": math.nan,
    "spacing": math.nan,
    "spread": math.nan,
    "coverage": 0,
    "cardinality": 0,
    "pc_entropy": 0,
}
SMOOTH = [n for n in CALLS if n not in ("coverage", "cardinality", "pc_entropy", "pc_entropy compat")]
everywhere = pytest.mark.parametrize("name", list(CALLS))


def sets(seed, *shape):
    return np.random.default_rng(seed).random(shape)


@everywhere
def test_batched_is_looped(name):
    X = sets(0, 2, 3, 8, 3)
    out = CALLS[name](X)
    assert out.shape == (2, 3)
    for i in np.ndindex(2, 3):
        one = CALLS[name](X[i])
        assert np.ndim(one) == 0
        np.testing.assert_allclose(out[i], one, rtol=1e-13)


@everywhere
def test_masked_is_sliced_and_failed_rows_do_not_count(name):
    X, mask = sets(1, 5, 9, 3), sets(2, 5, 9) < 0.6
    mask[0], mask[1, 1:] = True, False
    masked = CALLS[name](X, mask=mask)
    sliced = [CALLS[name](x[m]) for x, m in zip(X, mask, strict=True)]
    np.testing.assert_allclose(masked, sliced, rtol=1e-13)
    for bad in (np.nan, np.inf, -np.inf):
        failed = X.copy()
        failed[~mask, 1] = bad
        np.testing.assert_allclose(CALLS[name](failed), sliced, rtol=1e-13)


@everywhere
def test_order_of_rows_does_not_matter(name):
    X = sets(3, 10, 3)
    np.testing.assert_allclose(CALLS[name](X[::-1]), CALLS[name](X), rtol=1e-12)


@everywhere
@pytest.mark.parametrize("maximize", [True, [True, False, True]])
def test_senses_are_a_flip(name, maximize):
    X = sets(4, 10, 3)
    np.testing.assert_allclose(CALLS[name](_sensed(X, maximize), maximize=maximize), CALLS[name](X), rtol=1e-13)


@everywhere
def test_arrays_and_tensors(name):
    X = sets(5, 4, 7, 3)
    X.flags.writeable = False
    out = CALLS[name](X)
    assert isinstance(out, np.ndarray)
    tensor = CALLS[name](torch.tensor(X))
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_array_equal(tensor.numpy(), out)
    single = CALLS[name](torch.tensor(X, dtype=torch.float32))
    assert single.dtype == (torch.int64 if name == "cardinality" else torch.float32)
    np.testing.assert_allclose(single.numpy(), out, rtol=2e-5)
    assert isinstance(CALLS[name](X[0].tolist()), np.generic)


@pytest.mark.parametrize("name", WORST)
@pytest.mark.parametrize("empty", ["no rows", "all failed", "masked out"])
def test_empty_front_is_worst(name, empty):
    if empty == "no rows":
        out = CALLS[name](np.empty((2, 0, 3)))
    elif empty == "all failed":
        out = CALLS[name](np.full((2, 4, 3), np.nan))
    else:
        out = CALLS[name](sets(6, 2, 4, 3), mask=np.zeros((2, 4), bool))
    np.testing.assert_array_equal(out, [WORST[name]] * 2)


@everywhere
def test_one_point_and_duplicates_are_defined(name):
    x = sets(8, 1, 3)
    for X in (x, np.repeat(x, 4, 0)):
        value = CALLS[name](X)
        assert not np.isinf(value)
        lonely = name.split()[0] in ("sparsity", "spacing", "spread") and len(X) == 1
        assert np.isnan(value) == lonely


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients(name):
    X = torch.tensor(sets(9, 2, 6, 3), requires_grad=True)
    mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    assert torch.autograd.gradcheck(lambda v: CALLS[name](v, mask=mask), X)
    (slope,) = torch.autograd.grad(CALLS[name](X, mask=mask).sum(), X)
    assert not slope[1, 4:].any()


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_are_finite_beside_failed_and_coinciding_rows(name):
    X = sets(10, 8, 3)
    X[:2], X[2], X[3] = R[:2], X[4], np.nan
    leaf = torch.tensor(X, requires_grad=True)
    (slope,) = torch.autograd.grad(CALLS[name](leaf), leaf)
    assert torch.isfinite(slope).all()
    assert not slope[3].any()


@everywhere
def test_shapes_and_options_get_one_line(name):
    with pytest.raises(ShapeError, match=r"`values` must have shape \[\*batch, n, m\]; got \(3,\)"):
        CALLS[name](np.zeros(3))
    with pytest.raises(ShapeError, match="`maximize` must be a bool or one bool for each of the 3 objectives"):
        CALLS[name](np.zeros((2, 3)), maximize=_Lenient([True, False]))
    with pytest.raises(ShapeError, match="`mask` must have the shape of the values without their last axis"):
        CALLS[name](np.zeros((2, 3)), mask=np.ones(5, bool))


class _Lenient(list):
    """Two senses where three are due, which broadcast in this file's own helper."""

    def __array__(self, dtype=None, copy=None):
        return np.zeros((), bool)


@pytest.mark.parametrize("cost", list(_nearest.Cost))
@pytest.mark.parametrize("others", [False, True])
def test_nearest_twins_agree(cost, others, monkeypatch):
    monkeypatch.setattr(_nearest, "TILE", 64)
    rng = np.random.default_rng(int(cost))
    q, c = (torch.tensor(rng.integers(0, 5, (3, 17, 4)).astype(float)) for _ in range(2))
    alive = torch.tensor(rng.random((3, 17)) < 0.7)
    alive[2] = False
    out = torch.empty((2, 3, 17), dtype=torch.int64)
    kernel = _nearest.KERNELS.load().nearest_stack
    kernel(q.numpy(), c.numpy(), alive.numpy(), int(cost), 0.3, others, out[0].numpy())
    _nearest._nearest_plain(q, c, alive, cost, 0.3, others, out[1])
    assert torch.equal(out[0], out[1])
    assert (out[0, 2] == -1).all()
    shared = torch.empty((3, 17), dtype=torch.int64)
    kernel(q.numpy(), c[:1].numpy(), alive[:1].numpy(), int(cost), 0.3, others, shared.numpy())
    _nearest._nearest_plain(q, c[:1], alive[:1], cost, 0.3, others, out[1])
    assert torch.equal(shared, out[1])


def test_nearest_spans_blocks_and_never_stores_all_pairs(monkeypatch):
    rng = np.random.default_rng(0)
    q, c = torch.tensor(rng.random((1, 30, 3))), torch.tensor(rng.random((1, 5000, 3)))
    alive = torch.ones((1, 5000), dtype=torch.bool)
    expected = torch.cdist(q, c, compute_mode="donot_use_mm_for_euclid_dist").argmin(-1)
    for compiled in (True, False):
        monkeypatch.setattr(_nearest.KERNELS, "worth", lambda seconds=0.0, choice=compiled: choice)
        assert torch.equal(_nearest.nearest(q, c, alive, _nearest.Cost.EUCLIDEAN), expected)


COMPLIANT = ["igd_plus", "epsilon_additive", "r2 tchebycheff", "r2 augmented", "r2 linear"]


@pytest.mark.parametrize("name", COMPLIANT)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_weak_pareto_compliance(name, seed):
    """A front that weakly dominates another one, and a front with a point more, never score worse."""
    rng = np.random.default_rng(seed)
    X = rng.random((rng.integers(1, 9), 3))
    better = X - rng.random(X.shape) * (rng.random(X.shape) < 0.4)
    assert CALLS[name](better) <= CALLS[name](X) + 1e-12
    assert CALLS[name](np.concatenate([X, rng.random((1, 3))])) <= CALLS[name](X) + 1e-12


@pytest.mark.parametrize("name", ["igd", "gd", "averaged_hausdorff", "epsilon_additive", "igd_plus", "gd_plus"])
def test_distances_shift_and_scale(name):
    f = getattr(pi, name)
    X, shift = sets(11, 9, 3), np.array([3.0, -2.0, 0.5])
    np.testing.assert_allclose(f(X + shift, R + shift), f(X, R), rtol=1e-10)
    np.testing.assert_allclose(f(4 * X, 4 * R), 4 * f(X, R), rtol=1e-12)


def test_diversity_shifts_and_scales():
    X, shift = sets(12, 9, 3), np.array([3.0, -2.0, 0.5])
    for f, power in ((pi.sparsity, 2), (pi.spacing, 1), (lambda v: pi.spread(v, v[:2]), 0)):
        np.testing.assert_allclose(f(X + shift), f(X), rtol=1e-10)
        np.testing.assert_allclose(f(4 * X), 4**power * f(X), rtol=1e-12)


def test_wrong_reference_gets_one_line():
    X = np.zeros((2, 4, 3))
    for f in (pi.igd, pi.igd_plus, pi.gd, pi.gd_plus, pi.averaged_hausdorff, pi.epsilon_additive, pi.pc_entropy):
        with pytest.raises(InputError, match="`reference` must hold at least one point"):
            f(X, np.empty((0, 3)))
        with pytest.raises(InputError, match="`reference` must be finite"):
            f(X, [[0.0, np.nan, 0.0]])
        with pytest.raises(ShapeError, match="`reference` must have 3 objectives in its last axis; got 2"):
            f(X, np.zeros((5, 2)))
        with pytest.raises(ShapeError, match=r"`reference` must have no leading axes or those of `values`, \(2,\)"):
            f(X, np.zeros((3, 5, 3)))
        with pytest.raises(InputError, match="`reference` must hold at least one point"):
            f(X, np.zeros((5, 3)), reference_mask=np.zeros(5, bool))


@pytest.mark.parametrize("f", [pi.igd, pi.igd_plus, pi.gd, pi.gd_plus, pi.averaged_hausdorff, pi.epsilon_additive])
def test_references_of_their_own_and_ragged(f):
    X, S, mask = sets(13, 4, 6, 2), sets(14, 4, 5, 2), sets(15, 4, 5) < 0.7
    mask[:, 0] = True
    out = f(X, S, reference_mask=mask)
    np.testing.assert_allclose(out, [f(x, s[k]) for x, s, k in zip(X, S, mask, strict=True)], rtol=1e-13)


def test_public_names_are_sorted_and_documented():
    names = pi.__all__
    assert names == sorted(names, key=lambda n: (not n[0].isupper(), n))
    for name in names:
        assert len(getattr(pi, name).__doc__.split("\n")[0]) > 15
