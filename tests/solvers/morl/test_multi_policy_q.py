"""MultiPolicyQ: exact fronts from experience, and each of its computations against one that it does not share."""

from __future__ import annotations

import itertools

import pytest
import torch

from paretokit import problems, solvers
from paretokit.core import InputError, Rng, UnsupportedProblemError, non_dominated
from paretokit.indicators import hypervolume
from paretokit.problems.morl import MORL, Table
from paretokit.problems.morl._deep_sea_treasure import DeepSeaTreasure
from paretokit.problems.morl._dynamic_programming import TabularModel, convex_coverage_set, scalarized_values
from paretokit.problems.morl._environment import Continuous
from paretokit.problems.morl._resource_gathering import ResourceGathering
from paretokit.run import Budget, solve
from paretokit.solvers.morl import _experience, _tabular_learning
from paretokit.solvers.morl._experience import Experience, Transitions
from paretokit.solvers.morl._multi_policy_q import MultiPolicyQ
from paretokit.testing import check_solver


def run(problem, solver=None, *, iterations=51, seed=0):
    return solve(problem, solver or MultiPolicyQ(), budget=Budget(iterations=iterations), seed=seed, progress=False)


def ordered(values):
    rows = values.double()
    for j in reversed(range(rows.shape[1])):
        rows = rows[torch.argsort(rows[:, j], stable=True)]
    return rows


def random_batch(seed, *, states=12, actions=3, objectives=2, outcomes=1, n=3000):
    """Return transitions of a random process whose action (s, a) has `outcomes` equally likely outcomes."""
    rng = Rng.from_seed(seed)
    after = rng.child("after").integers(states, states, actions, outcomes)
    ends = rng.child("ends").uniform(states, actions, outcomes) < 0.15
    reward = rng.child("reward").normal(states, actions, outcomes, objectives)
    s, a = rng.child("s").integers(states, n), rng.child("a").integers(actions, n)
    k = rng.child("k").integers(outcomes, n)
    first = torch.zeros(n, dtype=torch.bool)
    s[0], first[0] = 0, True
    return Transitions(s, a, reward[s, a, k], after[s, a, k], ends[s, a, k], first)


def experience_of(batch, *, states=12, actions=3):
    seen = Experience.empty(n_states=states, n_actions=actions, n_objectives=batch.reward.shape[1])
    seen.observe(batch)
    return seen


def model_of(seen):
    """Return the experience as the tables of dynamic programming (every action tried at least once)."""
    n, k = seen.n, seen.counts.shape[2]
    visits = seen.visits[:n].double()
    initial = torch.zeros(n, dtype=torch.float64)
    initial[:] = seen.started[:n] / seen.started.sum()
    return TabularModel(
        next_state=seen.successor[:n].clamp_min(0),
        probability=seen.counts[:n] / visits.unsqueeze(-1),
        reward=(seen.total[:n] / visits.unsqueeze(-1)).unsqueeze(2).expand(-1, -1, k, -1),
        terminal=seen.successor[:n] < 0,
        initial=initial,
    )


@pytest.mark.parametrize(
    ("environment", "options", "count", "volume", "reference"),
    [
        ("deep-sea-treasure-v0", {}, 10, 854.850, (0, -50)),
        ("deep-sea-treasure-concave-v0", {}, 10, 3688.377, (0, -50)),
        ("deep-sea-treasure-v0", {"discount": 1.0}, 10, 994.300, (0, -50)),
        ("fruit-tree-v0", {"env_options": {"depth": 5}}, 32, 36815.95, (-1,) * 6),
        ("fruit-tree-v0", {}, 64, 46034.80, (-1,) * 6),
    ],
)
def test_deterministic_fronts_are_found_to_the_last_point(environment, options, count, volume, reference):
    problem = MORL(environment, **options)
    result = run(problem)
    point = torch.tensor(reference, dtype=torch.float64)
    assert len(result.front) == count
    assert float(hypervolume(result.front.values.double(), point, maximize=True)) == pytest.approx(volume, rel=1e-5)
    known = problem.pareto_front()
    assert torch.allclose(ordered(result.front.values), ordered(known), rtol=1e-5, atol=1e-5)
    assert result.cost.env_steps == 51 * 16 * 25
    assert result.cost.work == result.cost.env_steps + int(result.state.evaluation_steps)


