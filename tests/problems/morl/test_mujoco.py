"""MuJoCo environments: equal to MO-Gymnasium's own, bit for bit, from the same state under the same actions."""

import copy
import warnings

import mo_gymnasium
import numpy as np
import pytest
import torch

from paretokit.core import InputError, Lanes, Rng
from paretokit.problems.morl._environment import Continuous
from paretokit.problems.morl._mujoco import MUJOCO, mujoco_class
from paretokit.problems.morl._mujoco_engine import _KERNELS, Engine
from paretokit.problems.morl._rollout import begin, noise_of, rollout

mujoco = pytest.importorskip("mujoco")
NONE = torch.empty(0)


def make(name, **options):
    cls, preset = mujoco_class(name)
    return cls(id=name, **{**preset, **options})


def peers(env, states, name, **options):
    """Return plain environments, one a lane, that stand where the states stand."""
    made = []
    for row in env._rows(states):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # v4 is deprecated there
            peer = mo_gymnasium.make(name, **options).unwrapped
        made.append(place(env, row, peer))
    return made


def place(env, row, peer):
    peer.reset(seed=0)
    mujoco.mj_resetData(peer.model, peer.data)
    peer.set_state(row[env.engine.qpos].copy(), row[env.engine.qvel].copy())
    return peer


def actions_of(env, rng, lanes, scale=1.0):
    if isinstance(env.actions, Continuous):
        return rng.uniform(env.actions.low, env.actions.high, (1, lanes, env.actions.dim)) * scale
    return rng.integers(0, env.actions.n, (1, lanes))


def agree(name, *, steps, lanes=2, seed=0, **options):
    env = make(name, **options)
    state = env.initial(Rng.from_seed(seed).uniform(1, lanes, env.reset_noise))
    others, rng = peers(env, state, name, **options), np.random.default_rng(seed)
    first = np.stack([peer._get_obs() for peer in others]).astype(np.float32)
    assert (env.observe(state)[0].numpy() == first).all()
    touched = ended = 0
    for t in range(steps):
        action = actions_of(env, rng, lanes)
        move = env.step(state, torch.from_numpy(action), NONE)
        seen = env.observe(move.state)[0].numpy()
        for lane, peer in enumerate(others):
            observation, reward, terminated, _, _ = peer.step(action[0, lane])
            assert (seen[lane] == observation.astype(np.float32)).all(), (t, lane)
            assert (move.reward[0, lane].numpy() == reward).all(), (t, lane, move.reward[0, lane], reward)
            assert bool(move.terminated[0, lane]) == bool(terminated), (t, lane)
            touched, ended = touched + (peer.data.ncon > 0), ended + bool(terminated)
        state = move.state
        if bool(move.terminated.any()):
            state = env.reset(
                state, move.terminated, Rng.from_seed(seed).child("reset", t).uniform(1, lanes, env.reset_noise)
            )
            for row, peer, over in zip(env._rows(state), others, move.terminated[0], strict=True):
                if over:
                    place(env, row, peer)
    return touched, ended


@pytest.mark.parametrize("name", sorted(MUJOCO))
def test_equals_mo_gymnasium_bit_for_bit(name):
    touched, _ = agree(name, steps=60)
    assert touched > 0 or "swimmer" in name or "reacher" in name  # those two touch nothing


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MUJOCO))
def test_equals_mo_gymnasium_bit_for_bit_over_long_runs(name):
    agree(name, steps=1000, lanes=3, seed=1)


@pytest.mark.parametrize("name", ["mo-hopper-v4", "mo-hopper-2obj-v5", "mo-walker2d-v4", "mo-walker2d-v5"])
@pytest.mark.parametrize("terminate", [True, False])
def test_equals_mo_gymnasium_with_other_options(name, terminate):
    options = {"terminate_when_unhealthy": terminate, "healthy_reward": 0.5, "ctrl_cost_weight": 0.25}
    options |= {"healthy_angle_range": (-0.1, 0.1), "exclude_current_positions_from_observation": False}
    _, ended = agree(name, steps=80, **options)
    assert (ended > 0) == terminate


