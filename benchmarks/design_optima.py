"""GFlowNets against exact optima: ``python -m benchmarks.design_optima TASK [--seeds N] [--only TEXT]``.

`l1`: MOGFN-PC, β = 1, weighted sum, HyperGrid 32 x 32. Mean over 128 Dirichlet preferences of the summed absolute
difference between the exact distribution of the learned policy (forward dynamic programming over all states, not
samples) and the reward over its sum; at most 0.03 for two objectives and 0.04 for three, in the mean of seeds.

`front`: OP-GFN on the six pairs of branin, currin, shubert and beale. 16,384 samples of the final sampler, no archive:
share on the true front (at least 0.8 with TB in the median of seeds), entropy over the front's points beside its most,
exact values beside both. Other criteria are shown without a mark.

`figure`: where MOGFN-PC's weighted sum at a high β goes on the two concave fronts, and where OP-GFN does.

`ngrams`: three bigrams in words of 32 to 36 letters, as many evaluations for every method (1000 updates of 128 words
unless `--updates` says otherwise): hypervolume, at least 0.9 of the optimum, R2, and top-10 diversity of 128 samples of
the final sampler for each of 105 preferences, beside the same of the best sample of each preference. Of NSGA-II it is
the last population. The lifetime archive stands apart.

`molecules`: QED x SA and QED x SA x molecular weight: hypervolume, R2, diversity, number of different molecules.

Every run is a row of `benchmarks/results/design`; what is there is not run again. Status 1 says that a mark was missed.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections.abc import Callable
from typing import Any

import torch

import paretokit as pk
from benchmarks._common import calibration, table
from benchmarks._design_rows import Table, interval, middle, numbers
from benchmarks._design_words import (
    BEST_R2,
    OPTIMUM,
    UPDATES,
    molecules_solvers,
    on_molecules,
    on_words,
    words_solvers,
)
from paretokit.core import Rng
from paretokit.indicators import dirichlet_weights, sample_metrics
from paretokit.problems.design import HyperGrid
from paretokit.solvers.gflownet import MOGFN, OPGFN
from paretokit.solvers.gflownet._exact import exact

FUNCTIONS = ("branin", "currin", "shubert", "beale")
PAIRS = tuple(itertools.combinations(FUNCTIONS, 2))
LIMITS = {2: 0.03, 3: 0.04}
PREFERENCES = 128
SHARE, SAMPLES = 0.8, 16_384
CRITERIA = ("TB", "DB", "SubTB", "FM")
WORDS, MOLECULES = 0.9, 500
PAIRS_CONCAVE = (("currin", "shubert"), ("shubert", "beale"))
NEVER = 1 << 30  # no measurement but the first and the last


def wide(**options: Any) -> dict[str, Any]:
    """Return two hidden layers of 256 and what else is given."""
    return {"policy": {"kind": "mlp", "hidden": (256, 256)}, "evaluate_every": NEVER, **options}


def conditional(**options: Any) -> MOGFN:
    """Return MOGFN-PC told the raw preference."""
    return MOGFN(**wide(preferences={"encoding": "raw"}, learning_rate=2e-3, iterations=4000, n_samples=1, **options))


def sharp() -> MOGFN:
    """Return MOGFN-PC measured at an exponent of 512, where the weighted sum's share of supported cells is high."""
    return MOGFN(
        **wide(preferences={"encoding": "raw"}, log_z_rate=1e-2, learning_rate=2e-3),
        temperature={"value": 512.0, "draw": "loguniform", "low": 4.0, "high": 512.0},
        replay={"share": 0.25, "pareto": 0.25, "warmup": 128},
        iterations=4000,
        n_samples=128,
        partitions=127,
    )


def orderly(criterion: str) -> OPGFN:
    """Return OP-GFN with a quarter of each batch from the non-dominated cells found so far."""
    return OPGFN(
        criterion=criterion,
        replay={"share": 0.0, "pareto": 0.25, "warmup": 128},
        learning_rate=1e-2,
        iterations=2000,
        evaluate_every=NEVER,
        n_samples=SAMPLES,
    )


