"""``paretokit show``: one problem, solver or indicator, with what it claims, takes and needs."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Mapping
from typing import Any

import torch

from paretokit.cli._completion import solver_names
from paretokit.cli._list import WIDTH, claim
from paretokit.cli._options import as_json, parse_options
from paretokit.cli._targets import is_own, load, made
from paretokit.cli._text import table
from paretokit.core import Problem, Solver, Space
from paretokit.core import _check as check

LONG = 60  # most characters of a default that a table shows


def _documented(target: Any) -> dict[str, str]:
    """Return what docstrings say of options, by name; a subclass's own words before its parents'."""
    from paretokit import solvers

    found: dict[str, str] = {}
    for owner in target.__mro__ if inspect.isclass(target) else [target]:
        text = inspect.cleandoc(owner.__doc__ or "")
        block = re.search(r"^(?:Attributes|Args):\n((?:    .*\n?|\n)+)", text, flags=re.MULTILINE)
        entries = r"^    ([`\w]+(?:, [`\w]+)*): ((?:.*\n?(?:     .*\n?)*))"
        for names, words in re.findall(entries, block[1] if block else "", re.MULTILINE):
            for name in re.findall(r"\w+", names):
                found.setdefault(name, " ".join(words.split()))
        for other in re.findall(r"^Further attributes: see `(\w+)`", text, re.MULTILINE):
            found = {**_documented(getattr(solvers, other)), **found}
    return found


def _default(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def options_of(target: Any) -> list[dict[str, Any]]:
    """Return what a class or function takes: name, default (or that it is required), and what it means."""
    words = _documented(target)
    found: list[tuple[str, bool, Any]]
    if dataclasses.is_dataclass(target):
        missing = dataclasses.MISSING
        fields = [f for f in dataclasses.fields(target) if f.init]
        values = [f.default if f.default_factory is missing else f.default_factory() for f in fields]
        found = [(f.name, value is missing, value) for f, value in zip(fields, values, strict=True)]
    else:
        taken = [p for p in inspect.signature(target).parameters.values() if p.name != "self"]
        named = [p for p in taken if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
        found = [(p.name, p.default is p.empty, p.default) for p in named]
    return [
        {
            "name": name,
            "required": required,
            "default": None if required else _default(value),
            "means": words.get(name, ""),
        }
        for name, required, value in found
    ]


def space_facts(space: Space) -> dict[str, Any]:
    """Return a space's kind, number of columns, and bounds (the widest of all columns)."""
    kinds = {int(k): word for k, word in enumerate(("real", "integer", "category"))}
    names = [kinds[k] for k in torch.unique(space.kinds).tolist()]
    facts = {"kind": type(space).__name__, "variables": space.dim, "columns": names}
    return {**facts, "lower": float(space.lower.min()), "upper": float(space.upper.max())}


