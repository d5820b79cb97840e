"""PGMORL: its model, its buffer and its choice against plain twins, and runs that reach known fronts."""

import itertools
import math

import moocore
import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

import paretokit as pk
from paretokit.core import Rng
from paretokit.indicators import simplex_lattice
from paretokit.problems.morl import MORL, Network
from paretokit.solvers.morl._pgmorl import PGMORL
from paretokit.solvers.morl._pgmorl_prediction import (
    LOWER,
    STARTS,
    UPPER,
    History,
    Hyperbolas,
    fit_hyperbolas,
    predicted,
    similarity,
)
from paretokit.solvers.morl._pgmorl_selection import Frame, bins_of, buffered, candidates, select_tasks
from paretokit.solvers.morl._ppo import PPO
from paretokit.testing import check_solver
from tests.solvers.morl.toy_environments import Bandit, Line

QUICK = PPO(n_steps=8, n_envs=4, epochs=3, minibatches=2, learning_rate=1e-2, hidden=(8,))
SMALL = Network(hidden=(8,))


def quick(**options):
    return PGMORL(**{"ppo": QUICK, "partitions": 3, "warmup": 2, "generations": 2, "updates": 2, **options})


def randoms(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).uniform(size=shape))


@pytest.mark.parametrize(
    "problem", [MORL(Bandit(), policy=SMALL), MORL(Line(), policy=SMALL, episodes=2)], ids=["bandit", "line"]
)
def test_keeps_the_contract(problem):
    check_solver(quick(), problem, iterations=3)


# The model.


def test_the_fit_recovers_known_hyperbolas():
    true = Hyperbolas(*(torch.tensor(v).double() for v in ([2.0, 30.0, 0.5], [8.0, 5.0, 20.0], [0.4, 0.7, 0.1],
                                                           [-1.0, 5.0, 0.0])))  # fmt: skip
    x = torch.linspace(0, 1, 11).double().expand(3, -1)
    between = torch.linspace(0, 1, 38).double().expand(3, -1)
    found = fit_hyperbolas(x, true(x), torch.ones_like(x))
    assert torch.allclose(found(between), true(between), atol=1e-4)
    assert torch.allclose(found.slope, true.slope, rtol=1e-3)
    assert torch.allclose(found.center, true.center, atol=1e-3)


def test_the_fit_is_as_good_as_that_of_a_general_solver():
    x, noise, s = randoms(12, 9), randoms(12, 9, seed=1), randoms(12, 9, seed=2)
    y = torch.tanh(3 * (x - 0.3)) + 0.5 * noise
    found = fit_hyperbolas(x, y, s)
    for r in range(len(x)):
        least, reach, share = y[r].min(), y[r].max() - y[r].min(), s[r] / s[r].sum()
        goal, root = ((y[r] - least) / reach).numpy(), share.sqrt().numpy()

        def residual(t, r=r, goal=goal, root=root):
            return root * (t[0] * np.tanh(0.5 * t[1] * (x[r].numpy() - t[2])) + t[3] - goal)

        best = min(least_squares(residual, start, bounds=(LOWER, UPPER)).cost for start in STARTS)
        ours = 0.5 * float((share * ((found(x)[r] - y[r]) / reach).square()).sum())
        assert ours <= best * 1.02 + 1e-9


def test_samples_that_do_not_count_change_nothing():
    x, y = randoms(2, 6), randoms(2, 6, seed=1)
    s = torch.ones(2, 6).double()
    more = [torch.cat([part, extra], 1) for part, extra in ((x, x[:, :2]), (y, 1e6 + y[:, :2]), (s, 0 * s[:, :2]))]
    assert torch.allclose(fit_hyperbolas(x, y, s)(x), fit_hyperbolas(*more)(x))


def test_models_never_fall_and_stay_near_the_samples():
    x, y = randoms(20, 5), randoms(20, 5, seed=1)
    grid = torch.linspace(0, 1, 50).double().expand(20, -1)
    out = fit_hyperbolas(x, y, torch.ones_like(x))(grid)
    reach = y.amax(1) - y.amin(1)
    assert (out.diff(dim=1) >= -1e-12).all()
    assert (out.amax(1) <= y.amax(1) + reach + 1e-9).all()
    assert (out.amin(1) >= y.amin(1) - reach - 1e-9).all()
    flat = fit_hyperbolas(x, torch.full_like(y, 3.0), torch.ones_like(x))(grid)
    assert torch.allclose(flat, torch.full_like(flat, 3.0))


