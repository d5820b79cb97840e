"""C-MORL: constraints hold while one objective rises, parents are where children start, runs resume bit for bit."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

import paretokit as pk
from paretokit.core import Lanes, Rng
from paretokit.problems.morl import MORL, Network
from paretokit.solvers.morl._cmorl import CMORL
from paretokit.solvers.morl._cpo import TrustRegion, conjugate_gradient, fisher_product, train_constrained
from paretokit.solvers.morl._ppo import PPO, Floors
from paretokit.solvers.morl._trust_region import trust_region_step
from paretokit.testing import check_solver
from tests.solvers.morl.toy_environments import Bandit, Line

QUICK = PPO(n_steps=16, n_envs=4, epochs=3, minibatches=2, learning_rate=3e-3)
SMALL = Network(hidden=(8,))


def lanes(n, seed=0):
    return Lanes(tuple(Rng.from_seed(seed).child("member", p) for p in range(n)))


def quick(**options):
    return CMORL(ppo=QUICK, init_updates=3, rounds=2, n_selected=2, extension_updates=2, **options)


@pytest.mark.parametrize("constraint", ["ipo", "cpo"])
@pytest.mark.parametrize("problem", [MORL(Bandit(), policy=SMALL), MORL(Line(), policy=SMALL, episodes=2)])
def test_keeps_the_contract(constraint, problem):
    check_solver(quick(constraint=constraint), problem, iterations=3)


def bandit_run(constraint, table, updates, target=0, beta=0.9):
    """Train a bandit policy that begins at the uniform one; return its expected rewards before and after."""
    problem = MORL(Bandit(table=table), policy=SMALL, sample_actions=True, episodes=2)
    ppo = dataclasses.replace(QUICK, n_steps=64, epochs=4, minibatches=4, normalize_rewards=False, discount=1.0)
    state = ppo.start(problem, lanes(3), torch.zeros(3, len(table[0])))
    rewards = torch.tensor(table, dtype=torch.float64)

    def expected():
        logits = problem.wiring.mlp(ppo.rows(problem, state)[:, : problem.wiring.n_body], torch.ones(3, 1, 1))
        return (torch.softmax(logits.double(), -1) @ rewards).squeeze(1)

    ppo = dataclasses.replace(ppo, normalize_observations=False)
    first = expected()
    weights = torch.nn.functional.one_hot(torch.tensor([target] * 3), len(table[0])).float()
    slack = (1 - beta) * first.abs()
    for _ in range(updates):
        floors = Floors(weights == 0, expected(), first - slack, 0.1 * slack, 20.0, 1.0)
        if constraint == "ipo":
            ppo.train(problem, state, weights, floors=floors)
        elif constraint == "cpo":
            train_constrained(ppo, problem, state, weights, floors, TrustRegion())
        else:
            ppo.train(problem, state, weights)
    return first, expected(), first - slack


TABLE = ((1.0, 0.0, 0.3), (0.7, 0.6, 0.5), (0.0, 1.0, 0.6))


@pytest.mark.parametrize("constraint", ["ipo", "cpo"])
def test_the_objective_rises_while_the_others_keep_their_floors(constraint):
    _, last, floor = bandit_run(constraint, TABLE, updates=40)
    assert (last[:, 0] > 0.67).all()  # 0.76 is the optimum within the floors, 0.7 where the barrier stops for this t
    assert (last[:, 1:] > floor[:, 1:] - 0.01).all()


def test_without_constraints_the_floors_would_break():
    _, last, floor = bandit_run("none", TABLE, updates=40)
    assert (last[:, 1] < floor[:, 1] - 0.05).all()


@pytest.mark.parametrize("constraint", ["ipo", "cpo"])
def test_negative_returns_keep_sign_safe_floors(constraint):
    costs = tuple(tuple(v - 2.0 for v in row) for row in TABLE)
    first, last, floor = bandit_run(constraint, costs, updates=40, beta=0.95)
    assert (floor < first).all()
    assert (last[:, 0] > first[:, 0]).all()
    assert (last[:, 1:] > floor[:, 1:] - 0.02).all()


@pytest.mark.parametrize("trial", range(30))
def test_the_trust_region_step_is_the_optimum_that_a_general_solver_finds(trial):
    rng = np.random.default_rng(trial)
    k, d, radius = int(rng.integers(0, 4)), 5, 0.05
    root = rng.normal(size=(d, d))
    h = root @ root.T + 0.5 * np.eye(d)
    g, b = rng.normal(size=d), rng.normal(size=(k, d))
    c = rng.normal(size=k) * 0.2 - 0.05
    solve = np.linalg.solve(h, np.concatenate([g[None], b]).T).T
    step, recovers = trust_region_step(
        torch.tensor(g)[None], torch.tensor(b).reshape(1, k, d), torch.tensor(c)[None],
        torch.ones(1, k, dtype=torch.bool), radius, torch.tensor(solve)[None],
    )  # fmt: skip
    x = step[0].numpy()
    rules = [{"type": "ineq", "fun": lambda y: radius - 0.5 * y @ h @ y}]
    rules += [{"type": "ineq", "fun": lambda y, j=j: b[j] @ y - c[j]} for j in range(k)]
    best = minimize(lambda y: -g @ y, np.zeros(d), constraints=rules, method="SLSQP", options={"maxiter": 500})
    feasible = best.success and all(rule["fun"](best.x) > -1e-7 for rule in rules)
    assert 0.5 * x @ h @ x <= radius * (1 + 1e-6)
    if recovers[0]:
        assert not feasible
        assert b[c.argmax()] @ x > 0
    else:
        assert (b @ x >= c - 1e-6).all()
        assert not feasible or g @ x >= -best.fun - 1e-4


@pytest.mark.parametrize("environment", [Bandit(), Line()])
def test_fisher_products_are_the_curvature_of_the_divergence(environment):
    problem = MORL(environment, policy=SMALL).to(dtype=torch.float64)
    ppo = dataclasses.replace(QUICK, n_steps=4)
    state = ppo.start(problem, lanes(2), torch.full((2, 2), 0.5))
    _, batch = ppo.experience(problem, state, torch.full((2, 2), 0.5))
    product = fisher_product(batch, state.networks, 0.0)
    d = state.networks.actor_rows.shape[1]
    matrix = torch.stack([product(torch.eye(d, dtype=torch.float64)[i].expand(2, -1)) for i in range(d)], 1)
    assert torch.allclose(matrix, matrix.mT, atol=1e-10)
    assert torch.linalg.eigvalsh(matrix).min() > -1e-10
    damped = fisher_product(batch, state.networks, 0.1)
    target = torch.randn(2, d, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = conjugate_gradient(damped, target, 4 * d)
    assert torch.allclose(damped(found), target, atol=1e-6)


def test_every_pair_starts_from_its_selected_policy_and_floors_are_frozen():
    problem = MORL(Line(), policy=SMALL, episodes=2)
    solver = quick()
    state = solver.init(problem, Rng.from_seed(0))
    while state.round == 0:
        state = solver.step(problem, state)
    members, kept = state.members, state.archive
    m = problem.n_objectives
    for p in range(len(members.rngs)):
        parent = (kept.values == state.value[p]).all(1).nonzero()[0, 0]
        assert torch.equal(members.networks.actor_rows[p], kept.actors[parent])
        assert torch.equal(members.networks.critic_rows[p], kept.critics[parent])
        assert int(state.target[p]) == p % m
    assert (state.floor < state.value).all()
    assert bool((members.networks.actor_moments.steps == 0).all())
    floor = state.floor.clone()
    state = solver.step(problem, state)
    assert torch.equal(state.floor, floor)
    history = [tuple(v) for v in state.history.tolist()]
    assert len(set(history)) == len(history)


def test_the_barrier_leaves_the_maximized_objective_out():
    problem = MORL(Line(), policy=SMALL, episodes=2)
    solver = quick()
    state = solver.init(problem, Rng.from_seed(0))
    while state.round == 0:
        state = solver.step(problem, state)
    weights = torch.nn.functional.one_hot(state.target, 2).float()
    floors = solver._floors(problem, state, weights)
    _, batch = solver.trainer.experience(problem, state.members, weights, floors)
    assert torch.equal(batch.barrier.weight > 0, weights == 0)


def test_budget_arithmetic_matches_what_was_spent():
    problem = MORL(Line(), policy=SMALL, episodes=2)
    solver = quick()
    result = pk.solve(problem, solver, progress=False)
    assert result.status == "finished"
    assert result.cost.env_steps == solver.training_steps(problem)
    assert result.cost.work == result.cost.env_steps + 2 * 5 * result.cost.evaluations
    assert result.held_out is not None
    assert result.held_out.shape == result.front.values.shape
    assert "held out     " in repr(result)
    assert result.held_out_scores["hypervolume"] != result.scores["hypervolume"]


def test_a_trained_policy_reaches_the_known_optimum():
    problem = MORL(Bandit(), policy=SMALL)
    result = pk.solve(problem, CMORL(ppo=QUICK, init_updates=15, rounds=1, n_selected=2), progress=False)
    assert result.front.values.amax(0).tolist() == [1.0, 1.0]
    assert any(torch.allclose(v, torch.tensor([0.8, 0.8])) for v in result.front.values)


def test_wrong_arguments_get_one_line():
    with pytest.raises(pk.core.InputError, match="`beta` must lie strictly between 0 and 1; got 1.5"):
        CMORL(beta=1.5)
    with pytest.raises(pk.core.InputError, match="constraint"):
        CMORL(constraint="ppo")
    with pytest.raises(pk.core.UnsupportedProblemError, match="squashed"):
        pk.solve(MORL(Line(), policy=Network(head="squashed")), CMORL(), budget=pk.Budget(iterations=1))
