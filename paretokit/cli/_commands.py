"""The parser of all commands. What completes a value is told by its metavar: PROBLEM, SOLVER, ID, FILE and so on."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from paretokit._version import __version__
from paretokit.cli._parser import Parser, add_command

if TYPE_CHECKING:
    import argparse

    from paretokit.cli._parser import Commands

KINDS = ("auto", "heatmap", "matrix", "parallel", "radar", "scatter")
FRONT_KINDS = ("exact", "convex", "approximate", "unknown")
SOURCES = ("paretokit", "pygmo", "pymoo")
SHELLS = ("bash", "fish", "zsh")
HOOKS = {
    "bench": "run suites of problems and solvers over seeds, resume them, and report",
    "tune": "tune a solver's hyper-parameters on a problem",
}
"""Commands that bring their own parser, by `add_<name>(commands)` in their module, where it is there."""

CODES = """exit codes:
  0  done
  1  found a fault: a failed run, a broken contract, a machine that does not reproduce
  2  wrong input; one line on stderr says what and offers the nearest names
  130  interrupted; what was computed is kept"""


def build_parser(wanted: str | None = None) -> Parser:
    """Return the parser of all commands.

    Args:
        wanted: The command that will be parsed, so that others bring no more than their names; None for all of all.
    """
    text = "Multi-objective optimization and Pareto analysis on PyTorch."
    parser = Parser(prog="paretokit", description=text)
    parser.epilog = f"`paretokit COMMAND --help` shows examples.\n\n{CODES}"
    parser.add_argument("--version", action="version", version=f"paretokit {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for add in (_demo, _list, _show, _solve, _score, _plot):
        add(commands)
    for name, line in HOOKS.items():
        home = f"paretokit.cli._{name}"
        if importlib.util.find_spec(home) is None:
            continue
        if wanted is None or wanted == name:
            getattr(importlib.import_module(home), f"add_{name}")(commands)
        else:
            commands.add_parser(name, help=line)
    for add in (_check, _new, _doctor, _warm, _completion):
        add(commands)
    return parser


def _demo(commands: Commands) -> None:
    demo = add_command(
        commands,
        "demo",
        help="solve some problems with several solvers; write pictures and a report",
        examples=["paretokit demo --only dtlz2 --seconds 4 --out demo"],
    )
    demo.add_argument("--out", type=Path, default=Path("demo"), help="folder to write to (default: demo)")
    demo.add_argument("--seconds", type=float, default=90.0, help="time for the solvers altogether (default: 90)")
    demo.add_argument("--only", metavar="PANEL", action="append", help="only this panel (repeat for more)")


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON for scripts")


def _list(commands: Commands) -> None:
    listing = add_command(
        commands,
        "list",
        help="list problems, solvers or indicators",
        examples=[
            "paretokit list problems --match zdt --front exact",
            "paretokit list problems --match dtlz --objectives 3 --json",
            "paretokit list solvers --for re21-v1",
            "paretokit list indicators --match igd",
        ],
    )
    listing.add_argument("what", metavar="WHAT", choices=("problems", "solvers", "indicators"))
    listing.add_argument("--match", metavar="TEXT", default="", help="only names that contain this")
    listing.add_argument("--objectives", type=int, metavar="M", help="only problems of so many objectives")
    listing.add_argument("--constrained", action="store_true", help="only problems with constraints")
    text = "only problems whose true front is known so: exact, convex (coverage set), approximate, unknown"
    listing.add_argument("--front", metavar="KIND", choices=FRONT_KINDS, help=text)
    listing.add_argument("--world", metavar="WORLD", help="only this world: synthetic, engineering, morl, design, …")
    listing.add_argument("--source", metavar="LIBRARY", choices=SOURCES, help="only solvers of this library")
    listing.add_argument("--for", metavar="PROBLEM", dest="fits", help="only native solvers that can solve it")
    _json(listing)


def _show(commands: Commands) -> None:
    show = add_command(
        commands,
        "show",
        help="show a problem, a solver or an indicator: what it claims, takes and needs",
        examples=[
            "paretokit show dtlz2-v1 --option n_objectives=5",
            "paretokit show NSGA2 --json",
            "paretokit show igd_plus",
        ],
    )
    show.add_argument("id", metavar="ID", help="an id or name of `paretokit list`, or your own module:Name")
    text = "option of the problem or solver (repeat for more)"
    show.add_argument("--option", metavar="K=V", action="append", default=[], help=text)
    _json(show)


def _solve(commands: Commands) -> None:
    solve = add_command(
        commands,
        "solve",
        help="solve a problem; save the result, its front as CSV, and a picture",
        examples=[
            "paretokit solve zdt1-v1 NSGA2 --evaluations 2000 --option pop_size=50",
            "paretokit solve dtlz2-v1 NSGA3 --problem-option n_objectives=4 --iterations 20 --out runs/dtlz2",
            "paretokit solve re21-v1 SMSEMOA --evaluations 1000 --preference 0.3,0.7 --json",
        ],
    )
    solve.add_argument("problem", metavar="PROBLEM", help="an id of `paretokit list problems`, or module:MyProblem")
    solve.add_argument("solver", metavar="SOLVER", help="a name of `paretokit list solvers`, or module:MySolver")
    text = "budget (default: 10000 where no other limit is given)"
    solve.add_argument("--evaluations", type=int, metavar="N", help=text)
    solve.add_argument("--iterations", type=int, metavar="N", help="end after so many steps of the solver")
    solve.add_argument("--work", type=float, metavar="W", help="end after so much work in the problem's unit")
    solve.add_argument("--seconds", type=float, metavar="T", help="end after so much time")
    solve.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the run (default: 0)")
    text = "hyper-parameter of the solver (repeat for more)"
    solve.add_argument("--option", metavar="K=V", action="append", default=[], help=text)
    text = "option of the problem, such as n_objectives=3"
    solve.add_argument("--problem-option", metavar="K=V", action="append", default=[], help=text)
    text = "decide for one solution, e.g. 0.3,0.7 (larger matters more)"
    solve.add_argument("--preference", metavar="W,W,…", help=text)
    solve.add_argument("--checkpoint", type=Path, metavar="DIR", help="save here now and then; the same call resumes")
    solve.add_argument("--out", type=Path, default=Path("runs/solve"), help="folder to write to (default: runs/solve)")
    _json(solve)


def _reads_fronts(parser: argparse.ArgumentParser) -> None:
    """Add what `score` and `plot` share: which files, and what their columns mean."""
    text = "a CSV file of objective values, or a folder that `paretokit solve` wrote"
    parser.add_argument("fronts", metavar="FRONT", nargs="+", type=Path, help=text)
    parser.add_argument("--objectives", metavar="NAME,…", help="columns of the CSV to read (default: all)")
    parser.add_argument("--senses", metavar="min,max,…", help="sense of each objective (default: min)")
    parser.add_argument("--problem", metavar="PROBLEM", help="take objectives, scoring and known front from it")
    text = "option of the problem, such as n_objectives=3"
    parser.add_argument("--problem-option", metavar="K=V", action="append", default=[], help=text)


def _score(commands: Commands) -> None:
    score = add_command(
        commands,
        "score",
        help="score fronts from files",
        examples=[
            "paretokit score runs/solve/front.csv --problem re21-v1",
            "paretokit score runs/dtlz2 --reference 2,2,2,2 --indicator hypervolume --json",
        ],
    )
    _reads_fronts(score)
    text = "reference point of the hypervolume, in the objectives' own senses"
    score.add_argument("--reference", metavar="V,V,…", help=text)
    score.add_argument("--ideal", metavar="V,V,…", help="best values, which R2 normalizes by")
    score.add_argument("--nadir", metavar="V,V,…", help="worst values on the true front, likewise")
    text = "CSV file of the points that distances (igd, gd, epsilon) are measured from"
    score.add_argument("--reference-set", metavar="FILE", type=Path, help=text)
    text = "one of `paretokit list indicators` that needs one front (repeat for more; default: those defined)"
    score.add_argument("--indicator", metavar="INDICATOR", action="append", help=text)
    _json(score)


def _plot(commands: Commands) -> None:
    plot = add_command(
        commands,
        "plot",
        help="draw fronts from files",
        examples=[
            "paretokit plot runs/solve --out front.png",
            "paretokit plot runs/dtlz2 --kind parallel --out dtlz2.svg",
        ],
    )
    _reads_fronts(plot)
    plot.add_argument("--out", type=Path, metavar="FILE", required=True, help="picture to write: .png, .pdf, .svg, …")
    plot.add_argument("--kind", metavar="KIND", choices=KINDS, default="auto", help=f"{', '.join(KINDS)} (default)")
    plot.add_argument("--title", metavar="TEXT", default="", help="title of the picture")


def _check(commands: Commands) -> None:
    checks = add_command(
        commands,
        "check",
        help="check your own problem, solver, environment or indicator against the contract",
        examples=["paretokit new problem Bridge", "paretokit check bridge:Bridge"],
    )
    text = "module:Name or file.py:Name of a class, an instance, or a function (an indicator)"
    checks.add_argument("target", metavar="TARGET", help=text)
    checks.add_argument("--option", metavar="K=V", action="append", default=[], help="option of a class")
    checks.add_argument("--problem", metavar="PROBLEM", help="check a solver on this problem")
    text = "option of the problem, such as n_variables=5"
    checks.add_argument("--problem-option", metavar="K=V", action="append", default=[], help=text)
    checks.add_argument("--seed", type=int, default=0, metavar="S", help="seed of samples and runs (default: 0)")
    _json(checks)


def _new(commands: Commands) -> None:
    new = add_command(
        commands,
        "new",
        help="write the file of a new problem, ready to solve and to change",
        examples=["paretokit new problem Bridge --out my_bridge.py"],
    )
    new.add_argument("what", metavar="WHAT", choices=("problem",))
    new.add_argument("name", metavar="NAME", help="name of the class, such as Bridge")
    new.add_argument("--out", type=Path, metavar="FILE", help="file to write (default: the name, such as bridge.py)")


def _doctor(commands: Commands) -> None:
    text = "show versions, devices, cache and whether runs reproduce"
    doctor = add_command(commands, "doctor", help=text, examples=["paretokit doctor --quick --json"])
    doctor.add_argument("--quick", action="store_true", help="skip the trial runs")
    _json(doctor)


def _warm(commands: Commands) -> None:
    warm = add_command(
        commands,
        "warm",
        help="compile all numba kernels into the cache folder",
        examples=["paretokit warm"],
    )
    text = "also compile kernels that are made for one number of objectives, for these numbers"
    warm.add_argument("--objectives", type=int, nargs="*", default=[], metavar="M", help=text)


def _completion(commands: Commands) -> None:
    completion = add_command(
        commands,
        "completion",
        help="print the script of tab completion",
        examples=["paretokit completion bash"],
    )
    completion.epilog = f"""{completion.epilog}

where it goes:
  bash  paretokit completion bash > ~/.local/share/bash-completion/completions/paretokit
  zsh   paretokit completion zsh > DIR/_paretokit, for a folder DIR of $fpath
  fish  paretokit completion fish > ~/.config/fish/completions/paretokit.fish"""
    completion.add_argument("shell", metavar="SHELL", choices=SHELLS)
