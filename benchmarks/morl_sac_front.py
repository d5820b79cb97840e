"""MORL/D with soft actor-critic as a whole, evaluation included, beside morl-baselines': time to equal hypervolume.

``python -m benchmarks.morl_sac_front [--seeds 0 1] [--steps 36000]`` (with the peers' interpreter, see `make peers`)

Six policies of 256 x 256 a side and one shared buffer on half-cheetah; either side trains and evaluates by its own
means, in a process and on a thread of its own, both at the same time, so under the same load. What either side had
after each of its evaluations is measured again afterwards, for both alike: same discount, reference point and 5
episodes, on seeds that neither side saw, once with the policies' modes and once with sampled actions. The target is
what the peer has in the end; the figure is the time at which either side first had as much.

Defaults stand, but for what would leave nothing to compare. The peer's discount is 0.99, as in the measurement (its
default is 0.995). Its turns last 3000 environment steps (40,000 would train one policy of six). It evaluates a policy
with 5 episodes, as we do, and not its 25 (evaluation does not steer its training; the cost of its default is told
beside). Its buffer has room for the run and no more, because it copies the buffer of every policy it archives.

Writes ``benchmarks/results/morl/sac_front.csv`` (a row an evaluation) and ``.json`` (command, machine, verdicts).
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks._common import calibration, table
from benchmarks._morl_baselines import mosac_networks
from paretokit.indicators import hypervolume
from paretokit.problems.morl import MORL

FOLDER = Path(__file__).parent / "results" / "morl"
ENVIRONMENT, DISCOUNT, EPISODES, POLICIES = "mo-halfcheetah-v5", 0.99, 5, 6
PEER_EPISODES = 25  # of an evaluation with the peer's defaults: 5 times, what takes 5 episodes
FRESH = 500_000  # first seed of the measurement
UNIT = 100  # environment steps of a policy between our exchanges with Python
MEASURES = ("hypervolume", "sampled", "population")


@dataclass(frozen=True)
class Stand:
    """What a side had after an evaluation.

    Attributes:
        seconds: Wall time since it began.
        busy: Processor seconds.
        evaluating: Processor seconds of its evaluations, contained in `busy`.
        steps: Environment steps of training.
        archive: Actors' parameters of its archive `[k, D]`.
        population: Of the six policies themselves `[6, D]`.
    """

    seconds: float
    busy: float
    evaluating: float
    steps: int
    archive: Tensor
    population: Tensor


class Clock:
    """Wall and processor time of a side; the evaluations it wraps are counted, what the benchmark does is not."""

    def __init__(self) -> None:
        self.evaluating = 0.0
        self._wall, self._busy = time.perf_counter(), time.process_time()

    def now(self) -> tuple[float, float, float]:
        """Return wall seconds, processor seconds, and processor seconds of evaluation."""
        return time.perf_counter() - self._wall, time.process_time() - self._busy, self.evaluating

    def forget(self, since: tuple[float, float, float]) -> None:
        """Take out what passed since a reading."""
        wall, busy, _ = self.now()
        self._wall += wall - since[0]
        self._busy += busy - since[1]

    def counted(self, evaluate: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that also counts its processor seconds as evaluation."""

        def timed(*arguments: Any) -> Any:
            before = time.process_time()
            out = evaluate(*arguments)
            self.evaluating += time.process_time() - before
            return out

        return timed