def test_the_convex_coverage_set_of_a_concave_front_has_its_two_corners():
    result = run(MORL("deep-sea-treasure-concave-v0"), MultiPolicyQ(coverage="convex"))
    assert len(result.front) == 2
    point = torch.tensor([0.0, -50.0], dtype=torch.float64)
    assert float(hypervolume(result.front.values.double(), point, maximize=True)) == pytest.approx(3391.566, rel=1e-6)


def test_a_stochastic_front_is_found_and_is_worth_what_dynamic_programming_says():
    environment = ResourceGathering()
    problem = MORL("resource-gathering-v0", episodes=100)
    front = run(problem, iterations=81).front
    point = torch.tensor([-1.0, -1.0, -1.0], dtype=torch.float64)
    assert float(hypervolume(front.values.double(), point, maximize=True)) == pytest.approx(3.5194, rel=5e-3)
    model = environment.model()
    exact = convex_coverage_set(model, discount=0.99, horizon=100)
    assert torch.allclose(ordered(front.values), ordered(exact[non_dominated(exact, maximize=True)]), atol=1e-5)
    # The tables themselves, by the linear equations of their values: no episode is played.
    states = torch.arange(environment.n_states)
    for row, measured in zip(front.x.long(), front.values, strict=True):
        chance, after = model.probability[states, row], model.next_state[states, row]
        going = torch.zeros(len(states), len(states), dtype=torch.float64)
        going.scatter_add_(1, after, chance * ~model.terminal[states, row])
        now = (chance.unsqueeze(-1) * model.reward[states, row]).sum(1)
        value = torch.linalg.solve(torch.eye(len(states), dtype=torch.float64) - 0.99 * going, now)
        assert torch.allclose(value[int(model.initial.argmax())], measured.double(), atol=1e-5)


def test_front_and_decisions_are_tables_that_act():
    front = run(MORL("deep-sea-treasure-v0"), iterations=31).front
    assert front.problem.policy == Table()
    assert torch.equal(front.problem.evaluate(front.x).values, front.values)
    policy = front.problem.decode(front.x[0])
    assert policy.act([0, 0]) in range(4)


def test_it_is_in_the_registry_and_keeps_the_contract_of_solvers():
    assert solvers.make("MultiPolicyQ", n_envs=4) == MultiPolicyQ(n_envs=4)
    solver = MultiPolicyQ(n_envs=4, n_steps=12, interval=2)
    check_solver(solver, problems.MORL("deep-sea-treasure-v0"), iterations=3)


def test_counts_are_those_of_the_transitions():
    batch = random_batch(3, outcomes=6)
    seen = experience_of(batch)
    assert not seen.deterministic
    assert seen.counts.sum() == len(batch.before)
    after = torch.where(batch.ended, -2, batch.after)
    for u, a in itertools.product(range(seen.n), range(3)):
        here = (batch.before == seen.states[u]) & (batch.action == a)
        assert int(seen.visits[u, a]) == int(here.sum())
        assert torch.allclose(seen.total[u, a], batch.reward[here].sum(0), atol=1e-9)
        found = {
            (int(seen.states[v]) if v >= 0 else -2): int(c)
            for v, c in zip(seen.successor[u, a].tolist(), seen.counts[u, a].tolist(), strict=True)
            if c
        }
        values, times = after[here].unique(return_counts=True)
        assert found == dict(zip(values.tolist(), times.tolist(), strict=True))