@pytest.mark.parametrize("name", ["mo-hopper-v5", "mo-halfcheetah-v5"])
def test_threads_and_the_plain_twin_give_the_same_bits(name):
    env, rng = make(name), np.random.default_rng(0)
    kernels = _KERNELS.load()
    assert kernels.advance is not None
    states = env._rows(env.initial(Rng.from_seed(0).uniform(1, 13, env.reset_noise)))
    controls = rng.uniform(-1, 1, (30, 13, env.actions.dim))
    runs = []
    for threads in (None, 1, 2, 3):
        engine, now = Engine(**{**env.engine.config, "threads": threads}), states
        for control in controls:
            now = engine.advance_plain(now, control) if threads is None else engine.advance(now, control)
        runs.append(now)
    assert all((run == runs[0]).all() for run in runs)


def test_a_step_leaves_its_state_as_it_was_and_depends_on_nothing_else():
    env = make("mo-hopper-v5")
    state = env.initial(Rng.from_seed(0).uniform(2, 5, env.reset_noise))
    kept, action = state.clone(), torch.zeros(2, 5, 3, dtype=torch.float64)
    once = env.step(state, action, NONE)
    env.step(once.state, action + 1, NONE)
    again = env.step(state, action, NONE)
    alone = env.step(state[1:, 3:4], action[1:, 3:4], NONE)
    assert (state == kept).all()
    assert (once.state == again.state).all()
    assert (alone.state[0, 0] == once.state[1, 3]).all()


def test_ended_lanes_stay_until_they_are_reset():
    env = make("mo-hopper-v5")
    state = env.initial(Rng.from_seed(0).uniform(1, 3, env.reset_noise))
    over = state.clone()
    over[0, 1, 0], over[0, 1, 2] = 0.008, 0.5  # some time has passed, and the torso lies low
    move, other = (env.step(s, torch.ones(1, 3, 3, dtype=torch.float64), NONE) for s in (over, state))
    assert (move.state[0, 1] == over[0, 1]).all()
    assert move.reward[0, 1].tolist() == [0.0] * 3
    assert move.terminated.tolist() == [[False, True, False]]
    assert (move.state[0, ::2] == other.state[0, ::2]).all()


def test_actions_that_are_no_numbers_fail_their_lane_alone():
    env = make("mo-hopper-v5")
    state, action = env.initial(Rng.from_seed(0).uniform(1, 2, env.reset_noise)), torch.zeros(1, 2, 3)
    action[0, 1, 2] = torch.nan
    move = env.step(state, action, NONE)
    assert move.reward[0].isnan().all(-1).tolist() == [False, True]
    assert move.terminated.tolist() == [[False, True]]
    assert (move.state[0, 1] == state[0, 1]).all()
    assert (move.state[0, 0] == env.step(state, torch.zeros(1, 2, 3), NONE).state[0, 0]).all()


def test_resets_touch_only_the_lanes_of_the_mask():
    env = make("mo-hopper-v5")
    noise = Rng.from_seed(0).uniform(2, 3, env.reset_noise)
    state = env.step(env.initial(noise), torch.ones(2, 3, 3, dtype=torch.float64), NONE).state
    mask = torch.tensor([[True, False, False], [False, False, True]])
    fresh = env.reset(state, mask, noise)
    assert (fresh[~mask] == state[~mask]).all()
    assert (fresh[mask] == env.initial(noise)[mask]).all()


