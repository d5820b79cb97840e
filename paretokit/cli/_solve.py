"""``paretokit solve``: one run, saved with a picture."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Sequence
from typing import Any

from paretokit.core import _check as check


def parse_options(pairs: Sequence[str], name: str = "option") -> dict[str, Any]:
    """Return ``["pop_size=50", "eta=15.0", "rule=pbi"]`` as keywords.

    A value that is no Python literal is text; with commas, and no brackets or quotes, a list of texts.
    """
    options: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        check.that(bool(equals) and key.isidentifier(), name, "look like name=value", repr(pair))
        check.that(key not in options, name, "be given once", repr(key))
        try:
            options[key] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            plain = "," in text and not any(mark in text for mark in "[](){}'\"")
            options[key] = [part.strip() for part in text.split(",")] if plain else text
    return options


def parse_preference(text: str) -> list[float]:
    """Return ``"0.3,0.7"`` as numbers."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        check.fail("preference", "be numbers separated by commas", repr(text), "for example 0.3,0.7")


def run(args: argparse.Namespace) -> int:
    """Solve, print the summary, and write the result, its front as CSV, and a picture."""
    from paretokit import problems, solvers
    from paretokit.run import Budget, solve

    problem = problems.make(args.problem, **parse_options(args.problem_option, "problem-option"))
    solver = solvers.make(args.solver, **parse_options(args.option))
    preference = None if args.preference is None else parse_preference(args.preference)
    if preference is not None:  # before anything is spent or overwritten
        check.point("preference", preference, problem.n_objectives)
    budget = Budget(evaluations=args.evaluations)
    again = (args.out / "result").exists()
    args.out.mkdir(parents=True, exist_ok=True)
    result = solve(problem, solver, budget=budget, seed=args.seed, checkpoint=args.checkpoint)
    result.save(args.out / "result")
    result.front.to_frame().to_csv(args.out / "front.csv", index=False)
    print(result)
    written = ["result/", "front.csv"]
    if len(result.front) and problem.n_objectives > 1:
        from paretokit.cli._pictures import picture

        picture(result.front, args.out / "front.png", title=f"{solver.name} on {problem.name}")
        written.append("front.png")
    if preference is not None and len(result.front):
        choice = result.front.pick(preference)
        print(f"\n{choice.why}\n  {choice.decode()}")
    print(f"\nwrote {', '.join(written)} to {args.out}/{', in place of an earlier run' if again else ''}")
    return 130 if result.status == "interrupted" else 1 if result.status == "failed" else 0
