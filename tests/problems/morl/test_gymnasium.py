"""Live Gymnasium environments: equal to a plain loop, replayed from a record, and refused with a line where unfit."""

import copy
import gc
import random
import sys
import warnings

import gymnasium
import mo_gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from paretokit.core import CheckpointError, InputError, MissingPackageError, ParetoWarning, Rng, UnknownNameError
from paretokit.core._serial import load_tree, save_tree
from paretokit.problems.morl._environment import Continuous, Discrete
from paretokit.problems.morl._gymnasium import GymnasiumEnvironment
from paretokit.problems.morl._rollout import Stand

NONE = torch.empty(0)


class Walk(gymnasium.Env):
    """A walk on the line whose reward, observation and spaces a test may break."""

    def __init__(self, m=2, space=None, actions=None, look=None, pay=None, cut=None):
        self.observation_space = space or spaces.Box(-np.inf, np.inf, (2,), np.float64)
        self.action_space = actions or spaces.Discrete(3, start=-1)
        self.reward_space = spaces.Box(-np.inf, np.inf, (m,))
        self.look, self.pay, self.cut = look, pay, cut

    def seen(self):
        return self.look(self) if self.look else np.array([self.x, self.t], dtype=float)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x, self.t = float(self.np_random.normal()), 0
        return self.seen(), {}

    def step(self, action):
        self.given, self.t = action, self.t + 1
        self.x += float(np.sum(action))
        reward = self.pay(self) if self.pay else np.array([self.x, -1.0])
        return self.seen(), reward, abs(self.x) > 4, self.t == self.cut, {}


class Global(Walk):
    """A walk that draws from the global generators."""

    def step(self, action):
        self.x += np.random.normal() + random.random()  # noqa: NPY002 - what the test is about
        return super().step(action)


def globals_now():
    return random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002 - it must stay as it was


