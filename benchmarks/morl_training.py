"""C-MORL's training end to end: rollouts, normalization, critics, and the update with the interior-point barrier.

``python -m benchmarks.morl_training [--windows 5]``

Six policies on minecart, 2 x 64 tanh, 8 lanes x 512 steps, 10 epochs x 32 minibatches, float32. Prints trained
environment steps a second of the whole stack, plain and with barriers, and of the same PPO trained member by member,
in turns. Before timing, the members of the stack are asserted to equal the separate runs.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable

import torch

from benchmarks._common import calibration, table
from paretokit import problems
from paretokit.core import Lanes, Rng
from paretokit.problems.morl import MORL
from paretokit.solvers.morl import PPO
from paretokit.solvers.morl._ppo import Floors, PPOState

MEMBERS = 6


def lanes(members: range) -> Lanes:
    """Return each member's own source of numbers."""
    return Lanes(tuple(Rng.from_seed(0).child("member", p) for p in members))


def weights(problem: MORL, members: range) -> torch.Tensor:
    """Return one-hot weights of some members."""
    m = problem.n_objectives
    return torch.nn.functional.one_hot(torch.tensor([p % m for p in members]), m).to(torch.float32)


def floors(problem: MORL, members: range) -> Floors:
    """Return barriers under every objective that is not maximized, satisfied by a wide margin."""
    active = weights(problem, members) == 0
    value = torch.zeros(active.shape, dtype=torch.float64)
    gain = (1 - 0.98**1000) / (1 - 0.98)
    return Floors(active, value, value - 1.0, torch.full_like(value, 0.1), 20.0, gain)


def start(ppo: PPO, problem: MORL, members: range) -> PPOState:
    """Return untrained members."""
    return ppo.start(problem, lanes(members), weights(problem, members))


def assert_equal(ppo: PPO, problem: MORL) -> None:
    """Raise unless a stack and its members alone end an update with the same policies, up to rounding."""
    short = dataclasses.replace(ppo, n_steps=32, epochs=2, minibatches=4)
    everyone = range(MEMBERS)
    stack, _ = short.train(problem, start(short, problem, everyone), weights(problem, everyone))
    for p in everyone:
        own, _ = short.train(problem, start(short, problem, range(p, p + 1)), weights(problem, range(p, p + 1)))
        gap = (own.networks.actor_rows[0] - stack.networks.actor_rows[p]).abs().max()
        assert gap < 1e-4, f"member {p} differs from its separate run by {gap:g}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--windows", type=int, default=5)
    given = parser.parse_args()
    print(calibration(("paretokit", "torch", "numba")))
    problem, ppo = problems.MORL("minecart-v0"), PPO()
    assert_equal(ppo, problem)
    everyone = range(MEMBERS)
    stacked, barred = start(ppo, problem, everyone), start(ppo, problem, everyone)
    single = [start(ppo, problem, range(p, p + 1)) for p in everyone]

    def alone() -> None:
        for p in everyone:
            ppo.train(problem, single[p], weights(problem, range(p, p + 1)))

    calls: dict[str, Callable[[], object]] = {
        "stack": lambda: ppo.train(problem, stacked, weights(problem, everyone)),
        "stack with barriers": lambda: ppo.train(
            problem, barred, weights(problem, everyone), floors=floors(problem, everyone)
        ),
        "member by member": alone,
    }
    steps = MEMBERS * ppo.n_steps * ppo.n_envs
    for call in calls.values():
        call()
    wall: dict[str, list[float]] = {name: [] for name in calls}
    cores: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(given.windows):
        for name in list(calls)[:: 1 if turn % 2 else -1]:
            begin, used = time.perf_counter(), time.process_time()
            calls[name]()
            wall[name].append(time.perf_counter() - begin)
            cores[name].append(time.process_time() - used)
    lines = [["trained steps", "a second", "a core-second", "over member by member"]]
    alone_seconds = statistics.median(wall["member by member"])
    for name in calls:
        seconds, used = statistics.median(wall[name]), statistics.median(cores[name])
        lines.append([name, f"{steps / seconds:,.0f}", f"{steps / used:,.0f}", f"{alone_seconds / seconds:.2f}x"])
    print(table(lines))


if __name__ == "__main__":
    main()
