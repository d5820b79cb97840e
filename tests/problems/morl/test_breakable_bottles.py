"""Breakable bottles against MO-Gymnasium's step by step, and exact optima."""

import numpy as np
import pytest
import torch
from gymnasium_twin import agrees, peer_of, stacks

from paretokit.core import InputError
from paretokit.problems.morl._breakable_bottles import BreakableBottles


def flat(seen):
    """Their dictionary laid flat; the declared space holds flags where their counts may pass 1."""
    lying = [min(n, 1) for n in seen["bottles_dropped"]]
    return np.array([seen["location"], seen["bottles_carrying"], seen["bottles_delivered"], *lying])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"unbreakable_bottles": True, "prob_drop": 0.5},
        {"size": 3, "prob_drop": 0.9, "time_penalty": -2, "bottle_reward": 7},
        {"size": 7, "prob_drop": 0.3},
    ],
)
def test_steps_are_those_of_mo_gymnasium_under_the_same_noise(options):
    environment = BreakableBottles(**options)
    assert agrees(environment, peer_of(environment.id, **options), episodes=120, flat=flat) > 3000


def test_states_are_numbered_as_mo_gymnasium_does():
    environment, peer = BreakableBottles(), peer_of("breakable-bottles-v0").unwrapped
    rng = np.random.default_rng(0)
    for _ in range(50):
        seen = {
            "location": rng.integers(5),
            "bottles_carrying": rng.integers(3),
            "bottles_delivered": rng.integers(3),
            "bottles_dropped": rng.integers(0, 2, 3),
        }
        ours = environment.state_index(torch.tensor(flat(seen), dtype=torch.float32))
        assert int(ours) == int(peer.get_obs_idx(seen)[0])
    assert environment.n_states == peer.num_observations


def test_lanes_step_alone_as_in_a_stack():
    stacks(BreakableBottles(), steps=60)
    stacks(BreakableBottles(unbreakable_bottles=True, prob_drop=0.5), steps=60)


def test_the_tables_are_the_steps():
    environment = BreakableBottles(size=4, prob_drop=0.3)
    model, rng = environment.model(), torch.Generator().manual_seed(2)
    state = environment.initial(torch.zeros(1, 300, 0))
    for _ in range(60):
        index = environment.state_index(environment.observe(state))
        assert torch.equal(environment.observations()[index], environment.observe(state))
        action = torch.randint(3, index.shape, generator=rng)
        noise = torch.rand(*index.shape, 1, generator=rng, dtype=torch.float64)
        outcome = (noise[..., 0] >= model.probability[index, action, 0]).to(torch.int64)
        move = environment.step(state, action, noise)
        assert torch.equal(
            environment.state_index(environment.observe(move.state)), model.next_state[index, action, outcome]
        )
        assert torch.equal(move.reward, model.reward[index, action, outcome])
        assert torch.equal(move.terminated, model.terminal[index, action, outcome])
        state = environment.reset(move.state, move.terminated, torch.zeros(1, 300, 0))


def test_the_coverage_set_is_the_closed_form():
    # One at a time: 4 + 1 + 4 + 4 + 1 + 4 steps. Two at once: 6 steps to stand at the source with two in hand, then a
    # more steps in the mean, where a bottle dropped behind location 1 sends the carrier back for another (2 + 1 + a),
    # and one dropped later does not (10 or 9 steps): a = .729 4 + .1 (2 + 3 + a) + .09 (3 + 10) + .081 (4 + 9).
    a = (0.729 * 4 + 0.1 * 5 + 0.09 * 13 + 0.081 * 13) / 0.9
    known = torch.tensor([[-18.0, 50.0, 0.0], [-6 - a, 50.0, -0.271]], dtype=torch.float64)
    torch.testing.assert_close(BreakableBottles().pareto_front(1.0), known, rtol=0, atol=1e-9)


def test_discounting_splits_the_quick_way():
    g = 0.99
    front = BreakableBottles().pareto_front(g)
    safe = [-(1 - g**18) / (1 - g), 25 * (g**8 + g**17), 0.0]
    torch.testing.assert_close(front[0], torch.tensor(safe, dtype=torch.float64), rtol=0, atol=1e-9)
    assert len(front) == 3


def test_bad_options_are_refused():
    with pytest.raises(InputError, match=r"`size` must lie in 3 … 12; got 2"):
        BreakableBottles(size=2)
    with pytest.raises(InputError, match=r"`prob_drop` must lie in \[0, 1\]; got 1.5"):
        BreakableBottles(prob_drop=1.5)
    with pytest.raises(InputError, match=r"`unbreakable_bottles` must be False for a tabular model; got True"):
        BreakableBottles(unbreakable_bottles=True).model()
    assert BreakableBottles(unbreakable_bottles=True).pareto_front(0.99) is None
