"""The MORL problem: what is measured, what comes home, and what a wrong call is told."""

import json
import warnings

import numpy as np
import pytest
import torch

import paretokit as pk
from paretokit.core import InputError, Lanes, ParetoError, Rng, ShapeError
from paretokit.problems.morl import MORL, Discrete, Network, Policy, Table
from paretokit.solvers.morl import PPO
from tests.solvers.morl.toy_environments import Bandit, Line

SMALL = Network(hidden=(8,))


def rows(problem, n=4, seed=0):
    return problem.space.sample(n, Rng.from_seed(seed)).to(problem.dtype)


def test_values_are_discounted_returns_of_a_plain_loop():
    import mo_gymnasium

    problem = MORL("deep-sea-treasure-v0", policy=SMALL, discount=0.9)
    x = rows(problem, 6)
    values = problem.evaluate(x).values
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Gymnasium's own, about the precision of its boxes
        env = mo_gymnasium.make("deep-sea-treasure-v0")
    for row, value in zip(x, values, strict=True):
        policy, (seen, _), total, gain = problem.decode(row), env.reset(seed=0), np.zeros(2), 1.0
        for _ in range(100):
            seen, reward, terminated, truncated, _ = env.step(policy.act(seen))
            total += gain * reward
            gain *= 0.9
            if terminated or truncated:
                break
        assert np.allclose(value, total, atol=1e-4)


def test_protocol_says_how_values_were_measured():
    problem = MORL("minecart-v0", horizon=50, episodes=3, seed=7)
    measurement = problem.protocol.measurement
    assert (measurement.discount, measurement.horizon, measurement.episodes) == (0.98, 50, 3)
    assert measurement.seeds == (7, 8, 9)
    assert measurement.deterministic
    assert problem.protocol.scoring.reference_point == (-1.0, -1.0, -200.0)
    assert not MORL("minecart-v0", sample_actions=True).protocol.measurement.deterministic
    other = MORL("minecart-v0", horizon=60, episodes=3, seed=7)
    assert other.fingerprint() != problem.fingerprint()
    with pytest.raises(pk.core.ProtocolError, match="horizon: 50 against 60"):
        pk.core.same_measurement(problem.protocol, other.protocol)


def test_held_out_episodes_are_others_and_out_of_a_solvers_reach():
    problem = MORL(Line(), policy=SMALL, episodes=5)
    x = rows(problem)
    values, extra = problem.assess(x)
    assert not torch.equal(values, problem.evaluate(x).values)
    assert extra["length"].tolist() == [5.0] * 4
    with pytest.raises(ParetoError, match="held-out"):
        problem.observed(None).assess(x)


def test_evaluation_never_meets_the_training_handle():
    """Training moves lanes, statistics and weights; what a row is worth stays the same, and training stays unmoved."""
    problem = MORL(Line(), policy=SMALL, episodes=3)
    x = rows(problem)
    before = problem.evaluate(x).values
    ppo = PPO(n_steps=16, n_envs=2, epochs=1, minibatches=1)
    lanes = Lanes((Rng.from_seed(0), Rng.from_seed(1)))
    twins = [ppo.start(problem, lanes, torch.eye(2)) for _ in range(2)]
    for _ in range(2):
        ppo.train(problem, twins[0], torch.eye(2))
        problem.evaluate(x)
        problem.assess(x)
        ppo.train(problem, twins[1], torch.eye(2))
    assert torch.equal(problem.evaluate(x).values, before)
    assert torch.equal(twins[0].networks.actor_rows, twins[1].networks.actor_rows)
    assert torch.equal(twins[0].stand.state, twins[1].stand.state)


