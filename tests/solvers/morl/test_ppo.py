"""The PPO improver: stacks equal separate runs, one-hot weights are scalar PPO, statistics and transfers."""

import dataclasses

import pytest
import torch

from paretokit.core import InputError, Lanes, Rng
from paretokit.problems.morl import MORL, Network
from paretokit.solvers.morl import PPO
from tests.solvers.morl.toy_environments import Bandit, Line

SMALL = Network(hidden=(8,))
QUICK = PPO(n_steps=8, n_envs=2, epochs=2, minibatches=2)


def lanes(members):
    return Lanes(tuple(Rng.from_seed(5).child("member", p) for p in members))


def trained(problem, members, weights, updates, ppo=QUICK):
    state = ppo.start(problem, lanes(members), weights)
    for _ in range(updates):
        ppo.train(problem, state, weights)
    return state


@pytest.mark.parametrize("environment", [Bandit(), Line()])
def test_members_equal_separate_runs_after_twenty_updates(environment):
    problem = MORL(environment, policy=SMALL).to(dtype=torch.float64)
    weights = torch.tensor([[1.0, 0.0], [0.3, 0.7], [0.0, 1.0]], dtype=torch.float64)
    stack = trained(problem, range(3), weights, 20)
    for p in range(3):
        alone = trained(problem, [p], weights[p : p + 1], 20)
        for name in ("actor_rows", "critic_rows"):
            ours, own = getattr(stack.networks, name)[p], getattr(alone.networks, name)[0]
            assert torch.allclose(ours, own, rtol=0, atol=1e-9)
        assert torch.allclose(stack.stand.state[p], alone.stand.state[0], rtol=0, atol=1e-9)
    assert stack.spent.env_steps == 3 * 20 * 16
    assert stack.spent.gradient_steps == 3 * 20 * 4


def test_one_hot_weights_read_one_objective_only():
    """Changing what the other objective pays changes nothing in the actor's advantage."""
    weights = torch.tensor([[1.0, 0.0]])
    seen = []
    for table in (((1.0, 0.0), (0.5, 3.0)), ((1.0, 7.0), (0.5, -2.0))):
        problem = MORL(Bandit(table=table), policy=SMALL)
        ppo = dataclasses.replace(QUICK, gae_lambda=1.0)
        state = ppo.start(problem, lanes([0]), weights)
        state.networks.critic_rows.zero_()
        seen.append(ppo.experience(problem, state, weights)[1].advantage)
    assert torch.allclose(seen[0], seen[1], atol=1e-5)


def test_advantages_are_scalarized_in_raw_units():
    """An objective paid in cents must not count a hundredfold less, nor more, than its weight says."""
    problem = MORL(Bandit(table=((1.0, 0.0), (0.0, 100.0))), policy=SMALL)
    ppo = dataclasses.replace(QUICK, n_steps=64, gae_lambda=1.0)
    weights = torch.tensor([[0.5, 0.5]])
    state = ppo.start(problem, lanes([0]), weights)
    data, batch = ppo.experience(problem, state, weights)
    raw = data.rewards.sum(-1).flatten()
    assert torch.corrcoef(torch.stack([raw.float(), batch.advantage[0]]))[0, 1] > 0.99


def test_statistics_are_frozen_during_a_rollout_and_move_after_it():
    problem = MORL(Line(), policy=SMALL)
    state = QUICK.start(problem, lanes([0]), torch.ones(1, 2) / 2)
    QUICK.train(problem, state, torch.ones(1, 2) / 2)
    assert float(state.observations.count[0]) == 16
    still = dataclasses.replace(QUICK, normalize_observations=False)
    state = still.start(problem, lanes([0]), torch.ones(1, 2) / 2)
    still.train(problem, state, torch.ones(1, 2) / 2)
    assert float(state.observations.count[0]) == 0
    tail = still.rows(problem, state)[0, problem.wiring.n_parameters :]
    assert tail.tolist() == [0.0, 0.0, 1.0, 1.0]


def test_transfer_copies_networks_and_begins_the_optimizer_anew():
    problem = MORL(Line(), policy=SMALL)
    state = trained(problem, range(2), torch.eye(2), 2)
    QUICK.transfer(state, 0, 1)
    rows = QUICK.rows(problem, state)
    assert torch.equal(rows[0], rows[1])
    assert state.networks.actor_moments.steps.tolist() == [8, 0]
    assert not state.networks.actor_moments.mean[1].any()


def test_selected_members_are_copies():
    problem = MORL(Line(), policy=SMALL)
    state = trained(problem, range(2), torch.eye(2), 1)
    chosen = QUICK.select(state, torch.tensor([1, 1, 0]))
    assert torch.equal(chosen.networks.actor_rows[0], state.networks.actor_rows[1])
    QUICK.train(problem, chosen, torch.eye(2)[[1, 1, 0]])
    assert not torch.equal(chosen.networks.actor_rows[0], state.networks.actor_rows[1])


def test_every_option_changes_what_happens():
    problem = MORL(Line(), policy=SMALL)
    weights = torch.tensor([[0.4, 0.6]])
    base = trained(problem, [0], weights, 2).networks
    changes = {
        "epochs": 3, "minibatches": 4, "learning_rate": 1e-3, "discount": 0.9, "gae_lambda": 0.5, "n_steps": 12,
        "n_envs": 4, "entropy_coef": 0.1, "max_grad_norm": 0.01, "hidden": (6,), "clip": 1e-6, "value_coef": 0.1,
        "normalize_observations": False, "normalize_rewards": False,
    }  # fmt: skip
    for name, value in changes.items():
        ppo = dataclasses.replace(QUICK, **{name: value})
        other = trained(problem, [0], weights, 2, ppo).networks
        assert not torch.equal(base.actor_rows, other.actor_rows), name


def test_wrong_options_get_one_line():
    with pytest.raises(InputError, match="`minibatches` must divide n_steps x n_envs = 4096; got 7"):
        PPO(minibatches=7)
    with pytest.raises(InputError, match="`learning_rate` must be positive; got 0"):
        PPO(learning_rate=0)
