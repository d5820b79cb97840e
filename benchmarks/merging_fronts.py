"""Fronts of merged models: ``python -m benchmarks.merging_fronts [--tasks 2 3 8] [--seeds N] [--report]``.

Two, three and eight tasks of the suite (MLP). Every method spends about the same work, counted in images that went
through a network, a backward pass as two: what one model a preference costs by "preference linear". Fronts are found
with validation images, or with unlabeled ones by their entropy, and scored on the test images: hypervolume from the
origin, R2 from (1, …, 1) and expected utility over a lattice of weights. The suite's seed is the solver's seed.

"preference": preference-conditioned AdaMerging, a coefficient a tensor and task, by entropy of unlabeled images;
"… labels": by the cross-entropy of the labeled validation images that all searches see.
"surrogate": quadratics of one coefficient a task; it ends by itself and needs less work.
"NSGA2", "MOEAD", "random": searches of one coefficient a task, or a tensor and task.

Every run is a row of ``benchmarks/results/merging/fronts.csv``; what is there is not run again. `--report` runs
nothing, prints the table, and draws the two-task fronts of seed 0 into ``fronts.png``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

import paretokit as pk
from benchmarks._common import calibration, table
from benchmarks._design_rows import RESULTS, Table, interval, middle
from paretokit.core import Solver
from paretokit.problems.merging import ModelMerging
from paretokit.run import Budget
from paretokit.solvers.merging import PreferenceMerging, SurrogateMerging

STEPS = {2: 100, 3: 80, 8: 40}
RATE = 1e-2  # ten times AdaMerging's, for a fifth to a twelfth of its steps
PARTITIONS = {2: 10, 3: 3}
NEVER = 1 << 30  # no measurement but the first and the last
POP_SIZE = {2: 20, 3: 21, 8: 24}
LATTICE = {2: 100, 3: 12, 8: 3}
METHODS: Mapping[str, str] = {
    "preference linear": "tensor",
    "preference tchebycheff": "tensor",
    "preference epo": "tensor",
    "preference labels": "tensor",
    "surrogate": "task",
    "NSGA2 task": "task",
    "NSGA2 tensor": "tensor",
    "MOEAD task": "task",
    "random task": "task",
    "random tensor": "tensor",
}
"""Methods, and what shares a coefficient."""


@lru_cache(maxsize=2)
def problem_of(tasks: int, seed: int, layers: str) -> ModelMerging:
    """Return the suite, kept for the next method."""
    made = pk.problems.make("merging-mlp-v1", tasks=tasks, seed=seed, layers=layers)
    assert isinstance(made, ModelMerging)
    return made


def asked(tasks: int) -> dict[str, Any]:
    """Return which preferences are trained for: a lattice; for eight tasks a half for each in turn, and equal ones."""
    if tasks in PARTITIONS:
        return {"partitions": PARTITIONS[tasks]}
    half = torch.full((tasks, tasks), 0.5 / tasks, dtype=torch.float64) + 0.5 * torch.eye(tasks, dtype=torch.float64)
    return {"preferences": [*half.tolist(), [1 / tasks] * tasks]}


def solver_of(method: str, tasks: int) -> Solver[Any]:
    """Return the solver of a method."""
    kind, _, how = method.partition(" ")
    if kind == "surrogate":
        return SurrogateMerging()
    if kind == "NSGA2":
        return pk.solvers.NSGA2(pop_size=POP_SIZE[tasks])
    if kind == "MOEAD":
        return pk.solvers.MOEAD(partitions={2: 19, 3: 5, 8: 2}[tasks])
    if kind == "random":
        return pk.solvers.RandomSearch()
    labels = how == "labels"
    return PreferenceMerging(
        **asked(tasks),
        weighting="linear" if labels else how,  # type: ignore[arg-type]
        objective="validation" if labels else "entropy",
        steps=STEPS[tasks],
        learning_rate=RATE,
        evaluate_every=NEVER,
    )


def work_of(tasks: int, seed: int) -> float:
    """Return the work that every method may spend."""
    solver = solver_of("preference linear", tasks)
    assert isinstance(solver, PreferenceMerging)
    problem = problem_of(tasks, seed, "tensor")
    members = len(solver.members(problem))
    validated = sum(len(t.validation[1]) for t in problem.tasks if t.validation is not None)
    return float(members * (STEPS[tasks] * 3 * solver.batch_size * tasks + 2 * validated))


def scored(values: Tensor, tasks: int) -> dict[str, float]:
    """Return the indicators of accuracies `[n, m]`."""
    weights = pk.indicators.simplex_lattice(tasks, LATTICE[tasks])
    values = values.double()
    return {
        "hypervolume": float(pk.indicators.hypervolume(values, [0.0] * tasks, maximize=True)),
        "r2": float(pk.indicators.r2(values, weights, utopian_point=[1.0] * tasks, maximize=True)),
        "expected_utility": float(pk.indicators.expected_utility(values, weights, maximize=True)),
    }


def run(tasks: int, method: str, seed: int) -> dict[str, Any]:
    """Return the scores of one run on the test images, what it cost, and its points."""
    problem, solver = problem_of(tasks, seed, METHODS[method]), solver_of(method, tasks)
    budget = None if solver.finishes else Budget(work=work_of(tasks, seed))
    result = pk.solve(problem, solver, budget=budget, seed=seed, progress=False)
    assert result.held_out is not None
    values = result.held_out
    spent = {"points": len(values), "evaluations": result.cost.evaluations, "work": result.cost.work}
    shown = [[round(v, 4) for v in row] for row in values.tolist()] if tasks == 2 else []
    return {**scored(values, tasks), **spent, "values": json.dumps(shown)}


def lines_of(rows: Table, tasks: int, seeds: int) -> list[list[str]]:
    """Return the table's lines for a number of tasks."""
    lines = []
    for method in METHODS:
        found = [rows.find(tasks=tasks, method=method, seed=seed) for seed in range(seeds)]
        known = [row for row in found if row is not None]
        if known:
            scores = [interval(known, name, 4) for name in ("hypervolume", "r2", "expected_utility")]
            spent = [f"{middle(known, name):,.0f}" for name in ("points", "evaluations", "work", "cpu_seconds")]
            lines.append([str(tasks), method, str(len(known)), *scores, *spent])
    return lines