def test_training_statistics_travel_with_the_policy_and_rewards_stay_raw():
    problem = MORL(Line(), policy=SMALL, episodes=3)
    ppo = PPO(n_steps=16, n_envs=2, epochs=1, minibatches=1)
    state = ppo.start(problem, Lanes((Rng.from_seed(0),)), torch.ones(1, 2) / 2)
    ppo.train(problem, state, torch.ones(1, 2) / 2)
    row = ppo.rows(problem, state)
    tail = row[0, problem.wiring.n_parameters :]
    assert torch.allclose(tail[:2].double(), state.observations.mean[0], atol=1e-6)
    assert torch.allclose(tail[2:].double(), state.observations.scale[0], rtol=1e-5)
    assert not torch.equal(problem.evaluate(row).values, problem.evaluate(rows(problem, 1)).values)
    assert (problem.evaluate(row).values < 0).all()  # raw rewards are negative squares, whatever training scaled


@pytest.mark.parametrize("environment", ["minecart-deterministic-v0", "mo-mountaincarcontinuous-v0"])
def test_a_saved_policy_acts_the_same(environment, tmp_path):
    problem = MORL(environment, policy=SMALL)
    policy = problem.decode(rows(problem, 1)[0])
    policy.save(tmp_path / "policy.safetensors")
    twin = Policy.load(tmp_path / "policy.safetensors")
    for seed in range(5):
        seen = Rng.from_seed(seed).uniform(problem.env.observation_dim).numpy()
        assert np.array_equal(policy.act(seen), twin.act(seen))
        assert np.array_equal(policy.act(seen, rng=Rng(seed)), twin.act(seen, rng=Rng(seed)))


def test_a_table_acts_saves_and_loads(tmp_path):
    problem = MORL("deep-sea-treasure-v0", policy=Table())
    x = torch.full((1, problem.space.dim), 1.0)  # down: the first treasure
    assert problem.evaluate(x).values[0].tolist() == pytest.approx([0.7, -1.0])
    problem.decode(x[0]).save(tmp_path / "p.safetensors")
    assert Policy.load(tmp_path / "p.safetensors").act(np.zeros(2)) == 1


def test_policies_conditioned_on_the_accrued_reward_see_it():
    problem = MORL(Line(), policy=Network(hidden=(8,), conditioned_on="accrued"))
    policy = problem.decode(rows(problem, 1)[0])
    first = policy.act(np.zeros(2))
    policy.receive([-3.0, -1.0])
    second = policy.act(np.zeros(2))
    policy.reset()
    assert not np.array_equal(first, second)
    assert np.array_equal(policy.act(np.zeros(2)), first)
    with pytest.raises(ShapeError, match="`reward` must have 2 entries"):
        policy.receive([1.0])


def test_a_stack_of_rollouts_is_its_rows_alone():
    problem = MORL(Line(), policy=SMALL, episodes=3, sample_actions=True)
    x = rows(problem, 5)
    together = problem.evaluate(x).values
    alone = torch.cat([problem.evaluate(r.unsqueeze(0)).values for r in x])
    assert torch.allclose(together, alone, atol=1e-5)


def test_recipes_rebuild_environment_options_and_policy():
    problem = pk.problems.make("fruit-tree-v0", env_options={"depth": 5}, policy={"kind": "network", "hidden": [4]})
    recipe = json.loads(json.dumps(problem.recipe()))
    twin = pk.problems.make(recipe["id"], **recipe["options"])
    assert twin.fingerprint() == problem.fingerprint()
    assert twin.policy == Network(hidden=(4,))
    assert problem.env.id == "fruit-tree-v0"
    assert pk.problems.make("fruit-tree-v0").fingerprint() != problem.fingerprint()


def test_known_fronts_belong_to_the_registered_horizon():
    assert len(MORL("deep-sea-treasure-v0").pareto_front()) == 10
    assert MORL("deep-sea-treasure-v0", horizon=5).pareto_front() is None
    assert MORL("deep-sea-treasure-v0", horizon=5).front_kind == "unknown"


