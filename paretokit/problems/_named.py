"""Problems that the user named, and that no recipe can rebuild."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

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
