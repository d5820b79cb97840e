"""Fishwood against MO-Gymnasium's step by step, and its front against the closed form."""

import pytest
import torch
from gymnasium_twin import agrees, peer_of, stacks

from paretokit.core import InputError, non_dominated
from paretokit.problems.morl._dynamic_programming import convex_coverage_set
from paretokit.problems.morl._fishwood import Fishwood


@pytest.mark.parametrize("options", [{}, {"fishproba": 0.6, "woodproba": 0.3}])
def test_steps_and_both_flags_are_those_of_mo_gymnasium_under_the_same_noise(options):
    environment = Fishwood(**options)
    assert agrees(environment, peer_of(environment.id, **options), episodes=12) == 12 * 200


def test_lanes_step_alone_as_in_a_stack():
    stacks(Fishwood())


@pytest.mark.parametrize("discount", [0.9, 0.99, 1.0])
def test_the_front_is_a_line_between_the_ends_that_value_iteration_finds(discount):
    environment = Fishwood()
    front = environment.pareto_front(discount)
    assert non_dominated(front, maximize=True).all() or discount == 0.9  # there late steps are worth a rounding error
    total = float((discount ** torch.arange(200, dtype=torch.float64)).sum())
    torch.testing.assert_close(
        front @ torch.tensor([10.0, 1 / 0.9], dtype=torch.float64), torch.full((200,), total, dtype=torch.float64)
    )
    ends = convex_coverage_set(environment.model(), discount=discount, horizon=200)
    assert len(ends) == 2
    torch.testing.assert_close(ends, front[[0, -1]], rtol=0, atol=1e-9)


def test_splits_of_the_day_have_the_stated_mean():
    environment, fishing = Fishwood(), 120
    lanes, rng = 20_000, torch.Generator().manual_seed(3)
    state = environment.initial(torch.zeros(1, lanes, 0))
    total = torch.zeros(2, dtype=torch.float64)
    for t in range(200):
        action = torch.full((1, lanes), int(t >= fishing))
        move = environment.step(state, action, torch.rand(1, lanes, 1, generator=rng, dtype=torch.float64))
        state = move.state
        total += move.reward.mean((0, 1))
    known = environment.pareto_front(1.0)[fishing]
    # Five standard errors of the mean of 120 and 80 steps of variance 0.09 each.
    assert total.tolist() == pytest.approx(known.tolist(), abs=5 * (120 * 0.09 / lanes) ** 0.5)


def test_the_tables_are_the_steps_and_their_limit_is_the_end():
    environment = Fishwood(fishproba=0.6, woodproba=0.3)
    model, rng = environment.model(), torch.Generator().manual_seed(2)
    state = environment.initial(torch.zeros(1, 50, 0))
    assert int(model.initial.argmax()) == int(environment.state_index(environment.observe(state))[0, 0])
    for t in range(200):
        index = environment.state_index(environment.observe(state))
        assert torch.equal(environment.observations()[index], environment.observe(state))
        action = torch.randint(2, index.shape, generator=rng)
        noise = torch.rand(*index.shape, 1, generator=rng, dtype=torch.float64)
        outcome = (noise[..., 0] >= model.probability[index, action, 0]).to(torch.int64)
        move = environment.step(state, action, noise)
        state = move.state
        after = environment.state_index(environment.observe(state))
        assert torch.equal(after, model.next_state[index, action, outcome])
        assert torch.equal(move.reward, model.reward[index, action, outcome])
        assert move.terminated.all() == move.terminated.any() == (t + 1 == environment.step_limit)
    assert not model.terminal.any()


def test_states_are_the_two_places():
    states = Fishwood().initial(torch.zeros(1, 1, 0))
    assert Fishwood().state_index(Fishwood().observe(states)).tolist() == [[1]]


def test_a_probability_beyond_one_is_refused():
    with pytest.raises(InputError, match=r"`woodproba` must lie in \[0, 1\]; got 1.2"):
        Fishwood(woodproba=1.2)
