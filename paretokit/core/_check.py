"""Checks of arguments: one uniform line, `` `name` must RULE; got VALUE (HINT) ``, for every mistake."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any, NoReturn

import torch
from torch import Tensor

from paretokit.core._errors import InputError, MissingPackageError, ShapeError, UnknownNameError
from paretokit.core._kinds import Kind, kinds_of, kinds_of_arguments, wrong

SHOWN = 60  # most characters of a value of the wrong kind


def message(name: str, rule: str, value: object, hint: str = "") -> str:
    """Return the one line that every check raises."""
    return f"`{name}` must {rule}; got {value}" + (f" ({hint})" if hint else "")


def that(condition: bool, name: str, rule: str, value: object, hint: str = "") -> None:
    """Raise `InputError` unless `condition` holds."""
    if not condition:
        raise InputError(message(name, rule, value, hint))


def fail(name: str, rule: str, value: object, hint: str = "") -> NoReturn:
    """Raise `InputError`."""
    raise InputError(message(name, rule, value, hint))


def shape(condition: bool, name: str, rule: str, value: object, hint: str = "") -> None:
    """Raise `ShapeError` unless `condition` holds."""
    if not condition:
        raise ShapeError(message(name, rule, value, hint))


def fields(record: Any) -> None:
    """Raise `InputError` for the first field of a dataclass whose value is of another kind than its annotation says.

    `True` is no number, 3.0 is no whole number, NaN is none at all. Every record of options begins with it.
    """
    made: Any = type(record)
    kinds = kinds_of(made)
    _kinds_hold({name: getattr(record, name) for name in kinds}, kinds)


def arguments(function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Raise `InputError` for the first argument of another kind than a function's annotation says.

    A constructor that is no dataclass begins with ``check.arguments(Class.__init__, locals())``.
    """
    _kinds_hold(given, kinds_of_arguments(function))


def _kinds_hold(values: Mapping[str, Any], kinds: Mapping[str, tuple[Kind, ...]]) -> None:
    found = wrong(values, kinds)
    if found is not None:
        name, allowed = found
        text = " ".join(repr(values[name]).split())
        text = text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
        words = [kind.words for kind in allowed]
        rule = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
        choices = [str(choice) for kind in allowed for choice in kind.choices]
        fail(name, f"be {rule}", text, nearest(str(values[name]), choices))


def number(**named: Any) -> None:
    """Raise `InputError` for the first named value that is no number."""
    for name, value in named.items():
        held = isinstance(value, Tensor) or value != value or Kind(float).holds(value)
        that(held, name, "be a number", repr(value))


def whole(minimum: int, **named: Any) -> None:
    """Raise `InputError` for the first named value that is no whole number or below `minimum`."""
    for name, value in named.items():
        that(Kind(int).holds(value), name, "be a whole number", repr(value))
        that(value >= minimum, name, f"be at least {minimum}", repr(value))


def at_least(minimum: float, **named: float) -> None:
    """Raise `InputError` for the first named number that is below `minimum` (or NaN)."""
    number(**named)
    for name, value in named.items():
        that(value >= minimum, name, f"be at least {minimum}", repr(value))


def positive(**named: float) -> None:
    """Raise `InputError` for the first named number that is not above zero."""
    number(**named)
    for name, value in named.items():
        that(value > 0, name, "be positive", repr(value))


def probability(**named: float) -> None:
    """Raise `InputError` for the first named number outside [0, 1]."""
    number(**named)
    for name, value in named.items():
        that(0 <= value <= 1, name, "lie in [0, 1]", repr(value))


def one_of(choices: Sequence[object], **named: object) -> None:
    """Raise `InputError` for the first named value that is not among `choices`."""
    for name, value in named.items():
        if value not in choices:
            fail(name, f"be one of {list(choices)}", repr(value), nearest(str(value), [str(c) for c in choices]))


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean ...?`` with up to three near names, or an empty string."""
    known = sorted(known)
    folded = {k.lower(): k for k in known}
    sought = name.lower()
    begin = [k for k in folded if sought and k.startswith(sought)]
    close = [*begin, *(k for k in difflib.get_close_matches(sought, list(folded), n=3, cutoff=0.5) if k not in begin)][
        :3
    ]
    return f"did you mean {' or '.join(repr(folded[c]) for c in close)}?" if close else ""


def known(name: str, choices: Iterable[str], *, kind: str) -> None:
    """Raise `UnknownNameError` with the nearest names unless `name` is among `choices`."""
    choices = sorted(choices)
    that(isinstance(name, str), kind, "be a name", repr(name))
    if name not in choices:
        parts = [part.strip(" []'\"") for part in name.split(",")]
        many = f"several are a list: {parts}".replace("'", '"') if len(parts) > 1 and set(parts) <= set(choices) else ""
        hint = many or nearest(name, choices) or f"known: {', '.join(choices[:30])}{', …' if len(choices) > 30 else ''}"
        raise UnknownNameError(message(kind, "be a known name", repr(name), hint))


def options(given: Iterable[str], allowed: Iterable[str], *, owner: str) -> None:
    """Raise `UnknownNameError` with the nearest names for the first option that `owner` does not take."""
    allowed = sorted(allowed)
    for name in given:
        if name not in allowed:
            hint = nearest(name, allowed) or f"it takes: {', '.join(allowed) or 'no options'}"
            raise UnknownNameError(f"{owner} has no option {name!r}; {hint}")


def same_last_dim(**named: Tensor) -> None:
    """Raise `ShapeError` unless all named tensors have equally many columns."""
    sizes = {name: tensor.shape[-1] for name, tensor in named.items()}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"`{name}` has {size}" for name, size in sizes.items())
        raise ShapeError(f"{' and '.join(f'`{n}`' for n in sizes)} must have equally many objectives; {listed}")


def point(name: str, value: Any, m: int, *, like: Tensor | None = None, hint: str = "") -> Tensor:
    """Return `value` as a float tensor `[m]`, or raise one line that says how many entries are due."""
    dtype = like.dtype if like is not None and like.dtype.is_floating_point else torch.float64
    try:
        tensor = torch.as_tensor(value, dtype=dtype, device=None if like is None else like.device)
    except (TypeError, ValueError, RuntimeError):  # text, None, or rows of different lengths
        fail(name, f"be {m} numbers, one per objective", repr(value), hint)
    shape(
        tensor.ndim == 1 and tensor.shape[0] == m,
        name,
        f"have {m} entries, one per objective",
        tensor.shape[0] if tensor.ndim == 1 else f"shape {tuple(tensor.shape)}",
        hint,
    )
    that(not bool(torch.isnan(tensor).any()), name, "not contain NaN", tensor.tolist())
    return tensor


def package(name: str, *, extra: str) -> ModuleType:
    """Import an optional package, or raise `MissingPackageError` with the install command."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingPackageError(
            f'package {name!r} is needed here; install it with: pip install "paretokit[{extra}]"'
        ) from error
