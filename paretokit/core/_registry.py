"""Names to classes, imported when asked for: an id costs nothing until somebody makes it."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paretokit.core import _check as check


@dataclass(frozen=True)
class Registry:
    """A table from id to dotted path ``module:Class``.

    Attributes:
        kind: "problem" or "solver", for messages.
        paths: The table.
    """

    kind: str
    paths: Mapping[str, str]

    def names(self) -> list[str]:
        """Return all ids, sorted."""
        return sorted(self.paths)

    def get(self, name: str) -> type:
        """Return the class of an id.

        Raises:
            UnknownNameError: With the nearest ids.
        """
        check.known(name, self.paths, kind=self.kind)
        module, _, attribute = self.paths[name].partition(":")
        found: type = getattr(importlib.import_module(module), attribute)
        return found

    def make(self, name: str, options: Mapping[str, Any]) -> Any:
        """Return an instance of an id; an option that its constructor does not take is refused with the nearest.

        Raises:
            UnknownNameError: For an unknown id or option.
        """
        found = self.get(name)
        check.options(options, option_names(found), owner=name)
        return found(**options)


def option_names(target: type) -> list[str]:
    """Return the keyword options that a class's constructor takes."""
    if dataclasses.is_dataclass(target):
        return [f.name for f in dataclasses.fields(target) if f.init]
    return [p for p in inspect.signature(target).parameters if p != "self"]