def test_nsga2_evolves_the_weights_of_a_small_policy():
    problem = MORL("deep-sea-treasure-v0", policy=SMALL)
    start = pk.solve(problem, pk.solvers.NSGA2(pop_size=40), budget=pk.Budget(iterations=1), progress=False)
    result = pk.solve(problem, pk.solvers.NSGA2(pop_size=40), budget=pk.Budget(iterations=25), progress=False)
    volume, best = result.scores["hypervolume"], 854.850
    assert start.scores["hypervolume"] < volume <= best + 1e-3
    assert volume > 0.75 * best
    action = result.front.pick([0.5, 0.5]).decode().act(np.array([0, 0]))
    assert action in range(4)


def wrong(**options):
    return lambda: MORL("deep-sea-treasure-v0", **options)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (wrong(discount=1.5), r"`discount` must lie in \(0, 1\]; got 1.5"),
        (wrong(horizon=0), "`horizon` must be at least 1; got 0"),
        (wrong(episodes=0), "`episodes` must be at least 1; got 0"),
        (wrong(seed=-1), "`seed` must lie in 0"),
        (wrong(reference_point=(0.0,)), "`reference_point` must have 2 entries"),
        (wrong(policy={"kind": "network", "hiden": [4]}), "hidden"),
        (wrong(policy=Network(head="gaussian")), '`head` must be "categorical" for discrete actions'),
        (lambda: MORL("fruit-tree-v0", discount=1.0), "`horizon` must be given for fruit-tree-v0, which has none"),
        (lambda: MORL("minecrt-v0"), "minecart-v0"),
        (lambda: MORL("fruit-tree-v0", env_options={"dept": 5}), "depth"),
        (lambda: MORL("minecart-v0", policy=Table()), "`policy` must be a network for minecart-v0"),
    ],
)
def test_wrong_arguments_get_one_line(call, line):
    with pytest.raises(ParetoError, match=line) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_another_environments_observation_is_refused():
    policy = MORL("minecart-v0", policy=SMALL).decode(rows(MORL("minecart-v0", policy=SMALL), 1)[0])
    with pytest.raises(ShapeError, match="`observation` must have 7 entries, as in minecart-v0; got 2"):
        policy.act(np.zeros(2))
    with pytest.raises(InputError, match="`observation` must be finite"):
        policy.act(np.full(7, np.nan))


@pytest.mark.parametrize("name", ["deep-sea-treasure-v0", "fishwood-v0", "minecart-v0", "fruit-tree-v0"])
def test_a_known_front_scores_zero_shortfall_and_gives_r2_its_ends(name):
    problem = MORL(name)
    known = problem.pareto_front()
    scoring = problem.protocol.scoring
    assert scoring.ideal == tuple(known.amax(0).tolist())
    assert scoring.nadir == tuple(known.amin(0).tolist())
    own = pk.Front(known, None, problem.objectives, problem.protocol, problem=problem).scores()
    fewer = pk.Front(known[:2], None, problem.objectives, problem.protocol, problem=problem).scores()
    assert own["igd_plus"] == 0
    assert 0 < own["r2"] < fewer["r2"]


def test_without_a_known_front_of_some_extent_there_is_no_r2():
    for problem in (MORL("mo-mountaincar-v0"), MORL("resource-gathering-v0"), MORL("minecart-v0", horizon=50)):
        assert problem.protocol.scoring.ideal is problem.protocol.scoring.nadir is None


def test_scoring_is_no_part_of_what_was_measured():
    plain, other = MORL("deep-sea-treasure-v0"), MORL("deep-sea-treasure-v0", reference_point=(0.0, -60.0))
    assert plain.measurement == plain.protocol.measurement == other.protocol.measurement
    assert MORL("deep-sea-treasure-v0", horizon=7).measurement.horizon == 7
    assert "protocol" not in MORL("four-room-v0").__dict__  # whose front takes seconds; it is asked for when scored


