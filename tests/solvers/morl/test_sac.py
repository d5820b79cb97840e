"""Soft actor-critic as an improver: known optima, separate runs, resuming, and what it refuses."""

from __future__ import annotations

import math

import pytest
import torch
from sac_worlds import Bandit, Targets, lanes, simplex, train

from paretokit.core import InputError
from paretokit.core._serial import load_tree, save_tree
from paretokit.problems.morl import MORL, Continuous
from paretokit.solvers.morl._improver import Aim
from paretokit.solvers.morl._sac import SAC, SACState

SMALL = {"hidden": (16, 16), "batch_size": 8, "learning_starts": 10, "unit": 10, "capacity": 64}
QUICK = {"hidden": (32, 32), "batch_size": 32, "learning_starts": 64, "n_envs": 4, "unit": 100, "capacity": 5000}


def flat(state: SACState):
    networks = state.networks
    return torch.cat([networks.actor, networks.critic, networks.target, networks.log_alpha], -1)


@pytest.mark.parametrize("critic_targets", ["scalarized", "vector"])
def test_it_finds_the_best_action_of_every_weight(critic_targets):
    problem = MORL(Targets())
    solver = SAC(
        **QUICK,
        critic_targets=critic_targets,
        policy_rate=3e-3,
        critic_rate=1e-2,
        entropy_scale=2.0,
        updates_per_step=0.5,
    )
    w = simplex(0.0, 0.3, 0.5, 1.0)
    state = train(solver, problem, w, 14)
    policies = problem.with_policy(solver.architecture(problem))
    action = policies.wiring.act(solver.rows(problem, state), torch.ones(4, 1, 1), torch.zeros(4, 1, 2), None)[:, 0]
    best = w.float() @ torch.tensor(Targets().points)
    torch.testing.assert_close(action, best, atol=0.12, rtol=0.0)


def test_it_finds_the_best_arm_and_the_tuned_entropy():
    problem = MORL(Bandit())
    w = simplex(0.1, 0.5, 0.9)
    solver = SAC(
        **QUICK, policy_rate=1e-2, critic_rate=1e-2, updates_per_step=0.5, tau=0.05, target_every=1, entropy_scale=0.5
    )
    state = train(solver, problem, w, 14)
    policies = problem.with_policy(solver.architecture(problem))
    values = policies.evaluate(solver.rows(problem, state)).values
    torch.testing.assert_close(values.double(), torch.tensor([[0, 1], [0.6, 0.6], [1, 0]], dtype=torch.float64))
    wiring = solver.wiring(problem)
    logits = wiring.mlp(state.networks.actor, torch.ones(3, 1, 1))[:, 0]
    entropy = torch.distributions.Categorical(logits=logits).entropy()
    torch.testing.assert_close(entropy, torch.full((3,), 0.5 * math.log(3)), atol=0.1, rtol=0.0)


def test_soft_values_of_a_bandit_are_the_closed_form():
    # One state, terminal: Q is the reward, and the best policy is softmax(w.r / alpha).
    problem = MORL(Bandit())
    w = simplex(0.2, 0.5)
    solver = SAC(**QUICK, policy_rate=1e-2, critic_rate=1e-2, updates_per_step=0.5, alpha=0.5, critic_targets="vector")
    state = train(solver, problem, w, 14)
    ones = torch.ones(2, 1, 1)
    table = torch.tensor([[1.0, 0.0], [0.6, 0.6], [0.0, 1.0]])
    critic, problem_env = solver.critic(problem.env), solver.wiring(problem)
    q = critic(state.networks.critic.view(4, -1), ones.repeat_interleave(2, 0)).view(2, 2, 3, 2)
    torch.testing.assert_close(q, table.expand(2, 2, 3, 2), atol=0.02, rtol=0.0)
    prob = problem_env.mlp(state.networks.actor, ones)[:, 0].softmax(-1)
    torch.testing.assert_close(prob, ((w.float() @ table.T) / 0.5).softmax(-1), atol=0.03, rtol=0.0)