def plain(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Gymnasium's notes on its own precision, and Box2D's
        return mo_gymnasium.make(name)


def env_of(make):
    return GymnasiumEnvironment(source=make)


def rng(*shape, seed=0):
    return Rng.from_seed(seed).uniform(*shape)


@pytest.mark.parametrize(
    "name", ["deep-sea-treasure-v0", "mo-mountaincarcontinuous-v0", "minecart-deterministic-v0", "four-room-v0"]
)
def test_equals_the_plain_loop(name):
    env, noise = GymnasiumEnvironment(source=name), rng(2, 2, 1)
    state = env.initial(noise)
    seeds = [int(u * 2**31) for u in noise.reshape(-1)]
    peers = [plain(name) for _ in seeds]
    first = np.stack([p.reset(seed=s)[0] for p, s in zip(peers, seeds, strict=True)]).astype(np.float32)
    assert (env.observe(state).reshape(4, -1).numpy() == first).all()
    generator = np.random.default_rng(0)
    over = np.zeros(4, dtype=bool)
    for _ in range(60):
        if isinstance(env.actions, Discrete):
            action = generator.integers(0, env.actions.n, (2, 2))
        else:
            action = generator.uniform(-1, 1, (2, 2, env.actions.dim)).astype(np.float32)
        move = env.step(state, torch.from_numpy(action), NONE)
        seen = env.observe(state).reshape(4, -1).numpy()
        for i, (peer, given) in enumerate(zip(peers, action.reshape(4, *action.shape[2:]), strict=True)):
            if over[i]:
                assert move.reward.reshape(4, -1)[i].tolist() == [0.0] * env.n_objectives
                continue
            observation, reward, terminated, _, _ = peer.step(given)
            assert (seen[i] == np.asarray(observation, dtype=np.float32)).all()
            assert (move.reward.reshape(4, -1)[i].numpy() == reward).all()
            over[i] = terminated
        assert (move.terminated.reshape(4).numpy() == over).all()


@pytest.mark.parametrize("name", ["mo-lunar-lander-v3", "mo-lunar-lander-continuous-v3"])
def test_lunar_lander(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Box2D's wheels crash where their import warnings are errors
        pytest.importorskip("Box2D")
    env = GymnasiumEnvironment(source=name)
    assert (env.observation_dim, env.n_objectives, env.horizon, env.discount) == (8, 4, 1000, 0.99)
    assert env.objectives[0].name == "outcome"
    assert env.reference_point[0] in (-101.0, -110.0)
    state = env.initial(rng(1, 2, 1))
    action = torch.ones(1, 2, dtype=torch.int64) if name == "mo-lunar-lander-v3" else torch.ones(1, 2, 2)
    peer = plain(name)
    peer.reset(seed=int(rng(1, 2, 1)[0, 1, 0] * 2**31))
    for _ in range(20):
        reward = peer.step(action[0, 1].numpy() if action.ndim == 3 else 1)[1]
        assert (env.step(state, action, NONE).reward[0, 1].numpy() == reward).all()


def test_time_limits_are_taken_out_wherever_they_stand():
    def make():
        inner = gymnasium.wrappers.TimeLimit(Walk(), 7)
        return gymnasium.wrappers.TimeLimit(gymnasium.wrappers.OrderEnforcing(inner), 9)

    env = env_of(make)
    assert env.horizon == 7
    state = env.initial(rng(1, 1, 1))
    for _ in range(12):
        move = env.step(state, torch.ones(1, 1, dtype=torch.int64), NONE)  # start - 1 + 1: stands still
    assert not bool(move.terminated)
    assert GymnasiumEnvironment(source="deep-sea-treasure-v0").horizon == 100
    assert GymnasiumEnvironment(source="fruit-tree-v0").horizon is None


def test_an_environments_own_truncation_ends_the_episode():
    env = env_of(lambda: Walk(cut=2))
    state, still = env.initial(rng(1, 1, 1)), torch.ones(1, 1, dtype=torch.int64)
    assert [bool(env.step(state, still, NONE).terminated) for _ in range(3)] == [False, True, True]


def test_ended_lanes_stay_until_they_are_reset():
    env = env_of(Walk)
    state, right = env.initial(rng(1, 2, 1)), torch.tensor([[2, 1]])
    for _ in range(10):
        move = env.step(state, right, NONE)
    assert move.terminated.tolist() == [[True, False]]
    assert move.reward[0, 0].tolist() == [0.0, 0.0]
    other = env.observe(state)[0, 1].clone()
    env.reset(state, move.terminated, rng(1, 2, 1, seed=5))
    assert env.observe(state)[0, 0, 1] == 0
    assert (env.observe(state)[0, 1] == other).all()
    assert env.step(state, right, NONE).terminated.tolist() == [[False, False]]


def test_actions_start_where_the_space_starts_and_boxes_clip():
    env = env_of(Walk)
    assert env.actions == Discrete(3)
    state = env.initial(rng(1, 1, 1))
    env.step(state, torch.zeros(1, 1, dtype=torch.int64), NONE)
    assert state.lanes[0].env.given == -1
    box = spaces.Box(np.array([[-1, -2]], np.float32), np.array([[1, 2]], np.float32))
    env = env_of(lambda: Walk(actions=box))
    assert env.actions == Continuous((-1.0, -2.0), (1.0, 2.0))
    state = env.initial(rng(1, 1, 1))
    env.step(state, torch.tensor([[[0.5, 9.0]]]), NONE)
    given = state.lanes[0].env.given
    assert given.tolist() == [[0.5, 2.0]]
    assert given.dtype == np.float32


def test_actions_that_are_no_numbers_fail_their_lane_alone():
    env = env_of(lambda: Walk(actions=spaces.Box(-1, 1, (1,))))
    state = env.initial(rng(1, 2, 1))
    move = env.step(state, torch.tensor([[[0.1], [torch.nan]]]), NONE)
    assert move.reward[0].isnan().all(-1).tolist() == [False, True]
    assert move.terminated.tolist() == [[False, True]]
    assert env.step(state.clone(), torch.zeros(1, 2, 1), NONE).terminated.tolist() == [[False, True]]


@pytest.mark.parametrize("kind", [Walk, Global])
def test_states_replay_after_saving_and_loading(kind, tmp_path):
    env, run = env_of(kind), np.random.default_rng(1)
    before = globals_now()
    state = env.initial(rng(2, 3, 1))
    for t in range(9):
        move = env.step(state, torch.from_numpy(run.integers(0, 3, (2, 3))), NONE)
        env.reset(state, move.terminated, rng(2, 3, 1, seed=t))
    save_tree(tmp_path, "state", Stand(state, torch.zeros(2, 3), torch.zeros(2, 3, 2)))
    twin = load_tree(tmp_path, "state", Stand).state
    assert twin.lanes is None
    action = torch.from_numpy(run.integers(0, 3, (2, 3)))
    moves = [env.step(s, action, NONE) for s in (state, twin)]
    assert (moves[0].reward == moves[1].reward).all()
    assert (env.observe(state) == env.observe(twin)).all()
    assert before == globals_now()


def test_members_are_copied_and_part_ways():
    env, run = env_of(Walk), np.random.default_rng(1)
    state = env.initial(rng(3, 2, 1))
    for _ in range(4):
        env.step(state, torch.from_numpy(run.integers(0, 3, (3, 2))), NONE)
    chosen = state[torch.tensor([2, 0, 2])].clone()
    assert (env.observe(chosen) == env.observe(state)[[2, 0, 2]]).all()
    env.step(state, torch.full((3, 2), 2), NONE)
    kept = env.observe(chosen).clone()
    move = env.step(chosen, torch.full((3, 2), 1), NONE)
    still = ~move.terminated
    assert (env.observe(chosen)[still][:, 0] == kept[still][:, 0]).all()


def test_histories_hold_the_running_episodes_only():
    env = env_of(lambda: Walk(cut=3))
    state = env.initial(rng(1, 2, 1))
    for t in range(20):
        move = env.step(state, torch.ones(1, 2, dtype=torch.int64), NONE)
        env.reset(state, move.terminated, rng(1, 2, 1, seed=t))
    assert len(state.history) <= 3


def test_members_see_the_same_alone_and_stacked_even_with_global_generators():
    env, noise, action = env_of(Global), rng(2, 3, 1), torch.ones(2, 3, dtype=torch.int64)
    both, alone = env.initial(noise), env.initial(noise[1:])
    for _ in range(3):
        env.step(both, action, NONE)
        env.step(alone, action[1:], NONE)
    assert (env.observe(both)[1] == env.observe(alone)[0]).all()


def test_what_does_not_replay_is_refused_by_name():
    drift = iter(range(1000))
    env = env_of(lambda: Walk(look=lambda walk: np.array([walk.x, next(drift)], dtype=float)))
    state = env.initial(rng(1, 1, 1))
    env.step(state, torch.ones(1, 1, dtype=torch.int64), NONE)
    with pytest.raises(
        CheckpointError, match=r"Walk does not replay: reset with seed \d+ and stepped 1 times, lane 0, 0"
    ):
        env.restore(state.clone())


def test_handles_that_are_gone_leave_their_environments_to_the_next():
    made = []

    def make():
        made.append(Walk())
        return made[-1]

    env = env_of(make)
    state = env.initial(rng(2, 2, 1))
    assert len(made) == 4
    del state
    gc.collect()
    again = env.initial(rng(2, 2, 1))
    assert len(made) == 4
    env.initial(rng(1, 1, 1))
    assert len(made) == 5
    assert env.observe(again).shape == (2, 2, 2)


def test_copies_make_their_own_environments():
    env = GymnasiumEnvironment(source="deep-sea-treasure-v0")
    twin = copy.deepcopy(env)
    first, second = env.initial(rng(1, 1, 1)), twin.initial(rng(1, 1, 1))
    assert first.lanes[0].env is not second.lanes[0].env
    assert (env.observe(first) == twin.observe(second)).all()


def test_dictionaries_and_images_become_rows_with_a_note():
    with pytest.warns(ParetoWarning, match=r"one row of bottles_carrying \(3 one-hot\), bottles_delivered"):
        env = GymnasiumEnvironment(source="breakable-bottles-v0")
    assert env.observation_dim == 3 + 3 + 3 + 5
    assert env.observe(env.initial(rng(1, 1, 1))).sum() == 3  # three one-hot parts, nothing dropped yet
    image = spaces.Box(0, 255, (2, 3, 3), np.uint8)
    with pytest.warns(ParetoWarning, match=r"Walk: observations of shape \(2, 3, 3\) are flattened in C order"):
        env = env_of(lambda: Walk(space=image, look=lambda walk: np.arange(18, dtype=np.uint8).reshape(2, 3, 3)))
    assert env.observe(env.initial(rng(1, 1, 1)))[0, 0].tolist() == list(range(18))
    with pytest.warns(ParetoWarning, match=r"one row of 2 \+ 3 one-hot"):
        env_of(lambda: Walk(space=spaces.MultiDiscrete([2, 3]), look=lambda walk: np.array([0, 1])))


def test_numbered_observations_are_tabular():
    env = env_of(lambda: Walk(space=spaces.Discrete(4), look=lambda walk: walk.t % 4))
    assert (env.n_states, env.observation_dim) == (4, 4)
    state = env.initial(rng(1, 1, 1))
    env.step(state, torch.ones(1, 1, dtype=torch.int64), NONE)
    assert env.state_index(env.observe(state)).tolist() == [[1]]
    with pytest.raises(TypeError, match="Walk is not tabular"):
        env_of(Walk).state_index(torch.zeros(1, 1, 2))


def test_unknown_names_offer_the_nearest():
    with pytest.raises(
        UnknownNameError, match=r"`environment` must be a known name; got 'mo-hoper-v5' \(did you mean '"
    ):
        GymnasiumEnvironment(source="mo-hoper-v5")
    with pytest.raises(
        UnknownNameError, match=r"deep-sea-treasure-v0 has no option 'dst_mop'; did you mean 'dst_map'\?"
    ):
        GymnasiumEnvironment(source="deep-sea-treasure-v0", options={"dst_mop": 1})
    with pytest.raises(UnknownNameError, match="a function makes has no option 'm'"):
        GymnasiumEnvironment(source=Walk, options={"m": 3})


def test_scalar_rewards_are_refused_with_the_vector_twin():
    with pytest.raises(
        InputError, match=r"must have a vector reward; got MountainCar-v0 \(did you mean 'mo-mountaincar-v0'"
    ):
        GymnasiumEnvironment(source="MountainCar-v0")
    with pytest.raises(InputError, match=r"got Blackjack-v1 \(declare `reward_space`, a Box of shape \(m,\)\)"):
        GymnasiumEnvironment(source="Blackjack-v1")


def test_missing_packages_name_their_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "highway_env", None)
    with pytest.raises(
        MissingPackageError, match=r"'highway_env' is needed for mo-highway-v0; .*: pip install highway-env"
    ):
        GymnasiumEnvironment(source="mo-highway-v0")
    with pytest.raises(
        MissingPackageError, match=r"pip install \"mo-gymnasium\[mario\]\", in an environment of its own"
    ):
        GymnasiumEnvironment(source="mo-supermario-v0")
    for name in [n for n in sys.modules if "lunar_lander" in n or n.split(".")[0] == "Box2D"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "Box2D", None)
    with pytest.raises(MissingPackageError, match=r'pip install "paretokit\[box2d\]"'):
        GymnasiumEnvironment(source="mo-lunar-lander-v3")


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        (
            lambda: Walk(actions=spaces.MultiBinary(3)),
            "`action_space` must be Discrete or a Box of floating point numbers",
        ),
        (lambda: Walk(space=spaces.Text(5)), "`observation_space` must have a fixed length; got Text"),
        (lambda: 3, "`environment` must make a gymnasium.Env; got int"),
    ],
)
def test_unfit_environments_are_refused(broken, line):
    with pytest.raises(InputError, match=line):
        env_of(broken)


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        ({"m": 3}, "`reward of Walk` must have the declared 3 components; got 2 in step 1"),
        ({"pay": lambda walk: 1.0}, r"declared 2 components; got shape \(\) in step 1"),
        ({"pay": lambda walk: np.array([np.nan, 0])}, r"`reward of Walk` must be finite; got \[nan, 0.0\] in step 1"),
        (
            {"look": lambda walk: np.array([np.nan if walk.t else 0.0, 0.0])},
            "`observation of Walk` must be finite; got NaN or infinity in step 1",
        ),
        (
            {"look": lambda walk: np.zeros(2 + walk.t)},
            "`observation of Walk` must have the declared 2 numbers; got 3 in",
        ),
    ],
)
def test_broken_steps_are_named(broken, line):
    env = env_of(lambda: Walk(**broken))
    state = env.initial(rng(1, 1, 1))
    with pytest.raises(InputError, match=line):
        env.step(state, torch.ones(1, 1, dtype=torch.int64), NONE)


def test_a_function_must_make_a_new_environment_each_time():
    one = Walk()
    with pytest.raises(InputError, match="must be new at each call; got the same object twice"):
        env_of(lambda: one).initial(rng(1, 2, 1))
