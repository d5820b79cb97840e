"""Continual learning on the ready streams: ``python -m benchmarks.continual TABLE [--seeds N] [--report]``.

`table`: test accuracy in % of IBCL and its rivals, with ten random preferences after each task. average: what the
network for a preference is worth to who asked (accuracies weighted by the preference), over preferences and the course
of the stream; final: the same after the last task; peak: of the preferences' networks, the best on each task seen;
backward, forward: transfer, in points. Methods that heed no preference give one network to all.
`front`: two tasks, five preferences: accuracy on the old task and on the new one. Status 1 says that
one of a seed's goes against its preference by more than 2 points.
`cost`: networks trained, their updates, examples, and CPU seconds for 1, 10 and 100 preferences, the stream's included.
`memory`: posteriors kept of all, and what is lost, against the threshold.

Every run is a row of ``benchmarks/results/continual/TABLE.csv``; what is there is not run again, and `--report` runs
nothing. Intervals are 95 % (Student's t) over seeds. For `table`, status 1 says that IBCL lies more than a point below
rehearsal on a stream of glyphs.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

import torch

import paretokit as pk
from benchmarks._common import calibration, table
from benchmarks._continual import GLYPHS, LAST, METHODS, STREAMS, measured, preferences, stream
from benchmarks._design_rows import Table, interval, numbers
from paretokit.problems.continual import preferred_accuracy
from paretokit.solvers import IBCL, PreferenceRehearsal

SCORES = ("average", "final", "peak", "backward", "forward")
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
COUNTS = (1, 10, 100)
THRESHOLDS = (0.0, 1.0, 1.25, 1.5, 2.0, 3.0)
SLACK = 2.0
Rows = list[dict[str, str]]


def rows_of(name: str, key: Sequence[str]) -> Table:
    """Return a table on disk."""
    return Table(name, key, folder="continual")


def learners(options: argparse.Namespace) -> tuple[str, list[str]]:
    """Run the methods on the streams; return their scores, and the marks that were missed."""
    rows = rows_of("table", ("stream", "method", "seed"))
    methods = (*METHODS, LAST)
    if not options.report:
        for seed in range(options.seeds):
            for name in options.streams or STREAMS:
                for method in methods:
                    rows.once(lambda n=name, s=seed, f=method: measured(n, s, f), stream=name, method=method, seed=seed)
    lines, missed = [["stream", "method", "seeds", *SCORES, "CPU s"]], []
    for name in options.streams or STREAMS:
        means = {}
        for method in methods:
            own: Rows = [r for s in range(options.seeds) if (r := rows.find(stream=name, method=method, seed=s))]
            if not own:
                continue
            means[method] = {score: statistics.fmean(numbers(own, score)) for score in SCORES}
            seconds = f"{statistics.median(numbers(own, 'cpu_seconds')):.1f}"
            lines.append([name, method, str(len(own)), *(interval(own, score, 1) for score in SCORES), seconds])
        lines += paired(rows, name, options.seeds)
        if name in GLYPHS and {"IBCL", "rehearsal"} <= set(means):
            for score in ("average", "final"):
                gap = means["IBCL"][score] - means["rehearsal"][score]
                if gap < -1:
                    missed.append(f"{name}: IBCL {gap:.1f} points from rehearsal ({score})")
    return table(lines), missed


def paired(rows: Table, name: str, seeds: int) -> list[list[str]]:
    """Return the line of differences between IBCL and rehearsal, seed by seed."""
    apart: Rows = []
    for seed in range(seeds):
        ours, theirs = (rows.find(stream=name, method=method, seed=seed) for method in ("IBCL", "rehearsal"))
        if ours and theirs:
            apart.append({score: str(float(ours[score]) - float(theirs[score])) for score in SCORES})
    texts = [interval(apart, score, 1) for score in SCORES]
    return [[name, "IBCL - rehearsal", str(len(apart)), *texts, ""]] if apart else []


def front_row(name: str, seed: int, share: float) -> dict[str, Any]:
    """Return the accuracies on two tasks of the network for a preference."""
    problem = stream(name, seed, **({"angles": (0.0, 40.0)} if name == "rotated digits" else {"n_tasks": 2}))
    solver = IBCL()
    result = pk.solve(problem, solver, seed=seed, progress=False)
    x = solver.answers(problem, result.state, torch.tensor([[1 - share, share]], dtype=torch.float64))
    old, new = problem.assess(x)[0][0].tolist()
    return {"old": 100 * old, "new": 100 * new}


def fronts(options: argparse.Namespace) -> tuple[str, list[str]]:
    """Return accuracies on two tasks by preference, and where a mean goes the wrong way."""
    rows = rows_of("front", ("stream", "share", "seed"))
    lines, missed = [["stream", "share of the new task", "seeds", "old task", "new task"]], []
    for name in options.streams or STREAMS:
        course: dict[int, list[tuple[float, float]]] = {}
        for share in SHARES:
            for seed in [] if options.report else range(options.seeds):
                rows.once(
                    lambda n=name, s=seed, w=share: front_row(n, s, w), stream=name, share=f"{share:g}", seed=seed
                )
            found = {s: rows.find(stream=name, share=f"{share:g}", seed=s) for s in range(options.seeds)}
            own: Rows = [row for row in found.values() if row]
            if own:
                lines.append([name, f"{share:g}", str(len(own)), interval(own, "old", 1), interval(own, "new", 1)])
            for seed, row in found.items():
                course.setdefault(seed, []).extend([(float(row["old"]), float(row["new"]))] if row else [])
        for seed, points in course.items():
            for (old, new), (later, newer) in itertools.pairwise(points):
                if later > old + SLACK or newer < new - SLACK:
                    step = f"({old:.1f}, {new:.1f}) is followed by ({later:.1f}, {newer:.1f})"
                    missed.append(f"{name}, seed {seed}: {step}")
    return table(lines), missed


def cost_row(method: str, seed: int, count: int) -> dict[str, Any]:
    """Return what answering some preferences after each task costs on a stream of glyphs."""
    problem = stream("case", seed)
    m = problem.n_objectives
    wanted = preferences(seed, m, count)
    solver: Any = IBCL(preferences=1) if method == "IBCL" else PreferenceRehearsal(preferences=wanted.tolist())
    begun = time.perf_counter()
    state = solver.init(problem.observed(None), pk.Rng.from_seed(seed))
    handle = problem.observed(None)
    while not solver.done(state):
        state = solver.step(handle, state)
    trained = time.perf_counter() - begun
    begun = time.perf_counter()
    rows = solver.answers(problem, state, wanted) if method == "IBCL" else state.x
    answering = time.perf_counter() - begun
    members = len(state.rows)
    return {
        "trainings": members * m,
        "updates": state.steps * members,
        "examples": state.work,
        "training_seconds": trained,
        "answering_seconds": answering,
        "accuracy": 100 * float(preferred_accuracy(problem.assess(rows)[0].double(), wanted).mean()),
    }


def costs(options: argparse.Namespace) -> tuple[str, list[str]]:
    """Return costs by the number of preferences; IBCL's trainings and updates do not depend on it."""
    rows = rows_of("cost", ("method", "preferences", "seed"))
    head = ["method", "preferences", "seeds", "trainings", "updates", "examples", "CPU s", "answering s"]
    lines, missed = [head], []
    for method in ("IBCL", "rehearsal"):
        seen = set()
        for count in COUNTS:
            for seed in [] if options.report else range(options.seeds):
                key = {"method": method, "preferences": count, "seed": seed}
                rows.once(lambda k=method, s=seed, c=count: cost_row(k, s, c), **key)
            own: Rows = [r for s in range(options.seeds) if (r := rows.find(method=method, preferences=count, seed=s))]
            if not own:
                continue
            seen.add((own[0]["trainings"], own[0]["updates"], own[0]["examples"]))
            whole = [f"{statistics.median(numbers(own, name)):,.0f}" for name in ("trainings", "updates", "examples")]
            seconds = [
                f"{statistics.median(numbers(own, f'{kind}_seconds')):.3g}" for kind in ("training", "answering")
            ]
            lines.append([method, str(count), str(len(own)), *whole, *seconds])
        if method == "IBCL" and len(seen) > 1:
            missed.append(f"IBCL's training depends on the number of preferences: {sorted(seen)}")
    return table(lines), missed


