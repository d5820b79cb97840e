"""What the annotation of an option lets through, and how a message says it."""

from __future__ import annotations

import dataclasses
import inspect
import numbers
import sys
import types
import typing
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Union

import numpy as np
from torch import Tensor

_PLAIN = {bool: "True or False", int: "a whole number", float: "a number", str: "text", type(None): "None"}
_MANY = {int: "a list of whole numbers", float: "a list of numbers", str: "a list of text"}


@dataclass(frozen=True)
class Kind:
    """One member of an annotation.

    Attributes:
        type: The class; `Sequence` for every kind of list, `Literal` for choices.
        of: The class of a list's entries, or the choices.
    """

    type: Any
    of: Any = None

    @property
    def choices(self) -> tuple[Any, ...]:
        """What a `Literal` names."""
        return tuple(self.of) if self.type is Literal else ()

    @property
    def words(self) -> str:
        """What a message calls it."""
        if self.type is Literal:
            return f"one of {list(self.of)}"
        if self.type is Sequence:
            return _MANY.get(self.of, "a list")
        name = "mapping" if self.type is Mapping else self.type.__name__
        return _PLAIN.get(self.type, f"{'an' if name[0] in 'AEIO' else 'a'} {name}")

    def holds(self, value: Any) -> bool:
        """Tell whether a value is of this kind: `True` is no number, 3.0 is no whole number, NaN is none at all."""
        if self.type is Literal:
            return isinstance(value, Hashable) and value in self.of
        if self.type is bool:
            return isinstance(value, bool | np.bool_)
        if self.type is int:
            return not isinstance(value, bool) and isinstance(value, numbers.Integral)
        if self.type is float:
            return not isinstance(value, bool) and isinstance(value, numbers.Real) and bool(value == value)
        if self.type is Sequence:
            return self._lists(value)
        return isinstance(value, self.type)

    def _lists(self, value: Any) -> bool:
        if isinstance(value, str):
            return self.of is str
        if isinstance(value, list | tuple) and self.of in _MANY:
            return all(Kind(self.of).holds(entry) for entry in value)
        return isinstance(value, Sequence | np.ndarray | Tensor)


def _kind(annotation: Any) -> Kind | None:
    """Return a member's kind, or None where it lets anything through."""
    if annotation is None:
        return Kind(type(None))
    origin, of = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return Kind(Literal, of)
    made = origin or annotation
    if not isinstance(made, type) or getattr(made, "_is_protocol", False):
        return None
    if issubclass(made, Mapping):
        return Kind(Mapping)
    if issubclass(made, Sequence) and made is not str:
        return Kind(Sequence, of[0] if of and len(set(of) - {Ellipsis}) == 1 else None)
    return None if made is object else Kind(made)


def _names(module: str) -> dict[str, Any]:
    """Return what a module's annotations may name; nothing where code was run without a module of its own."""
    return vars(sys.modules[module]) if module in sys.modules else {}


def _kinds(annotation: object, module: Mapping[str, Any]) -> tuple[Kind, ...]:
    """Return the kinds of an annotation as it is written in a module; none where it lets anything through."""

    def holder() -> None:
        """Have an annotation."""

    holder.__annotations__ = {"hint": annotation}
    try:
        hint = typing.get_type_hints(holder, dict(module))["hint"]
    except NameError:  # imported for type checkers only
        return ()
    members = typing.get_args(hint) if typing.get_origin(hint) in (Union, types.UnionType) else (hint,)
    kinds = [_kind(member) for member in members]
    return tuple(kind for kind in kinds if kind is not None) if all(kinds) else ()


@lru_cache(maxsize=512)
def kinds_of(record: type) -> dict[str, tuple[Kind, ...]]:
    """Return what the fields of a dataclass let through by name; nothing where that is anything."""
    out: dict[str, tuple[Kind, ...]] = {}
    for field in dataclasses.fields(record):
        owner = next(c for c in record.__mro__ if field.name in inspect.get_annotations(c))
        if field.init:
            out[field.name] = _kinds(field.type, _names(owner.__module__))
    return {name: kinds for name, kinds in out.items() if kinds}


@lru_cache(maxsize=512)
def kinds_of_arguments(function: Callable[..., Any]) -> dict[str, tuple[Kind, ...]]:
    """Return the same of a function's arguments."""
    module = _names(function.__module__)
    found = {name: _kinds(hint, module) for name, hint in inspect.get_annotations(function).items() if name != "return"}
    return {name: kinds for name, kinds in found.items() if kinds}


def wrong(values: Mapping[str, Any], kinds: Mapping[str, tuple[Kind, ...]]) -> tuple[str, tuple[Kind, ...]] | None:
    """Return the first name whose value is of none of its kinds, with these, else None."""
    for name, allowed in kinds.items():
        if name in values and not any(kind.holds(values[name]) for kind in allowed):
            return name, allowed
    return None
