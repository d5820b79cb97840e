"""Minecart against MO-Gymnasium's, step for step, and its compiled step against the tensor step, bit for bit."""

import warnings

import numpy as np
import pytest
import torch

from paretokit.core import InputError, Rng
from paretokit.indicators import hypervolume
from paretokit.problems.morl._minecart import KERNELS, Minecart
from paretokit.problems.morl._normal_noise import normals

BELOW = (-1.0, -1.0, -200.0)


class Queue:
    """Stands in for a frozen scipy distribution and hands out given standard normal numbers."""

    def __init__(self, mean, deviation, source):
        self.args = (mean, deviation)
        self.source = source

    def rvs(self):
        return self.args[0] + self.args[1] * self.source.pop(0)


@pytest.fixture(autouse=True)
def _unfused(monkeypatch):
    """Let the library measure without a fused multiply-add, which NumPy's dot product has on some machines only."""
    from mo_gymnasium.envs.minecart import minecart

    monkeypatch.setattr(minecart, "mag", lambda v: np.sqrt(v[0] * v[0] + v[1] * v[1]))


def library(name, **options):
    import mo_gymnasium

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mo_gymnasium.make(name, **options)


def policy(kind, rng, t):
    """Return one of six actions: uniform, or persistent ones that drive into walls, or ones that dig."""
    if kind == 0:
        return int(rng.integers(6))
    if kind == 1:
        return int(rng.choice([3, 3, 3, 1, 2, 5]))
    return int(rng.choice([0, 0, 3, 4, 1, 5]))


def assert_equal_steps(environment, env, *, episodes, seed, longest=250):
    """Step both with equal actions and equal noise, and assert equal observations, rewards and ends."""
    KERNELS.load()
    rng = np.random.default_rng(seed)
    seen = {"dug": 0, "ends": 0, "walls": 0, "paid": 0}
    source = []
    if environment.step_noise:
        for m in env.unwrapped.mines:
            m.distributions = [Queue(*d.args, source) for d in m.distributions]
    for episode in range(episodes):
        state = environment.initial(torch.zeros(1, 1, 0))
        observed, _ = env.reset(seed=episode)
        if episode % 2:  # start at a mine: random walks hardly meet one
            at = env.unwrapped.mines[episode % len(env.unwrapped.mines)].pos + rng.normal(0, 0.06, 2)
            env.unwrapped.cart.pos = np.clip(at, 0, 1)
            env.unwrapped.cart.departed = True
            state[..., :2] = torch.from_numpy(env.unwrapped.cart.pos)
            state[..., -1] = 1.0
        for t in range(longest):
            action = policy(episode % 3, rng, t)
            noise = torch.from_numpy(rng.random((1, 1, environment.step_noise)))
            source[:] = normals(noise).flatten().tolist()
            move = environment.step(state, torch.tensor([[action]]), noise)
            observed, reward, terminated, truncated, _ = env.step(action)
            ours = environment.observe(move.state)[0, 0].numpy()
            np.testing.assert_allclose(ours, observed, atol=1e-6, rtol=0)
            np.testing.assert_allclose(move.reward[0, 0].numpy(), reward, atol=1e-6, rtol=0)
            assert bool(move.terminated) == terminated
            assert truncated == (t + 1 >= environment.horizon)
            state = move.state
            seen["dug"] += bool((state[..., 5:7] > 0).any())
            seen["walls"] += bool(((state[..., :2] == 1) | (state[..., :2] == 0)).any()) and t > 0
            seen["paid"] += bool(reward[0] > 0)
            if terminated or truncated:
                seen["ends"] += 1
                break
    return seen


@pytest.mark.parametrize("deterministic", [True, False])
def test_steps_equal_those_of_mo_gymnasium(deterministic):
    name = "minecart-deterministic-v0" if deterministic else "minecart-v0"
    environment = Minecart(deterministic=deterministic)
    assert environment.id == name
    seen = assert_equal_steps(environment, library(name), episodes=40, seed=1)
    assert min(seen["dug"], seen["walls"]) > 60  # the episodes went where the rules differ
    assert seen["ends"] >= 4
    assert seen["paid"] >= 1


@pytest.mark.parametrize(("skip", "incremental"), [(1, True), (3, True), (4, False), (2, False)])
def test_frame_skips_equal_those_of_mo_gymnasium(skip, incremental):
    environment = Minecart(frame_skip=skip, incremental_frame_skip=incremental)
    env = library("minecart-v0", frame_skip=skip, incremental_frane_skip=incremental)
    seen = assert_equal_steps(environment, env, episodes=24, seed=skip)
    assert seen["dug"] > 20


def test_the_time_limit_is_the_registered_one():
    env = library("minecart-v0")
    env.reset()
    for t in range(1000):
        *_, truncated, _ = env.step(5)
        assert truncated == (t == 999)
    assert env.spec.max_episode_steps == Minecart().horizon


def stacked(environment, members, lanes, seed):
    """Return states all over the place, actions and noise."""
    rng = Rng.from_seed(seed)
    shape = (members, lanes)
    state = environment.initial(torch.zeros(*shape, 0))
    at = torch.tensor(environment.mines, dtype=torch.float64)[:, :2]
    near = at[rng.child("mine").integers(len(at), *shape)] + 0.1 * rng.child("off").normal(*shape, 2)
    anywhere = rng.child("at").uniform(*shape, 2) * 1.4 - 0.2
    where = rng.child("choice").uniform(*shape, 1)
    state[..., :2] = torch.where(where < 0.5, near, torch.where(where < 0.9, anywhere, 0.15 * anywhere)).clamp(0, 1)
    speed = rng.child("speed").uniform(*shape)
    state[..., 2] = torch.where(speed < 0.5, 0.0, 0.3 * speed)
    k = environment.n_ores
    state[..., 5 : 5 + k] = 0.8 * rng.child("ore").uniform(*shape, k) * (speed > 0.2).unsqueeze(-1)
    state[..., 5 + k] = rng.child("heading").integers(108, *shape).to(torch.float64) - 36
    state[..., 6 + k] = (speed > 0.3).to(torch.float64)
    return state, rng.child("action").integers(6, *shape), rng.child("noise").uniform(*shape, environment.step_noise)