def l1(options: argparse.Namespace) -> list[str]:
    """Run, print a line for each number of objectives, and return the marks missed."""
    rows, missed = Table("l1", ("objectives", "seed")), []
    head = ["objectives", "updates", "L1 by seed", "mean", "mark", "worst preference", "evaluations", "CPU s a seed"]
    lines = [head]
    for m, limit in LIMITS.items():
        if options.only not in (None, str(m)):
            continue
        problem, solver = HyperGrid(objectives=FUNCTIONS[:m], side=32), conditional()

        def run(seed: int, problem: HyperGrid = problem, solver: MOGFN = solver, m: int = m) -> dict[str, Any]:
            result = pk.solve(problem, solver, seed=seed, progress=False)
            asked = dirichlet_weights(m, PREFERENCES, Rng.from_seed(seed).child("asked"))
            found = exact(problem, solver, result.state, weights=asked).l1
            cost = result.cost
            return {
                "updates": solver.iterations,
                "evaluations": cost.evaluations,
                "l1": float(found.mean()),
                "l1_worst": float(found.max()),
            }

        done = [rows.once(lambda s=s, run=run: run(s), objectives=m, seed=s) for s in range(options.seeds)]
        mean = sum(numbers(done, "l1")) / len(done)
        if mean > limit:
            missed.append(f"{m} objectives: L1 {mean:.4f} lies above {limit}")
        by_seed = " ".join(f"{v:.4f}" for v in numbers(done, "l1"))
        worst = f"{max(numbers(done, 'l1_worst')):.4f}"
        cpu = f"{middle(done, 'cpu_seconds'):.0f}"
        lines.append(
            [str(m), done[0]["updates"], by_seed, f"{mean:.4f}", str(limit), worst, done[0]["evaluations"], cpu]
        )
    print(table(lines))
    return missed


def front(options: argparse.Namespace) -> list[str]:
    """Run, print a line for each pair and criterion, and return the marks missed."""
    rows, missed = Table("front", ("criterion", "pair", "seed")), []
    head = [
        "criterion",
        "pair",
        "front",
        "share on front",
        "median",
        "entropy",
        "most",
        "ratio",
        "found",
        "GD+",
        "IGD+",
    ]
    lines = [[*head, "CPU s"]]
    for criterion, pair in itertools.product(CRITERIA, PAIRS):
        name = "-".join(pair)
        if options.only is not None and options.only not in (criterion, name):
            continue
        done = [
            rows.once(lambda s=s, c=criterion, p=pair: on_front(c, p, s), criterion=criterion, pair=name, seed=s)
            for s in range(options.seeds)
        ]
        share, entropy, most = (middle(done, k) for k in ("share_on_front", "pc_entropy", "pc_entropy_most"))
        if criterion == "TB" and share < SHARE:
            missed.append(f"{name}: share on the front {share:.3f} lies below {SHARE}")
        lines.append(
            [
                criterion,
                name,
                done[0]["front"],
                " ".join(f"{v:.3f}" for v in numbers(done, "share_on_front")),
                f"{share:.3f}",
                f"{entropy:.3f}",
                f"{most:.3f}",
                f"{entropy / most:.3f}",
                f"{middle(done, 'front_found'):.2f}",
                f"{middle(done, 'gd_plus'):.4f}",
                f"{middle(done, 'igd_plus'):.4f}",
                f"{middle(done, 'cpu_seconds'):.0f}",
            ]
        )
    print(table(lines))
    return missed


def on_front(criterion: str, pair: tuple[str, ...], seed: int) -> dict[str, Any]:
    """Return the figures of one run of OP-GFN, of samples and exact."""
    problem, solver = HyperGrid(objectives=pair, side=32), orderly(criterion)
    result = pk.solve(problem, solver, seed=seed, progress=False)
    true = problem.pareto_front()
    assert true is not None
    true = problem.gains(true)
    found = sample_metrics(problem.gains(result.state.values), front=true, convention="plain")
    known = exact(problem, solver, result.state)
    on = (known.values.unsqueeze(1) - true).abs().amax(-1).amin(-1) < 1e-9
    return {
        "updates": solver.iterations,
        "evaluations": result.cost.evaluations,
        "samples": len(result.state.values),
        "front": len(true),
        "exact_share": float(known.learned[0][on].sum()),
        **found,
    }


