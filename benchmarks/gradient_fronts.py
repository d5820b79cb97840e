"""Fronts by gradients: exact Pareto points on a concave front, and known fronts beside NSGA-II at equal work.

``python -m benchmarks.gradient_fronts`` writes ``benchmarks/results/gradient/fronts.txt``; a few minutes on one core.

First table: Fonseca and Fleming's problem in 20 variables, whose front is concave. For 9 preferences p it says how far
p_1 l_1 / p_2 l_2 is from one at worst, how far x is from the Pareto set at worst, and how many rows ended where one of
the losses is below 0.01.

Second table: IGD+ against 500 points of the true front, median (and range) of 5 seeds. Work is in evaluations, a
backward pass counting two; NSGA-II gets as much as the gradient run in its column, and as many points.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import paretokit as pk
from benchmarks._common import calibration, table
from paretokit.core import Box, Evaluation, Problem, Rng, Solver, objectives_of
from paretokit.indicators import igd_plus

OUT = Path(__file__).parent / "results" / "gradient" / "fronts.txt"
SMOOTH = {"name": "SmoothTchebycheff", "mu": 0.02}
RULES: dict[str, Any] = {"EPO": "EPO", "Tchebycheff": "Tchebycheff", "smooth Tchebycheff": SMOOTH, "Linear": "Linear"}


class Fonseca(Problem):
    """Fonseca and Fleming (1995): 1 - exp(-|x -+ 1/sqrt(n)|^2), minimized on the segment between the two centers."""

    objectives = objectives_of(2)
    space = Box(-2.0, 2.0, dim=20)

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        far = [(x - s * 20**-0.5).square().sum(-1) for s in (1, -1)]
        return Evaluation(1 - torch.exp(-torch.stack(far, -1)))


def concave(seeds: int) -> list[list[str]]:
    """Return the first table."""
    rows = [["rule", "worst |p1 l1 / p2 l2 - 1|", "worst distance to the Pareto set", "rows at an end"]]
    preferences = [[k / 10, 1 - k / 10] for k in range(1, 10)]
    fine = {"name": "EPO", "tolerance": 1e-8}
    rules = {"EPO": "EPO", "EPO, tolerance 1e-8": fine, **RULES, "Pareto MTL": "ParetoMTL", "MGDA": "MGDA"}
    for label, rule in rules.items():
        ratios, distances, ends = [], [], []
        for seed in range(seeds):
            start = 0.2 * Rng.from_seed(seed).child("start").normal(9, 20)
            solver = pk.solvers.GradientDescent(
                aggregator=rule, preferences=preferences, learning_rate=0.01, steps=1000, evaluate_every=1000
            )
            result = pk.solve(Fonseca(), solver, seed=seed, initial=start, progress=False)
            values, x = result.state.values, result.state.x
            weighted = torch.tensor(preferences) * values
            ratios.append(float((weighted[:, 0] / weighted[:, 1] - 1).abs().max()))
            nearest = x.mean(1, keepdim=True).clamp(-(20**-0.5), 20**-0.5)
            distances.append(float((x - nearest).norm(dim=1).max()))
            ends.append(int((values.amin(1) < 0.01).sum()))
        rows.append(
            [
                label,
                f"{statistics.median(ratios):.3g}",
                f"{statistics.median(distances):.1e}",
                f"{sum(ends)} of {9 * seeds}",
            ]
        )
    return rows


def score(problem: Problem, solver: Solver[Any], seeds: int, budget: pk.Budget | None = None) -> tuple[str, float, int]:
    """Return the median and range of IGD+, the work of a run, and the number of points."""
    reference, found, work, points = problem.pareto_front(500), [], 0.0, []
    assert reference is not None
    for seed in range(seeds):
        result = pk.solve(problem, solver, seed=seed, budget=budget, progress=False)
        found.append(float(igd_plus(result.front.values, reference)))
        work = result.cost.work
        points.append(len(result.front))
    said = f"{statistics.median(found):.4f} ({min(found):.4f} … {max(found):.4f})"
    return said, work, round(statistics.median(points))


def fronts(seeds: int) -> list[list[str]]:
    """Return the second table."""
    rows = [["problem", "solver", "IGD+", "points", "work", "NSGA-II at equal work", "points"]]
    beside: dict[tuple[str, float], tuple[str, int]] = {}
    for name, size in (("zdt1-v1", 50), ("zdt2-v1", 50), ("zdt3-v1", 50), ("dtlz2-v1", 91)):
        problem = pk.problems.make(name)
        common = {"preferences": size, "steps": 300, "evaluate_every": 300, "normalized": True}
        solvers: dict[str, Solver[Any]] = {
            label: pk.solvers.GradientDescent(aggregator=rule, **common, learning_rate=0.02)
            for label, rule in RULES.items()
        }
        solvers["Pareto set model"] = pk.solvers.ParetoSetModel(
            preferences=size,
            normalized=True,
            steps=1000,
            evaluate_every=1000,
            learning_rate=0.01 if problem.n_objectives == 2 else 3e-3,
        )
        for label, solver in solvers.items():
            ours, work, points = score(problem, solver, seeds)
            if (name, work) not in beside:
                peer = pk.solvers.NSGA2(pop_size=size + size % 2)
                other, _, more = score(problem, peer, seeds, pk.Budget(evaluations=int(work)))
                beside[name, work] = (other, more)
            other, more = beside[name, work]
            rows.append([name, label, ours, str(points), f"{work:.0f}", other, str(more)])
            print(rows[-1], flush=True)
    return rows


def main(arguments: list[str]) -> None:
    """Write the tables; `--quick` takes one seed and writes nothing."""
    torch.set_num_threads(1)
    seeds = 1 if "--quick" in arguments else 5
    parts = [calibration(("torch", "paretokit")), table(concave(seeds))]
    print(parts[-1], flush=True)
    parts.append(table(fronts(seeds)))
    text = "\n\n".join(parts) + "\n"
    print("\n" + text)
    if seeds > 1:
        OUT.parent.mkdir(parents=True, exist_ok=True)
        OUT.write_text(text, "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
