"""Mountain cars and the water reservoir against MO-Gymnasium's, step for step, with the same noise."""

import warnings

import numpy as np
import pytest
import torch

from paretokit.core import InputError, Rng
from paretokit.problems.morl._mountain_car import MountainCar
from paretokit.problems.morl._mountain_car_continuous import MountainCarContinuous
from paretokit.problems.morl._table import TENSOR, tensor_environment
from paretokit.problems.morl._water_reservoir import WaterReservoir


def library(name, **options):
    import mo_gymnasium

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mo_gymnasium.make(name, **options)


class Given:
    """Stands in for a generator and hands out the numbers that the tensor step drew."""

    def __init__(self):
        self.next = 0.0

    def normal(self, mean, deviation, size):
        return np.full(size, mean + deviation * self.next)


def assert_equal_episode(environment, env, actions, rng, *, state, atol=1e-6, rtol=0.0):
    """Step both from equal states, assert that they agree, and return how the episode ended and its length."""
    given = Given()
    if environment.step_noise:
        env.unwrapped.np_random = given
    for t, action in enumerate(actions):
        noise = torch.from_numpy(rng.random((1, 1, environment.step_noise)))
        given.next = float(torch.special.ndtri(noise).sum())
        move = environment.step(state, torch.from_numpy(np.asarray(action))[None, None], noise)
        observed, reward, terminated, truncated, _ = env.step(action)
        np.testing.assert_allclose(environment.observe(move.state)[0, 0].numpy(), observed, atol=atol, rtol=rtol)
        np.testing.assert_allclose(move.reward[0, 0].numpy(), reward, atol=max(atol, 1e-6), rtol=max(rtol, 1e-6))
        assert bool(move.terminated) == terminated
        assert truncated == (t + 1 >= environment.horizon)
        state = move.state
        if terminated or truncated:
            return terminated, t + 1
    return False, len(actions)


VARIANTS = ["mo-mountaincar-v0", "mo-mountaincar-3d-v0", "mo-mountaincar-timemove-v0", "mo-mountaincar-timespeed-v0"]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((name, {}) for name in VARIANTS),
        ("mo-mountaincar-v0", {"add_speed_objective": True}),
        ("mo-mountaincar-v0", {"remove_move_penalty": True}),
        ("mo-mountaincar-3d-v0", {"merge_move_penalty": False}),
        ("mo-mountaincar-v0", {"goal_velocity": 0.03}),
    ],
)
def test_mountain_cars_equal_those_of_mo_gymnasium(name, options):
    environment, env = tensor_environment(name, options), library(name, **options)
    assert environment.id == name
    assert env.spec.max_episode_steps == environment.horizon
    assert env.unwrapped.reward_dim == environment.n_objectives
    rng, reached = np.random.default_rng(7), 0
    for episode in range(8):
        env.reset(seed=episode)
        state = environment.initial(torch.from_numpy(rng.random((1, 1, 1))))
        env.unwrapped.state = state[0, 0].numpy().copy()
        if episode % 2:  # pushing with the velocity climbs out
            actions = swing(environment, state, rng)
        else:
            actions = rng.integers(3, size=200)
        ended, _ = assert_equal_episode(environment, env, actions, rng, state=state)
        reached += ended
    assert reached >= 2


def swing(environment, state, rng):
    """Return actions that push with the velocity, and sometimes at random."""
    actions = []
    for _ in range(environment.horizon):
        action = 2 if float(state[..., 1]) >= 0 else 0
        action = int(rng.integers(3)) if rng.random() < 0.1 else action
        actions.append(action)
        state = environment.step(state, torch.tensor([[action]]), torch.zeros(1, 1, 0)).state
    return np.array(actions)


