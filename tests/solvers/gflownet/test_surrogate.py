"""The surrogate of words against botorch's own posterior and acquisition, and features against counting by hand."""

import warnings

import pytest
import torch

from paretokit.core import Rng, Sequences
from paretokit.solvers.gflownet._acquisition import JITTER, Acquisition
from paretokit.solvers.gflownet._surrogate import Surrogate, WordFeatures, bo, foreign

SPACE = Sequences("abc", 3, 6)


def data(n=24, m=2, seed=0):
    x = SPACE.sample(n, Rng.from_seed(seed))
    values = torch.stack([(x == a).sum(1) + 0.1 * x[:, 0] for a in range(m)], 1)
    return x, values


@pytest.fixture(scope="module")
def surrogate():
    x, values = data()
    return Surrogate.fit(WordFeatures(3, 6), x, values, rng=Rng.from_seed(1))


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_counts_are_those_of_pieces_of_strings(pieces):
    x = SPACE.sample(50, Rng.from_seed(2))
    features = WordFeatures(3, 6, pieces)
    names = [""]
    grams = []
    for _ in range(pieces):
        names = [name + a for name in names for a in "abc"]
        grams += names
    words = SPACE.words(x)
    expected = [[sum(w.startswith(g, i) for i in range(len(w))) for g in grams] for w in words]
    counts = features.counts(x)
    torch.testing.assert_close(counts * 6**0.5, torch.tensor(expected, dtype=torch.float64))
    assert torch.equal(features(x), torch.cat([features.places(x), counts], 1))


def test_squared_distance_of_places_is_the_share_of_places_that_differ():
    x = Sequences("abc", 6, 6).sample(30, Rng.from_seed(3))
    places = WordFeatures(3, 6).places(x)
    apart = (x.unsqueeze(1) != x).sum(-1) / 6
    torch.testing.assert_close(torch.cdist(places, places).square(), apart.double(), atol=1e-7, rtol=0)


def test_moments_are_those_of_botorchs_model(surrogate):
    x = SPACE.sample(9, Rng.from_seed(4))
    mean, covariance = surrogate.moments(x)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        posterior = surrogate.model.posterior(surrogate.features(x))
        expected = posterior.mean.T, posterior.distribution.lazy_covariance_matrix.to_dense()
        one_by_one = posterior.variance.T
    torch.testing.assert_close(mean, expected[0], atol=1e-7, rtol=1e-6)
    torch.testing.assert_close(covariance.diagonal(dim1=1, dim2=2), one_by_one, atol=1e-6, rtol=1e-5)
    assert not posterior.distribution._interleaved
    for j in range(2):
        torch.testing.assert_close(covariance[j], expected[1].view(2, 9, 2, 9)[j, :, j], atol=1e-6, rtol=1e-5)


def test_linear_counts_are_predicted_beyond_the_data(surrogate):
    x, values = data(100, seed=5)
    mean, deviation = surrogate.predict(x)
    assert (mean - values).abs().mean() < 0.2 * values.std()
    assert (deviation > 0).all()


def test_equal_data_give_equal_surrogates_and_constant_objectives_are_fine():
    x, values = data()
    values[:, 1] = 2.0
    fits = [Surrogate.fit(WordFeatures(3, 6), x, values, rng=Rng.from_seed(s), iterations=20) for s in (0, 1)]
    means = [fit.predict(x)[0] for fit in fits]
    assert torch.equal(means[0], means[1])
    torch.testing.assert_close(means[0][:, 1], values[:, 1], atol=0.05, rtol=0)


def test_acquisition_is_that_of_botorch_on_its_own_model(surrogate):
    x, values = data()
    baseline, candidates = x[:5], SPACE.sample(40, Rng.from_seed(6))
    point, rng = values.amin(0) - 0.5, Rng.from_seed(7)
    ours = Acquisition.of(surrogate, baseline, point, samples=32, rng=rng)(candidates)
    logei, sampling = bo("botorch.acquisition.multi_objective.logei"), bo("botorch.sampling")
    with foreign(rng), torch.no_grad():
        theirs = logei.qLogNoisyExpectedHypervolumeImprovement(
            model=surrogate.model,
            ref_point=surrogate.standardized(point).tolist(),
            X_baseline=surrogate.features(baseline),
            sampler=sampling.SobolQMCNormalSampler(torch.Size([32]), seed=rng.child("sobol").seed32),
            prune_baseline=True,
        )(surrogate.features(candidates).unsqueeze(1))
    good = theirs > -10  # far below, the jitter of variances tells
    assert good.sum() > 10
    torch.testing.assert_close(ours[good], theirs[good], atol=100 * JITTER**0.5, rtol=0.02)


def test_equal_words_have_equal_acquisitions_whatever_stands_beside_them(surrogate):
    x, values = data()
    acquisition = Acquisition.of(surrogate, x[:4], values.amin(0) - 0.5, samples=16, rng=Rng.from_seed(8))
    candidates = SPACE.sample(6, Rng.from_seed(9))
    twice = acquisition(torch.cat([candidates, candidates]))
    assert torch.equal(twice[:6], twice[6:])
    torch.testing.assert_close(acquisition(candidates[2:3]), twice[2:3], atol=1e-6, rtol=1e-6)


def test_foreign_code_is_seeded_and_everything_is_put_back():
    state = torch.random.get_rng_state()
    with foreign(Rng.from_seed(1)):
        one = torch.rand(3)
        warnings.warn("noise", stacklevel=1)
    with foreign(Rng.from_seed(1)):
        assert torch.equal(one, torch.rand(3))
    assert torch.equal(state, torch.random.get_rng_state())
    with pytest.raises(UserWarning, match="loud"):
        warnings.warn("loud", stacklevel=1)
