"""From a name to an environment: the fastest that has the options, else Gymnasium's own."""

import sys
import warnings

import gymnasium
import mo_gymnasium
import numpy as np
import pytest
import torch

from paretokit.core import InputError, MissingPackageError, Rng, UnknownNameError
from paretokit.problems.morl import MORL
from paretokit.problems.morl._gymnasium import GymnasiumEnvironment
from paretokit.problems.morl._make_environment import make_environment
from paretokit.problems.morl._mujoco_planar import Hopper


def test_the_fastest_is_taken():
    hopper = make_environment("mo-hopper-2obj-v5", {"ctrl_cost_weight": 0.01, "threads": 1})
    assert isinstance(hopper, Hopper)
    assert (hopper.n_objectives, hopper.ctrl_cost_weight, hopper.threads) == (2, 0.01, 1)
    assert make_environment("deep-sea-treasure-v0", {}).functional
    assert make_environment(hopper, {}) is hopper


def test_options_that_only_gymnasium_has_make_its_own():
    env = make_environment("mo-hopper-v5", {"frame_skip": 2, "threads": 1})
    assert isinstance(env, GymnasiumEnvironment)
    assert env.reference_point == (-100.0,) * 3
    assert env.objectives[1].name == "height"


@pytest.mark.parametrize("name", ["mo-hopper-v5", "deep-sea-treasure-v0"])
def test_plain_and_fast_mean_the_same(name):
    fast, plain = make_environment(name, {}), make_environment(name, {}, tensor=False)
    assert isinstance(plain, GymnasiumEnvironment)
    for word in ("id", "objectives", "observation_dim", "actions", "horizon", "discount", "reference_point"):
        assert getattr(fast, word) == getattr(plain, word)


def test_functions_make_environments():
    env = make_environment(lambda: mo_gymnasium.make("four-room-v0"), {})
    assert (env.id, env.n_objectives, env.horizon) == ("four-room-v0", 3, 200)
    state = env.initial(Rng.from_seed(0).uniform(1, 2, 1))
    assert env.step(state, torch.zeros(1, 2, dtype=torch.int64), torch.empty(0)).reward.shape == (1, 2, 3)


def test_registered_ids_of_users_work():
    class Coin(gymnasium.Env):
        reward_dim = 2
        observation_space = gymnasium.spaces.Box(0, 1, (1,))
        action_space = gymnasium.spaces.Discrete(2)

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            return np.zeros(1, np.float32), {}

        def step(self, action):
            return np.zeros(1, np.float32), np.array([action, 1 - action]), True, False, {}

    gymnasium.register("users-coin-v0", entry_point=Coin, max_episode_steps=5)
    try:
        env = make_environment("users-coin-v0", {})
        assert (env.horizon, env.n_objectives) == (5, 2)
    finally:
        del gymnasium.registry["users-coin-v0"]


def test_mistakes_get_a_line():
    with pytest.raises(
        UnknownNameError, match=r"mo-hopper-v5 has no option 'healthy_rewards'; did you mean 'healthy_reward"
    ):
        make_environment("mo-hopper-v5", {"healthy_rewards": 1})
    with pytest.raises(UnknownNameError, match=r"deep-sea-treasure-v0 has no option"):
        make_environment("deep-sea-treasure-v0", {"treasures": 1})
    with pytest.raises(UnknownNameError, match="'mo-hopper-v5'"):
        make_environment("hopper-v5", {})
    with pytest.raises(
        InputError, match="`environment` must be an id, a function that makes a Gymnasium .*, or an Environment; got 3"
    ):
        make_environment(3, {})
    with pytest.raises(UnknownNameError, match="made already has no option 'a'"):
        make_environment(make_environment("mo-swimmer-v5", {}), {"a": 1})


def test_a_made_environment_is_refused_with_what_to_pass_instead():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = mo_gymnasium.make("minecart-v0")
    with pytest.raises(InputError, match=r'pass its id, MORL\("minecart-v0"\), or a function.*MORL\(lambda: \.\.\.\)'):
        MORL(made)
    with pytest.raises(InputError, match=r"side by side; pass a function that makes a new one") as raised:
        MORL(type("Own", (gymnasium.Env,), {"__repr__": lambda self: "two\nlines"})())
    assert "got two lines (" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_without_mujoco_the_install_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(MissingPackageError, match=r'pip install "paretokit\[mujoco\]"'):
        make_environment("mo-hopper-v5", {})