def test_similarity_equals_a_plain_loop():
    span, threshold, sigma = torch.tensor([2.0, 5.0]).double(), 0.1, 0.03
    history = History(randoms(30, 2) * span, randoms(30, 2), randoms(30, 2))
    at = torch.cat([randoms(5, 2, seed=1) * span, torch.tensor([[40.0, 3.0]]).double()])
    got = similarity(history, at, span=span, threshold=threshold, sigma=sigma)
    for i, value in enumerate(at):
        apart = ((value - history.start) / span).abs()
        factor = 1.0
        while int((apart.amax(1) <= threshold * factor).sum()) < 4:
            factor *= 2
        expected = torch.exp(-apart.square().sum(1) / (2 * (sigma * factor) ** 2))
        expected[apart.amax(1) > threshold * factor] = 0
        assert torch.allclose(got[i], expected)


def test_predictions_follow_a_law_that_the_history_obeys():
    """Everywhere in this history, an objective's improvement is one hyperbola of its weight."""
    weights = simplex_lattice(2, 10)
    law = Hyperbolas(*(torch.tensor(v).double() for v in ([3.0, 20.0], [6.0, 9.0], [0.5, 0.3], [1.0, 4.0])))
    gain = law(weights.T).T
    start = 1e-3 * randoms(11, 2)
    history = History.empty(2).add(start, weights, start + gain)
    at, asked = torch.zeros(2, 2).double(), simplex_lattice(2, 7).expand(2, -1, -1)
    out = predicted(history, at, asked, span=torch.ones(2).double(), threshold=0.1, sigma=0.03)
    assert out.shape == (2, 8, 2)
    assert torch.allclose(out[0], law(asked[0].T).T, atol=1e-2)
    assert torch.equal(out[0], out[1])


def test_the_history_leaves_failures_out():
    start = torch.tensor([[0.0, 0.0], [torch.nan, 0.0], [1.0, 1.0]]).double()
    history = History.empty(2).add(start, simplex_lattice(2, 2), torch.tensor([[1.0, 2.0]] * 3).double())
    assert history.gain.tolist() == [[1.0, 2.0], [0.0, 1.0]]


# The buffer.


def test_bins_are_equal_angles_of_the_quarter_circle():
    angle = torch.linspace(0.5, 9.5, 10).double() * math.pi / 20
    points = torch.stack([angle.cos(), angle.sin()], 1) * torch.arange(1, 11).unsqueeze(1)
    assert bins_of(points, 10).tolist() == list(range(10))
    edges = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, -3.0], [-3.0, 1.0]]).double()
    assert bins_of(edges, 10).tolist() == [0, 9, 0, 9]


def test_bins_of_three_objectives_are_nearest_directions():
    lattice = simplex_lattice(3, 4)
    assert bins_of(2.5 * lattice, 20).tolist() == list(range(15))  # 21 points would be too many
    points = randoms(50, 3)
    plain = [
        max(range(15), key=lambda b, p=p: float(p @ lattice[b] / lattice[b].norm())) for p in points
    ]  # angles to p, whose own length does not matter
    assert bins_of(points, 15).tolist() == plain


@pytest.mark.parametrize("m", [2, 3])
def test_the_buffer_keeps_the_farthest_of_every_bin(m):
    points = randoms(200, m)
    number, far = bins_of(points, 10), points.norm(dim=1)
    plain = []
    for b in number.unique():
        own = (number == b).nonzero().flatten().tolist()
        plain += sorted(own, key=lambda i: -float(far[i]))[:3]
    assert buffered(points, bins=10, size=3).tolist() == sorted(plain)


def test_candidates_fan_out_around_a_policys_direction():
    units = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 2.0]]).double()
    found = candidates(units, count=7, partitions=5)
    assert torch.allclose(found.sum(-1), torch.ones(3, 7).double())
    assert found.min() >= 0
    assert torch.allclose(found[0, 3], torch.tensor([0.5, 0.5]).double())
    assert torch.allclose(found[0, [0, -1]], torch.eye(2).double(), atol=1e-12)  # 45 degrees to either side
    assert torch.allclose(found[1, -1], torch.tensor([0.5, 0.5]).double())
    three = candidates(torch.tensor([[0.0, 3.0, 0.0]]).double(), count=3, partitions=4)
    assert three[0, 0].tolist() == [0.0, 1.0, 0.0]
    assert {tuple(w) for w in three[0, 1:].tolist()} <= {(0.25, 0.75, 0.0), (0.0, 0.75, 0.25)}


