"""The outcome of a decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from paretokit.core import Front, Solution


@dataclass(frozen=True, eq=False)
class Choice:
    """One solution of a front and why it was chosen.

    Attributes:
        solution: The chosen row.
        rule: The rule that chose it.
        preference: The preference on the simplex `[m]`, or None where the rule takes none.
        aspiration: The aspiration point `[m]` in the user's senses, where the rule takes one.
        why: One sentence on what was given up for what.
    """

    solution: Solution
    rule: str
    preference: tuple[float, ...] | None
    aspiration: tuple[float, ...] | None
    why: str

    @property
    def x(self) -> Tensor | None:
        """The decision `[d]`, or None where the front came without decisions."""
        return self.solution.x

    @property
    def values(self) -> Tensor:
        """Its objective values `[m]`, in the user's senses."""
        return self.solution.values

    @property
    def index(self) -> int:
        """Its row in the front."""
        return self.solution.index

    @property
    def front(self) -> Front:
        """The front that it was chosen from."""
        return self.solution.front

    def decode(self) -> Any:
        """Return what the user deploys (see `Solution.decode`)."""
        return self.solution.decode()

    def __getitem__(self, objective: str) -> float:
        return self.solution[objective]

    def __str__(self) -> str:
        pairs = zip(self.front.objectives, self.values.tolist(), strict=True)
        shown = ", ".join(f"{o.name} {v:.4g} {o.unit}".rstrip() for o, v in pairs)
        return f"{shown} (row {self.index}, by {self.rule}): {self.why}"
