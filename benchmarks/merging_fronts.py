"""Fronts of merges at equal work: ``python -m benchmarks.merging_fronts [--tasks 2 3 8] [--seeds N] [--report]``.

Two, three and eight tasks of the suite. Every method may spend as much as preference-conditioned merging does: images
through a network, a backward pass counting two (the surrogate ends by itself, and needs less). Half of the test images
are unlabeled: entropies are learned from those; searches and "labels" see the validation images; fronts are scored on
the other half of the test images, which none has seen. A suite's seed is the solver's seed.

`soups`: preferences taken for coefficients, one a task, measured. `random grid`: coefficients drawn uniformly, one a
task. `NSGA-II`, `MOEA/D`: the accuracies on validation images, over one coefficient a task, or one a layer and task;
`from soups`: a layer's, with soups in the first population. `surrogate`: `SurrogateMerging`. `linear`, `Tchebycheff`,
`exact Pareto`: `PreferenceMerging` by its weightings of entropies; `labels`: linear, of the cross-entropies of the
validation images.

Of each front as many points are scored as preferences were asked for (11, 10 and 9): the least contributor to the
hypervolume on validation images goes first. Hypervolume has its reference in 0, R2 is Tchebycheff's over the errors
(less is better), R2 and expected utility average over at least 495 weights of a lattice. "gain" is the difference in
hypervolume to NSGA-II over a coefficient a layer, seed by seed.

Every run is a row of ``benchmarks/results/merging/fronts.csv``; what is there is not run again, and `--report` runs
nothing. It draws the first seed's fronts of two tasks as ``fronts.png`` beside. `--encoder mlp-narrow` takes the suite
with an MLP 128 wide, for a tenth of the time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from pathlib import Path
from typing import Any

import torch

from benchmarks._common import calibration, table
from benchmarks._design_rows import Table, interval, middle, numbers
from benchmarks._merging_fronts import METHODS, STEPS, problem_of, run

KEY = ("encoder", "tasks", "method", "seed")
RIVAL = "NSGA-II, a layer"
HEAD = ["tasks", "method", "seeds", "hypervolume", "gain", "R2", "utility", "validation hypervolume", "best mean"]
Rows = list[dict[str, str]]


def gain(rows: Rows, rivals: Rows) -> str:
    """Return mean and half of the 95 % interval of the difference in hypervolume, seed by seed."""
    of = {row["seed"]: float(row["test_hypervolume"]) for row in rivals}
    pairs = [(row, of[row["seed"]]) for row in rows if row["seed"] in of]
    return interval([{"d": str(float(row["test_hypervolume"]) - other)} for row, other in pairs], "d", 4)


def shown(found: dict[tuple[int, str], Rows]) -> str:
    """Return the table: means and half widths of 95 % intervals over seeds, medians of costs."""
    lines = [[*HEAD, "points", "evaluations", "examples", "CPU s"]]
    for (tasks, method), rows in found.items():
        if not rows:
            continue
        lines.append(
            [
                str(tasks),
                method,
                str(len(rows)),
                interval(rows, "test_hypervolume", 4),
                "" if method == RIVAL else gain(rows, found.get((tasks, RIVAL), [])),
                interval(rows, "test_r2", 4),
                interval(rows, "test_utility", 4),
                interval(rows, "validation_hypervolume", 4),
                f"{statistics.fmean(numbers(rows, 'best_mean')):.1f}",
                *(f"{middle(rows, name):,.0f}" for name in ("points", "evaluations", "examples", "cpu_seconds")),
            ]
        )
    return table(lines)


def draw(rows: Table, encoder: str) -> Path | None:
    """Draw the fronts of two tasks that the first seed left, on test images, and return the picture's path."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from paretokit.core import non_dominated
    from paretokit.plots._style import FAINT, INK, MARKERS, SMALL, TICK, color, label, plain

    drawn = {m: rows.find(encoder=encoder, tasks=2, method=m, seed=0) for m in METHODS}
    known = {m: row for m, row in drawn.items() if row is not None}
    if not known:
        return None
    figure = Figure(figsize=(8.4, 5.2), layout="constrained", dpi=150)
    FigureCanvasAgg(figure)
    ax: Any = figure.subplots()
    plain(ax)
    for i, (method, row) in enumerate(known.items()):
        values = torch.tensor([[float(v) for v in point.split()] for point in row["accuracies"].split("; ")])
        best = values[non_dominated(values, maximize=True, keep_duplicates=False)]
        best = best[best[:, 0].argsort()]
        learned = list(METHODS).index(method) - len(METHODS) + 4
        ink = INK if METHODS[method].layers == "tensor" and method.startswith("NSGA") else FAINT
        style = {"linestyle": "-", "linewidth": 1.4, "color": color(learned)}
        if learned < 0:
            style = {"linestyle": ":", "linewidth": 0.9, "color": ink}
        ax.plot(*best.T, marker=MARKERS[i % len(MARKERS)], markersize=4.5, label=method, **style)
    first, second = problem_of(encoder, 2, "task", 0).objectives
    ax.set_xlabel(f"{label(first)}   (test images)", fontsize=TICK)
    ax.set_ylabel(f"{label(second)}   (test images)", fontsize=TICK)
    figure.legend(loc="outside right upper", fontsize=SMALL, frameon=False)
    path = rows.path.with_suffix(".png")
    figure.savefig(path)
    return path


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing, print the table, and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", choices=["mlp", "mlp-narrow"], default="mlp")
    parser.add_argument("--tasks", type=int, nargs="*", choices=sorted(STEPS), default=sorted(STEPS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", choices=list(METHODS), nargs="*", default=list(METHODS), help="some methods")
    parser.add_argument("--report", action="store_true", help="show what is there, run nothing")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = Table("fronts", KEY, folder="merging")

    def once(tasks: int, method: str, seed: int) -> None:
        key = {"encoder": options.encoder, "tasks": tasks, "method": method, "seed": seed}
        row = rows.once(lambda: run(options.encoder, tasks, method, seed), **key)
        print(*key.values(), row["test_hypervolume"], row["cpu_seconds"], flush=True)

    if not options.report:
        print(calibration(("paretokit", "torch")), flush=True)
        for seed in range(options.seeds):
            for tasks in options.tasks:
                for method in options.only:
                    once(tasks, method, seed)
    found = {}
    for tasks in options.tasks:
        for method in METHODS:
            own = [rows.find(encoder=options.encoder, tasks=tasks, method=method, seed=s) for s in range(options.seeds)]
            found[tasks, method] = [row for row in own if row is not None]
    print(shown(found))
    if options.report:
        print(draw(rows, options.encoder))
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