def _given(record: Any) -> dict[str, Any]:
    plain = {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
    return {name: value for name, value in plain.items() if value not in (None, ())}


def problem_facts(problem: Problem, target: Any, name: str) -> dict[str, Any]:
    """Return what there is to know of a problem."""
    from paretokit import solvers

    return {
        "kind": "problem",
        "id": name,
        "claim": claim(target),
        "objectives": [dataclasses.asdict(o) for o in problem.objectives],
        "space": space_facts(problem.space),
        "constraints": problem.n_constraints,
        "front": problem.front_kind,
        "deterministic": problem.deterministic,
        "held_out": problem.held_out,
        "unit_of_work": problem.unit,
        "measurement": _given(problem.protocol.measurement),
        "scoring": _given(problem.protocol.scoring),
        "options": options_of(target),
        "solvers": solvers.fitting(problem),
    }


def _suite_facts(name: str) -> dict[str, Any]:
    """Return what can be said of a suite of merging before its networks are trained."""
    from paretokit.problems.merging._suite import suite

    options = [option for option in options_of(suite) if option["name"] != "encoder"]
    made_when = "its networks are trained when it is first made"
    return {"kind": "problem", "id": name, "claim": claim(suite), "made": made_when, "options": options}


def solver_facts(solver: Solver[Any], target: Any, name: str) -> dict[str, Any]:
    """Return what there is to know of a solver."""
    from paretokit.solvers._registry import _record

    record = dataclasses.asdict(_record(solver, "")) if solver.solves is Problem else {}
    return {
        "kind": "solver",
        "id": name,
        "claim": claim(target),
        "solves": solver.solves.__name__,
        "constraints": record.get("constraints"),
        "mixed": record.get("mixed"),
        "resume": solver.resume_note,
        "ends_by_itself": solver.finishes,
        "options": options_of(target),
    }


def _foreign_facts(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same for an algorithm of pymoo or pygmo, whose options are the library's."""
    import importlib

    from paretokit import solvers
    from paretokit.solvers._registry import _PROBE, _TABLES

    library, _, algorithm = name.partition(".")
    entry = importlib.import_module(_TABLES[library]).ALGORITHMS[algorithm]
    solver = solvers.make(name, **{**{key: _PROBE[key] for key in entry.required}, **options})
    facts = solver_facts(solver, type(solver), name)
    facts["options"] = [
        {"name": key, "required": key in entry.required, "default": f"{library}'s own", "means": ""}
        for key in entry.options
    ]
    return facts


def indicator_facts(name: str) -> dict[str, Any]:
    """Return what there is to know of an indicator."""
    from paretokit import indicators

    item = getattr(indicators, name)
    scored = name in indicators.score_names()
    return {
        "kind": "indicator",
        "id": name,
        "claim": claim(item),
        "call": f"{name}{inspect.signature(item)}" if inspect.isfunction(item) else name,
        "larger_is_better": indicators.larger_is_better(name) if scored else None,
        "scored": scored,
        "options": options_of(item) if inspect.isfunction(item) else [],
        "doc": inspect.getdoc(item) or "",
    }


def facts_of(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what there is to know of an id, a name, or a user's own ``module:Name``.

    Raises:
        UnknownNameError: With the nearest among problems, solvers and indicators.
    """
    from paretokit import indicators, problems, solvers
    from paretokit.problems._registry import PROBLEMS
    from paretokit.problems.merging import SUITES
    from paretokit.problems.morl._table import OTHERS
    from paretokit.solvers._registry import _TABLES, NATIVE

    if is_own(name):
        found = made(load(name), name, dict(options))
        target = type(found)
        if isinstance(found, Problem):
            return problem_facts(found, target, name)
        check.that(isinstance(found, Solver), "id", "be a problem or a solver", target.__name__)
        return solver_facts(found, target, name)
    ids = [*PROBLEMS.names(), *OTHERS, *SUITES]
    functions = [n for n in indicators.__all__ if callable(getattr(indicators, n))]
    check.known(name, [*ids, *solver_names(), *functions], kind="id")
    if name in SUITES:
        return _suite_facts(name)
    if name in ids:
        problem = problems.make(name, **options)
        return problem_facts(problem, type(problem), name)
    if name in NATIVE:
        solver = solvers.make(name, **options)
        return solver_facts(solver, type(solver), name)
    if name.partition(".")[0] in _TABLES:
        return _foreign_facts(name, options)
    check.that(not options, "option", "be left out for an indicator", ", ".join(options))
    return indicator_facts(name)


def _lines(facts: Mapping[str, Any]) -> list[str]:
    """Return the facts before the options, a line each."""
    shown = []
    for key, value in facts.items():
        if key in ("kind", "id", "claim", "options", "doc") or value is None or value in ({}, []):
            continue
        if key == "objectives":
            trades = [f"{o['sense']} {o['name']}" + (f" [{o['unit']}]" if o["unit"] else "") for o in value]
            text = ", ".join(trades)
        elif key == "space":
            columns = " and ".join(value["columns"])
            bounds = f"{value['lower']:g} … {value['upper']:g}"
            text = f"{value['kind']}: {value['variables']} variables ({columns}) in {bounds}"
        elif isinstance(value, Mapping):
            text = ", ".join(f"{name} {_short(item)}" for name, item in value.items())
        elif isinstance(value, list):
            text = ", ".join(map(str, value))
        else:
            text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
        shown.append(f"{key.replace('_', ' '):18} {text}")
    return shown


def _short(value: Any) -> str:
    text = "(" + ", ".join(f"{v:g}" for v in value) + ")" if isinstance(value, tuple) else str(value)
    return text if len(text) <= LONG else f"{text[: LONG - 2]} …"


def run(args: argparse.Namespace) -> int:
    """Print the facts, then a table of options; or JSON."""
    facts = facts_of(args.id, parse_options(args.option))
    if args.json:
        print(as_json({key: value for key, value in facts.items() if key != "doc"}))
        return 0
    print(f"{facts['id']} ({facts['kind']})\n  {facts['claim']}\n")
    print("\n".join(_lines(facts)))
    if facts["options"] and facts["kind"] != "indicator":  # whose own words follow
        rows = [
            [
                o["name"],
                "required" if o["required"] else _short(o["default"]),
                textwrap.shorten(o["means"], WIDTH, placeholder=" …"),
            ]
            for o in facts["options"]
        ]
        print(f"\n{table(['option', 'default', 'means'], rows)}")
    if facts["kind"] == "indicator":
        print(f"\n{facts['doc'].partition(chr(10) * 2)[2]}")
    return 0