def test_the_frame_does_not_depend_on_units():
    low, high = torch.tensor([-1.0, 0.0]).double(), torch.tensor([1.0, 5.0]).double()
    scale = torch.tensor([10.0, 0.1]).double()
    values = low + (high - low) * randoms(4, 2)
    plain = Frame.of(low, high, None).units(values)
    assert torch.allclose(plain, Frame.of(low * scale, high * scale, None).units(values * scale))
    assert plain.min() >= 0.1 - 1e-12
    assert torch.allclose(Frame.of(low, high, (0.0, 0.0)).units(values), values / (high - low))
    assert Frame.of(low, low, None).span.tolist() == [1.0, 1.0]


# The choice.


def worth(points, alpha):
    """Quality by code that we did not write, and a plain loop."""
    points = np.unique(np.asarray(points), axis=0)
    points = points[moocore.is_nondominated(points, maximise=True)]
    volume = moocore.hypervolume(points, ref=np.zeros(points.shape[1]), maximise=True)
    gaps = sum(float(np.square(np.diff(np.sort(column))).sum()) for column in points.T)
    return volume - alpha * (gaps / (len(points) - 1) if len(points) > 1 else 0.0)


@pytest.mark.parametrize("m", [2, 3])
@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_the_choice_is_greedy_by_exhaustive_search(m, alpha):
    front, points = randoms(3, m), 1.2 * randoms(8, m, seed=1)
    front = front[torch.from_numpy(moocore.is_nondominated(front.numpy(), maximise=True))]
    chosen, have = [], list(front.numpy())
    for _ in range(4):
        scores = {k: worth([*have, points[k].numpy()], alpha) for k in range(8) if k not in chosen}
        chosen.append(max(scores, key=scores.get))
        have.append(points[chosen[-1]].numpy())
    assert select_tasks(front, points, count=4, alpha=alpha).tolist() == chosen


def test_the_greedy_choice_is_within_a_known_factor_of_the_best():
    """Hypervolume is monotone and submodular, so greedy gains at least 1 - 1/e (Nemhauser, Wolsey, Fisher 1978)."""
    for seed in range(5):
        front, points = 0.4 * randoms(1, 2, seed=seed), randoms(7, 2, seed=10 + seed)
        base = worth(front.numpy(), 0.0)
        sets = itertools.combinations(range(7), 3)
        best = max(worth([*front.numpy(), *points[list(k)].numpy()], 0.0) for k in sets)
        chosen = select_tasks(front, points, count=3, alpha=0.0)
        ours = worth([*front.numpy(), *points[chosen].numpy()], 0.0)
        assert best - 1e-12 >= ours - 2e-12 >= base + (1 - 1 / math.e) * (best - base) - 3e-12


def test_sparsity_changes_the_choice_and_no_point_is_chosen_twice():
    front = torch.tensor([[0.1, 1.0], [1.0, 0.1]]).double()
    points = torch.tensor([[1.4, 0.2], [0.6, 0.6]]).double()
    assert select_tasks(front, points, count=1, alpha=0.0).tolist() == [1]
    far = torch.tensor([[3.0, 0.2], [0.6, 0.6]]).double()
    assert select_tasks(front, far, count=1, alpha=0.0).tolist() == [0]
    assert select_tasks(front, far, count=1, alpha=1.0).tolist() == [1]
    assert sorted(select_tasks(front, far, count=5, alpha=1.0).tolist()) == [0, 1]


# Runs.


def test_tasks_start_from_the_buffer_and_their_training_is_recorded():
    problem = MORL(Line(), policy=SMALL, episodes=2)
    solver = quick()
    state = solver.init(problem, Rng.from_seed(0))
    first = len(solver.first_weights(problem))
    untrained = None
    while state.generation < 2:
        state = solver.step(problem, state)
        untrained = state.start if untrained is None else untrained
    assert len(state.history) == 2 * first
    assert torch.equal(state.history.start[:first], untrained)
    ends = state.history.start[:first] + state.history.gain[:first]
    assert torch.allclose(ends, state.history.start[first:])  # the second generation begins where the first ended
    assert torch.equal(state.history.weights[first:], solver.first_weights(problem))
    members, pool = state.members, state.buffer
    assert len(members.rngs) == first
    assert bool((members.networks.actor_moments.steps == 0).all())
    for p in range(first):
        parent = (pool.values == state.start[p]).all(1).nonzero()[0, 0]
        assert torch.equal(members.networks.actor_rows[p], pool.actors[parent])
        assert torch.equal(members.networks.critic_rows[p], pool.critics[parent])
    assert torch.allclose(state.weights.sum(1), torch.ones(first).double())


