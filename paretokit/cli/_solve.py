"""``paretokit solve``: one run, saved with a picture."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from paretokit.cli._options import as_json, parse_numbers
from paretokit.cli._targets import problem_of, solver_of
from paretokit.core import _check as check

LIMITS = ("evaluations", "iterations", "work", "seconds")
DEFAULT = 10_000


def _facts(result: Any, written: list[str], choice: Any) -> dict[str, Any]:
    facts = {
        "problem": result.front.problem.name,
        "solver": result.solver.name,
        "seed": result.seed,
        "status": result.status,
        "points": len(result.front),
        "scores": result.scores,
        "cost": dataclasses.asdict(result.cost),
        "seconds": result.seconds,
        "written": written,
    }
    if choice is not None:
        names = [o.name for o in result.front.objectives]
        facts["choice"] = {"values": dict(zip(names, choice.values.tolist(), strict=True)), "why": choice.why}
    return facts


def run(args: argparse.Namespace) -> int:
    """Solve, print the summary, and write the result, its front as CSV, and a picture."""
    from paretokit.run import Budget, solve

    problem = problem_of(args.problem, args.problem_option)
    solver = solver_of(args.solver, args.option)
    preference = None if args.preference is None else parse_numbers(args.preference, "preference")
    if preference is not None:  # before anything is spent or overwritten
        check.point("preference", preference, problem.n_objectives)
    limits = {name: getattr(args, name) for name in LIMITS if getattr(args, name) is not None}
    budget = Budget(**(limits or {"evaluations": DEFAULT}))
    again = (args.out / "result").exists()
    args.out.mkdir(parents=True, exist_ok=True)
    progress = False if args.json else None
    result = solve(problem, solver, budget=budget, seed=args.seed, checkpoint=args.checkpoint, progress=progress)
    result.save(args.out / "result")
    result.front.to_frame().to_csv(args.out / "front.csv", index=False)
    written = ["result/", "front.csv"]
    if len(result.front) and problem.n_objectives > 1:
        from paretokit.cli._pictures import picture

        picture(result.front, args.out / "front.png", title=f"{solver.name} on {problem.name}")
        written.append("front.png")
    choice = result.front.pick(preference) if preference is not None and len(result.front) else None
    if args.json:
        print(as_json(_facts(result, [str(args.out / name) for name in written], choice)))
    else:
        print(result)
        if choice is not None:
            print(f"\n{choice.why}\n  {choice.decode()}")
        print(f"\nwrote {', '.join(written)} to {args.out}/{', in place of an earlier run' if again else ''}")
    return 130 if result.status == "interrupted" else 1 if result.status == "failed" else 0