def test_time_limits_bootstrap_and_ends_do_not():
    # One state that pays (-0.5, ...) for the best action: an episode cut by the limit is worth the whole sum.
    w = simplex(0.5)
    values = {}
    for terminal in (True, False):
        problem = MORL(Targets(terminal=terminal))
        solver = SAC(
            **QUICK, discount=0.5, policy_rate=1e-2, critic_rate=1e-2, alpha=0.01, tau=0.1, updates_per_step=0.5
        )
        state = train(solver, problem, w, 8)
        best = torch.tensor([[[1.0, 1.0, 1.0]]])
        q = solver.critic(problem.env)(state.networks.critic.view(2, -1), best.expand(2, 1, 3))
        values[terminal] = float((q[:, 0] @ w[0].float()).mean())
    # At the mean of the points each lies at squared distance 1 + 0.25.
    assert values[True] == pytest.approx(-1.25, abs=0.1)
    assert values[False] == pytest.approx(-1.25 / (1 - 0.5), abs=0.2)


@pytest.mark.parametrize("world", [Targets(), Bandit()], ids=["continuous", "discrete"])
def test_members_equal_separate_runs(world):
    problem = MORL(world).to(dtype=torch.float64)
    solver = SAC(**SMALL, updates_per_step=1.0, normalize_rewards=True, normalize_observations=True)
    w = simplex(0.1, 0.5, 0.8)
    together = train(solver, problem, w, 3)
    assert together.updates == 20
    for p in range(3):
        alone = train(solver, problem, w[p : p + 1], 3, seeds=[p])
        torch.testing.assert_close(flat(alone), flat(together)[p : p + 1], atol=1e-9, rtol=1e-9)
    assert together.spent.env_steps == 90
    assert together.spent.gradient_steps == 3 * 20 * 2


def test_threads_change_nothing():
    problem, w = MORL(Targets()).to(dtype=torch.float64), simplex(0.0, 0.2, 0.4, 0.6, 0.8)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(flat(train(SAC(**SMALL, shared_buffer=True), problem, w, 3)))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(found[1], found[0], atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(found[2], found[0], atol=1e-9, rtol=1e-9)


def test_members_learn_from_each_other_in_a_shared_buffer_only():
    problem = MORL(Targets())
    w, apart = simplex(0.1, 0.5), {}
    for shared in (False, True):
        solver = SAC(**SMALL, shared_buffer=shared)
        state = train(solver, problem, w, 3)
        assert len(state.replay.rows) == (1 if shared else 2)
        assert len(state.replay) == (60 if shared else 30)
        other = train(solver, problem, w, 3, seeds=[0, 7])
        apart[shared] = not torch.equal(flat(state)[0], flat(other)[0])
    assert apart == {False: False, True: True}


@pytest.mark.parametrize("shared", [False, True])
def test_it_resumes_bit_for_bit(tmp_path, shared):
    problem = MORL(Targets())
    solver = SAC(**SMALL, shared_buffer=shared, normalize_observations=True, normalize_rewards=True)
    w = simplex(0.1, 0.5)
    straight = train(solver, problem, w, 5)
    halfway = train(solver, problem, w, 2)
    save_tree(tmp_path, "state", halfway)
    loaded = load_tree(tmp_path, "state", SACState)
    resumed = train(solver, problem, w, 3, state=solver.restore(problem, loaded))
    assert torch.equal(flat(resumed), flat(straight))
    assert torch.equal(resumed.replay.rows, straight.replay.rows)
    assert resumed.spent == straight.spent


def test_selected_members_train_on_as_if_alone():
    problem = MORL(Targets()).to(dtype=torch.float64)
    solver = SAC(**SMALL)
    w = simplex(0.1, 0.5, 0.9)
    state = train(solver, problem, w, 2)
    picked = solver.select(state, torch.tensor([2, 0]))
    before = flat(state).clone()
    picked = train(solver, problem, w[[2, 0]], 1, state=picked)
    assert torch.equal(flat(state), before)  # a copy
    whole = train(solver, problem, w, 1, state=state)
    torch.testing.assert_close(flat(picked), flat(whole)[[2, 0]], atol=1e-9, rtol=1e-9)


def test_transferred_networks_are_copies_with_fresh_optimizers():
    problem = MORL(Targets())
    solver = SAC(**SMALL)
    state = train(solver, problem, simplex(0.1, 0.5), 3)
    solver.transfer(state, 0, 1)
    assert torch.equal(flat(state)[0], flat(state)[1])
    assert state.networks.critic_moments.steps.tolist() == [20, 0]
    assert float(state.networks.critic_moments.square[1].abs().max()) == 0


def test_reward_scale_takes_units_out():
    # Rewards a thousand times as large train the same networks once their spread is known.
    class Scaled(Targets):
        factor = 1000.0

        def step(self, state, action, noise):
            move = super().step(state, action, noise)
            move.reward = move.reward * self.factor
            return move

    w, found = simplex(0.5), []
    for world in (Targets(), Scaled()):
        solver = SAC(**{**SMALL, "learning_starts": 20}, normalize_rewards=True)
        found.append(flat(train(solver, MORL(world).to(dtype=torch.float64), w, 4)))
    torch.testing.assert_close(found[0], found[1], atol=1e-3, rtol=1e-3)


def test_policies_act_as_they_were_trained_on_observations_of_any_size():
    problem = MORL(Targets())
    solver = SAC(**SMALL)
    state = train(solver, problem, simplex(0.5), 2)
    wiring, far = solver.wiring(problem), torch.tensor([[[-40.0], [15.0], [40.0]]])
    raw = wiring.mlp(state.networks.actor, far)[..., : wiring.n_actions]
    acted = wiring.act(solver.rows(problem, state), far, torch.zeros(1, 3, 2), None)
    torch.testing.assert_close(acted, wiring.applied(raw))
    assert len(acted.unique(dim=1)[0]) == 3


def test_observation_statistics_travel_with_the_policy():
    problem = MORL("mo-mountaincarcontinuous-v0")
    solver = SAC(**SMALL, normalize_observations=True)
    state = train(solver, problem, torch.full((1, problem.n_objectives), 0.5), 2)
    wiring, at = solver.wiring(problem), solver.wiring(problem).n_parameters
    rows = solver.rows(problem, state)
    torch.testing.assert_close(rows[:, at : at + 2], state.observations.mean.float())
    assert rows.shape == (1, wiring.dim)
    assert float(state.observations.count) == 20


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"critic_targets": "scalar"}, "`critic_targets` must be one of"),
        ({"unit": 10, "n_envs": 3}, "`unit` must be a multiple of n_envs = 3; got 10"),
        ({"tau": 1.5}, r"`tau` must lie in \[0, 1\]; got 1.5"),
        ({"alpha": 0.0}, "`alpha` must be positive; got 0.0"),
        ({"learning_starts": -1}, "`learning_starts` must be at least 0; got -1"),
        ({"policy_delay": 0}, "`policy_delay` must be at least 1; got 0"),
        ({"hidden": ()}, "`hidden widths` must be at least 1; got 0"),
        ({"discount": 1.1}, r"`discount` must lie in \[0, 1\]; got 1.1"),
    ],
)
def test_wrong_options_are_refused_with_a_line(options, line):
    with pytest.raises(InputError, match=line):
        SAC(**options)