def test_counting_in_parts_is_counting_at_once():
    batch = random_batch(4, outcomes=3, n=400)
    whole, parts = experience_of(batch), Experience.empty(n_states=12, n_actions=3, n_objectives=2)
    for i in range(0, 400, 37):
        parts.observe(Transitions(*(getattr(batch, name)[i : i + 37] for name in Transitions.__dataclass_fields__)))
    n = whole.n
    assert parts.n == n
    for name in ("visits", "total", "successor", "counts", "started", "states"):
        assert torch.equal(getattr(parts, name)[:n], getattr(whole, name)[:n])
    assert torch.equal(parts.slot, whole.slot)


def test_rewards_that_vary_are_noticed():
    batch = random_batch(5)
    assert experience_of(batch).deterministic
    batch.reward[-1] += 0.01
    assert not experience_of(batch).deterministic


@pytest.mark.parametrize("outcomes", [1, 3])
def test_the_best_policies_are_those_of_dynamic_programming(outcomes):
    seen = experience_of(random_batch(6, outcomes=outcomes, objectives=3))
    model = model_of(seen)
    weights = Rng.from_seed(1).uniform(20, 3)
    value = torch.zeros(20, seen.n, 3, dtype=torch.float64)
    choice = torch.zeros(20, seen.n, dtype=torch.int64)
    arguments = (seen.n, seen.successor, seen.counts, seen.visits, seen.total, weights, 0.9, 2000, value, choice)
    _experience._call("optimize", *arguments)
    start = int(model.initial.argmax())
    exact = scalarized_values(model, weights, discount=0.9, horizon=2000)
    assert torch.allclose(value[:, start], exact, atol=1e-9)
    found = seen.convex_set(discount=0.9, horizon=2000)
    coverage = convex_coverage_set(model, discount=0.9, horizon=2000)
    assert torch.allclose(ordered(found.values), ordered(coverage), atol=1e-9)


def test_pareto_sets_are_those_of_all_paths():
    batch = random_batch(8, states=7, actions=3, n=800)
    batch.reward = -batch.reward.abs()  # so that no path gains by meeting a state twice
    seen = experience_of(batch, states=7)
    horizon, discount = 7, 1.0
    ends = []

    def walk(u, gain, total, steps):
        for a in range(3):
            paid = total + gain * seen.total[u, a] / seen.visits[u, a]
            v = int(seen.successor[u, a, 0])
            if v < 0:
                ends.append(paid)
            elif steps + 1 < horizon:
                walk(v, gain * discount, paid, steps + 1)

    walk(int(seen.slot[0]), 1.0, torch.zeros(2, dtype=torch.float64), 0)
    every = torch.stack(ends)
    best = every[non_dominated(every, maximize=True, keep_duplicates=False)]
    points = torch.zeros(seen.n, 64, 2, dtype=torch.float64)
    size, action = torch.zeros(seen.n, dtype=torch.int64), torch.zeros(seen.n, 64, dtype=torch.int64)
    model = (seen.n, seen.successor, seen.visits, seen.total, discount)
    dropped = _experience._call("pareto_sets", *model, horizon, horizon, points, size, action, action.clone())
    start = int(seen.slot[0])
    reached = points[start, : size[start]]
    assert dropped == 0
    assert torch.allclose(ordered(reached), ordered(best), atol=1e-9)
    found = seen.pareto_set(discount=discount, horizon=horizon, capacity=16)
    assert found is not None
    assert torch.allclose(ordered(found.values), ordered(best), atol=1e-9)


def test_paths_are_followed_by_tables_with_their_returns():
    seen = experience_of(random_batch(9, states=9, n=2000), states=9)
    found = seen.pareto_set(discount=0.9, horizon=20, capacity=64)
    assert found is not None
    for choice, value in zip(found.choice, found.values, strict=True):
        u, gain, total = int(seen.slot[0]), 1.0, torch.zeros(2, dtype=torch.float64)
        while u >= 0:
            a = int(choice[u])
            total = total + gain * seen.total[u, a] / seen.visits[u, a]
            gain, u = gain * 0.9, int(seen.successor[u, a, 0])
        assert torch.allclose(total, value, atol=1e-9)


