"""Lanes of MuJoCo against MO-Gymnasium's own loop: ``python -m benchmarks.mujoco_lanes [--lanes 48] [--steps 20]``.

Environment steps a second, from the same states under the same actions: this package with compiled lanes on one and on
all threads, and through MuJoCo's bindings; and one MO-Gymnasium environment a lane, stepped one after the other. The
observations and rewards of the last step are asserted equal, bit for bit.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import mo_gymnasium
import numpy as np
import torch

from benchmarks._common import calibration, interleaved, table
from paretokit.core import Rng
from paretokit.problems.morl import _mujoco_engine as engine
from paretokit.problems.morl._mujoco import MujocoEnvironment, mujoco_class

NONE = torch.empty(0)
IDS = ("mo-hopper-v5", "mo-halfcheetah-v5", "mo-walker2d-v5", "mo-ant-v5", "mo-humanoid-v5")


def environment(name: str, threads: int | None) -> MujocoEnvironment:
    """Return an environment whose episodes do not end, so that all do the same work."""
    made, preset = mujoco_class(name)
    return made(id=name, threads=threads, **preset, **endless(made))


def endless(made: type[MujocoEnvironment]) -> dict[str, Any]:
    """Return the option that keeps episodes from ending, where there is one."""
    return {"terminate_when_unhealthy": False} if "terminate_when_unhealthy" in made.__dataclass_fields__ else {}


def lanes_of(
    env: MujocoEnvironment, start: torch.Tensor, actions: torch.Tensor, *, compiled: bool
) -> Callable[[], Any]:
    """Return a run of ours that answers the last observations and rewards."""
    advance = env.engine.advance_plain

    def run() -> Any:
        if not compiled:
            object.__setattr__(env.engine, "advance", advance)
        state = start
        for action in actions:
            move = env.step(state, action, NONE)
            state, seen = move.state, env.observe(move.state)
        return seen[0].numpy(), move.reward[0].numpy()

    return run


def loop_of(name: str, start: torch.Tensor, actions: torch.Tensor, env: MujocoEnvironment) -> Callable[[], Any]:
    """Return a run of MO-Gymnasium's that answers the same."""
    import mujoco

    rows, q, v = start[0].numpy(), env.engine.qpos, env.engine.qvel
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peers = [mo_gymnasium.make(name, **endless(type(env))).unwrapped for _ in rows]

    def run() -> Any:
        for peer, row in zip(peers, rows, strict=True):
            mujoco.mj_resetData(peer.model, peer.data)
            peer.set_state(row[q].copy(), row[v].copy())
        for action in actions[:, 0].numpy():
            answers = [peer.step(one) for peer, one in zip(peers, action, strict=True)]
        return np.stack([a[0] for a in answers]).astype(np.float32), np.stack([a[1] for a in answers])

    return run


def main() -> None:
    """Print a row an environment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lanes", type=int, default=48)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--ids", nargs="*", default=list(IDS))
    given = parser.parse_args()
    engine._KERNELS.load()
    print(calibration(("mujoco", "mo-gymnasium", "gymnasium", "numba")))
    rows = []
    for name in given.ids:
        all_threads, one, bindings = (environment(name, threads) for threads in (None, 1, 1))
        noise = Rng.from_seed(0).uniform(1, given.lanes, one.reset_noise)
        start = one.initial(noise)
        shape = (given.steps, 1, given.lanes, len(one.actions.low))
        actions = (2 * Rng.from_seed(1).uniform(*shape) - 1) * one.actions.high[0]
        calls = {
            "threads": lanes_of(all_threads, start, actions, compiled=True),
            "one thread": lanes_of(one, start, actions, compiled=True),
            "bindings": lanes_of(bindings, start, actions, compiled=False),
            "MO-Gymnasium": loop_of(name, start, actions, one),
        }
        seconds, results = interleaved(calls)
        for result in results.values():
            assert all((a == b).all() for a, b in zip(result, results["MO-Gymnasium"], strict=True)), name
        work = given.lanes * given.steps
        ratio = seconds["MO-Gymnasium"] / seconds["threads"]
        rows.append([name, *(f"{work / seconds[c]:,.0f}" for c in calls), f"{ratio:.2f}"])
    print(f"steps a second, {given.lanes} lanes, {torch.get_num_threads()} threads; results equal bit for bit\n")
    print(table([["environment", *calls, "ratio"], *rows]))


if __name__ == "__main__":
    main()
