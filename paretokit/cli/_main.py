"""Parse the command line and hand it to the command; every mistake is one line on stderr and exit code 2."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from paretokit._version import __version__
from paretokit.core import ParetoError
from paretokit.core import _check as check

USER_ERROR, INTERRUPTED = 2, 130


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, with the nearest names where a choice is unknown."""

    def error(self, message: str) -> NoReturn:
        """Write the message as one line and exit with code 2."""
        print(f"{self.prog}: {message} (see `{self.prog} --help`)", file=sys.stderr)
        raise SystemExit(USER_ERROR)

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            choices = [str(c) for c in action.choices]
            hint = check.nearest(str(value), choices) or f"one of {', '.join(choices)}"
            raise argparse.ArgumentError(None, f"unknown {action.metavar or action.dest} {value!r}; {hint}")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = _Parser(prog="paretokit", description="Multi-objective optimization and Pareto analysis on PyTorch.")
    parser.add_argument("--version", action="version", version=f"paretokit {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    demo = commands.add_parser("demo", help="solve some problems with several solvers; write pictures and a report")
    demo.add_argument("--out", type=Path, default=Path("demo"), help="folder to write to (default: demo)")
    demo.add_argument("--seconds", type=float, default=90.0, help="time for the solvers altogether (default: 90)")
    demo.add_argument("--only", metavar="NAME", action="append", help="only this panel (repeat for more)")

    listing = commands.add_parser("list", help="list problems, solvers or indicators")
    listing.add_argument("what", metavar="WHAT", choices=("problems", "solvers", "indicators"))

    solve = commands.add_parser("solve", help="solve a problem; save the result and a picture")
    solve.add_argument("problem", metavar="PROBLEM", help="an id of `paretokit list problems`")
    solve.add_argument("solver", metavar="SOLVER", help="a name of `paretokit list solvers`")
    solve.add_argument("--evaluations", type=int, default=10_000, metavar="N", help="budget (default: 10000)")
    solve.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the run (default: 0)")
    text = "hyper-parameter of the solver (repeat for more)"
    solve.add_argument("--option", metavar="K=V", action="append", default=[], help=text)
    text = "option of the problem, such as n_objectives=3"
    solve.add_argument("--problem-option", metavar="K=V", action="append", default=[], help=text)
    text = "decide for one solution, e.g. 0.3,0.7 (larger matters more)"
    solve.add_argument("--preference", metavar="W,W,…", help=text)
    solve.add_argument("--checkpoint", type=Path, metavar="DIR", help="save here now and then; the same call resumes")
    solve.add_argument("--out", type=Path, default=Path("runs/solve"), help="folder to write to (default: runs/solve)")

    doctor = commands.add_parser("doctor", help="show versions, devices, cache and whether runs reproduce")
    doctor.add_argument("--quick", action="store_true", help="skip the trial runs")

    warm = commands.add_parser("warm", help="compile all numba kernels into the cache folder")
    text = "also compile kernels that are made for one number of objectives, for these numbers"
    warm.add_argument("--objectives", type=int, nargs="*", default=[], metavar="M", help=text)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 found a fault, 2 wrong input, 130 interrupted."""
    parser = build_parser()
    try:
        args = parser.parse_args(argv)
        if args.command is None:
            parser.print_help()
            return 0
        code: int = importlib.import_module(f"paretokit.cli._{args.command}").run(args)
        sys.stdout.flush()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except KeyboardInterrupt:
        print("paretokit: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has gone; the interpreter must not complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ParetoError, OSError) as error:
        print(f"paretokit: {' '.join(str(error).split())}", file=sys.stderr)
        return USER_ERROR
    return code