def peer(steps: int, turn: int, seed: int) -> list[Stand]:
    """Train morl-baselines' MORL/D; return what it had after each evaluation."""
    import mo_gymnasium
    from morl_baselines.multi_policy.morld.morld import MORLD

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - its buffer draws from numpy's global generator
    training, measuring = mo_gymnasium.make(ENVIRONMENT), mo_gymnasium.make(ENVIRONMENT)
    training.reset(seed=seed)
    training.action_space.seed(seed)
    measuring.reset(seed=1000 + seed)
    point = np.array(MORL(ENVIRONMENT).protocol.scoring.reference_point)
    stands: list[Stand] = []
    clock = Clock()
    with contextlib.redirect_stdout(io.StringIO()):
        agent = MORLD(
            training,
            gamma=DISCOUNT,
            pop_size=POLICIES,
            seed=seed,
            exchange_every=turn,
            shared_buffer=True,
            policy_args={"buffer_size": steps + turn},
            log=False,
            device="cpu",
        )
    evaluate = clock.counted(agent._MORLD__eval_all_policies)

    def watched(*arguments: Any) -> Any:
        out, now = evaluate(*arguments), clock.now()
        actors = [
            torch.stack([mosac_networks(p.wrapped)[0] for p in policies])
            for policies in (agent.archive.individuals, agent.population)
        ]
        stands.append(Stand(*now, agent.global_step, *actors))
        clock.forget(now)
        return out

    agent._MORLD__eval_all_policies = watched
    with contextlib.redirect_stdout(io.StringIO()):
        agent.train(steps, measuring, point, num_eval_episodes_for_front=EPISODES // 5, checkpoints=False)
    return stands


def ours(steps: int, turn: int, seed: int) -> list[Stand]:
    """Train our MORL/D with an evaluation every `turn` environment steps; return what it had after each."""
    from paretokit.run import Budget, solve
    from paretokit.solvers.morl import SAC
    from paretokit.solvers.morl._morld import MORLD

    torch.set_num_threads(1)
    every = turn // (UNIT * POLICIES)
    stands: list[Stand] = []
    clock = Clock()
    problem = MORL(ENVIRONMENT, episodes=EPISODES, discount=DISCOUNT)
    improver = SAC(shared_buffer=True, unit=UNIT)
    solver = MORLD(improver=improver, pop_size=POLICIES, cooperation="shared_buffer", evaluate_every=every)
    MORL.measure = clock.counted(MORL.measure)  # type: ignore[method-assign] # in this process only
    size = improver.wiring(problem).n_parameters

    def watch(moment: Any) -> None:
        if moment.iterations % every == 0:
            now = clock.now()
            actors = (moment.front.x[:, :size].clone(), moment.state.rows[:, :size].clone())
            stands.append(Stand(*now, moment.cost.env_steps, *actors))
            clock.forget(now)

    solve(problem, solver, budget=Budget(env_steps=steps), seed=seed, callbacks=[watch], progress=False)
    return stands


def measured(sides: dict[str, list[Stand]]) -> dict[str, list[tuple[float, ...]]]:
    """Return each stand's hypervolume: of the archive by modes, by sampled actions, and of the population by modes."""
    from paretokit.solvers.morl import SAC

    stands = [stand for side in sides.values() for stand in side]
    everything = torch.cat([part for stand in stands for part in (stand.archive, stand.population)])
    actors, of = everything.unique(dim=0, return_inverse=True)
    problems = [MORL(ENVIRONMENT, episodes=EPISODES, discount=DISCOUNT, seed=FRESH, sample_actions=s) for s in (0, 1)]
    values = []
    for problem in problems:
        view = problem.with_policy(SAC().architecture(problem))
        values.append(view.evaluate(view.wiring.rows(actors)).values.double()[of])
    point = torch.tensor(problems[0].protocol.scoring.reference_point, dtype=torch.float64)

    def volume(points: Tensor) -> float:
        return float(hypervolume(points, point, maximize=True))

    found: dict[str, list[tuple[float, ...]]] = {}
    at = 0
    for name, side in sides.items():
        found[name] = []
        for stand in side:
            kept, own = slice(at, at + len(stand.archive)), at + len(stand.archive)
            at = own + len(stand.population)
            found[name].append((volume(values[0][kept]), volume(values[1][kept]), volume(values[0][own:at])))
    return found


def verdicts(sides: dict[str, list[Stand]], volumes: dict[str, list[tuple[float, ...]]]) -> dict[str, Any]:
    """Return when either side first had what the peer has in the end, by each measure."""
    found = {}
    for m, measure in enumerate(MEASURES):
        target = volumes["peer"][-1][m]
        first = {
            name: next((s for s, v in zip(side, volumes[name], strict=True) if v[m] >= target), None)
            for name, side in sides.items()
        }
        slow, fast = first["peer"], first["ours"]
        assert slow is not None
        row: dict[str, Any] = {"target": round(target), "before training": round(volumes["peer"][0][m])}
        for name, stand in first.items():
            row[name] = (
                None if stand is None else {k: round(getattr(stand, k), 1) for k in ("seconds", "busy", "steps")}
            )
        if fast is not None:
            more = slow.evaluating * (PEER_EPISODES / EPISODES - 1)
            row["wall ratio"] = round(slow.seconds / fast.seconds, 2)
            row["processor ratio"] = round(slow.busy / fast.busy, 2)
            row["processor ratio with the peer's default evaluation"] = round((slow.busy + more) / fast.busy, 2)
        found[measure] = row
    return found


def rows_of(
    seed: int, sides: dict[str, list[Stand]], volumes: dict[str, list[tuple[float, ...]]]
) -> list[dict[str, Any]]:
    """Return a row a stand."""
    return [
        {
            "seed": seed,
            "side": name,
            "steps": stand.steps,
            "seconds": round(stand.seconds, 1),
            "processor_seconds": round(stand.busy, 1),
            "of_evaluation": round(stand.evaluating, 1),
            "archived": len(stand.archive),
            **{measure: round(v) for measure, v in zip(MEASURES, volume, strict=True)},
        }
        for name, side in sides.items()
        for stand, volume in zip(side, volumes[name], strict=True)
    ]


def main() -> None:
    """Run both sides on each seed; print and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--steps", type=int, default=36_000, help="environment steps of the peer")
    parser.add_argument("--own-steps", type=int, default=60_000, help="environment steps of ours, to be surely enough")
    parser.add_argument("--turn", type=int, default=3_000, help="environment steps between evaluations, of both")
    parser.add_argument("--out", type=Path, default=FOLDER / "sac_front")
    given = parser.parse_args()
    torch.set_num_threads(1)
    machine = calibration(("paretokit", "torch", "numpy", "morl-baselines", "mo-gymnasium", "mujoco"))
    print(machine, flush=True)
    rows: list[dict[str, Any]] = []
    found = []
    for seed in given.seeds:
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            plans = {"peer": (peer, given.steps), "ours": (ours, given.own_steps)}
            runs = {name: pool.submit(run, steps, given.turn, seed) for name, (run, steps) in plans.items()}
            sides = {name: run.result() for name, run in runs.items()}
        load = round(os.getloadavg()[1], 1)
        volumes = measured(sides)
        found.append({"seed": seed, "load": load, **verdicts(sides, volumes)})
        new = rows_of(seed, sides, volumes)
        rows += new
        print(table([list(new[0]), *([str(v) for v in row.values()] for row in new)]))
        print(json.dumps(found[-1], indent=1), flush=True)
        with given.out.with_suffix(".csv").open("w") as lines:
            writer = csv.DictWriter(lines, list(new[0]))
            writer.writeheader()
            writer.writerows(rows)
        command = f"python -m benchmarks.morl_sac_front --seeds {' '.join(map(str, given.seeds))}"
        command += f" --steps {given.steps} --own-steps {given.own_steps} --turn {given.turn}"
        summary = {"command": command, "machine": machine, "seeds": found}
        given.out.with_suffix(".json").write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
