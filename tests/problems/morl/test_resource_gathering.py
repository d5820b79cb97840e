"""Resource gathering against MO-Gymnasium's step by step, and its exact fronts."""

import pytest
import torch
from gymnasium_twin import agrees, numbers_its_states, peer_of, stacks

from paretokit.indicators import hypervolume
from paretokit.problems.morl._dynamic_programming import convex_coverage_set
from paretokit.problems.morl._resource_gathering import ResourceGathering

WORST = (-1.0, -1.0, -1.0)


def hv(front):
    return float(hypervolume(front, WORST, maximize=True))


def test_steps_are_those_of_mo_gymnasium_under_the_same_noise():
    environment = ResourceGathering()
    assert agrees(environment, peer_of(environment.id), episodes=600) > 3000


def test_lanes_step_alone_as_in_a_stack_and_states_are_numbered():
    stacks(ResourceGathering())
    numbers_its_states(ResourceGathering(), torch.arange(100).reshape(1, -1, 1))


def test_an_enemy_strikes_with_probability_one_tenth():
    environment = ResourceGathering()
    entry = environment.state_index(torch.tensor([[[2.0, 2.0, 0.0, 0.0]]])).unsqueeze(-1).expand(1, 100_000, 1)
    noise = torch.rand(1, 100_000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    move = environment.step(entry, torch.zeros(1, 100_000, dtype=torch.int64), noise)
    # Five standard errors of a proportion: a false alarm in 1.7 million.
    assert float(move.terminated.double().mean()) == pytest.approx(0.1, abs=5 * (0.09 / 100_000) ** 0.5)
    assert torch.equal(move.reward[..., 0] == -1, move.terminated)


@pytest.mark.parametrize(("discount", "count", "volume"), [(0.9, 6, 1.8283), (0.95, 4, 2.4097), (0.99, 3, 3.5194)])
def test_the_coverage_set_is_the_known_one_and_lies_on_the_front(discount, count, volume):
    environment = ResourceGathering()
    cover = convex_coverage_set(environment.model(), discount=discount, horizon=100)
    assert len(cover) == count
    assert hv(cover) == pytest.approx(volume, abs=1e-4)
    front = environment.pareto_front(discount)
    assert ((cover[:, None] - front).abs().amax(-1).amin(-1) < 1e-9).all()
    assert hv(front) >= hv(cover) - 1e-12


def test_the_front_is_the_closed_form_where_nobody_takes_a_risk():
    # Home to the gem and back takes 10 steps, to the gold past the enemies 12, to both past them 18.
    g = 0.99
    known = torch.tensor([[0, 0, g**9], [0, g**17, g**17], [0, g**11, 0]], dtype=torch.float64)
    torch.testing.assert_close(ResourceGathering().pareto_front(g), known, rtol=0, atol=1e-12)
    assert ResourceGathering().pareto_front(1.0).tolist() == [[0.0, 1.0, 1.0]]


def test_the_front_holds_the_risky_routes_of_mo_gymnasium_or_better():
    # Their list discounts once too often: divided by the discount it holds returns of real policies.
    environment, g = ResourceGathering(), 0.9
    with_theirs = torch.tensor([list(map(float, p)) for p in peer_of(environment.id).unwrapped.pareto_front(g)]) / g
    front = environment.pareto_front(g)
    covered = (front[None] >= with_theirs[:, None].double() - 1e-6).all(-1).any(-1)
    assert covered.all()
