"""``paretokit bench``: suites of problems and solvers over seeds, run to the end whatever happens, and reported."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretokit.cli._parser import Parser, add_command

if TYPE_CHECKING:
    from paretokit.bench._experiment import Experiment
    from paretokit.bench._store import Store
    from paretokit.cli._parser import Commands

HOME = "runs/bench"


def add_bench(commands: Commands) -> None:
    """Add ``bench run | status | resume | report | clean``."""
    bench = commands.add_parser("bench", help="run suites of problems and solvers over seeds, resume them, and report")
    verbs = bench.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser, required=True)

    text = "run a suite; cells that have finished are not run again"
    run = add_command(verbs, "run", help=text, examples=("paretokit bench run suite.yaml --small --store runs/trial",))
    run.add_argument("suite", metavar="FILE", type=Path, help="the suite, a YAML file")
    run.add_argument("--store", metavar="DIR", type=Path, help=f"folder of the cells (default: {HOME}/NAME)")
    run.add_argument("--small", action="store_true", help="the suite's small form, for a trial")
    run.add_argument("--table", action="store_true", help="print every run, not a line a solver")
    _where(run)

    text = "tell which cells have finished, failed or are open"
    status = add_command(verbs, "status", help=text, examples=("paretokit bench status runs/trial --json",))
    text = "run what is left of an experiment; killed cells go on from their checkpoints"
    resume = add_command(verbs, "resume", help=text, examples=("paretokit bench resume runs/trial",))
    resume.add_argument("--failed", action="store_true", help="run failed cells once more too")
    resume.add_argument("--table", action="store_true", help="print every run, not a line a solver")
    text = "write report.html, table.parquet, CSV and LaTeX tables"
    report = add_command(verbs, "report", help=text, examples=("paretokit bench report runs/trial --out report",))
    report.add_argument("--out", metavar="DIR", type=Path, help="folder to write to (default: STORE/report)")
    report.add_argument("--open", action="store_true", help="show the page in a browser")
    text = "remove cells that are not in the plan, and failed ones"
    clean = add_command(verbs, "clean", help=text, examples=("paretokit bench clean runs/trial",))
    clean.add_argument("--all", action="store_true", help="remove all cells, finished ones too")
    for verb in (status, resume, report, clean):
        verb.add_argument("store", metavar="DIR", type=Path, help="folder of the cells")
    _where(resume)
    status.add_argument("--json", action="store_true", help="for scripts")


def _where(parser: Parser) -> None:
    text = "where cells run: loky (processes here), dask or ray (default: loky)"
    parser.add_argument("--backend", metavar="NAME", choices=("loky", "dask", "ray"), default="loky", help=text)
    parser.add_argument("--jobs", metavar="N", type=int, default=-1, help="workers (default: all cores)")
    parser.add_argument("--address", metavar="ADDRESS", default="", help="of a Dask or Ray cluster that runs already")
    parser.add_argument("--json", action="store_true", help="for scripts")


def run(args: argparse.Namespace) -> int:
    """Run one verb."""
    verbs = {"run": _run, "status": _status, "resume": _resume, "report": _report, "clean": _clean}
    return verbs[args.verb](args)


def _run(args: argparse.Namespace) -> int:
    from paretokit.bench._experiment import run_suite
    from paretokit.bench._runner import Where
    from paretokit.bench._suite import load_suite

    where = Where(backend=args.backend, jobs=args.jobs, address=args.address)
    suite = load_suite(args.suite)
    suite = suite.shrunk() if args.small else suite
    store = args.store or Path(HOME) / suite.name
    small = " --small" if args.small else ""
    command = f"paretokit bench run {args.suite}{small} --store {store}"
    return _told(run_suite(suite, store, where=where, command=command), store, args)


def _resume(args: argparse.Namespace) -> int:
    from paretokit.bench._experiment import resume_suite
    from paretokit.bench._runner import Where

    where = Where(backend=args.backend, jobs=args.jobs, address=args.address)
    return _told(resume_suite(args.store, where=where, failed=args.failed), args.store, args)


def _told(experiment: Experiment, store: Path, args: argparse.Namespace) -> int:
    """Print what was found, name failures, and return 1 where there are any."""
    frame = experiment.frame
    failures = experiment.failures
    if args.json:
        print(json.dumps({"store": str(store), "failed": list(failures), "runs": json.loads(_records(frame))}))
    elif args.table:
        print(frame.to_csv(index=False), end="")
    else:
        print(_summary(frame))
        print(
            f"\n{len(experiment.records)} cells in {store}; `paretokit bench report {store}` writes tables and figures"
        )
    for name, error in failures.items():
        print(f"failed: {name}: {error.strip().splitlines()[-1]}", file=sys.stderr)
    return 1 if failures else 0


def _records(frame: Any) -> str:
    text: str = frame.to_json(orient="records")
    return text


def _summary(frame: Any) -> str:
    """Return medians over seeds: a line a problem and solver, a column an indicator."""
    from paretokit.cli._text import number, table

    indicators = [str(name) for name in frame["indicator"].unique()]
    rows = []
    for (problem, solver), own in frame.groupby(["problem", "solver"], sort=False):
        runs = own.drop_duplicates("seed")
        medians = own.groupby("indicator")["value"].median()
        shown = [number(medians.get(name)) for name in indicators]
        rows.append([str(problem), str(solver), str(len(runs)), *shown, number(float(runs["seconds"].median()))])
    head = ["problem", "solver", "runs", *indicators, "seconds"]
    return table(head, rows, right=[column > 1 for column in range(len(head))])


def _status(args: argparse.Namespace) -> int:
    from paretokit.cli._text import table

    store = _store(args.store)
    cells = store.cells()
    states = {cell.digest: store.state(cell) for cell in cells}
    if args.json:
        told = [{"cell": c.digest, "name": c.name, "state": states[c.digest]} for c in cells]
        print(json.dumps(told))
    else:
        print(table(["cell", "state", "name"], [[c.digest, states[c.digest], c.name] for c in cells]))
        counts = {state: list(states.values()).count(state) for state in ("done", "failed", "begun", "waiting")}
        print(f"\n{', '.join(f'{n} {state}' for state, n in counts.items() if n)}")
        for cell in cells:
            if states[cell.digest] == "failed":
                print(f"failed: {cell.name}: {store.error(cell).strip().splitlines()[-1]}")
    return 1 if "failed" in states.values() else 0


def _report(args: argparse.Namespace) -> int:
    from paretokit.bench import write_report
    from paretokit.bench._experiment import load_experiment

    page = write_report(load_experiment(args.store), args.out or args.store / "report")
    print(f"wrote {page}")
    if args.open:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())
    return 0


def _clean(args: argparse.Namespace) -> int:
    import shutil

    store = _store(args.store)
    cells = [cell for cell in store.cells() if args.all or store.state(cell) == "failed"]
    strangers = store.strangers()
    for folder in strangers:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"removed {store.forget(cells) + len(strangers)} cells from {args.store}")
    return 0


def _store(path: Path) -> Store:
    from paretokit.bench._store import Store

    return Store(path).existing()
