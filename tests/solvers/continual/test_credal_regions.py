"""Distances, combinations and regions of Gaussians, against closed forms, SciPy and torch."""

import math

import pytest
import torch

from paretokit.core import InputError, Rng, ShapeError
from paretokit.solvers.continual import (
    KnowledgeBase,
    Region,
    chi_square_quantile,
    combined,
    kl_divergence,
    wasserstein,
)

ONE = torch.ones(1, dtype=torch.float64)


def numbers(*shape, seed=0):
    return Rng.from_seed(seed).normal(*shape)


def test_the_distance_is_the_one_worked_out_by_hand():
    mean, std = torch.zeros(2), torch.ones(2)
    others = torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.tensor([[1.0, 3.0], [1.0, 1.0]])
    assert wasserstein(mean, std, others=others).tolist() == pytest.approx([math.sqrt(29), 0])
    with pytest.raises(ShapeError, match="`others` must have as many means as deviations"):
        wasserstein(mean, std, others=(others[0], others[1][:1]))


def test_the_distance_is_that_of_matrices():
    import scipy.linalg

    a, b = numbers(5).exp(), numbers(5, seed=1).exp()
    mean = numbers(5, seed=2)
    root = scipy.linalg.sqrtm(torch.diag(a**2).numpy())
    cross = scipy.linalg.sqrtm(root @ torch.diag(b**2).numpy() @ root)
    bures = (a**2).sum() + (b**2).sum() - 2 * torch.tensor(cross).diagonal().sum()
    due = (mean.square().sum() + bures).sqrt()
    found = wasserstein(mean, a, others=(torch.zeros(1, 5, dtype=torch.float64), b.unsqueeze(0)))
    assert float(found) == pytest.approx(float(due), rel=1e-9)


def test_the_divergence_is_torchs():
    mean, std, prior_mean, prior_std = (
        numbers(3, 7),
        numbers(3, 7, seed=1).exp(),
        numbers(7, seed=2),
        0.3 * torch.ones(7),
    )
    posterior = torch.distributions.Normal(mean, std)
    prior = torch.distributions.Normal(prior_mean, prior_std.double())
    due = torch.distributions.kl_divergence(posterior, prior).sum(-1)
    torch.testing.assert_close(kl_divergence(mean, std, prior_mean=prior_mean, prior_std=prior_std), due)
    same = kl_divergence(mean, std, prior_mean=mean, prior_std=std)
    torch.testing.assert_close(same, torch.zeros_like(same))


@pytest.mark.parametrize("degrees", [1, 2, 9, 514, 20_000])
@pytest.mark.parametrize("mass", [0.01, 0.5, 0.99])
def test_quantiles_are_scipys(degrees, mass):
    from scipy.stats import chi2

    assert chi_square_quantile(degrees, mass) == pytest.approx(float(chi2.ppf(mass, degrees)), rel=1e-9)


def test_quantiles_out_of_range_are_refused():
    with pytest.raises(InputError, match=r"`mass` must lie in \(0, 1\); got 1.0"):
        chi_square_quantile(3, 1.0)


def region(d, alpha, shape="ellipsoid"):
    return Region(numbers(1, d), numbers(1, d, seed=1).exp(), ONE, alpha, shape)


@pytest.mark.parametrize("alpha", [0.01, 0.2, 0.9])
def test_an_ellipsoid_holds_its_share_of_the_distribution(alpha):
    made = region(6, alpha)
    draws = made.mean + made.std * numbers(20_000, 6, seed=2)
    error = 4 * math.sqrt(alpha * (1 - alpha) / 20_000)
    assert float(made.contains(draws).double().mean()) == pytest.approx(1 - alpha, abs=error)


def test_draws_are_uniform_in_an_ellipsoid():
    made = region(3, 0.1)
    x = made.sample(20_000, Rng.from_seed(3))
    assert bool(made.contains(x).all())
    unit = (x - made.center) / made.std / chi_square_quantile(3, 0.9) ** 0.5
    radius = torch.linalg.vector_norm(unit, dim=1)
    assert float((radius < 0.5).double().mean()) == pytest.approx(0.125, abs=0.01)  # an eighth of the volume
    assert unit.mean(0).abs().max() < 0.015
    torch.testing.assert_close(unit.square().mean(0), torch.full((3,), 0.2, dtype=torch.float64), atol=0.01, rtol=0)


def test_a_box_of_so_much_mass_a_coordinate_has_its_power_as_joint_mass():
    d, alpha = 10, 0.1
    made = region(d, alpha, "box")
    draws = made.mean + made.std * numbers(20_000, d, seed=4)
    joint = (1 - alpha) ** d
    assert float(made.contains(draws).double().mean()) == pytest.approx(joint, abs=4 * math.sqrt(joint / 20_000))
    x = made.sample(5000, Rng.from_seed(5))
    assert bool(made.contains(x).all())
    half = 1.6448536
    unit = (x - made.center) / made.std
    assert float(unit.abs().max()) == pytest.approx(half, abs=1e-3)
    assert float(unit.square().mean()) == pytest.approx(half**2 / 3, rel=0.02)


