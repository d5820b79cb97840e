"""Four rooms against MO-Gymnasium's step by step, and its exact front against every order of collecting."""

from itertools import permutations

import numpy as np
import pytest
import torch
from gymnasium_twin import agrees, numbers_its_states, peer_of, stacks

from paretokit.core import InputError, ShapeError, non_dominated
from paretokit.problems.morl._collection import collection_front
from paretokit.problems.morl._dynamic_programming import convex_coverage_set, deterministic_model, pareto_set
from paretokit.problems.morl._four_room import FourRoom, four_room_front, shortest_paths


def test_steps_are_those_of_mo_gymnasium():
    environment = FourRoom()
    assert agrees(environment, peer_of(environment.id), episodes=250) > 30_000


def test_lanes_step_alone_as_in_a_stack_and_states_are_numbered():
    stacks(FourRoom(), steps=100)
    cells, flags = torch.arange(169).repeat(4), torch.tensor([0, 1, 2**11, 4095]).repeat_interleave(169)
    numbers_its_states(FourRoom(), torch.stack([cells, flags], -1).unsqueeze(0))


def test_shortest_paths_are_symmetric_and_those_of_the_grid():
    d = shortest_paths()
    assert torch.equal(d[:-1, :-1], d[:-1, :-1].T)
    assert int(d[-1, -1]) == 24  # from corner to corner, doors on the way


def brute_force(distance, kinds, discount):
    """Every order of every subset, walked."""
    k, m, out = len(kinds), max(kinds) + 1, []
    for size in range(k + 1):
        for order in permutations(range(k), size):
            at, clock, value = k, 0, np.zeros(m)
            for j in order:
                clock += int(distance[at, j])
                value[kinds[j]] += discount ** (clock - 1)
                at = j
            out.append(value + discount ** (clock + int(distance[at, k]) - 1))
    points = np.unique(np.round(out, 10), axis=0)
    return points[non_dominated(points, maximize=True)]


@pytest.mark.parametrize("discount", [0.9, 0.97, 1.0])
def test_tours_are_those_of_every_order(discount):
    rng = np.random.default_rng(4)
    place = rng.integers(0, 12, (7, 2))
    distance = np.abs(place[:, None] - place[None]).sum(-1).clip(1)
    distance = torch.from_numpy(np.delete(distance[:6], 5, 1))  # rows: five things, start; columns: five things, goal
    front, _ = collection_front(distance, (0, 1, 2, 0, 1), discount=discount)
    np.testing.assert_allclose(front.numpy(), brute_force(distance, (0, 1, 2, 0, 1), discount), rtol=0, atol=1e-9)


def small_world(kept):
    """The grid with some shapes only, as a tabular model built from steps: states are cell and flags."""
    environment = FourRoom()
    masks = torch.tensor([sum(1 << kept[i] for i in range(len(kept)) if b >> i & 1) for b in range(2 ** len(kept))])
    others = 4095 & ~int(masks[-1])
    state = torch.stack([torch.arange(169).repeat_interleave(len(masks)), masks.repeat(169) | others], -1)
    state, action = state.unsqueeze(1).expand(-1, 4, -1), torch.arange(4).expand(len(state), 4)
    move = environment.step(state, action, torch.zeros(len(state), 4, 0))
    which = (move.state[..., 1:] & ~others == masks).to(torch.int64).argmax(-1)
    return deterministic_model(
        move.state[..., 0] * len(masks) + which, move.reward, move.terminated, start=12 * 13 * len(masks)
    )


def test_tours_are_those_of_value_iteration_on_the_grid():
    kept = [3, 10, 11]  # green, red, blue
    distance = shortest_paths()[[*kept, 12]][:, [*kept, 12]]
    tours, _ = collection_front(distance, (1, 2, 0), discount=0.9)
    model = small_world(kept)
    front = pareto_set(model, discount=0.9, horizon=200)
    assert len(front) > 3
    torch.testing.assert_close(front, tours, rtol=0, atol=1e-9)
    cover = convex_coverage_set(model, discount=0.9, horizon=200)
    assert ((cover[:, None] - front).abs().amax(-1).amin(-1) < 1e-9).all()


@pytest.mark.slow
def test_the_whole_front_is_exact_and_fits_the_time_limit():
    front, lengths = four_room_front(0.99)
    assert len(front) == 240
    assert int(lengths.max()) <= 200
    assert torch.equal(FourRoom().pareto_front(0.99), front)
    assert four_room_front(1.0)[0].tolist() == [[5.0, 5.0, 5.0]]


def test_bad_input_is_refused():
    with pytest.raises(InputError, match=r"`discount` must lie in \(0, 1\]; got 0"):
        FourRoom().pareto_front(0.0)
    with pytest.raises(ShapeError, match=r"`distance` must have shape \(2, 2\); got \(3, 3\)"):
        collection_front(torch.ones(3, 3), (0,), discount=0.5)
