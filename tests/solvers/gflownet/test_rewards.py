"""Log-rewards against plain formulas, with the right sign and a floor."""

import math

import pytest
import torch

from paretokit.core import InputError, Rng
from paretokit.solvers.gflownet._rewards import SCALARIZATIONS, log_reward


def plain(r, w, beta, scalarization, floor, lowest):
    if scalarization == "weighted_sum":
        log_r = math.log(max(sum(a * b for a, b in zip(w, r, strict=True)), floor))
    elif scalarization == "weighted_log_sum":
        log_r = sum(a * math.log(max(b, floor)) for a, b in zip(w, r, strict=True))
    else:
        log_r = math.log(max(1 - max(a * abs(1 - b) for a, b in zip(w, r, strict=True)), floor))
    return max(beta * log_r, lowest)


@pytest.mark.parametrize("scalarization", SCALARIZATIONS)
def test_log_rewards_equal_their_plain_twin(scalarization):
    rng = Rng.from_seed(0)
    gains = rng.child("r").uniform(50, 3)
    gains[::7, 0] = 0
    weights = rng.child("w").uniform(50, 3)
    weights = weights / weights.sum(1, keepdim=True)
    beta = 1 + 60 * rng.child("beta").uniform(50)
    out = log_reward(gains, weights, beta, scalarization=scalarization)
    rows = zip(gains.tolist(), weights.tolist(), beta.tolist(), strict=True)
    expected = [plain(r, w, b, scalarization, 1e-30, -75.0) for r, w, b in rows]
    assert torch.allclose(out, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("scalarization", SCALARIZATIONS)
def test_better_objects_are_rewarded_more(scalarization):
    better = torch.tensor([[0.8, 0.9], [0.5, 0.5], [0.1, 0.2]], dtype=torch.float64)
    w, beta = torch.full((3, 2), 0.5, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    out = log_reward(better, w, beta, scalarization=scalarization)
    assert (out.diff() < 0).all()
    ideal = log_reward(torch.ones(1, 2, dtype=torch.float64), w[:1], beta[:1], scalarization=scalarization)
    assert float(ideal) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("scalarization", SCALARIZATIONS)
@pytest.mark.parametrize("beta", [1.0, 96.0])
def test_worthless_objects_get_the_lowest_and_never_less(scalarization, beta):
    gains = torch.zeros(4, 2, dtype=torch.float64)
    weights = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.3, 0.7]], dtype=torch.float64)
    betas = torch.full((4,), beta, dtype=torch.float64)
    out = log_reward(gains, weights, betas, scalarization=scalarization, lowest=-40.0)
    assert torch.isfinite(out).all()
    assert (out >= -40).all()
    if scalarization != "tchebycheff":
        assert torch.equal(out, torch.full((4,), -40.0 if beta > 1 else max(-40.0, math.log(1e-30)), dtype=out.dtype))


def test_the_floor_bounds_the_reward_before_the_exponent():
    gains, w = torch.zeros(1, 2, dtype=torch.float64), torch.full((1, 2), 0.5, dtype=torch.float64)
    out = log_reward(gains, w, torch.full((1,), 2.0, dtype=torch.float64), floor=1e-3)
    assert float(out) == pytest.approx(2 * math.log(1e-3))


def test_an_unknown_scalarization_is_refused():
    one = torch.ones(1, 2, dtype=torch.float64)
    with pytest.raises(InputError, match="`scalarization` must be one of .*did you mean 'weighted_sum'"):
        log_reward(one, one / 2, one[:, 0], scalarization="weighted_sun")