OPTIONS = {
    "n_candidates": 3,
    "bins": 100,
    "bin_size": 1,
    "sparsity_weight": 100.0,
    "threshold": 10.0,
    "sigma": 10.0,
    "capacity": 2,
}


def test_every_option_of_the_choice_changes_it():
    problem = MORL(Line(), policy=SMALL, episodes=2)

    def chosen(**options):
        solver = quick(**{"interval": 2, "bins": 3, **options})
        state = solver.init(problem, Rng.from_seed(0))
        while state.generation < 2:
            state = solver.step(problem, state)
        return state.weights

    usual = chosen()
    assert torch.equal(usual, chosen())
    assert not [name for name, value in OPTIONS.items() if torch.equal(usual, chosen(**{name: value}))]


@pytest.mark.parametrize("interval", [1, 2])
def test_budget_arithmetic_matches_what_was_spent(interval):
    problem = MORL(Line(), policy=SMALL, episodes=2)
    solver = quick(n_tasks=3, interval=interval, bin_size=1, bins=4)
    result = pk.solve(problem, solver, progress=False)
    assert result.status == "finished"
    assert result.cost.env_steps == solver.training_steps(problem) == (2 * 4 + 2 * 3) * 2 * 32
    assert result.cost.gradient_steps == (2 * 4 + 2 * 3) * 2 * 3 * 2
    assert result.cost.evaluations == 4 + (2 * 4 + 2 * 3) * 2 // interval
    assert result.cost.work == result.cost.env_steps + 2 * 5 * result.cost.evaluations
    assert len(result.state.buffer) <= 4
    assert len(result.state.history) == 2 * 4 + 2 * 3


def test_three_objectives_reach_their_corners():
    table = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.7, 0.7, 0.7))
    problem = MORL(Bandit(table=table), policy=SMALL)
    solver = PGMORL(ppo=QUICK, partitions=2, warmup=2, generations=2, updates=10, interval=10)
    result = pk.solve(problem, solver, progress=False)
    assert {tuple(v) for v in result.front.values.tolist()} == {tuple(v) for v in torch.tensor(table).tolist()}


def test_it_reaches_the_known_front_of_a_bandit():
    problem = MORL(Bandit(), policy=SMALL)
    result = pk.solve(problem, quick(warmup=2, generations=2, updates=12, interval=12), progress=False)
    assert {tuple(v) for v in result.front.values.tolist()} == {tuple(v) for v in torch.tensor(Bandit().table).tolist()}


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"ppo": "EUPG"}, "`ppo` must be a PPO or a mapping; got 'EUPG'"),
        ({"warmup": 0}, "`warmup` must be at least 1; got 0"),
        ({"n_tasks": 0}, "`n_tasks` must be at least 1; got 0"),
        ({"sparsity_weight": -1.0}, "`sparsity_weight` must be at least 0; got -1.0"),
        ({"sigma": 0.0}, "`sigma` must be positive; got 0.0"),
    ],
)
def test_wrong_arguments_get_one_line(options, line):
    with pytest.raises(pk.core.InputError, match=line):
        PGMORL(**options)


def test_what_it_cannot_solve_is_named():
    with pytest.raises(pk.core.UnsupportedProblemError, match="ConditionedPPO"):
        pk.solve(MORL(Line(), policy=Network(conditioned_on="preference")), quick())
    with pytest.raises(pk.core.UnsupportedProblemError, match="at most 4 objectives, and the problem has 5"):
        pk.solve(MORL(Bandit(table=((1.0,) * 5, (0.0,) * 5))), quick())
    problem = MORL(Bandit(), policy=SMALL)
    with pytest.raises(pk.core.InputError, match="`initial` must be left out"):
        pk.solve(problem, quick(), initial=problem.space.sample(1, Rng.from_seed(0)))