def test_unbounded_actions_are_refused():
    problem = MORL(Targets(actions=Continuous((-math.inf, 0.0), (math.inf, 1.0))))
    assert SAC().unsupported(problem) == "it squashes actions into their box, and this box is unbounded"
    assert SAC().unsupported(MORL(Targets())) is None
    assert SAC().unsupported(MORL(Bandit())) is None


def test_published_defaults_differ_by_kind_of_action():
    continuous, discrete = SAC().rule(Targets()), SAC().rule(Bandit())
    assert (continuous.tau, continuous.target_every, continuous.critic_rate) == (0.005, 1, 1e-3)
    assert (discrete.tau, discrete.target_every, discrete.critic_rate) == (1.0, 500, 3e-4)
    assert continuous.target_entropy == -2.0
    assert discrete.target_entropy == pytest.approx(0.89 * math.log(3))
    assert (SAC().starts_after(Targets()), SAC().starts_after(Bandit())) == (1000, 20_000)
    assert SAC(critic_rate=0.5).rule(Bandit()).critic_rate == 0.5


def test_a_reward_that_is_no_number_is_named():
    class Broken(Targets):
        def step(self, state, action, noise):
            move = super().step(state, action, noise)
            move.reward = move.reward * math.nan
            return move

    problem = MORL(Broken())
    solver = SAC(**SMALL)
    state = solver.start(problem, lanes([0]), simplex(0.5))
    with pytest.raises(InputError, match="`reward` of targets must be finite; got NaN or infinity in step 0"):
        solver.improve(problem, state, Aim(weights=simplex(0.5), preference=simplex(0.5)))
