"""One network for all preferences: one batch of many members, answers that move, known optima reached."""

import dataclasses

import pytest
import torch

import paretokit as pk
from paretokit.core import Lanes, Rng
from paretokit.nn import Moments
from paretokit.problems.morl import MORL, Network
from paretokit.solvers.morl._conditioned_ppo import ConditionedPPO, Pooled
from paretokit.solvers.morl._ppo import PPO
from paretokit.testing import check_solver
from tests.solvers.morl.toy_environments import Bandit, Line

QUICK = PPO(n_steps=8, n_envs=4, epochs=3, minibatches=2, learning_rate=1e-2, hidden=(8,))
SMALL = Network(hidden=(8,))


def quick(**options):
    return ConditionedPPO(**{"ppo": QUICK, "n_preferences": 4, "partitions": 4, "evaluate_every": 2, **options})


@pytest.mark.parametrize(
    ("solver", "problem"),
    [
        (quick(iterations=4), MORL(Bandit(), policy=SMALL)),
        (quick(front_from="network"), MORL(Line(), policy=SMALL, episodes=2)),
    ],
)
def test_keeps_the_contract(solver, problem):
    check_solver(solver, problem, iterations=2)


def test_pooled_moments_are_those_of_all_rows():
    data = [torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(s)).double() + s for s in range(3)]
    start = Moments.start(1, 2)
    pooled = Pooled(start.mean, start.variance, start.count)
    for block in data:
        pooled.update(block)
    rows = torch.cat([block.reshape(-1, 2) for block in data])
    assert torch.allclose(pooled.mean[0], rows.mean(0))
    assert torch.allclose(pooled.variance[0], rows.var(0, unbiased=False))
    assert pooled.count.tolist() == [45.0]
    assert torch.equal(pooled.expanded(4).mean, pooled.mean.expand(4, 2))


def test_a_batch_holds_every_preference_with_its_own_standardized_advantage():
    problem = MORL(Line(), policy=SMALL, episodes=2)
    solver = quick()
    state = solver.init(problem, Rng.from_seed(3))
    wanted = solver.preferences(problem, state)
    assert torch.equal(wanted[:2], torch.eye(2, dtype=torch.float64))
    assert torch.allclose(wanted.sum(1), torch.ones(4, dtype=torch.float64))
    batch = solver.experience(solver.view(problem), state)
    k, rows = 4, 8 * 4
    assert batch.observations.shape == (1, k * rows, 2 + 2)
    seen = batch.observations[0].view(k, rows, 4)[..., 2:]
    assert torch.equal(seen, wanted.float().unsqueeze(1).expand(-1, rows, -1))
    advantage = batch.advantage[0].view(k, rows)
    assert torch.allclose(advantage.mean(1), torch.zeros(k), atol=1e-5)
    assert torch.allclose(advantage.std(1), torch.ones(k), atol=1e-4)
    assert batch.permutations.sort(-1).values.eq(torch.arange(k * rows)).all()
    assert state.observations.count.tolist() == [k * rows]


def test_one_preference_is_plain_ppo_with_that_preference_as_an_input():
    """Of one preference, rollout and batch equal those of a member of PPO with the same numbers."""
    problem = MORL(Line(), policy=SMALL, episodes=2)
    solver = quick(n_preferences=1, corners=False)
    view = solver.view(problem)
    state = solver.init(problem, Rng.from_seed(1))
    preference = solver.preferences(problem, state).float()
    lanes = Lanes((state.rng.child("preference", 0),))
    plain = QUICK.start(view, lanes, preference)
    plain.networks = QUICK.networks(view, state.networks.actor_rows.clone(), state.networks.critic_rows.clone())
    _, expected = QUICK.experience(view, plain, preference)
    batch = solver.experience(view, state)
    for name in ("observations", "actions", "log_probs", "advantage", "targets", "values"):
        assert torch.equal(getattr(batch, name), getattr(expected, name)), name


def test_it_learns_to_answer_every_preference_of_a_bandit():
    """Which arm is best depends on the preference; one network gives each of them its arm."""
    problem = MORL(Bandit(), policy=SMALL)
    ppo = dataclasses.replace(QUICK, epochs=6, learning_rate=3e-2)
    solver = ConditionedPPO(ppo=ppo, n_preferences=8, partitions=10, iterations=60, evaluate_every=60)
    result = pk.solve(problem, solver, seed=0, progress=False)
    assert result.status == "finished"
    table = torch.tensor(problem.env.table)
    for w in ((1.0, 0.0), (0.9, 0.1), (0.5, 0.5), (0.1, 0.9), (0.0, 1.0)):
        best = table[(table @ torch.tensor(w)).argmax()]
        assert torch.allclose(result.at(w).values[0], best), w
    last = dataclasses.replace(solver, front_from="network").front(problem, result.state)
    assert sorted(last.values[:, 0].tolist()) == pytest.approx([0.0, 0.8, 1.0])