@pytest.mark.parametrize("hidden", [(64, 64), (8,)])
def test_random_policies_differ_where_the_observation_is_zero(hidden):
    tree = MORL("fruit-tree-v0", policy=Network(hidden=hidden))
    sampled = rows(tree, n=200)
    at_root = tree.wiring.act(sampled, torch.zeros(200, 1, 2), torch.zeros(200, 1, 6), None).double()
    assert 0.3 < at_root.mean() < 0.7
    assert len(tree.evaluate(sampled).values.unique(dim=0)) > 15  # of 64 leaves; half of them lie behind each action
    for weight, bias in tree.wiring.mlp.layers(sampled):
        assert (bias.abs() <= weight.shape[-1] ** -0.5).all()
        assert abs(bias.mean()) < 0.1


class Broken(Bandit):
    """Pays NaN."""

    def step(self, state, action, noise):
        move = super().step(state, action, noise)
        move.reward = torch.full_like(move.reward, torch.nan)
        return move


def test_a_reward_that_is_no_number_is_named_with_its_step_and_is_a_failed_candidate():
    problem = MORL(Broken(), policy=SMALL)
    assert problem.evaluate(rows(problem)).failed.all()
    ppo = PPO(n_steps=4, n_envs=2, epochs=1, minibatches=1)
    state = ppo.start(problem, Lanes((Rng.from_seed(0),)), torch.ones(1, 2) / 2)
    with pytest.raises(InputError, match="`reward` of bandit must be finite; got NaN or infinity in step 0"):
        ppo.train(problem, state, torch.ones(1, 2) / 2)


def test_a_reference_point_above_every_return_is_said():
    problem = MORL(Bandit(), policy=SMALL, reference_point=(5.0, 5.0))
    result = pk.solve(problem, pk.solvers.RandomSearch(pop_size=4), budget=pk.Budget(iterations=1), progress=False)
    assert result.front.scores()["hypervolume"] == 0.0
    assert "hypervolume  0 (at 5, 5, within which no point lies)" in repr(result)


def test_the_bandits_actions_are_discrete():
    assert Bandit().actions == Discrete(3)


@pytest.mark.parametrize(
    "solver",
    [
        pk.solvers.NSGA2(pop_size=4),
        pk.solvers.RandomSearch(pop_size=4),
        pk.solvers.MOEAD(partitions=3),
        pk.solvers.pymoo("NSGA2", pop_size=4),
    ],
)
def test_generic_solvers_count_their_work_in_environment_steps(solver):
    problem = MORL(Line(), policy=SMALL, episodes=3)
    result = pk.solve(problem, solver, budget=pk.Budget(iterations=2), progress=False)
    assert result.cost.evaluations > 0
    assert result.cost.work == 3 * 5 * result.cost.evaluations
    stopped = pk.solve(problem, solver, budget=pk.Budget(work=200), progress=False)
    assert stopped.cost.evaluations < 100


def test_pygmo_says_before_the_run_that_statistics_cannot_vary():
    with pytest.raises(pk.core.UnsupportedProblemError, match="4 of 38 have equal bounds"):
        pk.solve(MORL(Line(), policy=SMALL), pk.solvers.pygmo("nsga2"), budget=pk.Budget(iterations=2))


def test_small_measurements_keep_torch_to_one_thread_and_leave_its_number(monkeypatch):
    seen, step = [], Line.step

    def watched(self, *args, **options):
        seen.append(torch.get_num_threads())
        return step(self, *args, **options)

    monkeypatch.setattr(Line, "step", watched)
    problem, before = MORL(Line(), policy=SMALL, episodes=2), torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        problem.evaluate(rows(problem))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}


def test_a_row_that_is_no_single_decision_is_refused_at_decoding():
    problem = MORL("deep-sea-treasure-v0", policy=SMALL)
    d = problem.space.dim
    with pytest.raises(ShapeError, match=rf"`row` must be one decision of {d} numbers; got shape \(1, {d}\) \(one row"):
        problem.decode(rows(problem, 1))
