"""Policies that are tables: one action a state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from torch import Tensor

from paretokit.core import Categorical
from paretokit.core import _check as check
from paretokit.problems.morl._architecture import Architecture, Surface, Wiring
from paretokit.problems.morl._environment import Discrete, Environment


@final
@dataclass(frozen=True, kw_only=True)
class Table(Architecture):
    """One action a state: a decision is the row of actions `[n_states]`, for tabular environments."""

    kind: ClassVar[str] = "table"

    def wire(self, surface: Surface, environment: Environment | None = None) -> TableWiring:
        """Return the table bound to a surface.

        Raises:
            InputError: If the environment does not number its states, or has continuous actions.
        """
        fits = surface.n_states > 0 and isinstance(surface.actions, Discrete) and environment is not None
        name = "" if environment is None else f" for {environment.id}"
        check.that(fits, "policy", f"be a network{name}, whose states are not numbered", "a table")
        assert environment is not None
        return TableWiring(surface, environment)

    def describe(self) -> dict[str, Any]:
        """Return the options."""
        return {"kind": self.kind}


@final
class TableWiring(Wiring):
    """How rows of actions act."""

    def __init__(self, surface: Surface, environment: Environment) -> None:
        assert isinstance(surface.actions, Discrete)
        self.surface, self.environment = surface, environment
        self.space = Categorical(surface.actions.n, surface.n_states)

    @property
    def noise(self) -> int:
        """None: tables are deterministic."""
        return 0

    def act(self, rows: Tensor, observation: Tensor, accrued: Tensor, noise: Tensor | None) -> Tensor:
        """Return the actions that the rows hold for the observed states."""
        return torch.gather(rows, 1, self.environment.state_index(observation)).to(torch.int64)
