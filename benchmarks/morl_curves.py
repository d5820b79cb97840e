"""Long trainings in multi-objective reinforcement learning, with their curves on file.

``python -m benchmarks.morl_curves hopper-2d [--seed 0] [--checkpoint runs/hopper-2d]``

One run a call: prints a line every ten steps and writes ``benchmarks/results/morl/<run>-<seed>.csv`` (environment steps
of training and of measuring, seconds, points, hypervolume on the selection seeds) and, at the end, ``.json`` with the
hypervolume of the final archive on the selection seeds and on fresh ones. With a checkpoint, a killed run goes on.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks._common import calibration
from paretokit import problems, solvers
from paretokit.core import Front, Problem, Solver
from paretokit.run import Budget, Checkpoint, Moment, solve

FOLDER = Path(__file__).parent / "results" / "morl"
FIELDS = ("env_steps", "work", "seconds", "points", "hypervolume")


def hopper(name: str, two: bool) -> tuple[Problem, Solver[Any]]:
    """C-MORL at the real budget of the published figures (about 12 and 16 million steps of training)."""
    episodes = 5 if two else 10
    problem = problems.MORL(name, horizon=500, episodes=episodes, discount=0.99)
    # 6 policies x 325 and 5 x 2 x 5 x 20 updates of 4096 steps; 6 x 488 and 6 x 3 x 3 x 20 for three objectives.
    sizes = {"init_updates": 325, "rounds": 5, "n_selected": 5} if two else {"init_updates": 488, "rounds": 3}
    partitions = 5 if two else 2
    return problem, solvers.CMORL(partitions=partitions, init_interval=10, extension_interval=2 if two else 4, **sizes)


def minecart() -> tuple[Problem, Solver[Any]]:
    """C-MORL on the deterministic minecart: 15 x 65 and 6 x 3 x 2 x 20 updates, 6.9 million steps.

    A cart starts towards the middle mine, and policies of few preferences settle for it; fifteen that begin with an
    entropy weight of 0.1 find the outer mines too.
    """
    solver = solvers.CMORL(partitions=4, init_entropy=0.1, init_interval=5, extension_interval=2)
    return problems.MORL("minecart-deterministic-v0"), solver


def halfcheetah() -> tuple[Problem, Solver[Any]]:
    """MORL/D with soft actor-critic, shared buffer and weight adaptation."""
    problem = problems.MORL("mo-halfcheetah-v5", episodes=5, discount=0.99)
    improver = solvers.morl.SAC(shared_buffer=True, unit=200)
    shared = {"cooperation": "shared_buffer", "adaptation": "psa", "exchange_every": 50_000, "evaluate_every": 10}
    return problem, solvers.MORLD(improver=improver, pop_size=6, **shared)


RUNS: dict[str, tuple[Callable[[], tuple[Problem, Solver[Any]]], Budget | None]] = {
    "halfcheetah": (halfcheetah, Budget(env_steps=300_000)),
    "hopper-2d": (lambda: hopper("mo-hopper-2d-v4", two=True), None),
    "hopper-2d-v5": (lambda: hopper("mo-hopper-2obj-v5", two=True), None),
    "hopper-3d": (lambda: hopper("mo-hopper-v4", two=False), None),
    "hopper-3d-v5": (lambda: hopper("mo-hopper-v5", two=False), None),
    "minecart": (minecart, None),
}


def volume(front: Front, values: torch.Tensor | None = None) -> float:
    """Return the hypervolume of a front, or of other values of its policies, at its reference point."""
    from paretokit.indicators import hypervolume

    points = front.values if values is None else values
    point = front.protocol.scoring.reference_point
    assert point is not None
    return float(hypervolume(points.double(), torch.tensor(point, dtype=torch.float64), maximize=True))


def main() -> None:
    """Run one training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", choices=sorted(RUNS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint", default=None)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    machine = calibration(("paretokit", "torch", "numba", "mujoco"))
    print(machine, flush=True)
    make, budget = RUNS[given.run]
    problem, solver = make()
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{given.run}-{given.seed}.csv"
    rows: list[tuple[float, ...]] = []
    if given.checkpoint and path.exists():
        with path.open() as lines:
            rows = [tuple(float(r[f]) for f in FIELDS) for r in csv.DictReader(lines)]

    def note(moment: Moment) -> None:
        if moment.iterations % 10:
            return
        front = moment.front
        row = (moment.cost.env_steps, moment.cost.work, round(moment.seconds, 1), len(front), round(volume(front), 6))
        rows.append(row)
        print(*row, front.values.amax(0).tolist() if len(front) else "", flush=True)
        with path.open("w") as lines:
            writer = csv.writer(lines)
            writer.writerows([FIELDS, *rows])

    checkpoint = Checkpoint(given.checkpoint, seconds=120) if given.checkpoint else None
    result = solve(
        problem, solver, budget=budget, seed=given.seed, checkpoint=checkpoint, callbacks=[note], progress=False
    )
    summary = {
        "command": f"python -m benchmarks.morl_curves {given.run} --seed {given.seed}",
        "machine": machine,
        "status": result.status,
        "env_steps": result.cost.env_steps,
        "work": result.cost.work,
        "seconds": round(result.seconds),
        "points": len(result.front),
        "reference_point": problem.protocol.scoring.reference_point,
        "hypervolume": volume(result.front),
        "hypervolume_fresh_seeds": None if result.held_out is None else volume(result.front, result.held_out),
        "values": result.front.values.tolist(),
    }
    path.with_suffix(".json").write_text(json.dumps(summary, indent=1) + "\n")
    print(json.dumps({k: v for k, v in summary.items() if k != "values"}, indent=1))


if __name__ == "__main__":
    main()
