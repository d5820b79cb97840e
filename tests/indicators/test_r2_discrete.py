"""Discrete R2, expected utility and utility loss: definitions written out, published figures, limits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretokit import indicators as pi
from paretokit.core import InputError, ShapeError, UnknownNameError


def slow_r2(A, W, utility):
    return np.mean([min(utility(np.asarray(w), np.asarray(a)) for a in A) for w in W])


@pytest.mark.parametrize("m", [1, 2, 4])
def test_definitions_written_out(m):
    rng = np.random.default_rng(m)
    A, W, z, rho = rng.random((9, m)), rng.dirichlet(np.ones(m), 13), np.full(m, -0.5), 0.2
    table = {
        "tchebycheff": lambda w, a: max(w * (a - z)),
        "augmented": lambda w, a: max(w * (a - z)) + rho * sum(w * (a - z)),
        "linear": lambda w, a: sum(w * (a - z)),
        "achievement": lambda w, a: max((a - z) / w),
    }
    for name, utility in table.items():
        value = pi.r2(A, W, utopian_point=z, utility=name, rho=rho)
        np.testing.assert_allclose(value, slow_r2(A, W, utility), rtol=1e-12)
    desdeo = slow_r2(A, W, lambda w, a: max(w * abs(z - a)) + 0.05 * sum(abs(z - a)))
    np.testing.assert_allclose(pi.r2(A, W, utopian_point=z, convention="desdeo"), -desdeo, rtol=1e-12)
    inside = np.full(m, 0.5)  # not utopian: absolute and signed differences part
    absolute = slow_r2(A, W, lambda w, a: max(w * abs(inside - a)))
    np.testing.assert_allclose(pi.r2(A, W, utopian_point=inside, convention="brockhoff2012"), absolute, rtol=1e-12)
    np.testing.assert_allclose(pi.r2(A, W, utopian_point=inside, convention="jmetal"), absolute, rtol=1e-12)
    signed = slow_r2(A, W, lambda w, a: max(w * (a - inside)))
    np.testing.assert_allclose(pi.r2(A, W, utopian_point=inside), signed, rtol=1e-12)


def test_rho_moves_the_augmented_utility_only():
    A, W = [[1.0, 2.0]], [[0.5, 0.5]]
    options = {"utopian_point": [0, 0]}
    assert pi.r2(A, W, utility="augmented", rho=0.0, **options) == pi.r2(A, W, **options) == 1.0
    assert pi.r2(A, W, utility="augmented", rho=1.0, **options) == 2.5
    assert pi.r2(A, W, rho=1.0, **options) == 1.0


@pytest.mark.parametrize(
    ("m", "bins", "count", "norm"),
    [(2, 10, 10, 2.6527), (2, 50, 50, 5.8029), (3, 10, 55, 5.5277), (3, 50, 1275, 25.5051), (4, 20, 1540, 25.7804)],
)
def test_mogfn_divisor(m, bins, count, norm):
    """One point at distance 1 from the utopian point in every objective: R2 is sum of max w over ||W||."""
    W = pi.simplex_lattice(m, bins - 1)
    assert W.shape == (count, m)
    assert float(W.norm()) == pytest.approx(norm, abs=1e-4)
    value = pi.r2(np.zeros((1, m)), W, convention="mogfn-pc", maximize=True)
    assert value == pytest.approx(float(W.amax(1).sum() / W.norm()), rel=1e-12)


def test_mogfn_published_optima():
    """N-gram fronts found by dynamic programming: k letters split over two objectives, rewards k / 18."""
    front = np.array([[k, 18 - k] for k in range(19)]) / 18
    assert pi.r2(front, convention="mogfn-pc", maximize=True) == pytest.approx(1.4458, abs=1e-4)
    corners = front[[0, -1]]
    assert pi.r2(corners, convention="mogfn-pc", maximize=True) == pytest.approx(2.1101, abs=1e-4)
    three = pi.simplex_lattice(3, 18).numpy()
    assert pi.r2(three, convention="mogfn-pc", maximize=True) == pytest.approx(9.3019, abs=1e-4)


def test_converges_to_the_exact_r2():
    A = np.random.default_rng(0).random((12, 2))
    exact = pi.r2_exact(A, [-0.1, -0.1])
    assert pi.r2(A, pi.simplex_lattice(2, 20_000), utopian_point=[-0.1, -0.1]) == pytest.approx(exact, rel=1e-4)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 9999))
def test_linear_r2_and_expected_utility_are_one_thing(seed):
    rng = np.random.default_rng(seed)
    A, W, z = rng.normal(size=(7, 3)), rng.dirichlet(np.ones(3), 11), rng.normal(size=3)
    linear = pi.r2(A, W, utopian_point=z, utility="linear")
    np.testing.assert_allclose(-pi.expected_utility(A, W), linear + (W @ z).mean(), atol=1e-12)
    best = (W @ A.T).max(1)
    np.testing.assert_allclose(pi.expected_utility(A, W, maximize=True), best.mean(), rtol=1e-12)
    B = rng.normal(size=(5, 3))
    loss = pi.maximum_utility_loss(A, B, W, maximize=True)
    np.testing.assert_allclose(loss, ((W @ B.T).max(1) - best).max(), rtol=1e-10)
    assert pi.maximum_utility_loss(A, A, W) == 0
    assert pi.maximum_utility_loss(np.concatenate([A, B]), B, W) <= 0


def test_expected_utility_in_slices(monkeypatch):
    rng = np.random.default_rng(3)
    A, W = rng.random((2, 700, 3)), rng.dirichlet(np.ones(3), 4000)  # 5.6e6 utilities, three slices
    np.testing.assert_allclose(pi.expected_utility(A, W, maximize=True), (A @ W.T).max(1).mean(-1), rtol=1e-12)


def test_cmorl_weights_lose_what_rounding_loses():
    for step, kept, due in ((0.1, 62, 66), (0.05, 217, 231), (0.02, 1290, 1326)):
        lossy, whole = pi.cmorl_weights(3, step), pi.simplex_lattice(3, round(1 / step))
        assert (len(lossy), len(whole)) == (kept, due)
        assert all(sum(w) == 1 for w in lossy.tolist())
    A = np.random.default_rng(0).random((20, 3))
    ours, theirs = (pi.expected_utility(A, w, maximize=True) for w in (whole, lossy))
    assert ours != theirs
    assert len(pi.cmorl_weights(2, 1.0)) == 2


def test_conventions_know_their_source():
    known = pi.r2_conventions()
    assert set(known) == {"brockhoff2012", "desdeo", "jmetal", "mogfn-pc"}
    assert all(c.source for c in known.values())
    assert pi.r2(np.zeros((1, 2)), convention="jmetal", utopian_point=[-1, -1]) == pytest.approx(
        np.maximum(np.arange(100), np.arange(100)[::-1]).mean() / 99
    )


def test_missing_and_wrong_arguments_get_one_line():
    A, W = np.zeros((2, 2)), [[0.5, 0.5]]
    with pytest.raises(InputError, match="`weights` must be given; got None .`simplex_lattice"):
        pi.r2(A, utopian_point=[0, 0])
    with pytest.raises(InputError, match="`utopian_point` must be given; got None .R2 depends on it"):
        pi.r2(A, W)
    with pytest.raises(
        InputError, match="`weights` must be given; got None .convention 'jmetal' has no weights of its"
    ):
        pi.r2(np.zeros((2, 6)), convention="jmetal", utopian_point=[0] * 6)
    with pytest.raises(UnknownNameError, match="did you mean 'tchebycheff'"):
        pi.r2(A, W, utopian_point=[0, 0], utility="chebycheff")
    with pytest.raises(UnknownNameError, match="did you mean 'mogfn-pc'"):
        pi.r2(A, convention="mogfn")
    with pytest.raises(InputError, match="`rho` must be finite and at least 0; got -1"):
        pi.r2(A, W, utopian_point=[0, 0], rho=-1)
    with pytest.raises(ShapeError, match="`utopian_point` must have 2 entries, one per objective; got 3"):
        pi.r2(A, W, utopian_point=[0, 0, 0])
    with pytest.raises(InputError, match="`utopian_point` must be finite"):
        pi.r2(A, W, utopian_point=[0, math.inf])
    for f in (pi.expected_utility, lambda a, w: pi.maximum_utility_loss(a, a, w)):
        with pytest.raises(ShapeError, match=r"`weights` must have shape \[w, 2\] with w >= 1"):
            f(A, np.zeros((0, 2)))
        with pytest.raises(ShapeError, match=r"`weights` must have shape \[w, 2\]"):
            f(A, [0.5, 0.5])
        for bad in (-0.1, math.nan):
            with pytest.raises(InputError, match="`weights` must be finite and not negative"):
                f(A, [[bad, 1.1]])
