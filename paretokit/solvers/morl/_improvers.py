"""Improvers by name, so that a solver's configuration survives JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from paretokit.core import Registry
from paretokit.core import _check as check
from paretokit.solvers.morl._improver import AnyImprover, Improver

_ROOM = "paretokit.solvers.morl."

IMPROVERS: Mapping[str, str] = {
    "EUPG": _ROOM + "_eupg:EUPG",
    "PPO": _ROOM + "_ppo:PPO",
    "SAC": _ROOM + "_sac:SAC",
}

_REGISTRY = Registry("improver", IMPROVERS)


def improver_of(given: str | Mapping[str, Any] | AnyImprover) -> AnyImprover:
    """Return an improver from itself, its name, or what `described` said of it.

    Raises:
        InputError: If it is none of these, or one of its options is out of range.
        UnknownNameError: For an unknown name or option; the message offers the nearest.
    """
    if isinstance(given, Improver):
        return given
    options = {"kind": given} if isinstance(given, str) else given
    fits = isinstance(options, Mapping) and isinstance(options.get("kind"), str)
    hint = 'for example EUPG(), "EUPG" or {"kind": "EUPG", "learning_rate": 1e-3}'
    check.that(fits, "improver", "be an improver, a name, or a mapping with its `kind`", repr(given), hint)
    rest = dict(options)
    name = rest.pop("kind")
    defaults: Any = _REGISTRY.get(name)
    for part in dataclasses.fields(defaults):
        value = rest.get(part.name)
        if isinstance(value, Mapping) and "kind" not in value and dataclasses.is_dataclass(part.default):
            rest[part.name] = dataclasses.replace(part.default, **value)  # type: ignore[type-var]
    made: AnyImprover = _REGISTRY.make(name, rest)
    return made


def described(improver: AnyImprover) -> dict[str, Any]:
    """Return an improver's class name as `kind` and its hyper-parameters, JSON-able."""
    record: Any = improver
    return {"kind": type(improver).__name__, **dataclasses.asdict(record)}
