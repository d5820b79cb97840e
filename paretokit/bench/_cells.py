"""Cells of an experiment: one problem, one solver, one group of seeds, one budget; named by a hash of all of it."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import importlib.metadata
import inspect
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paretokit._version import __version__
from paretokit.core import InputError, Measurement, Problem, Solver, StackedSolver
from paretokit.core import _check as check
from paretokit.run import Budget
from paretokit.run._checkpoint import OPTIONS, identity

FORMAT = 2
# Packages whose version a cell's numbers depend on, by where the problem or solver comes from.
_MATTERS = {
    "paretokit.problems.morl": "mo-gymnasium",
    "paretokit.problems.design._molecules": "rdkit",
    "paretokit.problems.design._aptamers": "ViennaRNA",
    "paretokit.solvers.evolutionary._pymoo": "pymoo",
    "paretokit.solvers.evolutionary._pygmo": "pygmo",
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """A problem or a solver as a suite names it.

    Attributes:
        kind: "problem" or "solver".
        ref: An id of the registry, or ``module:Name`` of a class, a function or an instance of yours.
        options: What its constructor takes.
        label: What tables call it; `ref` unless given.
    """

    kind: str
    ref: str
    options: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.label or self.ref

    def make(self, folder: str = "") -> Any:
        """Return the instance; modules of yours are also looked for in `folder`.

        Raises:
            UnknownNameError: For an unknown id or option; the message offers the nearest.
            InputError: If ``module:Name`` cannot be imported, or is no problem (solver).
        """
        if ":" not in self.ref:
            from paretokit import problems, solvers

            room: Any = problems if self.kind == "problem" else solvers
            return room.make(self.ref, **self.options)
        found = _import(self.kind, self.ref, folder)
        wanted = Problem if self.kind == "problem" else Solver
        if not isinstance(found, wanted):
            check.that(callable(found), self.kind, "be a class, a function or an instance", repr(self.ref))
            found = found(**self.options)
        right = isinstance(found, wanted)
        check.that(right, self.kind, f"be a {wanted.__name__}", f"{type(found).__name__} from {self.ref!r}")
        return found


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One unit of work: what is solved, by what, with which seeds at once, until when.

    Attributes:
        problem: What is solved.
        solver: What solves it.
        seeds: The group that runs as one program where the solver stacks.
        budget: Limits of each run, as `Budget` takes them; {} for solvers that end by themselves.
        threads: Threads that the cell may use, on every backend.
        folder: Where modules of the suite's own lie; no part of the hash.
        digest: Hash of the content, filled by `identified`.
        protocol: The measurement in words, filled by `identified`.
    """

    problem: Part
    solver: Part
    seeds: tuple[int, ...]
    budget: Mapping[str, Any]
    threads: int = 1
    folder: str = ""
    digest: str = ""
    protocol: str = ""

    @property
    def name(self) -> str:
        """What messages call the cell."""
        shown = f"seed {self.seeds[0]}" if len(self.seeds) == 1 else f"seeds {self.seeds[0]}…{self.seeds[-1]}"
        return f"{self.solver.name} on {self.problem.name}, {shown}"

    def limits(self) -> Budget | None:
        """Return the budget, or None where none is given."""
        check.options(self.budget, [f.name for f in dataclasses.fields(Budget)], owner="budget")
        return Budget(**self.budget) if self.budget else None

    def identified(self, problem: Problem, solver: Solver[Any]) -> Cell:
        """Return the cell with its hash and protocol, given its parts as they were made."""
        who = identity(problem, solver, self.seeds)
        content = {
            "format": FORMAT,
            "who": {key: value for key, value in who.items() if key != OPTIONS},
            "budget": repr(self.limits()),
            "threads": self.threads,
            "versions": versions(problem, solver),
            "code": [_code(part.ref, made) for part, made in ((self.problem, problem), (self.solver, solver))],
        }
        text = json.dumps(content, sort_keys=True, default=str)
        digest = hashlib.blake2b(text.encode(), digest_size=10).hexdigest()
        return dataclasses.replace(self, digest=digest, protocol=in_words(problem.protocol.measurement))


def in_words(measurement: Measurement) -> str:
    """Return a measurement as text: every entry that is not the default, or the split alone."""
    plain = Measurement()
    own = {f.name: getattr(measurement, f.name) for f in dataclasses.fields(Measurement)}
    told = [f"{k}={v!r}" for k, v in own.items() if k == "split" or v != getattr(plain, k)]
    return ", ".join(told)


def stacks(solver: Solver[Any], budget: Budget | None) -> bool:
    """Tell whether several seeds run as one program."""
    alone = budget is not None and (budget.target is not None or budget.stall is not None)
    return isinstance(solver, StackedSolver) and not alone


def versions(problem: Problem, solver: Solver[Any]) -> dict[str, str]:
    """Return the versions that the numbers of a cell depend on."""
    import numpy as np
    import torch

    found = {"paretokit": __version__, "torch": torch.__version__, "numpy": np.__version__}
    for made in (problem, solver):
        for home, package in _MATTERS.items():
            if type(made).__module__.startswith(home):
                found[package] = importlib.metadata.version(package)
    return found


def _code(ref: str, made: Any) -> str:
    """Return a hash of the file of a class of the user's own, whose code no version stands for; else ""."""
    if ":" not in ref:
        return ""
    path = inspect.getsourcefile(sys.modules[ref.partition(":")[0]])
    content = Path(path).read_bytes() if path else repr(type(made)).encode()
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _import(kind: str, ref: str, folder: str) -> Any:
    module, _, attribute = ref.partition(":")
    for place in (folder, str(Path.cwd())):
        if place and place not in sys.path:
            sys.path.insert(0, place)
    importlib.invalidate_caches()
    try:
        home = importlib.import_module(module)
    except ImportError as error:
        hint = f"{error}; modules are looked for beside the suite and in the working folder"
        raise InputError(check.message(kind, "be importable", repr(ref), hint)) from error
    known = [name for name in vars(home) if not name.startswith("_")]
    hint = check.nearest(attribute, known) or f"{module} has: {', '.join(known[:12])}"
    check.that(hasattr(home, attribute), kind, "be importable", repr(ref), hint)
    return getattr(home, attribute)
