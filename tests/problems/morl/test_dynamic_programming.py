"""Exact fronts against the list of all policies, and against the theorems that tie them together."""

from itertools import product

import numpy as np
import pytest
import torch

from paretokit.core import InputError, ShapeError, non_dominated
from paretokit.problems.morl import _dynamic_programming as dp
from paretokit.problems.morl._deep_sea_treasure import DeepSeaTreasure
from paretokit.problems.morl._dynamic_programming import (
    TabularModel,
    convex_coverage_set,
    deterministic_model,
    linear_support,
    pareto_set,
    scalarized_values,
)


def random_model(seed, *, states=3, actions=2, outcomes=2, objectives=2, ends=0.2):
    rng = np.random.default_rng(seed)
    shape = (states, actions, outcomes)
    return TabularModel(
        next_state=torch.from_numpy(rng.integers(0, states, shape)),
        probability=torch.from_numpy(rng.dirichlet(np.ones(outcomes), shape[:2])),
        reward=torch.from_numpy(rng.normal(size=(*shape, objectives))),
        terminal=torch.from_numpy(rng.random(shape) < ends),
        initial=torch.from_numpy(rng.dirichlet(np.ones(states))),
    )


def every_policy(model, discount, horizon):
    """The values of all deterministic policies that remember everything, listed without any pruning."""

    def values(s, left):
        if not left:
            return [np.zeros(model.n_objectives)]
        out = []
        for a in range(model.n_actions):
            rests = []
            for o in range(model.n_outcomes):
                ended = bool(model.terminal[s, a, o])
                later = [np.zeros(model.n_objectives)] if ended else values(int(model.next_state[s, a, o]), left - 1)
                p, r = float(model.probability[s, a, o]), model.reward[s, a, o].numpy()
                rests.append([p * (r + discount * v) for v in later])
            out += [sum(choice) for choice in product(*rests)]
        return out

    starts = [[float(model.initial[s]) * v for v in values(s, horizon)] for s in range(model.n_states)]
    return np.array([sum(choice) for choice in product(*starts)])


@pytest.mark.parametrize("outcomes", [1, 2])
@pytest.mark.parametrize("seed", range(6))
def test_the_front_is_that_of_the_list_of_all_policies(seed, outcomes):
    model = random_model(seed, outcomes=outcomes, states=2 if outcomes == 2 else 3, objectives=2 + seed % 2)
    horizon = 2 if outcomes == 2 else 4
    points = np.unique(np.round(every_policy(model, 0.9, horizon), 11), axis=0)
    known = points[non_dominated(points, maximize=True)]
    np.testing.assert_allclose(pareto_set(model, discount=0.9, horizon=horizon).numpy(), known, rtol=0, atol=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_the_coverage_set_is_as_good_as_the_front_for_every_weight(seed):
    model = random_model(seed, states=3, actions=3, outcomes=1, objectives=2 + seed % 2)
    front = pareto_set(model, discount=0.8, horizon=4)
    cover = convex_coverage_set(model, discount=0.8, horizon=4)
    assert ((cover[:, None] - front).abs().amax(-1).amin(-1) < 1e-9).all()
    weights = torch.from_numpy(np.random.default_rng(seed).dirichlet(np.ones(model.n_objectives), 2000))
    torch.testing.assert_close((weights @ cover.T).amax(-1), (weights @ front.T).amax(-1), rtol=0, atol=1e-9)
    best = scalarized_values(model, weights[:50], discount=0.8, horizon=4)
    torch.testing.assert_close((weights[:50] * best).sum(-1), (weights[:50] @ front.T).amax(-1), rtol=0, atol=1e-9)


@pytest.mark.parametrize("m", [2, 3, 4])
def test_linear_support_finds_every_point_of_a_sphere(m):
    points = torch.from_numpy(np.abs(np.random.default_rng(m).normal(size=(12, m))))
    points = points / points.norm(dim=-1, keepdim=True)
    found = linear_support(lambda w: points[(w @ points.T).argmax(-1)], m)
    # Every point is the best one for the weights along it.
    assert sorted(found.tolist()) == sorted(points.tolist())


def test_a_weight_of_zero_still_gives_a_pareto_optimal_point():
    next_state, terminal = torch.zeros(1, 2, dtype=torch.int64), torch.ones(1, 2, dtype=torch.bool)
    model = deterministic_model(next_state, torch.tensor([[[1.0, 0.0], [1.0, 3.0]]]), terminal, start=0)
    best = scalarized_values(model, torch.tensor([[1.0, 0.0]]), discount=1.0, horizon=1)
    assert best.tolist() == [[1.0, 3.0]]


def test_the_horizon_cuts_the_process():
    model = DeepSeaTreasure().model()
    assert pareto_set(model, discount=1.0, horizon=5).tolist() == [[0.7, -1.0], [8.2, -3.0], [11.5, -5.0]]
    assert len(pareto_set(model, discount=1.0, horizon=19)) == 10


def test_reachable_states_leave_out_rock_and_what_lies_behind_a_treasure():
    sea = DeepSeaTreasure()
    water = (sea.values() == 0).flatten().nonzero().flatten().tolist()
    assert sorted(sea.model().reachable) == water


def test_values_that_differ_by_rounding_are_one_point():
    row = np.array([[0.1 + 0.2, 1.0], [0.3, 1.0], [0.2, 1.0 + 1e-13]])
    assert dp.prune(row).shape == (1, 2)
    wide = np.random.default_rng(0).random((300, 3))
    assert len(dp.prune(wide)) == int(non_dominated(wide, maximize=True).sum())


def test_a_front_too_large_to_list_is_refused(monkeypatch):
    monkeypatch.setattr(dp, "_LIMIT", 3)
    with pytest.raises(InputError, match=r"`model` must have at most 3 points a state; got \d+ in state \d+ \(`convex"):
        pareto_set(DeepSeaTreasure().model(), discount=1.0, horizon=50)


def test_tables_that_do_not_fit_are_refused():
    good = random_model(0)
    parts = {name: getattr(good, name) for name in ("next_state", "probability", "reward", "terminal", "initial")}

    def made(**changed):
        return TabularModel(**{**parts, **changed})

    with pytest.raises(ShapeError, match=r"`next_state` must have shape \[S, A, k\]; got shape \(3, 2\)"):
        made(next_state=good.next_state[..., 0])
    with pytest.raises(
        ShapeError, match=r"`terminal` must have shape \(3, 2, 2\), as `next_state`; got shape \(3, 2\)"
    ):
        made(terminal=good.terminal[..., 0])
    with pytest.raises(ShapeError, match=r"`reward` must have shape \(3, 2, 2, 'm'\); got shape \(3, 2, 2\)"):
        made(reward=good.reward[..., 0])
    with pytest.raises(ShapeError, match="`initial` must have 3 entries, one per state; got shape"):
        made(initial=good.initial[:2])
    with pytest.raises(InputError, match=r"`next_state` must lie in 0 … 2; got \[\d"):
        made(next_state=good.next_state + 3)
    with pytest.raises(InputError, match="`probability` must sum to 1; got a sum that is off by 1"):
        made(probability=good.probability * 2)
    with pytest.raises(InputError, match=r"`discount` must lie in \[0, 1\]; got 1.1"):
        pareto_set(good, discount=1.1, horizon=2)
    with pytest.raises(InputError, match="`horizon` must be at least 1; got 0"):
        convex_coverage_set(good, discount=1.0, horizon=0)
