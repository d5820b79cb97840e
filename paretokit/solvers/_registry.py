"""All solvers by name: native ones and those of pymoo and pygmo, with what each can do."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any

import torch
from torch import Tensor

from paretokit.core import (
    Box,
    Categorical,
    Evaluation,
    Integers,
    Mixed,
    Objective,
    ParetoError,
    Problem,
    Registry,
    Rng,
    Solver,
    Space,
    UnknownNameError,
)
from paretokit.core import _check as check

_ROOM = "paretokit.solvers.evolutionary."

NATIVE: Mapping[str, str] = {
    "AGEM": "paretokit.solvers.continual._agem:AGEM",
    "AdaMerging": "paretokit.solvers.merging._adamerging:AdaMerging",
    "CMORL": "paretokit.solvers.morl._cmorl:CMORL",
    "ConditionedPPO": "paretokit.solvers.morl._conditioned_ppo:ConditionedPPO",
    "DARE": "paretokit.solvers.merging._dare:DARE",
    "EWC": "paretokit.solvers.continual._ewc:EWC",
    "ExperienceReplay": "paretokit.solvers.continual._replay:ExperienceReplay",
    "FisherMerging": "paretokit.solvers.merging._fisher_merging:FisherMerging",
    "GCGFN": "paretokit.solvers.gflownet._gcgfn:GCGFN",
    "GEM": "paretokit.solvers.continual._gem:GEM",
    "GradientDescent": "paretokit.solvers.gradient._descent:GradientDescent",
    "IBCL": "paretokit.solvers.continual._ibcl:IBCL",
    "MOEAD": _ROOM + "_moead:MOEAD",
    "MOGFN": "paretokit.solvers.gflownet._mogfn:MOGFN",
    "MOGFNAL": "paretokit.solvers.gflownet._mogfn_al:MOGFNAL",
    "MORLD": "paretokit.solvers.morl._morld:MORLD",
    "MOReinforce": "paretokit.solvers.gflownet._mo_reinforce:MOReinforce",
    "MetropolisHastings": "paretokit.solvers.gflownet._metropolis_hastings:MetropolisHastings",
    "MultiPolicyQ": "paretokit.solvers.morl._multi_policy_q:MultiPolicyQ",
    "NSGA2": _ROOM + "_nsga2:NSGA2",
    "NSGA3": _ROOM + "_nsga3:NSGA3",
    "OPGFN": "paretokit.solvers.gflownet._opgfn:OPGFN",
    "PGMORL": "paretokit.solvers.morl._pgmorl:PGMORL",
    "ParetoDA": "paretokit.solvers.adaptation._paretoda:ParetoDA",
    "ParetoSetModel": "paretokit.solvers.gradient._pareto_set:ParetoSetModel",
    "PreferenceMerging": "paretokit.solvers.merging._preference_merging:PreferenceMerging",
    "PreferenceRehearsal": "paretokit.solvers.continual._rehearsal:PreferenceRehearsal",
    "QuasiRandomSearch": _ROOM + "_random:QuasiRandomSearch",
    "RandomSearch": _ROOM + "_random:RandomSearch",
    "RegMean": "paretokit.solvers.merging._regmean:RegMean",
    "SMSEMOA": _ROOM + "_smsemoa:SMSEMOA",
    "SurrogateMerging": "paretokit.solvers.merging._surrogate_merging:SurrogateMerging",
    "TIES": "paretokit.solvers.merging._ties:TIES",
    "TaskArithmetic": "paretokit.solvers.merging._task_arithmetic:TaskArithmetic",
    "VCL": "paretokit.solvers.continual._vcl:VCL",
    "WeightAveraging": "paretokit.solvers.merging._weight_averaging:WeightAveraging",
    "WeightedDA": "paretokit.solvers.adaptation._weighted:WeightedDA",
}

SOLVERS = Registry("solver", NATIVE)

ADAPTERS: Mapping[str, str] = {
    "pygmo": _ROOM + "_pygmo:PygmoSolver",
    "pymoo": _ROOM + "_pymoo:PymooSolver",
}

_TABLES = {"pygmo": _ROOM + "_pygmo", "pymoo": _ROOM + "_pymoo_table"}

# Options without which an algorithm cannot be built, for asking it what it can do.
_PROBE: dict[str, Any] = {"n_max_gen": 1, "ref_points": [[0.0, 0.0]], "pop_per_ref_point": 2}


@dataclass(frozen=True)
class SolverRecord:
    """One line of the table.

    Attributes:
        name: What `solvers.make` takes.
        source: "paretokit", "pymoo" or "pygmo".
        solves: The problem type that it needs.
        constraints: Whether it handles constraints.
        mixed: "yes" for reals, integers and unordered categories; "integers" without the last; or "no".
        resume: "exact", or why a checkpoint is refused.
        excluded: Why the library's algorithm is not offered, else "".
    """

    name: str
    source: str
    solves: str = "Problem"
    constraints: bool = False
    mixed: str = "no"
    resume: str = "exact"
    excluded: str = ""


class SolverTable(tuple[SolverRecord, ...]):
    """Records that print as a table: the offered solvers, then the excluded ones with the reason."""

    def __repr__(self) -> str:
        head = [f.name for f in fields(SolverRecord)][:-1]
        rows = [[_cell(v) for v in astuple(r)[:-1]] for r in self if not r.excluded]
        widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]]
        lines.insert(1, "  ".join("-" * w for w in widths))
        out = [f"{r.name}: {r.excluded}" for r in self if r.excluded]
        return "\n".join([*lines, *(["", "excluded", "--------", *out] if out else [])])

    def names(self) -> list[str]:
        """Return the names that `solvers.make` takes."""
        return [record.name for record in self if not record.excluded]


def _cell(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


class _Probe(Problem):
    """A problem of a given make, to be shown to solvers."""

    objectives = (Objective("f1"), Objective("f2"))

    def __init__(self, space: Space, n_constraints: int) -> None:
        self.space, self.n_constraints = space, n_constraints

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        zeros = torch.zeros(len(x), 2, dtype=x.dtype)
        return Evaluation(zeros, zeros[:, :1] if self.n_constraints else None)


def _record(solver: Solver[Any], source: str) -> SolverRecord:
    reals = Box(0.0, 1.0, dim=2)
    whole = Mixed({"real": reals, "whole": Integers(0, 3, dim=1)})
    mixed = Mixed({"real": reals, "whole": Integers(0, 3, dim=1), "category": Categorical(3)})
    takes_whole, takes_all = (solver.unsupported(_Probe(space, 0)) is None for space in (whole, mixed))
    return SolverRecord(
        name=solver.name,
        source=source,
        solves=solver.solves.__name__,
        constraints=solver.unsupported(_Probe(reals, 1)) is None,
        mixed="yes" if takes_all else "integers" if takes_whole else "no",
        resume=solver.resume_note,
    )


def table() -> SolverTable:
    """Return all solvers with what each can do, then the libraries' excluded algorithms with the reason.

    Whether constraints and mixed variables are handled is what the solvers themselves answer when they are shown
    such problems.
    """
    records = [_record(SOLVERS.make(name, {}), "paretokit") for name in SOLVERS.names()]
    excluded = []
    for library in sorted(ADAPTERS):
        module = importlib.import_module(_TABLES[library])
        for name, entry in sorted(module.ALGORITHMS.items(), key=lambda item: str(item[0]).lower()):
            options = {option: _PROBE[option] for option in entry.required}
            records.append(_record(_adapter(library, name, options), library))
        excluded += [SolverRecord(f"{library}.{n}", library, excluded=why) for n, why in module.EXCLUDED.items()]
    return SolverTable([*records, *excluded])


def fitting(problem: Problem) -> list[str]:
    """Return the names of the native solvers that can solve a problem, those made for its world first.

    Each is asked with its default options.
    """
    made: list[Solver[Any]] = [SOLVERS.make(name, {}) for name in SOLVERS.names()]
    fits = [s for s in made if isinstance(problem, s.solves) and _supports(s, problem)]
    return [s.name for s in sorted(fits, key=lambda s: s.solves is Problem)]


def _supports(solver: Solver[Any], problem: Problem) -> bool:
    """Tell whether a solver can solve a problem; not where it asks for values that are measured outside Python."""
    try:
        return solver.unsupported(problem) is None
    except ParetoError:
        return False


def _adapter(library: str, algorithm: str, options: Mapping[str, Any]) -> Solver[Any]:
    module, _, attribute = ADAPTERS[library].partition(":")
    made: Solver[Any] = getattr(importlib.import_module(module), attribute)(algorithm=algorithm, options=options)
    return made


def make(name: str, **options: Any) -> Solver[Any]:
    """Return the solver of a name, e.g. ``make("NSGA2", pop_size=50)`` or ``make("pymoo.NSGA3", partitions=12)``.

    Args:
        name: One of `solvers.list()`.
        **options: The solver's hyper-parameters.

    Raises:
        UnknownNameError: For an unknown name or option; the message offers the nearest.
        InputError: For an algorithm that is excluded; the message says why.
    """
    library, _, algorithm = name.partition(".")
    if algorithm and library in ADAPTERS:
        return _adapter(library, algorithm, options)
    if name not in NATIVE:
        tables = {lib: importlib.import_module(path).ALGORITHMS for lib, path in _TABLES.items()}
        known = [*NATIVE, *(f"{lib}.{algorithm}" for lib in sorted(tables) for algorithm in tables[lib])]
        hint = check.nearest(name, known) or "`solvers.list()` shows all"
        raise UnknownNameError(check.message("solver", "be a known name", repr(name), hint))
    made: Solver[Any] = SOLVERS.make(name, options)
    return made
