"""Problems that the user named, and that no recipe can rebuild."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from paretokit.core import Objective, Problem, Space


class NamedProblem(Problem):
    """A problem known by its name, objectives and space only; the code behind it is not looked at."""

    def __init__(self, *, objectives: Sequence[Objective], space: Space, n_constraints: int, name: str) -> None:
        self.objectives, self.space, self.n_constraints, self._name = tuple(objectives), space, n_constraints, name

    @property
    def name(self) -> str:
        """What tables and titles call the problem."""
        return self._name

    def fingerprint(self) -> str:
        """Return a hash of name, objectives, space and number of constraints."""
        return hashlib.blake2b(f"{self.name} {Problem.fingerprint(self)}".encode(), digest_size=8).hexdigest()


def function_name(function: Callable[..., Any]) -> str:
    """Return what a problem of a user's function is called: as the function is, or "function" where it has no name."""
    name = str(getattr(function, "__name__", type(function).__name__))
    return name if name.isidentifier() else "function"