def test_the_continuous_mountain_car_equals_that_of_mo_gymnasium():
    environment, env = MountainCarContinuous(), library("mo-mountaincarcontinuous-v0")
    assert env.spec.max_episode_steps == environment.horizon
    rng, reached, longest = np.random.default_rng(3), 0, 0
    for episode in range(5):
        env.reset(seed=episode)
        state = environment.initial(torch.from_numpy(rng.random((1, 1, 1))))
        env.unwrapped.state = state[0, 0].numpy().copy()
        scale = 1.0 if episode % 3 else 0.2
        actions = rng.uniform(-scale, scale, (999, 1)).astype(np.float32)
        if episode % 2:
            actions = np.abs(actions) * np.sign(np.sin(np.arange(999) / 13.5))[:, None].astype(np.float32)
        ended, length = assert_equal_episode(environment, env, actions, rng, state=state)
        reached, longest = reached + ended, max(longest, length)
    assert reached >= 1
    assert longest == 999


@pytest.mark.parametrize(
    "environment",
    [*(tensor_environment(name, {}) for name in VARIANTS), MountainCar(goal_velocity=0.03), MountainCarContinuous()],
)
def test_compiled_cars_equal_tensor_cars_bit_for_bit(environment):
    rng = Rng.from_seed(4)
    x, v = rng.child("x").uniform(5, 800) * 2.2 - 1.4, rng.child("v").uniform(5, 800) * 0.16 - 0.08
    state = torch.stack((x.clamp(-1.2, 0.6), v.clamp(-0.07, 0.07)), dim=-1)
    slope = 0.005 * rng.child("slope").uniform(5, 800) - 0.0025
    action = rng.child("a").integers(3, 5, 800)
    if isinstance(environment, MountainCarContinuous):
        state, slope, action = state.float().double(), slope.float(), 3 * rng.child("a").uniform(5, 800).float() - 1.5
    plain = environment._step_plain(state, action, slope)
    fast = environment._step_compiled(state, action, slope)
    assert torch.equal(plain.state, fast.state)
    assert torch.equal(plain.reward, fast.reward)
    assert torch.equal(plain.terminated, fast.terminated)
    assert bool(fast.terminated.any())
    assert bool((fast.state[..., 0] <= -1.2 + 1e-6).any())


def test_first_positions_are_uniform():
    for environment in (MountainCar(), MountainCarContinuous()):
        noise = Rng.from_seed(0).uniform(2, 4, 1)
        first = environment.initial(noise)
        assert torch.allclose(first[..., :1], -0.6 + 0.2 * noise, atol=1e-7)
        assert not bool(first[..., 1].any())


@pytest.mark.parametrize("number", [2, 3, 4])
@pytest.mark.parametrize("options", [{}, {"penalize": True}, {"normalized_action": True}, {"time_limit": 30}])
def test_water_reservoirs_equal_those_of_mo_gymnasium(number, options):
    options = {"nO": number, **options}
    environment, env = WaterReservoir(**options), library("water-reservoir-v0", **options)
    rng = np.random.default_rng(number)
    for episode in range(6):
        env.reset(seed=episode)
        state = environment.initial(torch.from_numpy(rng.random((1, 1, 1))))
        env.unwrapped.state = state[0, 0].numpy().astype(np.float32)
        high = 1.0 if options.get("normalized_action") else 150.0
        actions = (high * rng.random((200, 1)) ** 2).astype(np.float32)
        ended, length = assert_equal_episode(environment, env, actions, rng, state=state, rtol=1e-6)
        assert not ended
        assert length == environment.horizon


def test_reservoirs_begin_where_those_of_mo_gymnasium_begin():
    noise = Rng.from_seed(1).uniform(1, 4000, 1)
    env = library("water-reservoir-v0").unwrapped
    assert set(WaterReservoir().initial(noise).flatten().tolist()) == set(env.s_init.astype(float).tolist())
    assert set(WaterReservoir(penalize=True).initial(noise).flatten().tolist()) == set(range(160))
    fixed = WaterReservoir(initial_state=12.5)
    assert fixed.reset_noise == 0
    assert bool((fixed.initial(torch.zeros(2, 3, 0)) == 12.5).all())
    env = library("water-reservoir-v0", initial_state=np.array([12.5])).unwrapped
    assert env.reset()[0] == 12.5


