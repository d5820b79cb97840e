"""Steps a second of environments alone: paretokit's lanes against MO-Gymnasium's loop over one environment.

Usage: python -m benchmarks.morl_environments [--lanes 4096] [--seconds 2] [ids …]

Both take uniformly random actions that were drawn before the clock starts, reset by themselves where an episode ends,
and compute observations and rewards. The lanes run through the rollout loop that all solvers use, accrued rewards
included. Turns alternate; the table shows the median turn of each. Equality of both is what the tests assert, step for
step with injected noise.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch

from benchmarks._common import calibration, table
from paretokit.core import Lanes, Rng
from paretokit.problems.morl._environment import Discrete, Environment
from paretokit.problems.morl._rollout import Step, begin, noise_of, rollout
from paretokit.problems.morl._table import TENSOR, tensor_environment

GOAL = 50.0  # times the loop, for deep-sea-treasure-v0 and minecart-v0
TURNS = 5
CHUNK = 25  # steps of one call of `rollout`
LARGEST_ACTION = 150.0  # where a continuous action has no bound


def lanes_of(environment: Environment, lanes: int) -> Callable[[], int]:
    """Return a function that steps all lanes `CHUNK` times with random actions and returns how many steps it made."""
    source = Lanes((Rng.from_seed(0),))
    stand = begin(environment, source.child("reset"), lanes)
    rng = Rng.from_seed(1)
    kind = environment.actions
    if isinstance(kind, Discrete):
        actions = rng.integers(kind.n, CHUNK, 1, lanes)
    else:
        low, high = (torch.tensor(b).clamp(-LARGEST_ACTION, LARGEST_ACTION) for b in (kind.low, kind.high))
        actions = low + (high - low) * rng.uniform(CHUNK, 1, lanes, kind.dim, dtype=torch.float32)
    noise = noise_of(environment, source.child("steps"), CHUNK, lanes)

    def act(_observation: torch.Tensor, _accrued: torch.Tensor, t: int) -> torch.Tensor:
        return actions[t]

    def record(t: int, step: Step) -> None:
        pass

    def run() -> int:
        nonlocal stand
        stand = rollout(
            environment,
            stand,
            act,
            steps=CHUNK,
            noise=noise,
            horizon=environment.horizon,
            discount=environment.discount,
            record=record,
        )
        return CHUNK * lanes

    for _ in range(20):  # compiles kernels, and takes lanes apart from each other
        run()
    return run


def loop_of(name: str) -> Callable[[], int]:
    """Return a function that makes 500 random steps of MO-Gymnasium's environment and returns how many it made."""
    import mo_gymnasium

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        env = mo_gymnasium.make(name)
        env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(500)]
    if not hasattr(env.action_space, "n") and not np.isfinite(env.action_space.high).all():
        rng = np.random.default_rng(0)
        actions = [rng.uniform(0, LARGEST_ACTION, env.action_space.shape).astype(np.float32) for _ in range(500)]

    def run() -> int:
        for action in actions:
            *_, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
        return len(actions)

    run()
    return run


def speeds(runs: dict[str, Callable[[], int]], seconds: float) -> dict[str, float]:
    """Return the median steps a second of each run, measured in alternating turns that share `seconds`."""
    measured: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(TURNS):
        for name, run in runs.items():
            steps, begun, taken = 0, time.perf_counter(), 0.0
            while taken < seconds / TURNS:
                steps += run()
                taken = time.perf_counter() - begun
            measured[name].append(steps / taken)
    return {name: statistics.median(values) for name, values in measured.items()}


def row(name: str, lanes: int, seconds: float) -> list[str] | None:
    """Return one line of the table, or None where paretokit does not have the environment yet."""
    try:
        environment = tensor_environment(name, {})
    except ModuleNotFoundError:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runs = {"ours": lanes_of(environment, lanes), "loop": loop_of(name)}
        found = speeds(runs, seconds)
    ratio = found["ours"] / found["loop"]
    return [name, f"{found['ours']:,.0f}", f"{found['loop']:,.0f}", f"{ratio:.0f}"]


def main() -> None:
    """Print steps a second and their ratio for each environment on tensors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids", nargs="*", help="ids of environments; all on tensors unless given")
    parser.add_argument("--lanes", type=int, default=4096)
    parser.add_argument("--seconds", type=float, default=2.0, help="time for each of the two, an environment")
    given = parser.parse_args()
    print(calibration(("torch", "numpy", "numba", "mo-gymnasium", "gymnasium")))
    first = ("deep-sea-treasure-v0", "minecart-v0")
    names = given.ids or [*first, *(name for name in TENSOR if name not in first)]
    lines = [row(name, given.lanes, given.seconds) for name in names]
    header = ["environment", f"steps/s, {given.lanes} lanes", "steps/s, Gymnasium loop", "ratio"]
    print(table([header, *(line for line in lines if line is not None)]))
    missing = [name for name, line in zip(names, lines, strict=True) if line is None]
    if missing:
        print(f"not there: {', '.join(missing)}")
    print(f"goal: at least {GOAL:.0f} times the loop for {' and '.join(first)}")


if __name__ == "__main__":
    main()
