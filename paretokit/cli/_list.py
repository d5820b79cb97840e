"""``paretokit list``: what there is."""

from __future__ import annotations

import argparse
import textwrap

from paretokit.cli._text import table

WIDTH = 90  # of the last column, which may be long


def _problems() -> str:
    from paretokit.problems._registry import PROBLEMS, make

    rows = []
    for name in PROBLEMS.names():
        made = make(name)
        senses = textwrap.shorten(", ".join(f"{o.sense} {o.label}" for o in made.objectives), WIDTH, placeholder=" …")
        sizes = [str(n) for n in (made.n_objectives, made.space.dim, made.n_constraints)]
        rows.append([name, *sizes, made.front_kind, senses])
    head = ["problem", "objectives", "variables", "constraints", "true front", "trades off"]
    return table(head, rows, right=[False, True, True, True])


def _indicators() -> str:
    from paretokit import indicators

    found = [(name, getattr(indicators, name)) for name in indicators.__all__]
    rows = [[name, (item.__doc__ or "").strip().partition("\n")[0]] for name, item in found if callable(item)]
    return table(["indicator", "what it says"], rows)


def run(args: argparse.Namespace) -> int:
    """Print one table."""
    if args.what == "solvers":
        from paretokit import solvers

        print(solvers.list())
    else:
        print({"problems": _problems, "indicators": _indicators}[args.what]())
    return 0