def test_exploration_leads_to_what_was_never_tried():
    # A corridor 0 -> 1 -> 2 -> 3: action 1 goes on, action 0 back to the start; action 1 of the last one is untried.
    before = torch.tensor([0, 1, 2, 0, 1, 2, 3])
    action = torch.tensor([1, 1, 1, 0, 0, 0, 0])
    after = torch.tensor([1, 2, 3, 0, 0, 0, 0])
    never = torch.zeros(7, dtype=torch.bool)
    batch = Transitions(before, action, torch.zeros(7, 2, dtype=torch.float64), after, never, never)
    seen = experience_of(batch, states=5, actions=2)
    assert seen.exploration().tolist() == [1, 1, 1, 1]
    assert seen.known(torch.tensor([3, 4])).tolist() == [3, 4]
    assert seen.tables(torch.tensor([[1, 1, -1]])).tolist() == [[1, 1, 0, 0, 0]]


@pytest.mark.parametrize("outcomes", [1, 4])
def test_plain_and_compiled_computations_are_the_same_bits(outcomes, monkeypatch):
    def everything():
        seen = experience_of(random_batch(8, states=7, outcomes=outcomes, n=200), states=7)
        convex = seen.convex_set(discount=0.8, horizon=30)
        pareto = seen.pareto_set(discount=0.8, horizon=10, capacity=32)
        out = [seen.total, seen.counts, seen.successor, seen.exploration(), convex.values, convex.choice]
        return out if pareto is None else [*out, pareto.values, pareto.choice]

    monkeypatch.setattr(_experience.KERNELS, "run", lambda name, twin, *arguments: twin(*arguments))
    plain = everything()
    monkeypatch.undo()
    kernels = _experience.KERNELS.load()
    monkeypatch.setattr(_experience.KERNELS, "run", lambda name, twin, *arguments: getattr(kernels, name)(*arguments))
    compiled = everything()
    assert len(plain) == len(compiled) == (8 if outcomes == 1 else 6)
    assert all(torch.equal(a, b) for a, b in zip(plain, compiled, strict=True))
    assert _tabular_learning.END == -2


def test_what_it_cannot_learn_is_said():
    class Boxed(DeepSeaTreasure.__mro__[1]):
        id, objectives, observation_dim, n_states = "boxed", DeepSeaTreasure.objectives, 1, 3
        actions, horizon = Continuous((-1.0,), (1.0,)), 5

        def model(self):
            raise NotImplementedError

        observations = model

    with pytest.raises(UnsupportedProblemError, match="cannot solve boxed: its actions are continuous"):
        MultiPolicyQ().check(MORL(Boxed()))
    with pytest.raises(UnsupportedProblemError, match="the states of its environment are not numbered"):
        MultiPolicyQ().check(MORL("minecart-v0"))
    with pytest.raises(InputError, match="`initial` must be left out, since learning starts from experience; got rows"):
        MultiPolicyQ().init(MORL("deep-sea-treasure-v0"), Rng.from_seed(0), initial=torch.zeros(1, 4))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"n_envs": 1}, "`n_envs` must be at least 2; got 1"),
        ({"n_steps": 0}, "`n_steps` must be at least 1; got 0"),
        ({"interval": 0}, "`interval` must be at least 1; got 0"),
        ({"set_capacity": 0}, "`set_capacity` must be at least 1; got 0"),
        ({"exploration": 1.5}, "`exploration` must lie in [0, 1]; got 1.5"),
        ({"coverage": "pareto"}, "`coverage` must be one of ['auto', 'convex']; got 'pareto'"),
    ],
)
def test_bad_options_are_refused_in_one_line(options, text):
    with pytest.raises(InputError) as error:
        MultiPolicyQ(**options)
    assert str(error.value).startswith(text)
