"""Accuracy on a domain without labels: ``python -m benchmarks.adaptation [claim|table] [--seeds N] [--report]``.

All methods go through the same training loop and spend the same minibatches; a problem's seed (its images, halves and
splits) is the solver's seed. "claim": font digits, strongly distorted, to handwritten digits, with a small
convolutional network and the discriminator of features: ParetoDA against equal fixed weights, seed by seed, and the
best of a grid of seven weights in hindsight, once by its mean over seeds, once seed by seed. "table": four shifts on
perceptrons, two alignments, fixed weights, MGDA, exact Pareto search, and ParetoDA with its parts switched off; "best
fixed" is the point of a grid of ten (its ends among them) whose mean over seeds is best, which only somebody with
target labels can choose.

Every run is a row of ``benchmarks/results/adaptation/runs.csv``; what is there is not run again, and `--report` runs
nothing. The accuracy is that on all target examples after the last step; no step is chosen by it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections import defaultdict

import torch

from benchmarks._adaptation_methods import EVEN, GRIDS, METHODS, SHIFTS, run
from benchmarks._common import calibration, table
from benchmarks._design_rows import Table, interval, middle, numbers

KEY = ("shift", "alignment", "method", "seed")
CLAIM = ("linear 1:1:1", "ParetoDA, descent")
BESIDE = ("source only", "alignment only", "inner grid")
LINES = tuple(m for m in METHODS if m not in (*GRIDS, "guidance, no refinement"))
OF_TABLE = ("fonts, MLP", "rotated", "noisy", "styles")
HEAD = ["shift", "alignment", "method", "seeds", "target accuracy", "to 1:1:1", "ahead", "source", "weights", "CPU s"]
Rows = list[dict[str, str]]


def points(row: dict[str, str]) -> dict[str, float]:
    """Return a grid's accuracies by weights."""
    pairs = (point.split(" ") for point in row["points"].split("; "))
    return {weights: float(accuracy) for weights, accuracy in pairs}


def best_fixed(rows: Rows, even: Rows) -> tuple[str, Rows, Rows]:
    """Return the weights of best mean with their rows, and rows of each seed's own best; 1:1:1 is among the grid."""
    by: dict[str, dict[str, float]] = defaultdict(dict)
    for row in rows:
        for weights, accuracy in points(row).items():
            by[weights][row["seed"]] = accuracy
    for row in even:
        by[":".join(f"{v:.3f}" for v in EVEN[0])][row["seed"]] = float(row["accuracy"])
    seeds = {row["seed"] for row in rows}
    whole = {w: found for w, found in by.items() if seeds <= found.keys()}
    best = max(whole, key=lambda w: statistics.fmean(whole[w][s] for s in seeds))
    one = [{"seed": s, "accuracy": str(whole[best][s])} for s in seeds]
    each = [{"seed": s, "accuracy": str(max(found[s] for found in whole.values()))} for s in seeds]
    return best, one, each


def compared(rows: Rows, rivals: Rows) -> list[str]:
    """Return the mean difference in accuracy with its interval, and on how many seeds it is positive."""
    of = {row["seed"]: float(row["accuracy"]) for row in rivals}
    pairs = [float(row["accuracy"]) - of[row["seed"]] for row in rows if row["seed"] in of]
    return [interval([{"d": str(d)} for d in pairs], "d", 1), f"{sum(d > 0 for d in pairs)} of {len(pairs)}"]


def line(labels: list[str], rows: Rows, even: Rows) -> list[str]:
    """Return one line of the table."""
    against = ["", ""] if rows is even or not even else compared(rows, even)
    weights = [numbers(rows, name) for name in ("w_source", "w_alignment", "w_target")]
    shown = " ".join(f"{statistics.fmean(w):.2f}" for w in weights if w)
    source = numbers(rows, "source_accuracy")
    cells = [interval(rows, "accuracy", 1), *against, f"{statistics.fmean(source):.1f}" if source else "", shown]
    return [*labels, str(len(rows)), *cells, f"{middle(rows, 'cpu_seconds'):.1f}" if "cpu_seconds" in rows[0] else ""]


def shown(rows: Table, cells: list[tuple[str, str]], seeds: int, methods: tuple[str, ...]) -> str:
    """Return the table of some shifts and alignments."""
    lines = [HEAD]
    for shift, alignment in cells:
        place = {"shift": shift, "alignment": alignment}
        found = {
            m: [r for r in (rows.find(**place, method=m, seed=s) for s in range(seeds)) if r is not None]
            for m in METHODS
        }
        even = found["linear 1:1:1"]
        lines += [line([shift, alignment, m], found[m], even) for m in methods if m not in GRIDS and found[m]]
        for grid in GRIDS:
            if found[grid]:
                weights, one, each = best_fixed(found[grid], even)
                lines.append(line([shift, alignment, f"best fixed, {weights}"], one, even))
                lines.append(line([shift, alignment, "best fixed of each seed"], each, even))
    return table(lines)


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["claim", "table"], nargs="?", default="claim")
    parser.add_argument("--seeds", type=int, help="10 for the claim and 5 for the table unless given")
    parser.add_argument("--first", type=int, default=0, help="the first seed to run, where several processes share")
    parser.add_argument("--shifts", nargs="*", choices=list(SHIFTS), default=list(OF_TABLE), help="of the table")
    parser.add_argument("--alignments", nargs="*", default=["dann", "cdan"], help="of the table")
    parser.add_argument("--only", choices=list(METHODS), nargs="*", help="some methods")
    parser.add_argument("--report", action="store_true", help="show what is there, run nothing")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = Table("runs", KEY, folder="adaptation")
    claim = options.what == "claim"
    seeds = options.seeds or (10 if claim else 5)
    cells = [("fonts", "dann")] if claim else [(s, a) for s in options.shifts for a in options.alignments]
    methods = tuple(options.only or ((*CLAIM, *BESIDE) if claim else (*LINES, "grid")))
    order = [(s, a, m, k) for k in range(options.first, seeds) for s, a in cells for m in methods]
    if claim:  # the claim first
        order.sort(key=lambda cell: (cell[2] not in CLAIM, cell[2] in GRIDS))
    if not options.report:
        print(calibration(("paretokit", "torch")), flush=True)
        for shift, alignment, method, seed in order:
            key = {"shift": shift, "alignment": alignment, "method": method, "seed": seed}
            row = rows.once(lambda cell=(shift, alignment, method, seed): run(*cell), **key)  # type: ignore[misc]
            print(*key.values(), row["accuracy"], row["cpu_seconds"], flush=True)
    print(shown(rows, cells, seeds, methods))
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
