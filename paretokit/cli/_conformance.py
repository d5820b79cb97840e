"""``paretokit check``: the conformance kits on a user's own class, instance or function."""

from __future__ import annotations

import argparse
import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from paretokit.cli._options import as_json, parse_options
from paretokit.cli._targets import load, made, problem_of, where
from paretokit.core import Problem, Solver
from paretokit.core import _check as check


@dataclass(frozen=True)
class Kit:
    """One conformance check, ready to run.

    Attributes:
        name: The function of `paretokit.testing`.
        run: Runs it; raises where a rule is broken.
        rules: What it checks, by its docstring.
    """

    name: str
    run: Callable[[], None]
    rules: tuple[str, ...] = field(default=())


def rules_of(kit: Callable[..., Any]) -> tuple[str, ...]:
    """Return what a kit checks: the parts of the sentences that begin with "Checked" in its docstring."""
    blocks = re.findall(r"^Checked(?:[^:]*): (.*?)\.\s*$(?=\n\n|\Z|\n\s*\n)", inspect.getdoc(kit) or "", re.M | re.S)
    return tuple(rule for block in blocks for rule in " ".join(block.split()).split("; "))


def _kit(function: Callable[..., Any], *args: Any, seed: int) -> Kit:
    return Kit(function.__name__, functools.partial(function, *args, seed=seed), rules_of(function))


def kits_for(found: Any, problem: Problem | None, seed: int) -> tuple[str, list[Kit]]:
    """Return what a thing is, and the kits that it has to pass.

    Raises:
        InputError: If it is nothing that a kit checks, or a solver of a special world comes without a problem.
    """
    from paretokit import testing
    from paretokit.problems.continual import ContinualLearning
    from paretokit.problems.design import CompositionalDesign
    from paretokit.problems.morl import Environment

    solver = isinstance(found, Solver)
    check.that(problem is None or solver, "problem", "be left out for what is no solver", type(found).__name__)
    if isinstance(found, Problem):
        design = [_kit(testing.check_design, found, seed=seed)] if isinstance(found, CompositionalDesign) else []
        return "problem", [_kit(testing.check_problem, found, seed=seed), *design]
    if isinstance(found, Solver):
        world = found.solves.__name__
        hint = f"{found.name} solves {world} problems only: `paretokit check … --problem ID`"
        check.that(found.solves is Problem or problem is not None, "problem", "be given", "none", hint)
        more = [_kit(testing.check_continual, found, problem, seed=seed)] * isinstance(problem, ContinualLearning)
        return "solver", [_kit(testing.check_solver, found, problem, seed=seed), *more]
    if isinstance(found, Environment):
        return "environment", [_kit(testing.check_environment, found, seed=seed)]
    rule = "be a problem, a solver, an environment or a function"
    check.that(inspect.isfunction(found), "target", rule, type(found).__name__)
    return "indicator", [_kit(testing.check_indicator, found, seed=seed)]


def fault_of(kit: Kit) -> str:
    """Return which rule is broken, or "" where all hold."""
    try:
        kit.run()
    except AssertionError as error:
        return " ".join(str(error).split()) or where(error)
    except Exception as error:  # noqa: BLE001 - a user's code may raise anything, which is what is to be found out
        return where(error)
    return ""


def run(args: argparse.Namespace) -> int:
    """Print what was checked and what is broken; exit code 1 where something is."""
    found = made(load(args.target), args.target, parse_options(args.option))
    problem = None if args.problem is None else problem_of(args.problem, args.problem_option)
    kind, kits = kits_for(found, problem, args.seed)
    faults = {kit.name: fault_of(kit) for kit in kits}
    broken = any(faults.values())
    if args.json:
        kit_facts = [
            {"kit": kit.name, "holds": not faults[kit.name], "fault": faults[kit.name] or None, "rules": kit.rules}
            for kit in kits
        ]
        print(as_json({"target": args.target, "kind": kind, "holds": not broken, "kits": kit_facts}))
        return int(broken)
    print(f"{args.target} ({kind}): {'FAULT' if broken else 'ok'}")
    for kit in kits:
        fault = faults[kit.name]
        print(f"\n{kit.name}: {f'FAULT: {fault}' if fault else 'ok'}")
        print("\n".join(f"  {rule}" for rule in kit.rules))
    return int(broken)