def memory_row(name: str, seed: int, threshold: float) -> dict[str, Any]:
    """Return how many posteriors are kept, and what the preferences' networks are worth."""
    problem = stream(name, seed)
    m = problem.n_objectives
    solver, wanted = IBCL(threshold=threshold), preferences(seed, m)
    result = pk.solve(problem, solver, seed=seed, progress=False)
    values = problem.assess(solver.answers(problem, result.state, wanted))[0].double()
    base = result.state.base
    return {
        "kept": base.n_kept,
        "all": base.index.numel(),
        "megabytes": base.means.numel() * 8e-6,
        "final": 100 * float(preferred_accuracy(values, wanted).mean()),
    }


def memories(options: argparse.Namespace) -> tuple[str, list[str]]:
    """Return kept posteriors against the threshold, and where a larger one keeps more."""
    rows = rows_of("memory", ("stream", "threshold", "seed"))
    lines, missed = [["stream", "threshold", "seeds", "kept", "of", "final"]], []
    for name in options.streams or GLYPHS:
        before: dict[int, float] = {}
        for threshold in THRESHOLDS:
            for seed in [] if options.report else range(options.seeds):
                key = {"stream": name, "threshold": f"{threshold:g}", "seed": seed}
                rows.once(lambda n=name, s=seed, t=threshold: memory_row(n, s, t), **key)
            found = {s: rows.find(stream=name, threshold=f"{threshold:g}", seed=s) for s in range(options.seeds)}
            own: Rows = [row for row in found.values() if row]
            if not own:
                continue
            lines.append(
                [
                    name,
                    f"{threshold:g}",
                    str(len(own)),
                    interval(own, "kept", 1),
                    own[0]["all"],
                    interval(own, "final", 1),
                ]
            )
            for seed, row in found.items():
                kept = float(row["kept"]) if row else torch.nan
                if kept > before.get(seed, torch.inf):
                    missed.append(f"{name}, seed {seed}: threshold {threshold:g} keeps {kept:g} after {before[seed]:g}")
                before[seed] = kept
    return table(lines), missed


TABLES = {"table": learners, "front": fronts, "cost": costs, "memory": memories}


def main(arguments: list[str] | None = None) -> int:
    """Run a table, print it, and return 0 where every mark was reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=[*TABLES, "all"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--streams", nargs="*", choices=list(STREAMS), help="these only")
    parser.add_argument("--report", action="store_true", help="show what is there, run nothing")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if not options.report:
        print(calibration(("paretokit", "torch", "matplotlib", "scikit-learn")), flush=True)
    missed = []
    for name in list(TABLES) if options.table == "all" else [options.table]:
        text, wrong = TABLES[name](options)
        print(f"{name}\n{text}\n", flush=True)
        missed += wrong
    for line in missed:
        print(line)
    return 1 if missed else 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