def test_answers_begin_with_the_preference_and_stay_near_it():
    problem = MORL(Line(), policy=SMALL, episodes=2)
    result = pk.solve(problem, quick(), budget=pk.Budget(iterations=1), progress=False)
    rows = result.at([0.75, 0.25], n=50).x
    w = rows[:, -2:]
    assert torch.equal(w[0], torch.tensor([0.75, 0.25]))
    assert torch.equal(rows[:, :-2], rows[:1, :-2].expand(50, -1))  # one network
    assert torch.allclose(w.sum(1), torch.ones(50))
    assert (w - w[0]).abs().amax() <= 0.1 * 0.75 + 1e-6
    assert len(w.unique(dim=0)) == 50
    still = dataclasses.replace(result.solver, spread=0.0)
    same = still.answer(problem, result.state, torch.tensor([0.75, 0.25]), n=3, rng=Rng.from_seed(0))
    assert torch.equal(same, same[:1].expand(3, -1))
    policy = result.at([0.75, 0.25])[0].decode()
    assert policy.architecture.conditioned_on == "preference"


def test_costs_count_training_and_measuring():
    problem = MORL(Line(), policy=SMALL, episodes=2)
    result = pk.solve(problem, quick(iterations=4), progress=False)
    assert result.cost.env_steps == 4 * 4 * 8 * 4
    assert result.cost.gradient_steps == 4 * 3 * 2
    assert result.cost.evaluations == 3 * 5  # rollouts 1, 3 and the last, a lattice of five each
    assert result.cost.work == result.cost.env_steps + 15 * 2 * 5
    assert result.front.problem.policy.conditioned_on == "preference"
    assert torch.equal(result.front.info["preference"].float(), result.front.x[:, -2:])


def test_corners_and_capacity_are_options():
    problem = MORL(Line(), policy=SMALL, episodes=2)
    solver = quick(corners=False, capacity=2)
    state = solver.init(problem, Rng.from_seed(0))
    assert not (solver.preferences(problem, state) == 1).any()
    for _ in range(3):
        state = solver.step(problem, state)
    assert len(solver.front(problem, state)) <= 2
    assert len(quick(partitions=None).lattice(problem)) == 21


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"ppo": "EUPG"}, "`ppo` must be a PPO or a mapping; got 'EUPG'"),
        ({"n_preferences": 0}, "`n_preferences` must be at least 1; got 0"),
        ({"spread": 1.5}, r"`spread` must lie in \[0, 1\]; got 1.5"),
        ({"front_from": "population"}, "`front_from` must be one of"),
        ({"iterations": 0}, "`iterations` must be at least 1; got 0"),
    ],
)
def test_wrong_arguments_get_one_line(options, line):
    with pytest.raises(pk.core.InputError, match=line):
        ConditionedPPO(**options)


def test_what_it_cannot_solve_is_named():
    once, problem = pk.Budget(iterations=1), MORL(Bandit(), policy=SMALL)
    with pytest.raises(pk.core.UnsupportedProblemError, match="`n_preferences` must be at least 2"):
        pk.solve(problem, quick(n_preferences=1), budget=once)
    with pytest.raises(pk.core.UnsupportedProblemError, match="accrued"):
        pk.solve(MORL(Bandit(), policy=Network(conditioned_on="accrued")), quick(), budget=once)
    with pytest.raises(pk.core.InputError, match="`initial` must be left out"):
        pk.solve(problem, quick(), budget=once, initial=problem.space.sample(1, Rng.from_seed(0)))


@pytest.mark.parametrize(
    ("name", "rare"),
    [
        ("ConditionedPPO", {"ppo": QUICK, "n_preferences": 4, "partitions": 4}),
        ("MORLD", {"improver": QUICK, "pop_size": 3, "evaluate_every": 100, "exchange_every": 10**6}),
        ("CMORL", {"ppo": QUICK, "init_updates": 100, "init_interval": 100}),
    ],
)
def test_a_budget_ends_with_the_present_policies_measured(name, rare):
    problem = MORL(Line(), policy=SMALL, episodes=2)
    solver = pk.solvers.make(name, **rare)
    result = pk.solve(problem, solver, budget=pk.Budget(iterations=3), progress=False)
    state = solver.init(problem, Rng.from_seed(0).child("solver"))
    for _ in range(3):
        state = solver.step(problem, state)
    before = solver.cost(state)
    closed = solver.closed(problem, state)
    assert torch.equal(solver.front(problem, closed).values, result.front.values)
    assert solver.cost(state) == before
    assert result.cost == solver.cost(closed)
    assert result.cost.evaluations > before.evaluations
    assert len(result.front)
