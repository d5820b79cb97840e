"""Packages whose names are imported when they are first used."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from paretokit.core import _check as check


def lazy_names(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a package's `__getattr__`, which imports a name's module when it is first asked for, and its `__dir__`.

    Args:
        package: Its `__name__`.
        homes: The private module of each name.
    """

    def find(name: str) -> Any:
        if name in homes:
            return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
        hint = check.nearest(name, homes)
        raise AttributeError(f"module {package!r} has no attribute {name!r}" + (f"; {hint}" if hint else ""))

    return find, lambda: sorted(homes)