def test_a_mixtures_region_is_where_it_is_dense():
    means = torch.tensor([[-3.0, 0.0], [3.0, 0.0]], dtype=torch.float64)
    made = Region(means, torch.ones_like(means), torch.tensor([0.7, 0.3], dtype=torch.float64), 0.1)
    assert made.mean.tolist() == pytest.approx([-1.2, 0])
    assert made.center.tolist() == [-3, 0]
    assert made.contains(torch.stack([*means, torch.zeros(2).double(), torch.tensor([9.0, 0]).double()])).tolist() == [
        True,
        True,
        False,
        False,
    ]
    x = made.sample(3000, Rng.from_seed(0))
    assert bool(made.contains(x).all())
    assert float((x[:, 0] < 0).double().mean()) == pytest.approx(0.7, abs=0.06)
    draws = torch.cat([means[0] + numbers(7000, 2), means[1] + numbers(3000, 2, seed=1)])
    assert float(made.contains(draws).double().mean()) == pytest.approx(0.9, abs=0.03)


def test_densities_of_mixtures_are_torchs():
    means, stds = numbers(3, 4), numbers(3, 4, seed=1).exp()
    w = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    made = Region(means, stds, w, 0.1)
    parts = torch.distributions.Independent(torch.distributions.Normal(means, stds), 1)
    due = torch.distributions.MixtureSameFamily(torch.distributions.Categorical(w), parts)
    x = numbers(6, 4, seed=2)
    torch.testing.assert_close(made.log_density(x), due.log_prob(x))
    torch.testing.assert_close(made.mean, due.mean)
    torch.testing.assert_close(made.std, due.stddev)


def test_combinations_are_the_barycenter_the_moments_and_the_mixture():
    means, stds = numbers(3, 4), numbers(3, 4, seed=1).exp()
    w = torch.tensor([0.25, 0.0, 0.75], dtype=torch.float64)
    mean, std, one = combined(means, stds, w, way="barycenter")
    torch.testing.assert_close(mean[0], 0.25 * means[0] + 0.75 * means[2])
    torch.testing.assert_close(std[0], 0.25 * stds[0] + 0.75 * stds[2])
    assert one.tolist() == [1]
    parts = combined(means, stds, w, way="mixture")
    assert len(parts[0]) == 2
    mixture = Region(*parts, 0.1)
    mean, std, _ = combined(means, stds, w, way="moments")
    torch.testing.assert_close(mean[0], mixture.mean)
    torch.testing.assert_close(std[0], mixture.std)


def test_the_barycenter_is_nearest_to_its_posteriors():
    means, stds = numbers(3, 4), numbers(3, 4, seed=1).exp()
    w = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)

    def spread(mean, std):
        return float(w @ wasserstein(mean, std, others=(means, stds)).square())

    mean, std, _ = combined(means, stds, w, way="barycenter")
    best = spread(mean[0], std[0])
    for k in range(20):
        assert spread(mean[0] + 0.1 * numbers(4, seed=k), std[0] * (0.1 * numbers(4, seed=50 + k)).exp()) > best


def base_of(n_tasks, threshold, n_priors=2):
    base = KnowledgeBase.empty(n_priors, 3, like=torch.zeros(1, dtype=torch.float64))
    for k in range(n_tasks):
        base.learn(numbers(n_priors, 3, seed=k), numbers(n_priors, 3, seed=90 + k).exp(), threshold=threshold)
    return base


def test_fewer_posteriors_are_kept_for_larger_thresholds():
    kept = [base_of(6, threshold).n_kept for threshold in (0.0, 1.0, 2.0, 3.0, 5.0, 100.0)]
    assert kept[0] == 12
    assert kept[-1] == 1
    assert kept == sorted(kept, reverse=True)
    assert len(set(kept)) > 3


def test_one_hot_preferences_return_the_tasks_posteriors_or_what_stands_for_them():
    base = base_of(4, 0.0)
    w = base.weights(torch.eye(4, dtype=torch.float64))
    torch.testing.assert_close((w @ base.means)[2], numbers(2, 3, seed=2).mean(0))
    few = base_of(4, 2.5)
    assert few.n_kept < 8
    shared = few.weights(torch.eye(4, dtype=torch.float64))
    torch.testing.assert_close((shared @ few.means)[3], few.means[few.index[3]].mean(0))
    torch.testing.assert_close(shared.sum(1), torch.ones(4, dtype=torch.float64))


def test_a_posterior_seen_again_is_not_kept_again_and_its_substitute_goes_on():
    base = KnowledgeBase.empty(1, 3, like=torch.zeros(1, dtype=torch.float64))
    first = numbers(1, 3), numbers(1, 3, seed=1).exp()
    base.learn(*first, threshold=0.0)
    base.learn(*first, threshold=0.0)
    mean, std = base.learn(first[0] + 1e-3, first[1], threshold=0.1)
    assert base.n_kept == 1
    assert torch.equal(mean, first[0])
    assert torch.equal(std, first[1])
    assert base.nearest.flatten().tolist() == pytest.approx([torch.inf, 0, 1e-3 * math.sqrt(3)])


def test_preferences_off_the_simplex_or_over_tasks_to_come_are_refused():
    base = base_of(2, 0.0)
    with pytest.raises(
        InputError, match=r"`preference` must be zero on tasks not yet seen; got 0.25 on task 2 \(2 were"
    ):
        base.weights(torch.tensor([[0.5, 0.25, 0.25]]))
    with pytest.raises(InputError, match="`preference` must lie on the simplex"):
        base.weights(torch.tensor([[0.5, 0.1, 0.0]]))
    with pytest.raises(InputError, match="got 0.5 on task 1"):
        base.weights(torch.tensor([[0.5, 0.5, 0.0]]), n_tasks=1)