def test_resets_follow_gymnasiums_distributions():
    stats = pytest.importorskip("scipy.stats")
    for name in ("mo-hopper-v5", "mo-halfcheetah-v5"):
        env = make(name)
        rows = env._rows(env.initial(Rng.from_seed(3).uniform(1, 400, env.reset_noise)))
        peer = mo_gymnasium.make(name).unwrapped
        theirs = []
        for seed in range(400):
            peer.reset(seed=seed)
            theirs.append(np.concatenate([peer.data.qpos, peer.data.qvel]))
        ours = np.concatenate([rows[:, env.engine.qpos], rows[:, env.engine.qvel]], -1)
        p = [stats.ks_2samp(a, b).pvalue for a, b in zip(ours.T, np.array(theirs).T, strict=True)]
        assert min(p) > 1e-3 / len(p)  # error rate 0.1 % an environment


def test_actions_beyond_the_box_are_clipped_to_it():
    env = make("mo-hopper-v5")
    state = env.initial(Rng.from_seed(0).uniform(1, 2, env.reset_noise))
    far, edge = (env.step(state, torch.full((1, 2, 3), a), NONE) for a in (7.0, 1.0))
    assert (far.state == edge.state).all()
    assert (far.reward == edge.reward).all()
    assert float(far.reward[0, 0, 2]) == -2.0  # -|a|^2 + 1 with a = (1, 1, 1)


def test_single_precision_actions_cost_the_same_up_to_rounding():
    env = make("mo-halfcheetah-v5")
    state = env.initial(Rng.from_seed(0).uniform(1, 1, env.reset_noise))
    peer = peers(env, state, "mo-halfcheetah-v5")[0]
    action = np.random.default_rng(0).uniform(-1, 1, 6).astype(np.float32)
    _, reward, *_ = peer.step(action)
    ours = env.step(state, torch.from_numpy(action)[None, None], NONE).reward[0, 0].numpy()
    np.testing.assert_allclose(ours, reward, rtol=1e-6)


def test_members_draw_the_same_alone_and_stacked():
    env, root = make("mo-hopper-v5"), Rng.from_seed(0)

    def run(members):
        lanes = Lanes(tuple(root.child("member", p) for p in members))
        stand, rewards = begin(env, lanes.child("begin"), 3), []
        rollout(
            env,
            stand,
            lambda observation, accrued, t: torch.sin(observation[..., :3] * 9 + t),
            steps=60,
            noise=noise_of(env, lanes.child("noise"), 60, 3),
            horizon=env.horizon,
            discount=0.99,
            record=lambda t, step: rewards.append((step.reward, step.terminated)) and None,
        )
        return torch.stack([r for r, _ in rewards], 1), torch.stack([e for _, e in rewards], 1)

    (both, ends), (alone, _) = run([0, 1]), run([1])
    assert (both[1] == alone[0]).all()
    assert bool(ends.any())  # so resets took part


def test_copies_step_alike():
    env = make("mo-hopper-v5", threads=1)
    state = env.initial(Rng.from_seed(0).uniform(1, 2, env.reset_noise))
    action = torch.full((1, 2, 3), 0.5)
    first = env.step(state, action, NONE).state
    twin = copy.deepcopy(env)
    assert twin == env
    assert (twin.step(state, action, NONE).state == first).all()


def test_numbers_of_the_contract():
    hopper, cheetah = make("mo-hopper-2obj-v5"), make("mo-halfcheetah-v5")
    assert (hopper.observation_dim, hopper.n_objectives, hopper.horizon) == (11, 2, 1000)
    assert (hopper.discount, hopper.reference_point) == (0.99, (-100.0, -100.0))
    assert [o.name for o in hopper.objectives] == ["velocity", "height"]
    assert hopper.actions == Continuous((-1.0,) * 3, (1.0,) * 3)
    assert hopper.functional
    assert cheetah.observation_dim == 17


def test_bad_options_are_refused_with_a_line():
    with pytest.raises(InputError, match=r"`threads` must be at least 1; got 0"):
        make("mo-hopper-v5", threads=0)
    with pytest.raises(InputError, match=r"`reset_noise_scale` must be at least 0; got -1"):
        make("mo-hopper-v5", reset_noise_scale=-1)
