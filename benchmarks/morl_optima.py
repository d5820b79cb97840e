"""MORL/D against optima that are known exactly: ``python -m benchmarks.morl_optima [--seeds N] [--only NAME]``.

`treasure`: deep-sea-treasure-concave at discount 0.99 and reference point (0, -50), final policies only, no archive.
Weighted sums have two optimal policies there, of hypervolume 3391.57, more than which a linear instantiation does not
get unless members are stuck; the whole front has 3688.38. The non-linear instantiation (ESR, achievement function,
EUPG) has to reach 3600.

`tree`: fruit-tree of depth 6 at discount 0.99 and reference point -1, at most 150,000 environment steps of training, at
least 98 % of the hypervolume of all 64 leaves on every seed; random search beside it spends the same work, evaluation
counted.

Marks are for the median over seeds, where nothing else is said; every seed is printed. A value above the optimum
ends the run with an error: the measure would be wrong. Status 1 says that a mark was missed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from dataclasses import dataclass
from typing import Any

import torch

import paretokit as pk
from benchmarks._common import calibration, table

TREASURE, CONVEX, MARK = 3688.3770, 3391.5665, 3600.0
TREE = 46034.7973
ROUNDING = 1 + 1e-5
STEPS, EVALUATED = 147_456, 19_200  # of training (24 updates of 128 members), and of evaluation beside it
EPISODES: dict[str, Any] = {"kind": "EUPG", "baseline_decay": 0.9}


@dataclass(frozen=True)
class Trial:
    """One line of the table.

    Attributes:
        task, name: What is shown.
        problem, solver, budget: The run.
        least, most: Marks of the hypervolume.
        optimum: Of the problem.
        each: Whether the lower mark is for every seed.
    """

    task: str
    name: str
    problem: Any
    solver: Any
    budget: Any
    least: float
    most: float
    optimum: float
    each: bool = False


def trials() -> list[Trial]:
    """Return what is run."""
    treasure = pk.problems.MORL("deep-sea-treasure-concave-v0")
    tree = pk.problems.MORL("fruit-tree-v0", env_options={"depth": 6})
    shared: dict[str, Any] = {"pop_size": 32, "normalize": True, "tau": 0.0, "exchange_every": 5_000, "neighborhood": 6}
    shared |= {"cooperation": "transfer", "front_from": "population", "evaluate_every": 20}
    shared |= {"improver": EPISODES | {"episodes": 8, "learning_rate": 3e-3, "entropy_coef": 3e-3}}
    steps = pk.Budget(env_steps=2_000_000)
    linear = pk.solvers.make("MORLD", **shared, scalarization="weighted_sum")
    bent = pk.solvers.make("MORLD", **shared, scalarization="achievement")
    # Normalized observations tell neighboring nodes apart, and many passes pay where a leaf is met once in 64 episodes.
    short: dict[str, Any] = {"n_steps": 6, "n_envs": 8, "epochs": 12, "minibatches": 4, "discount": 0.99}
    climb = {"kind": "PPO", "learning_rate": 2e-2, "entropy_coef": 0.1} | short
    leaves = pk.solvers.make("MORLD", improver=climb, pop_size=128, weights="random")
    drawn = pk.Budget(evaluations=(STEPS + EVALUATED) // 6)  # six steps an evaluation
    return [
        Trial("treasure", "MORL/D weighted sum", treasure, linear, steps, 0.0, CONVEX, TREASURE),
        Trial("treasure", "MORL/D achievement, ESR", treasure, bent, steps, MARK, TREASURE, TREASURE),
        Trial(
            "tree", "MORL/D weighted sum", tree, leaves, pk.Budget(env_steps=STEPS), 0.98 * TREE, TREE, TREE, each=True
        ),
        Trial("tree", "random search", tree, pk.solvers.RandomSearch(pop_size=100), drawn, 0.0, TREE, TREE),
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run the trials, print one line each, and return 0 where every mark was reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", choices=["treasure", "tree"], help="one task")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print(calibration(("paretokit", "torch", "mo-gymnasium")))
    missed: list[str] = []
    rows = [line(t, range(options.seeds), missed) for t in trials() if options.only in (None, t.task)]
    head = ["task", "solver", "hypervolume by seed", "median", "marks", "optimum", "points", "steps", "CPU s a seed"]
    print(table([head, *rows]))
    for text in missed:
        print(text)
    return 1 if missed else 0


def line(trial: Trial, seeds: range, missed: list[str]) -> list[str]:
    """Return a trial's row, and note it if its median missed the mark."""
    volumes, points, begun = [], [], time.process_time()
    for seed in seeds:
        result = pk.solve(trial.problem, trial.solver, budget=trial.budget, seed=seed, progress=False)
        volume = result.front.scores()["hypervolume"]
        if volume > trial.optimum * ROUNDING:
            raise AssertionError(f"{trial.task}, {trial.name}, seed {seed}: {volume} lies above {trial.optimum}")
        volumes.append(volume)
        points.append(len(result.front))
        print(f"{trial.task}, {trial.name}, seed {seed}: {volume:.2f}", file=sys.stderr, flush=True)
    cost = result.cost
    middle = statistics.median(volumes)
    if not trial.least <= (min(volumes) if trial.each else middle) or middle > trial.most * ROUNDING:
        missed.append(f"{trial.task}, {trial.name}: {volumes} misses {trial.least:.1f} … {trial.most:.1f}")
    spent = f"{cost.env_steps:,} + {cost.work - cost.env_steps:,.0f}" if cost.env_steps else f"0 + {6 * cost.work:,.0f}"
    return [
        trial.task,
        trial.name,
        " ".join(f"{v:.1f}" for v in volumes),
        f"{middle:.1f}",
        f"{trial.least:.1f} … {trial.most:.1f}",
        f"{trial.optimum:.1f}",
        " ".join(map(str, points)),
        spent,
        f"{(time.process_time() - begun) / len(seeds):.1f}",
    ]


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
