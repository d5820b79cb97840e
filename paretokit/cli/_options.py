"""Values as a command line writes them: ``name=value``, numbers and names separated by commas."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Mapping, Sequence
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


def parse_numbers(text: str, name: str) -> list[float]:
    """Return ``"0.3,0.7"`` as numbers."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        check.fail(name, "be numbers separated by commas", repr(text), "for example 0.3,0.7")


def parse_names(text: str | None) -> list[str] | None:
    """Return ``"tin,content"`` as names; None where nothing is given."""
    return None if text is None else [part.strip() for part in text.split(",")]


def as_json(content: Any) -> str:
    """Return JSON that every parser reads: numbers that are not finite are null, other objects are text."""
    return json.dumps(_plain(content), indent=2, ensure_ascii=False)


def _plain(item: Any) -> Any:
    if isinstance(item, Mapping):
        return {str(key): _plain(value) for key, value in item.items()}
    if isinstance(item, list | tuple):
        return [_plain(value) for value in item]
    if isinstance(item, float):
        return item if math.isfinite(item) else None
    return item if item is None or isinstance(item, bool | int | str) else str(item)
