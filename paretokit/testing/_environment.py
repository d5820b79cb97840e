"""`check_environment`: what every environment of multi-objective reinforcement learning keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from paretokit.core import Lanes, Rng
from paretokit.problems.morl import MORL, Discrete, Environment, Network
from paretokit.problems.morl._rollout import Stand, Step, begin, noise_of, rollout
from paretokit.testing._require import require, require_equal


def check_environment(environment: Environment | str, *, steps: int = 40, seed: int = 0) -> None:
    """Raise unless an environment keeps the contract, and evaluation and training do not touch each other.

    Checked: at least two objectives with distinct names, to be maximized; shapes and dtypes of observations, rewards
    and ends; equal noise gives equal steps; a step leaves its state as it was; a lane does not depend on the others; a
    reset touches the lanes of its mask only; numbered states stay below `n_states`; measuring policies between two
    rollouts of training changes neither the policies' values nor the training.

    Args:
        environment: The environment, or an id.
        steps: Length of the rollouts.
        seed: Of the noise and the actions.

    Raises:
        AssertionError: Naming the broken rule.
    """
    problem = MORL(environment, policy=Network(hidden=(4,)), horizon=steps, episodes=2)
    env, rng = problem.env, Rng.from_seed(seed).child("check-environment")
    labels = [o.name for o in env.objectives]
    require(len(set(labels)) == len(labels) >= 2, f"{env.id}: at least two objectives of distinct names; got {labels}")
    require(all(o.maximize for o in env.objectives), f"{env.id}: rewards are maximized")
    lanes = Lanes((rng.child("a"), rng.child("b")))
    acts = _actions(env, rng, steps)
    noise = noise_of(env, lanes.child("noise"), steps, 3)
    first, again = (_played(env, begin(env, lanes, 3), acts, noise, steps)[0] for _ in range(2))
    for name in ("observation", "reward", "terminated"):
        require_equal(_stacked(first, name), _stacked(again, name), f"{env.id}: equal noise gives an equal {name}")
    _check_shapes(env, first[0])
    if env.functional:
        _check_functions(env, lanes, acts)
    if env.n_states:
        index = torch.stack([env.state_index(s.observation) for s in first])
        inside = bool(((index >= 0) & (index < env.n_states)).all())
        require(inside, f"{env.id}: state_index lies in 0 … {env.n_states - 1}")
    _check_separation(problem, lanes, acts, steps)


def _actions(env: Environment, rng: Rng, steps: int) -> Tensor:
    """Return random actions `[steps, 2, 3]` or `[steps, 2, 3, k]`."""
    if isinstance(env.actions, Discrete):
        return rng.child("actions").integers(env.actions.n, steps, 2, 3)
    low, high = (torch.tensor(v).clamp(-100, 100) for v in (env.actions.low, env.actions.high))
    u = rng.child("actions").uniform(steps, 2, 3, env.actions.dim, dtype=torch.float32)
    return low + u * (high - low)


def _played(env: Environment, stand: Stand, acts: Tensor, noise: Tensor, horizon: int) -> tuple[list[Step], Stand]:
    """Return the steps of one rollout of the given actions, and where it ends."""
    seen: list[Step] = []
    end = rollout(
        env,
        stand,
        lambda observation, accrued, t: acts[t],  # noqa: ARG005 - the loop's signature
        steps=len(acts),
        noise=noise,
        horizon=horizon,
        discount=env.discount,
        record=lambda t, step: seen.append(step),  # noqa: ARG005 - the loop's signature
    )
    return seen, end


def _stacked(steps: list[Step], name: str) -> Tensor:
    return torch.stack([getattr(step, name) for step in steps])


def _check_shapes(env: Environment, step: Step) -> None:
    shapes = {
        "observation": (step.observation, (2, 3, env.observation_dim), torch.float32),
        "reward": (step.reward, (2, 3, env.n_objectives), torch.float64),
        "terminated": (step.terminated, (2, 3), torch.bool),
    }
    for name, (tensor, shape, dtype) in shapes.items():
        require(tuple(tensor.shape) == shape, f"{env.id}: {name} has shape {shape}; got {tuple(tensor.shape)}")
        require(tensor.dtype == dtype, f"{env.id}: {name} is {dtype}; got {tensor.dtype}")
    require(bool(torch.isfinite(step.observation).all()), f"{env.id}: observations are finite")


def _check_functions(env: Environment, lanes: Lanes, acts: Tensor) -> None:
    noise = lanes.child("one").uniform(3, env.step_noise)
    state: Any = begin(env, lanes, 3).state  # a tensor, as `functional` says
    before = state.clone()
    move = env.step(state, acts[0], noise)
    env.observe(state)
    require_equal(state, before, f"{env.id}: a step leaves its state as it was")
    alone = env.step(state[1:, 2:].contiguous(), acts[0][1:, 2:].contiguous(), noise[1:, 2:].contiguous())
    require_equal(alone.state, move.state[1:, 2:], f"{env.id}: a lane does not depend on the others")
    require_equal(alone.reward, move.reward[1:, 2:], f"{env.id}: nor does its reward")
    mask = torch.tensor([[True, False, True], [False, False, True]])
    fresh = env.reset(move.state, mask, lanes.child("two").uniform(3, env.reset_noise))
    require_equal(fresh[~mask], move.state[~mask], f"{env.id}: a reset touches the lanes of its mask only")
    expected = env.initial(lanes.child("two").uniform(3, env.reset_noise))
    require_equal(fresh[mask], expected[mask], f"{env.id}: a reset begins as `initial` does")


def _check_separation(problem: MORL, lanes: Lanes, acts: Tensor, steps: int) -> None:
    """Raise unless measuring between two rollouts changes neither of the two."""
    env = problem.env
    x = problem.space.sample(2, Rng.from_seed(0)).to(problem.dtype)
    values = problem.evaluate(x).values

    half = steps // 2
    noises = [noise_of(env, lanes.child("half", i), count, 3) for i, count in enumerate((half, steps - half))]

    def trained(between: Callable[[], Any]) -> Tensor:
        _, stand = _played(env, begin(env, lanes, 3), acts[:half], noises[0], steps)
        between()
        return _stacked(_played(env, stand, acts[half:], noises[1], steps)[0], "reward")

    plain = trained(lambda: None)
    measured = trained(lambda: (problem.evaluate(x), problem.assess(x)))
    require_equal(measured, plain, f"{env.id}: measuring leaves training alone")
    require_equal(problem.evaluate(x).values, values, f"{env.id}: training leaves what policies are worth alone")
