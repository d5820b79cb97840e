"""EUPG, sixteen members: ``python -m benchmarks.morl_eupg [--quick]`` in an environment with morl-baselines 1.3.

Environment steps a second over the first 2000 steps of each member, medians of three runs in turns, one update an
episode as in the authors' code: paretokit's stack of sixteen members in one process and thread, beside morl-baselines'
class trained member by member, with the same network, rate, discount and linear utilities. Other rows of ours give the
plain path through the rollout loop, which environments that are no table take: it pays by lanes, so sixteen episodes an
update (another algorithm, with fewer updates) cost little more than one. Columns count the clock's and this process's
processor seconds, the latter also being right on a machine that others use. Our policies then play in MO-Gymnasium,
under the same random numbers, and must return what our environment said, to float32.

morl-baselines calls a utility with one argument in its update (and with two beside it), so it is given one that takes
both. Its target is the utility of future rewards, ours that of the whole return; the work is the same.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks._common import calibration, installed, table
from paretokit.core import Lanes, Rng
from paretokit.problems.morl import MORL
from paretokit.solvers.morl._episodes import KERNELS
from paretokit.solvers.morl._eupg import EUPG
from paretokit.solvers.morl._improver import Aim

MEMBERS = 16
MANY = "paretokit, rollout loop, 16 episodes an update"


def linear(returns: torch.Tensor, preference: torch.Tensor) -> torch.Tensor:
    return (returns * preference.unsqueeze(1)).sum(-1)


def timed(work: Any) -> tuple[float, float, Any]:
    """Return seconds of the clock and of the processor, and what the work returned."""
    clock, processor = time.perf_counter(), time.process_time()
    out = work()
    return time.perf_counter() - clock, time.process_time() - processor, out


class Stack:
    """Our sixteen members, trained on."""

    def __init__(self, environment: str, *, compiled: bool = True, episodes: int = 1) -> None:
        self.problem, self.solver = MORL(environment), EUPG(episodes=episodes)
        share = torch.linspace(0, 1, MEMBERS, dtype=torch.float64)
        preference = torch.stack([share, 1 - share], -1)
        lanes = Lanes(tuple(Rng.from_seed(p) for p in range(MEMBERS)))
        self.aim = Aim(weights=preference, preference=preference, utility=linear)
        self.state = self.solver.start(self.problem, lanes, preference)
        if not compiled:
            self.state.play = replace(self.state.play, world=None)

    def train(self, steps: int) -> int:
        """Train until the members together have made so many more steps; return how many they made."""
        begun = self.state.spent.env_steps
        while self.state.spent.env_steps - begun < steps:
            self.state = self.solver.improve(self.problem, self.state, self.aim)
        return self.state.spent.env_steps - begun


class Peer:
    """morl-baselines' members, one after the other."""

    def __init__(self, environment: str) -> None:
        import mo_gymnasium
        from morl_baselines.single_policy.esr.eupg import EUPG as Baseline  # noqa: N811 - ours has the name

        self.members = []
        for p in range(MEMBERS):
            w = np.array([p / (MEMBERS - 1), 1 - p / (MEMBERS - 1)])

            def utility(returns: Any, weights: Any = None, w: np.ndarray = w) -> Any:  # noqa: ARG001 - the signature
                if isinstance(returns, torch.Tensor):
                    return (returns * torch.as_tensor(w, dtype=returns.dtype)).sum(-1)
                return float(np.dot(returns, w))

            env = mo_gymnasium.make(environment)
            discount = MORL(environment).protocol.measurement.discount
            agent = Baseline(env, utility, weights=w, gamma=discount, log=False, device="cpu", seed=p)
            self.members.append(agent)

    def train(self, steps: int) -> int:
        """Train each member for its share of the steps; return how many they made."""
        for agent in self.members:
            agent.train(steps // MEMBERS)
        return steps // MEMBERS * MEMBERS


class Dice:
    """Stands in for an environment's generator: `random()` gives known numbers, one a step."""

    def __init__(self, faces: list[float]) -> None:
        self.faces = iter(faces)

    def random(self) -> float:
        """Return the next number."""
        return next(self.faces)


def same_returns(stack: Stack, environment: str) -> None:
    """Assert that trained policies return in MO-Gymnasium what our environment says, under the same numbers."""
    import mo_gymnasium

    view = stack.problem.with_policy(stack.solver.architecture(stack.problem))
    rows = stack.solver.rows(stack.problem, stack.state)
    lanes = Lanes((Rng.from_seed(1),))
    said = view.rollouts(rows, lanes)[0][:, 0]
    random = view.env.step_noise > 0
    faces = lanes.child("steps").uniform(view.env.horizon or 0, int(random)).flatten().tolist()
    env = mo_gymnasium.make(environment)
    for p in range(0, MEMBERS, 5):
        policy, (observation, _) = view.decode(rows[p]), env.reset(seed=0)
        if random:
            env.unwrapped._np_random = Dice(faces)
        total, gain, ended = np.zeros(2), 1.0, False
        policy.reset()
        while not ended:
            observation, reward, terminated, truncated, _ = env.step(policy.act(observation))
            total, gain, ended = (
                total + gain * reward,
                gain * view.protocol.measurement.discount,
                terminated or truncated,
            )
            policy.receive(reward)
        assert np.allclose(total, said[p].numpy(), rtol=1e-5, atol=1e-4), (total, said[p])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the 2000 steps a member")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(calibration(("paretokit", "torch", "numba", "mo-gymnasium", "morl-baselines")))
    KERNELS.load()
    steps = MEMBERS * (200 if args.quick else 2000)
    for environment in ("deep-sea-treasure-v0", "fishwood-v0"):
        stack = Stack(environment)
        tabular = stack.state.play is not None and stack.state.play.world is not None
        makers: dict[str, tuple[Callable[[], Any], int]] = {}
        if tabular:
            makers["paretokit, compiled"] = (lambda e=environment: Stack(e), 5)
        makers["paretokit, rollout loop"] = (lambda e=environment: Stack(e, compiled=False), 1)
        makers[MANY] = (lambda e=environment: Stack(e, compiled=False, episodes=16), 5)
        if installed("morl_baselines"):
            makers["morl-baselines"] = (lambda e=environment: Peer(e), 1)
        rates: dict[str, list[tuple[float, float]]] = {name: [] for name in makers}
        for _ in range(3):
            for name, (make, repeats) in makers.items():
                runs = [make() for _ in range(repeats)]
                clock, processor, made = timed(lambda runs=runs: sum(run.train(steps) for run in runs))
                rates[name].append((made / clock, made / processor))
        median = {name: np.median(np.array(found), 0) for name, found in rates.items()}
        base = median.get("morl-baselines")
        rows = [[environment, "steps/s", "steps/processor s", "ratio", "processor ratio"]]
        for name, (clock, processor) in median.items():
            ratio = ["–", "–"] if base is None else [f"{clock / base[0]:.0f}x", f"{processor / base[1]:.0f}x"]
            rows.append([name, f"{clock:,.0f}", f"{processor:,.0f}", *ratio])
        print(table(rows))
        if installed("mo_gymnasium") and tabular:
            stack.train(100 * steps)
            same_returns(stack, environment)


if __name__ == "__main__":
    main()