def test_a_first_step_draws_the_library_inflow():
    # Two samples of 4000 inflows: means within 5 standard errors (false alarm: once in a million runs; seeds fixed).
    environment = WaterReservoir(initial_state=90.0)
    state = environment.initial(torch.zeros(1, 4000, 0))
    ours = environment.step(state, torch.zeros(1, 4000, 1), Rng.from_seed(2).uniform(1, 4000, 1)).state - state
    env = library("water-reservoir-v0", initial_state=np.array([90.0])).unwrapped
    env.reset(seed=0)
    theirs = []
    for _ in range(4000):
        env.state = np.array([90.0], dtype=np.float32)
        theirs.append(env.step(np.zeros(1, dtype=np.float32))[0][0] - 90.0)
    assert abs(float(ours.mean()) - np.mean(theirs)) < 5 * 10 * (2 / 4000) ** 0.5
    assert float(ours.std()) == pytest.approx(np.std(theirs), rel=0.08)


@pytest.mark.parametrize("name", [*VARIANTS, "mo-mountaincarcontinuous-v0", "water-reservoir-v0", "minecart-v0"])
def test_the_table_knows_the_contract(name):
    assert name in TENSOR
    environment, env = tensor_environment(name, {}), library(name)
    assert environment.id == name
    assert env.observation_space.shape == (environment.observation_dim,)
    assert env.unwrapped.reward_space.shape == (environment.n_objectives,)
    assert all(o.sense == "max" for o in environment.objectives)
    assert environment.reference_point is None or len(environment.reference_point) == environment.n_objectives
    kept = environment.initial(Rng.from_seed(0).uniform(2, 3, environment.reset_noise))
    action = torch.zeros(2, 3, dtype=torch.int64) if hasattr(environment.actions, "n") else torch.zeros(2, 3, 1)
    state = kept.clone()
    move = environment.step(state, action, Rng.from_seed(1).uniform(2, 3, environment.step_noise))
    assert torch.equal(state, kept)
    assert move.state.dtype == move.reward.dtype == torch.float64
    assert environment.observe(move.state).dtype == torch.float32
    assert environment.observe(move.state).shape == (2, 3, environment.observation_dim)
    assert move.terminated.shape == (2, 3)
    assert move.terminated.dtype == torch.bool


@pytest.mark.parametrize("name", [*VARIANTS, "mo-mountaincarcontinuous-v0", "water-reservoir-v0", "minecart-v0"])
def test_all_tensors_stay_on_the_device(name):
    # The meta device computes shapes and refuses to mix with CPU tensors, as CUDA does.
    environment = tensor_environment(name, {}).to("meta")
    start = torch.zeros(2, 3, environment.reset_noise, device="meta", dtype=torch.float64)
    state = environment.initial(start)
    discrete = hasattr(environment.actions, "n")
    action = torch.zeros((2, 3) if discrete else (2, 3, 1), dtype=torch.int64 if discrete else None, device="meta")
    noise = torch.zeros(2, 3, environment.step_noise, device="meta", dtype=torch.float64)
    move = environment.step(state, action, noise)
    mask = torch.zeros(2, 3, dtype=torch.bool, device="meta")
    again = environment.reset(move.state, mask, start)
    assert again.shape == state.shape
    assert environment.observe(again).device.type == move.reward.device.type == "meta"


def test_options_are_checked():
    with pytest.raises(InputError, match="`variant` must be one of .*did you mean 'timemove'"):
        MountainCar(variant="timemov")
    with pytest.raises(InputError, match="`nO` must be one of"):
        WaterReservoir(nO=5)
    with pytest.raises(InputError, match="`time_limit` must be at least 1"):
        WaterReservoir(time_limit=0)
    with pytest.raises(InputError, match="`initial_state` must be at least 0"):
        WaterReservoir(initial_state=-1.0)
