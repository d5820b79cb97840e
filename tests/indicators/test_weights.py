"""Weight sets and reference points: counts, exactness, pymoo, statistics, rules."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from paretokit import indicators as pi
from paretokit.core import InputError, Rng, ShapeError, UnknownNameError


@pytest.mark.parametrize(("m", "h"), [(1, 4), (2, 1), (2, 99), (3, 10), (4, 7), (6, 3), (9, 2)])
def test_lattice_is_every_rational_point(m, h):
    W = pi.simplex_lattice(m, h)
    expected = [k for k in itertools.product(range(h + 1), repeat=m) if sum(k) == h] if (h + 1) ** m < 1e5 else None
    assert W.shape == (math.comb(h + m - 1, m - 1), m) == (pi.lattice_size(m, h), m)
    counts = torch.round(W * h).to(torch.int64)
    assert (counts.sum(1) == h).all()
    assert all(w == float(Fraction(int(k), h)) for w, k in zip(W.flatten(), counts.flatten(), strict=True))
    if expected is not None:
        assert counts.tolist() == [list(k) for k in expected]


def test_lattices_agree_with_pymoo():
    from pymoo.util.ref_dirs import get_reference_directions

    one = get_reference_directions("das-dennis", 4, n_partitions=6)
    np.testing.assert_allclose(pi.simplex_lattice(4, 6).numpy(), one, atol=1e-15)
    outer, inner = pi.simplex_lattice(8, 3), pi.simplex_lattice(8, 2)
    two = pi.two_layer_lattice(8, 3, 2)
    assert two.shape == (120 + 36, 8)
    np.testing.assert_array_equal(two[:120], outer)
    np.testing.assert_allclose(two[120:], inner / 2 + 1 / 16)
    scaled = get_reference_directions("das-dennis", 8, n_partitions=2, scaling=0.3)
    np.testing.assert_allclose(pi.two_layer_lattice(8, 3, 2, shrink=0.3)[120:], scaled, atol=1e-15)


def nearest_gaps(W):
    return torch.cdist(W, W).fill_diagonal_(math.inf).amin(1)


@pytest.mark.parametrize(("m", "n"), [(2, 11), (3, 28), (4, 40)])
def test_riesz_points_are_spread_out(m, n):
    W = pi.riesz_energy_points(m, n, Rng.from_seed(1))
    assert W.shape == (n, m)
    assert (W >= 0).all()
    torch.testing.assert_close(W.sum(1), torch.ones(n, dtype=torch.float64), rtol=0, atol=1e-12)
    for corner in torch.eye(m, dtype=torch.float64):
        assert (corner == W).all(1).any()
    drawn = pi.dirichlet_weights(m, n, Rng.from_seed(1))
    assert nearest_gaps(W).min() > 3 * nearest_gaps(drawn).min()
    assert torch.equal(W, pi.riesz_energy_points(m, n, Rng.from_seed(1)))
    assert not torch.equal(W, pi.riesz_energy_points(m, n, Rng.from_seed(2)))


def test_riesz_points_in_the_plane_are_even():
    """Repelling points on a segment are symmetric and nearly even; the lattice is the comparison."""
    W = pi.riesz_energy_points(2, 11, Rng.from_seed(0))
    np.testing.assert_allclose(W, pi.simplex_lattice(2, 10), atol=0.01)
    rough = pi.riesz_energy_points(2, 11, Rng.from_seed(0), iterations=5)
    assert nearest_gaps(rough).min() < nearest_gaps(W).min()


def test_riesz_points_match_pymoo_in_energy():
    from pymoo.util.ref_dirs import get_reference_directions

    def energy(W):
        distance = torch.cdist(W, W)
        return float((distance[~torch.eye(len(W), dtype=torch.bool)] ** -9).sum().log())

    theirs = torch.from_numpy(get_reference_directions("energy", 3, 20, seed=1))
    assert energy(pi.riesz_energy_points(3, 20, Rng.from_seed(0))) < energy(theirs) + 0.1


def test_few_riesz_points():
    assert pi.riesz_energy_points(1, 3, Rng.from_seed(0)).tolist() == [[1.0]] * 3
    assert pi.riesz_energy_points(4, 1, Rng.from_seed(0)).tolist() == [[0.25] * 4]
    two = pi.riesz_energy_points(3, 2, Rng.from_seed(0))  # fewer than corners: they flee to two of them
    assert float((two[0] - two[1]).norm()) == pytest.approx(math.sqrt(2), rel=0.02)


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0, [1.0, 2.0, 5.0]])
def test_dirichlet_moments(alpha):
    """Mean and variance over 20 000 draws, within five standard errors (seed fixed)."""
    n, a = 20_000, np.broadcast_to(alpha, 3).astype(float)
    W = pi.dirichlet_weights(3, n, Rng.from_seed(3), alpha=alpha).numpy()
    mean = a / a.sum()
    variance = mean * (1 - mean) / (a.sum() + 1)
    assert (abs(W.mean(0) - mean) < 5 * np.sqrt(variance / n)).all()
    np.testing.assert_allclose(W.var(0), variance, rtol=0.06)
    np.testing.assert_allclose(W.sum(1), 1)
    assert pi.dirichlet_weights(3, 0, Rng.from_seed(0)).shape == (0, 3)


def test_ideal_and_nadir():
    A = np.array([[0.0, 3.0], [2.0, 1.0], [9.0, 9.0], [np.nan, -5.0], [-np.inf, 0.0]])
    assert pi.ideal_point(A).tolist() == [0, 1]
    assert pi.nadir_point(A).tolist() == [2, 3]  # dominated and failed rows do not count
    assert pi.ideal_point(A, maximize=True).tolist() == pi.nadir_point(A, maximize=True).tolist() == [9, 9]
    assert pi.nadir_point(A, maximize=[False, True]).tolist() == [9, 3]
    batch = np.stack([A, A + 1])
    assert pi.ideal_point(batch).tolist() == [[0, 1], [1, 2]]
    assert pi.nadir_point(torch.tensor(batch), mask=torch.tensor(np.arange(5) > 0).expand(2, 5)).tolist() == [
        [2, 1],
        [3, 2],
    ]
    for f in (pi.ideal_point, pi.nadir_point):
        assert np.isnan(f(np.empty((0, 3)))).all()
        assert np.isnan(f(A * np.nan)).all()


def test_reference_point_rules():
    A = np.array([[0.0, 30.0], [1.0, 10.0], [2.0, 0.0], [5.0, 50.0]])
    np.testing.assert_allclose(pi.infer_reference_point(A), [2.2, 33])
    np.testing.assert_allclose(pi.infer_reference_point(A, fraction=0), [2, 30])
    np.testing.assert_allclose(pi.infer_reference_point(-A, maximize=True), [-2.2, -33])
    # three points in the plane are a lattice of two partitions: nadir + range / 2
    np.testing.assert_allclose(pi.infer_reference_point(A, rule="lattice"), [3, 45])
    np.testing.assert_allclose(pi.infer_reference_point(A, rule="lattice", partitions=10), [2.2, 33])
    np.testing.assert_allclose(pi.infer_reference_point([[4.0, 0.5]]), [4.4, 0.6])  # no range: its size, at least 1
    np.testing.assert_allclose(pi.infer_reference_point([[4.0], [2.0]], rule="lattice"), [4.0])
    ref = pi.infer_reference_point(np.stack([A, 2 * A]))
    np.testing.assert_allclose(ref, [[2.2, 33], [4.4, 66]])
    assert (pi.hypervolume_contributions(A[:3], ref[0]) > 0).all()


def test_lattice_rule_weighs_extremes_like_the_others():
    """On an even linear front with r = 1 + 1/H every point contributes the same area."""
    for h in (4, 9):
        A = pi.simplex_lattice(2, h).numpy()
        ref = pi.infer_reference_point(A, rule="lattice")
        np.testing.assert_allclose(ref, 1 + 1 / h)
        np.testing.assert_allclose(pi.hypervolume_contributions(A, ref), 1 / h**2)


def test_wrong_arguments_of_weights_get_one_line():
    rng = Rng.from_seed(0)
    cases = [
        (lambda: pi.simplex_lattice(0, 3), "`m` must be at least 1; got 0"),
        (lambda: pi.simplex_lattice(3, 0), "`partitions` must be at least 1"),
        (lambda: pi.simplex_lattice(20, 30), "`partitions` must give at most 10000000 points; got"),
        (lambda: pi.two_layer_lattice(3, 2, 1, shrink=1.0), "`shrink` must lie strictly between 0 and 1; got 1.0"),
        (lambda: pi.cmorl_weights(3, 0.0), r"`step` must lie in \(0, 1\]; got 0.0"),
        (lambda: pi.cmorl_weights(5, 0.02), "`step` must give at most 10000000 grid points"),
        (lambda: pi.dirichlet_weights(3, -1, rng), "`n` must be at least 0"),
        (lambda: pi.dirichlet_weights(3, 2, rng, alpha=0), "`alpha` must be positive and finite; got 0"),
        (lambda: pi.riesz_energy_points(3, 0, rng), "`n` must be at least 1"),
        (lambda: pi.infer_reference_point(np.empty((0, 2))), "`values` must hold at least one finite point; got none"),
        (lambda: pi.infer_reference_point([[1.0, 2.0]], fraction=-1), "`fraction` must be finite and at least 0"),
        (lambda: pi.infer_reference_point([[1.0, 2.0]], rule="lattice", partitions=0), "`partitions` must be at least"),
    ]
    for call, line in cases:
        with pytest.raises(InputError, match=line):
            call()
    with pytest.raises(ShapeError, match="`alpha` must be a number or have 3 entries; got 2"):
        pi.dirichlet_weights(3, 2, rng, alpha=[1.0, 1.0])
    with pytest.raises(UnknownNameError, match="did you mean 'lattice'"):
        pi.infer_reference_point([[1.0, 2.0]], rule="latice")
