"""Deep sea treasure against MO-Gymnasium's step by step, and its exact fronts against closed forms."""

import pytest
import torch
from gymnasium_twin import agrees, numbers_its_states, peer_of, stacks

from paretokit.core import InputError
from paretokit.indicators import hypervolume
from paretokit.problems.morl._deep_sea_treasure import DeepSeaTreasure
from paretokit.problems.morl._dynamic_programming import convex_coverage_set
from paretokit.problems.morl._table import tensor_environment

STEPS = torch.tensor([1, 3, 5, 7, 8, 9, 13, 14, 17, 19], dtype=torch.float64)
VALUES = {
    "convex": [0.7, 8.2, 11.5, 14.0, 15.1, 16.1, 19.6, 20.3, 22.4, 23.7],
    "concave": [1.0, 2.0, 3.0, 5.0, 8.0, 16.0, 24.0, 50.0, 74.0, 124.0],
    "mirrored": [1.0, 2.0, 3.0, 5.0, 8.0, 16.0, 24.0, 50.0, 74.0, 124.0],
}


def hv(front, *reference):
    return float(hypervolume(front, reference, maximize=True))


@pytest.mark.parametrize("treasure", VALUES)
def test_steps_are_those_of_mo_gymnasium(treasure):
    environment = DeepSeaTreasure(treasure=treasure)
    assert agrees(environment, peer_of(environment.id), episodes=300) > 2000


def test_the_option_float_state_is_that_of_mo_gymnasium():
    environment = DeepSeaTreasure(float_state=True)
    agrees(environment, peer_of(environment.id, float_state=True), episodes=30)
    plain = DeepSeaTreasure()
    states = torch.arange(environment.n_states).reshape(1, -1, 1)
    assert torch.equal(environment.state_index(environment.observe(states)), plain.state_index(plain.observe(states)))


@pytest.mark.parametrize("treasure", VALUES)
def test_lanes_step_alone_as_in_a_stack(treasure):
    stacks(DeepSeaTreasure(treasure=treasure))


@pytest.mark.parametrize("discount", [0.9, 0.99, 1.0])
@pytest.mark.parametrize("treasure", VALUES)
def test_the_front_is_the_closed_form(treasure, discount):
    environment = DeepSeaTreasure(treasure=treasure)
    time = -(discount ** torch.arange(19, dtype=torch.float64)).cumsum(0)[STEPS.long() - 1]
    known = torch.stack([torch.tensor(VALUES[treasure], dtype=torch.float64) * discount ** (STEPS - 1), time], -1)
    beaten = (known[None] >= known[:, None]).all(-1).sum(-1) > 1  # at 0.9 late treasures lose what they are worth
    known = known[~beaten]
    torch.testing.assert_close(environment.pareto_front(discount), known[known[:, 0].argsort()], rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("treasure", "discount", "reference", "volume"),
    [
        ("convex", 0.99, (0, -50), 854.850),
        ("convex", 0.99, (0, -25), 360.401),
        ("convex", 1.0, (0, -50), 994.300),
        ("concave", 0.99, (0, -50), 3688.377),
        ("concave", 0.99, (0, -25), 1101.384),
        ("concave", 1.0, (0, -50), 4255.000),
        ("mirrored", 0.99, (0, -50), 3688.377),
    ],
)
def test_hypervolumes_are_the_published_ones(treasure, discount, reference, volume):
    front = DeepSeaTreasure(treasure=treasure).pareto_front(discount)
    assert len(front) == 10
    assert hv(front, *reference) == pytest.approx(volume, abs=1e-3)


def test_the_linearly_supported_part_is_smaller_where_the_front_is_not_convex():
    concave = convex_coverage_set(DeepSeaTreasure(treasure="concave").model(), discount=0.99, horizon=100)
    assert len(concave) == 2
    assert hv(concave, 0, -50) == pytest.approx(3391.566, abs=1e-3)
    convex = convex_coverage_set(DeepSeaTreasure().model(), discount=1.0, horizon=100)
    assert len(convex) == 9
    assert hv(convex, 0, -50) == pytest.approx(992.200, abs=1e-3)


def test_states_are_numbered_and_the_id_follows_the_treasure():
    environment = tensor_environment("deep-sea-treasure-mirrored-v0", {})
    assert environment.id == "deep-sea-treasure-mirrored-v0"
    assert environment.n_states == 220
    numbers_its_states(environment, torch.arange(220).reshape(1, -1, 1))


def test_a_copy_on_a_device_steps_alike():
    environment = DeepSeaTreasure()
    environment.pareto_front(1.0)[0] = torch.nan  # the caller's own copy
    assert torch.isfinite(environment.pareto_front(1.0)).all()
    copy = environment.to("cpu")
    assert copy == environment
    assert copy is not environment
    stacks(copy, steps=5)


def test_an_unknown_treasure_is_named_with_the_nearest():
    with pytest.raises(InputError, match=r"`treasure` must be one of .*; got 'convx' \(did you mean 'convex'"):
        DeepSeaTreasure(treasure="convx")