def words(options: argparse.Namespace) -> list[str]:
    """Run, print a line for each method, and return the marks missed."""
    rows, missed, best = Table("ngrams", ("method", "updates", "seed")), [], []
    head = ["method", "seeds", "evaluations", "hypervolume", "of optimum", "R2", "best of each: hypervolume", "R2"]
    lines = [[*head, "on front", "front found", "top-10 diversity", "archive", "CPU s"]]
    for method in words_solvers():
        if options.only not in (None, method):
            continue
        done = [
            rows.once(
                lambda s=s, m=method: on_words(m, s, options.updates), method=method, updates=options.updates, seed=s
            )
            for s in range(options.seeds)
        ]
        reached = middle(done, "hypervolume") / OPTIMUM
        best.append(reached)
        lines.append(
            [
                method,
                str(len(done)),
                done[0]["evaluations"],
                interval(done, "hypervolume", 4),
                f"{reached:.3f}",
                interval(done, "r2", 3),
                interval(done, "best_of_each_hypervolume", 4),
                interval(done, "best_of_each_r2", 3),
                interval(done, "share_on_front", 3),
                interval(done, "front_found", 2),
                interval(done, "top_k_diversity", 1),
                interval(done, "archive_hypervolume", 4),
                f"{middle(done, 'cpu_seconds'):.0f}",
            ]
        )
    print(table([*lines, ["optimum", "", "", f"{OPTIMUM}", "1", f"{BEST_R2}", *["–"] * 7]]))
    if options.only is None and max(best) < WORDS:
        missed.append(f"the best hypervolume is {max(best):.3f} of the optimum, below {WORDS}")
    return missed


def molecules(options: argparse.Namespace) -> list[str]:
    """Run and print a line for each method and choice of objectives."""
    rows = Table("molecules", ("objectives", "method", "updates", "seed"))
    head = ["objectives", "method", "seeds", "evaluations", "hypervolume", "R2", "top-10 reward", "top-10 diversity"]
    lines = [[*head, "distinct", "samples", "valid", "archive", "CPU s"]]
    for objectives in (("qed", "sa"), ("qed", "sa", "mw")):
        name = "-".join(objectives)
        for method in molecules_solvers(1):
            if options.only not in (None, name, method):
                continue
            updates = min(options.updates, MOLECULES)
            done = [
                rows.once(
                    lambda s=s, m=method, o=objectives, u=updates: on_molecules(m, o, s, u),
                    objectives=name,
                    method=method,
                    updates=updates,
                    seed=s,
                )
                for s in range(options.seeds)
            ]
            lines.append(
                [
                    name,
                    method,
                    str(len(done)),
                    done[0]["evaluations"],
                    interval(done, "hypervolume", 4),
                    interval(done, "r2", 3),
                    interval(done, "top_k_reward", 3),
                    interval(done, "top_k_diversity", 3),
                    interval(done, "distinct", 0),
                    done[0]["samples"],
                    f"{min(numbers(done, 'valid')):.0%}",
                    interval(done, "archive_hypervolume", 4),
                    f"{middle(done, 'cpu_seconds'):.0f}",
                ]
            )
    print(table(lines))
    return []


def figure(_: argparse.Namespace) -> list[str]:
    """Draw where samples of both samplers lie on the two concave fronts."""
    from benchmarks._design_figure import draw

    print(draw(orderly("TB"), sharp(), PAIRS_CONCAVE))
    return []


TASKS: dict[str, Callable[[argparse.Namespace], list[str]]] = {
    "figure": figure,
    "front": front,
    "l1": l1,
    "molecules": molecules,
    "ngrams": words,
}


def main(arguments: list[str] | None = None) -> int:
    """Run a task, print its table, and return 0 where every mark was reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=sorted(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", help="objectives (l1), a criterion or a pair (front), a method or a task")
    parser.add_argument("--updates", type=int, default=UPDATES, help="of ngrams, and at most of molecules")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print(calibration(("paretokit", "torch")), flush=True)
    missed = TASKS[options.task](options)
    for text in missed:
        print(text)
    return 1 if missed else 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
