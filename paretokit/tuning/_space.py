"""What a solver's hyper-parameters may be, and the solver that a choice of them makes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from paretokit.core import Choice, InputError, LogRange, Range, SearchSpace, Solver
from paretokit.core import _check as check


def space_of(solver: Solver[Any], given: SearchSpace | Sequence[str] | None) -> dict[str, Range | LogRange | Choice]:
    """Return what is searched: the solver's own space, the part of it that is named, or the caller's.

    Of the solver's own, names that reach into a part which this configuration does not have are left out.

    Raises:
        InputError: If the space is empty, or an entry says no range.
        UnknownNameError: For a hyper-parameter that the solver does not have; the message offers the nearest.
    """
    own = {name: entry for name, entry in solver.search_space.items() if _reached(solver, name)}
    if given is None:
        hint = 'for example space={"learning_rate": pk.LogRange(1e-4, 1e-2)}'
        check.that(bool(own), "space", f"be given, since {solver.name} declares none", None, hint)
        return own
    if isinstance(given, Mapping):
        for name, entry in given.items():
            fits = isinstance(entry, Range | Choice)
            check.that(fits, f"space[{name!r}]", "be a Range, a LogRange or a Choice", repr(entry))
            _known(solver, name)
        space = dict(given)
    else:
        hint = f"known: {', '.join(own)}" if own else f"{solver.name} declares none"
        check.that(isinstance(given, list | tuple), "space", "be a mapping, or names", repr(given), hint)
        for name in given:
            check.known(name, own, kind="parameter")
        space = {name: own[name] for name in given}
    check.that(
        bool(space), "space", "hold at least one hyper-parameter", "none", f"{solver.name} has {_fields(solver)}"
    )
    return space


def configured(solver: Solver[Any], values: Mapping[str, Any]) -> Solver[Any]:
    """Return a solver with other hyper-parameters; ``"ppo.learning_rate"`` reaches into its part `ppo`.

    Raises:
        InputError: If a value is out of range, or two do not go together.
    """
    made: Solver[Any] = _replaced(solver, values)
    return made


def current(solver: Solver[Any], name: str) -> Any:
    """Return what a hyper-parameter is now."""
    value: Any = solver
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else getattr(value, part)
    return value


def distributions(space: SearchSpace) -> dict[str, Any]:
    """Return the space as Optuna describes it."""
    optuna = check.package("optuna", extra="tuning")
    made: dict[str, Any] = {}
    for name, entry in space.items():
        if isinstance(entry, Choice):
            made[name] = optuna.distributions.CategoricalDistribution(entry.labels)
            continue
        log = isinstance(entry, LogRange)
        kind = optuna.distributions.IntDistribution if entry.whole else optuna.distributions.FloatDistribution
        made[name] = kind(entry.low, entry.high, log=log)
    return made


def values_of(space: SearchSpace, drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trial's hyper-parameters from what the storage of trials holds."""
    out = {}
    for name, entry in space.items():
        value = drawn[name]
        out[name] = entry.options[entry.labels.index(value)] if isinstance(entry, Choice) else value
    return out


def labels_of(space: SearchSpace, values: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return hyper-parameters as the storage of trials holds them, or None where one lies outside the space."""
    if not all(space[name].holds(value) for name, value in values.items()):
        return None
    out = {}
    for name, value in values.items():
        entry = space[name]
        out[name] = entry.labels[entry.options.index(value)] if isinstance(entry, Choice) else value
    return out


def _replaced(record: Any, values: Mapping[str, Any]) -> Any:
    changes: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        head, dot, rest = name.partition(".")
        if dot:
            parts.setdefault(head, {})[rest] = value
        else:
            changes[head] = value
    for head, inner in parts.items():
        changes[head] = _replaced(record[head] if isinstance(record, Mapping) else getattr(record, head), inner)
    return {**record, **changes} if isinstance(record, Mapping) else dataclasses.replace(record, **changes)


def _fields(record: Any) -> list[str]:
    """Return the names that a solver or one of its parts takes."""
    if isinstance(record, Mapping):
        return [str(name) for name in record]
    return [f.name for f in dataclasses.fields(record) if f.init] if dataclasses.is_dataclass(record) else []


def _known(solver: Solver[Any], name: Any) -> None:
    """Raise `UnknownNameError` unless a solver has a hyper-parameter; a mapping of options takes any last name."""
    check.that(isinstance(name, str), "space", "be keyed by names", repr(name))
    record: Any = solver
    parts = name.split(".")
    for position, part in enumerate(parts):
        if isinstance(record, Mapping) and position == len(parts) - 1:
            return
        known = _fields(record)
        if part not in known:
            above = "".join(f"{p}." for p in parts[:position])
            check.known(name, [*(above + k for k in known), *solver.search_space], kind="parameter")
            raise InputError(check.message("parameter", "reach into a part that this solver has", repr(name)))
        record = record[part] if isinstance(record, Mapping) else getattr(record, part)


def _reached(solver: Solver[Any], name: str) -> bool:
    try:
        current(solver, name)
    except AttributeError:
        return False
    return True