@pytest.mark.parametrize(
    "environment",
    [
        Minecart(),
        Minecart(deterministic=True),
        Minecart(frame_skip=3, incremental_frame_skip=False),
        Minecart(mines=((0.02, 0.5, 0.3, 0.1), (0.5, 0.5, 0.1, 0.0)), capacity=0.5),
        Minecart(mines=((0.9, 0.9, 0.3, 0.1, 0.2, 0.0, 0.1, 0.3), (0.3, 0.05, 0.1, 0.0, 0.0, 0.2, 0.0, 0.0))),
    ],
)
def test_the_compiled_step_equals_the_tensor_step_bit_for_bit(environment):
    KERNELS.load()
    state, action, noise = stacked(environment, 7, 400, 3)
    for t in range(4):
        plain = environment._step_plain(state, action, noise)
        fast = environment._step_compiled(state, action, noise)
        assert torch.equal(plain.state, fast.state)
        assert torch.equal(plain.reward, fast.reward)
        assert torch.equal(plain.terminated, fast.terminated)
        assert t > 0 or bool(fast.terminated.any())
        state, action = fast.state, Rng.from_seed(t).integers(6, *action.shape)
        noise = Rng.from_seed(-t).uniform(*noise.shape)


def test_a_step_leaves_its_state_and_takes_strided_noise():
    environment = Minecart()
    KERNELS.load()
    state, action, noise = stacked(environment, 3, 50, 0)
    wide = torch.cat((noise, noise), dim=-1)[..., : noise.shape[-1]].transpose(0, 1).contiguous().transpose(0, 1)
    kept = state.clone()
    move = environment.step(state, action, noise)
    assert torch.equal(state, kept)
    assert torch.equal(environment.step(state, action, wide).state, move.state)
    assert torch.equal(environment.step(state[:1], action[:1], noise[:1]).state, move.state[:1])


def test_reset_puts_the_chosen_carts_into_the_base():
    environment = Minecart()
    state, _, noise = stacked(environment, 2, 30, 1)
    mask, kept = Rng.from_seed(0).uniform(2, 30) < 0.3, state.clone()
    fresh = environment.reset(state, mask, noise[..., :0])
    assert torch.equal(state, kept)
    assert torch.equal(fresh, torch.where(mask.unsqueeze(-1), environment.initial(noise), state))


def test_ores_follow_the_library_distribution():
    # 40000 digs at rest in mine 1: the mean of max(0, N(.15, .05)) and of max(0, N(.1, .05)) within 5 standard errors
    # (a false alarm once in a million runs; the seed is fixed).
    from scipy.stats import norm

    environment = Minecart(frame_skip=1, capacity=1e9)
    state = environment.initial(torch.zeros(1, 40000, 0))
    state[..., 0], state[..., 1] = 0.5, 0.84
    noise = Rng.from_seed(5).uniform(1, 40000, 2)
    dug = environment.step(state, torch.zeros(1, 40000, dtype=torch.int64), noise).state[0, :, 5:7]
    for ore, mean in enumerate((0.15, 0.1)):
        expected = norm(mean, 0.05).expect(lambda v: max(v, 0.0))
        assert abs(float(dug[:, ore].mean()) - expected) < 5 * 0.05 / 200


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("discount", [0.98, 0.99, 1.0])
def test_the_front_equals_the_library_front(deterministic, discount):
    ours = Minecart(deterministic=deterministic).pareto_front(discount).numpy()
    env = library("minecart-deterministic-v0" if deterministic else "minecart-v0").unwrapped
    theirs = np.unique(np.round(np.array(env.pareto_front(discount)), 9), axis=0)
    np.testing.assert_allclose(np.unique(np.round(ours, 9), axis=0), theirs, atol=1e-8)


@pytest.mark.parametrize(
    ("discount", "reference", "expected"),
    [(0.98, BELOW, 723.048), (0.98, (0.0, 0.0, -200.0), 81.800), (0.99, BELOW, 823.793)],
)
def test_the_front_has_the_published_hypervolume(discount, reference, expected):
    front = Minecart(deterministic=True).pareto_front(discount)
    assert front.shape == (20, 3)
    assert float(hypervolume(front, reference, maximize=True)) == pytest.approx(expected, abs=5e-4)


def test_options_are_checked():
    with pytest.raises(InputError, match="`frame_skip` must be at least 1; got 0"):
        Minecart(frame_skip=0)
    with pytest.raises(InputError, match="`capacity` must be positive"):
        Minecart(capacity=0.0)
    with pytest.raises(InputError, match="`mines` must hold at least one mine"):
        Minecart(mines=())
    with pytest.raises(InputError, match="`mines` must have equally long rows"):
        Minecart(mines=((0.5, 0.5, 0.1),))
    with pytest.raises(InputError, match="`mines` must have deviations of at least 0"):
        Minecart(mines=((0.5, 0.5, 0.1, -0.1),))
