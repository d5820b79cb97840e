"""Every native solver on every problem with a known front, against pymoo's same algorithm at equal evaluations.

``python -m benchmarks.quality [--problems zdt1-v1 …] [--solvers NSGA2 …] [--seeds 31] [--generations 200]
[--report]``

Writes one line a run to ``benchmarks/results/quality.csv`` and takes up there where it was stopped; prints the median
IGD+ of both, their ratio, and its 95 % bootstrap interval. Populations have equal size. Cells may have more than 31
seeds, where 31 left open what the ratio is.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import torch

from benchmarks._common import calibration, table
from benchmarks._pymoo import SOLVERS, ours, population, size
from paretokit import problems
from paretokit.core import Problem
from paretokit.indicators import igd_plus
from paretokit.problems.engineering import ENGINEERING
from paretokit.problems.synthetic import SYNTHETIC
from paretokit.run import Budget, solve_many

FILE = Path(__file__).parent / "results" / "quality.csv"
FIELDS = ("problem", "solver", "side", "seed", "generations", "igd_plus")
Key = tuple[str, str, str, int, int]


def known_fronts() -> list[str]:
    """Return the ids of real-valued test and engineering problems whose front is known."""
    names = []
    for name in sorted({**SYNTHETIC, **ENGINEERING}):
        problem = problems.make(name)
        known = problem.front_kind != "unknown" and problem.n_objectives > 1
        if known and problem.space.is_real:
            names.append(name)
    return names


def gap(problem: Problem, values: torch.Tensor, reference: torch.Tensor) -> float:
    """Return IGD+, +inf for an empty set."""
    maximize = [o.maximize for o in problem.objectives]
    return float(igd_plus(values, reference, maximize=maximize)) if len(values) else float("inf")


def read() -> dict[Key, float]:
    """Return the runs on file."""
    if not FILE.exists():
        return {}
    with FILE.open() as lines:
        rows = csv.DictReader(lines)
        return {
            (r["problem"], r["solver"], r["side"], int(r["seed"]), int(r["generations"])): float(r["igd_plus"])
            for r in rows
        }


def write(key: Key, value: float) -> None:
    """Append one run."""
    FILE.parent.mkdir(exist_ok=True)
    fresh = not FILE.exists()
    with FILE.open("a") as lines:
        writer = csv.writer(lines)
        if fresh:
            writer.writerow(FIELDS)
        writer.writerow([*key, f"{value:.9g}"])


def fill(name: str, solver: str, seeds: int, generations: int, done: dict[Key, float]) -> None:
    """Run what is missing of one cell."""
    problem = problems.make(name)
    reference = problem.pareto_front(1000 if problem.n_objectives < 4 else None)
    if reference is None:
        return
    for side in ("ours", "pymoo"):
        missing = [s for s in range(seeds) if (name, solver, side, s, generations) not in done]
        if not missing:
            continue
        if side == "ours":
            budget = Budget(evaluations=size(problem, solver) * generations)
            results = solve_many(problem, ours(solver), seeds=missing, budget=budget, progress=False)
            found = [r.front.values for r in results]
        else:
            found = (population(problem, solver, s, generations) for s in missing)
        for seed, values in zip(missing, found, strict=True):
            key = (name, solver, side, seed, generations)
            done[key] = gap(problem, values, reference)
            write(key, done[key])


def complete(name: str, solver: str, seeds: int, generations: int, done: dict[Key, float]) -> bool:
    """Tell whether both sides of a cell are on file."""
    return all((name, solver, side, s, generations) in done for side in ("ours", "pymoo") for s in range(seeds))


def row(name: str, solver: str, seeds: int, generations: int, done: dict[Key, float]) -> list[str]:
    """Return a line of the table, over all seeds of both sides that are on file."""
    more = {s for n, o, side, s, g in done if (n, o, side, g) == (name, solver, "pymoo", generations)}
    while seeds in more and (name, solver, "ours", seeds, generations) in done:
        seeds += 1
    sides = {
        side: np.array([done.get((name, solver, side, s, generations), np.nan) for s in range(seeds)])
        for side in ("ours", "pymoo")
    }
    a, b = (np.nanmedian(sides[side]) for side in ("ours", "pymoo"))
    rng = np.random.default_rng(0)
    draws = rng.integers(seeds, size=(2, 2000, seeds))
    ratios = np.median(sides["ours"][draws[0]], 1) / np.median(sides["pymoo"][draws[1]], 1)
    verdict = "ok" if a <= 1.1 * b else "worse"
    low, high = np.quantile(ratios, [0.025, 0.975])
    cells = [name, solver, str(generations), str(seeds), f"{a:.4g}", f"{b:.4g}", f"{a / b:.3f}"]
    return [*cells, f"{low:.3f} … {high:.3f}", verdict]


def main() -> None:
    """Fill the table and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", nargs="*", default=None)
    parser.add_argument("--solvers", nargs="*", default=list(SOLVERS))
    parser.add_argument("--seeds", type=int, default=31)
    parser.add_argument("--generations", type=int, default=200)
    parser.add_argument("--report", action="store_true", help="run nothing; print the cells that are complete")
    given = parser.parse_args()
    print(calibration(("paretokit", "pymoo", "torch", "numba")))
    done = read()
    lines = [["problem", "solver", "generations", "seeds", "ours", "pymoo", "ratio", "95 % interval", "verdict"]]
    for name in given.problems or known_fronts():
        for solver in given.solvers:
            if solver == "MOEAD" and problems.make(name).n_constraints:
                continue  # pymoo's handles no constraints
            if not given.report:
                fill(name, solver, given.seeds, given.generations, done)
            elif not complete(name, solver, given.seeds, given.generations, done):
                continue
            lines.append(row(name, solver, given.seeds, given.generations, done))
            print("  ".join(lines[-1]), flush=True)
    print()
    print(table(lines))


if __name__ == "__main__":
    main()