def draw(rows: Table) -> None:
    """Draw the two-task fronts of seed 0."""
    from matplotlib import pyplot

    figure, ax = pyplot.subplots(figsize=(7, 5), layout="constrained")
    for method, marker in zip(METHODS, "osD^vPX*<>", strict=True):
        row = rows.find(tasks=2, method=method, seed=0)
        if row is not None:
            points = torch.tensor(json.loads(row["values"]))
            best = points[pk.indicators.non_dominated(points, maximize=True)]
            best = best[best[:, 0].argsort()]
            ax.plot(*best.T, marker=marker, markersize=4, linewidth=1, label=method, alpha=0.8)
    names = [o.label for o in problem_of(2, 0, "task").objectives]
    ax.set(xlabel=f"{names[0]} (test) →", ylabel=f"{names[1]} (test) →", title="Two-task fronts, seed 0")
    ax.legend(fontsize=8)
    figure.savefig(RESULTS.parent / "merging" / "fronts.png", dpi=120)


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, nargs="*", choices=sorted(STEPS), default=sorted(STEPS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", choices=list(METHODS), nargs="*", help="some methods")
    parser.add_argument("--report", action="store_true", help="run nothing; print, and draw the figure")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = Table("fronts", ("tasks", "method", "seed"), folder="merging")
    if not options.report:
        print(calibration(("paretokit", "torch")), flush=True)
        for seed in range(options.seeds):
            for tasks in options.tasks:
                for method in options.only or METHODS:
                    row = rows.once(
                        lambda t=tasks, m=method, s=seed: run(t, m, s), tasks=tasks, method=method, seed=seed
                    )
                    print(tasks, method, seed, row["hypervolume"], row["cpu_seconds"], flush=True)
    head = ["tasks", "method", "seeds", "hypervolume", "R2", "expected utility", "points", "evals", "work", "CPU s"]
    print(table([head, *(line for tasks in options.tasks for line in lines_of(rows, tasks, options.seeds))]))
    if options.report:
        draw(rows)
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
