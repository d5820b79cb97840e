"""Preferences, temperatures and how a network reads them."""

import math

import pytest
import torch

from paretokit.core import InputError, Rng, UnknownNameError
from paretokit.problems import HyperGrid
from paretokit.solvers import MOGFN
from paretokit.solvers.gflownet import Preferences, Temperature
from paretokit.solvers.gflownet._conditions import thermometer

CPU = torch.device("cpu")


def plain_thermometer(v, bins, low, high):
    gap = (high - low) / (bins - 1)
    return [min(max(v - (low + j * gap), 0), gap) / gap for j in range(bins)]


@pytest.mark.parametrize(("bins", "low", "high"), [(2, 0.0, 1.0), (16, 0.0, 1.0), (32, 1.0, 64.0)])
def test_thermometer_equals_its_plain_twin(bins, low, high):
    values = torch.linspace(low - 0.5, high + 0.5, 23, dtype=torch.float64)
    expected = torch.tensor([plain_thermometer(v, bins, low, high) for v in values.tolist()], dtype=torch.float64)
    assert torch.allclose(thermometer(values.unsqueeze(1), bins=bins, low=low, high=high), expected, atol=1e-12)


def test_thermometer_at_its_ends():
    ends = thermometer(torch.tensor([[0.0], [1.0], [1.0 + 1 / 15]], dtype=torch.float64), bins=16)
    assert (ends[0] == 0).all()
    assert torch.allclose(ends[1, :-1], torch.ones(15, dtype=torch.float64))
    assert ends[1, -1] == pytest.approx(0)  # at the top the last mark is not passed
    assert torch.allclose(ends[2], torch.ones(16, dtype=torch.float64))


def test_thermometer_of_several_numbers_lies_side_by_side():
    pair = torch.tensor([[0.2, 0.8]], dtype=torch.float64)
    both = thermometer(pair, bins=5)
    assert both.shape == (1, 10)
    assert torch.equal(both[:, :5], thermometer(pair[:, :1], bins=5))
    assert torch.equal(both[:, 5:], thermometer(pair[:, 1:], bins=5))


def test_preferences_lie_on_the_simplex_with_the_moments_of_their_distribution():
    w = Preferences(alpha=2.0).sample(3, 20_000, Rng.from_seed(0))
    assert torch.allclose(w.sum(1), torch.ones(20_000, dtype=torch.float64))
    assert (w >= 0).all()
    assert torch.allclose(w.mean(0), torch.full((3,), 1 / 3, dtype=torch.float64), atol=0.01)
    variance = (1 / 3) * (2 / 3) / (3 * 2.0 + 1)
    assert torch.allclose(w.var(0), torch.full((3,), variance, dtype=torch.float64), rtol=0.05)


def test_preferences_are_one_a_trajectory_or_one_a_batch():
    assert len(Preferences().sample(2, 64, Rng.from_seed(0)).unique(dim=0)) == 64
    assert len(Preferences(per_batch=True).sample(2, 64, Rng.from_seed(0)).unique(dim=0)) == 1


def test_raw_preferences_are_read_as_they_are():
    w = Preferences().sample(3, 4, Rng.from_seed(0))
    assert torch.equal(Preferences(encoding="raw").encode(w), w)
    assert Preferences(encoding="raw").size(3) == 3
    assert Preferences(bins=7).encode(w).shape == (4, Preferences(bins=7).size(3)) == (4, 21)


@pytest.mark.parametrize(
    ("temperature", "mean", "low", "high"),
    [
        (Temperature(value=3.0), 3.0, 3.0, 3.0),
        (Temperature(draw="uniform", value=3.0, low=2.0, high=6.0), 4.0, 2.0, 6.0),
        (Temperature(draw="loguniform", low=1.0, high=math.e), math.e - 1, 1.0, math.e),
        (Temperature(draw="gamma", low=16.0, high=1.0), 16.0, 0.0, math.inf),
    ],
)
def test_temperatures_are_drawn_as_they_say(temperature, mean, low, high):
    beta = temperature.sample(20_000, Rng.from_seed(0))
    assert float(beta.mean()) == pytest.approx(mean, rel=0.02)
    assert low <= float(beta.min())
    assert float(beta.max()) <= high
    assert temperature.encode(beta).shape == (20_000, temperature.size)


def test_a_measured_exponent_is_encoded_as_a_drawn_one_is():
    temperature = Temperature(draw="uniform", value=8.0, low=1.0, high=16.0, bins=5)
    request = MOGFN(temperature=temperature).asked(torch.tensor([[0.5, 0.5]]), CPU)
    assert request.beta.tolist() == [8.0]
    expected = torch.tensor(plain_thermometer(8.0, 5, 0.0, 16.0))
    assert torch.allclose(request.condition[0, -5:], expected)


def test_requests_of_one_step_differ_from_those_of_the_next():
    grid, solver = HyperGrid(side=4), MOGFN(batch_size=8, overlap=True, policy={"hidden": (8,)})
    state = solver.init(grid, Rng.from_seed(0))
    seen = []
    for _ in range(3):
        state = solver.step(grid, state)
        seen.append(state.draft.request.weights)
    seen.append(solver.requests(grid, solver.init(grid, Rng.from_seed(0)), 8).weights)  # the first batch
    assert len(torch.cat(seen).unique(dim=0)) == 32


@pytest.mark.parametrize(
    ("call", "error", "line"),
    [
        (lambda: Preferences(alpha=0.0), InputError, "`alpha` must be positive; got 0.0"),
        (lambda: Preferences(encoding="one-hot"), InputError, "`encoding` must be one of"),
        (lambda: Preferences(bins=1), InputError, "`bins` must be at least 2; got 1"),
        (lambda: Temperature(value=-1.0), InputError, "`value` must be positive; got -1.0"),
        (lambda: Temperature(draw="normal"), InputError, "`draw` must be one of"),
        (lambda: Temperature(draw="loguniform", low=9.0, high=3.0), InputError, "`low` must be at most `high`; got 9"),
        (lambda: Temperature(draw="uniform", low=9.0, high=3.0), InputError, "`low` must be at most `high`; got 9"),
        (
            lambda: Temperature(draw="uniform", value=32.0, high=16.0),
            InputError,
            "`value` must lie within what is drawn, 1 … 16; got 32.0",
        ),
        (lambda: MOGFN(preferences={"alpa": 1.0}), UnknownNameError, "Preferences has no option 'alpa'; did you mean"),
        (lambda: MOGFN(temperature={"drawn": "gamma"}), UnknownNameError, "Temperature has no option 'drawn'"),
        (lambda: MOGFN(temperature=0.0), InputError, "`temperature` must be positive; got 0.0"),
    ],
)
def test_bad_options_are_refused(call, error, line):
    with pytest.raises(error, match=line):
        call()
