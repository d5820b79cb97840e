"""``paretokit tune``: the best hyper-parameters of a solver on a problem, tested on fresh seeds."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretokit.cli._parser import add_command

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from paretokit.cli._parser import Commands

LIMITS = ("evaluations", "iterations", "work")


def add_tune(commands: Commands) -> None:
    """Add the command's parser."""
    tune = add_command(
        commands,
        "tune",
        help="tune a solver's hyper-parameters on a problem, and test them on fresh seeds",
        examples=[
            "paretokit tune zdt1-v1 NSGA2 --evaluations 500 --trials 5 --seeds 2 --test-seeds 3 --out runs/zdt1",
            "paretokit tune zdt1-v1 NSGA2 --evaluations 300 --trials 3 --seeds 1 --test-seeds 0 "
            "--range mutation_eta=5.0:50.0:log --range pop_size=10:40 --json",
        ],
    )
    tune.add_argument("problem", metavar="PROBLEM", help="an id of `paretokit list problems`, or module:MyProblem")
    tune.add_argument("solver", metavar="SOLVER", help="a name of `paretokit list solvers`, or module:MySolver")
    tune.add_argument("--evaluations", type=int, metavar="N", help="budget of each run")
    tune.add_argument("--iterations", type=int, metavar="N", help="the same in steps of the solver")
    tune.add_argument("--work", type=float, metavar="W", help="the same in the problem's unit")
    text = "settings to try, those of an earlier call included (default: 50)"
    tune.add_argument("--trials", type=int, default=50, metavar="N", help=text)
    tune.add_argument("--seeds", type=int, default=3, metavar="N", help="seeds of each trial (default: 3)")
    text = "further seeds, on which default and winner are compared (default: 10)"
    tune.add_argument("--test-seeds", type=int, default=10, metavar="N", help=text)
    text = "what is made best (default: hypervolume)"
    tune.add_argument("--indicator", metavar="INDICATOR", default="hypervolume", help=text)
    text = "search this instead of what the solver declares, e.g. lr=1e-4:1e-2:log or rule=a,b (repeat for more)"
    tune.add_argument("--range", metavar="K=RANGE", action="append", default=[], dest="ranges", help=text)
    text = "end trials early that are worse than others: median (default), hyperband, none"
    tune.add_argument("--pruning", metavar="HOW", choices=("median", "hyperband", "none"), default="median", help=text)
    text = "file or Optuna URL where trials are kept; the same call goes on (default: tuning.sqlite3 in --out)"
    tune.add_argument("--storage", metavar="FILE", help=text)
    tune.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default: 1; -1: all cores)")
    tune.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the search (default: 0)")
    text = "hyper-parameter of the solver that stays as it is (repeat for more)"
    tune.add_argument("--option", metavar="K=V", action="append", default=[], help=text)
    text = "option of the problem, such as n_objectives=3"
    tune.add_argument("--problem-option", metavar="K=V", action="append", default=[], help=text)
    tune.add_argument("--out", type=Path, default=Path("runs/tune"), help="folder to write to (default: runs/tune)")
    tune.add_argument("--json", action="store_true", help="print JSON for scripts")


def parse_ranges(pairs: Sequence[str]) -> dict[str, Any] | None:
    """Return ``["lr=1e-4:1e-2:log", "n=2:8", "rule=a,b"]`` as a space; None where nothing is given."""
    from paretokit.core import Choice, LogRange, Range
    from paretokit.core import _check as check

    space: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        check.that(bool(equals and name and text), "range", "look like name=low:high or name=a,b", repr(pair))
        check.that(name not in space, "range", "be given once", repr(name))
        if ":" not in text:
            space[name] = Choice(tuple(_literal(part.strip()) for part in text.split(",")))
            continue
        low, high, *scale = text.split(":")
        fits = scale in ([], ["log"])
        check.that(fits, "range", "look like low:high or low:high:log", repr(text))
        space[name] = (LogRange if scale else Range)(_literal(low), _literal(high))
    return space or None


def _literal(text: str) -> Any:
    """Return what a Python literal says; other text is itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def run(args: argparse.Namespace) -> int:
    """Tune, print the summary, and write everything, the trials and the report as CSV."""
    from paretokit.cli._options import as_json
    from paretokit.cli._targets import problem_of, solver_of
    from paretokit.core import _check as check
    from paretokit.run import Budget
    from paretokit.tuning import tune

    problem = problem_of(args.problem, args.problem_option)
    solver = solver_of(args.solver, args.option)
    limits = {name: getattr(args, name) for name in LIMITS if getattr(args, name) is not None}
    check.that(bool(limits), "budget", "be given", None, "--evaluations, --iterations or --work, of each run")
    args.out.mkdir(parents=True, exist_ok=True)
    tuning = tune(
        solver,
        problem,
        budget=Budget(**limits),
        trials=args.trials,
        seeds=args.seeds,
        test_seeds=args.test_seeds,
        indicator=args.indicator,
        space=parse_ranges(args.ranges),
        storage=args.storage or args.out / "tuning.sqlite3",
        pruning=args.pruning,
        seed=args.seed,
        n_jobs=args.jobs,
        progress=False if args.json else None,
    )
    tuning.save(args.out / "tuning.json")
    tuning.trials.to_csv(args.out / "trials.csv", index=False)
    report = tuning.report()
    report.to_csv(args.out / "report.csv", index=False)
    if args.json:
        facts = {
            n: getattr(tuning, n) for n in ("problem", "indicator", "status", "best", "default_value", "best_value")
        }
        print(as_json(facts | {"trials": len(tuning.records), "report": report.to_dict("records")}))
    else:
        print(tuning)
        print(f"\nwrote tuning.json, trials.csv, report.csv to {args.out}/")
    return 130 if tuning.status == "interrupted" else 0
