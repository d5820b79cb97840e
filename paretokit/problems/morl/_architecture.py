"""What a policy is made of, before it meets an environment, and how its decision row is read once it has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from paretokit.core import Rng, Space
from paretokit.problems.morl._environment import Actions, Environment


@dataclass(frozen=True, kw_only=True)
class Surface:
    """What a policy sees of an environment.

    Attributes:
        observation_dim: Length o of an observation.
        actions: `Discrete` or `Continuous`.
        n_objectives: Number m of reward components.
        n_states: Number of observations where they can be numbered, else 0.
    """

    observation_dim: int
    actions: Actions
    n_objectives: int
    n_states: int = 0

    @classmethod
    def of(cls, environment: Environment) -> Surface:
        """Return an environment's."""
        return cls(
            observation_dim=environment.observation_dim,
            actions=environment.actions,
            n_objectives=environment.n_objectives,
            n_states=environment.n_states,
        )


class Wiring(ABC):
    """An architecture bound to a surface: how a decision row acts.

    Attributes:
        space: The rows `[d]`.
    """

    space: Space

    @abstractmethod
    def act(self, rows: Tensor, observation: Tensor, accrued: Tensor, noise: Tensor | None) -> Tensor:
        """Return actions `[P, N]` or `[P, N, k]` of rows `[P, d]`.

        Args:
            rows: Policies.
            observation: `[P, N, o]`, float32.
            accrued: Discounted reward of the episode so far `[P, N, m]`.
            noise: Uniform numbers `[P, N, noise]` to sample with, or None for the mode.
        """

    @property
    @abstractmethod
    def noise(self) -> int:
        """Uniform numbers that one sampled action takes."""


class Architecture(ABC):
    """A frozen record that says what policies are made of."""

    kind: ClassVar[str]

    @abstractmethod
    def wire(self, surface: Surface, environment: Environment | None = None) -> Wiring:
        """Return the architecture bound to a surface (`environment` numbers the states of tabular ones)."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return JSON-able options, `kind` included; `architecture_of` reads them back."""


class Policies(Space):
    """Rows of network weights followed by columns that variation leaves alone (normalization, preference).

    Args:
        n_parameters: Columns that are decided, each within [-bound, bound].
        kept: Default values `[d - n_parameters]` of the others; any finite value is allowed there.
        bound: Of the parameters.
        initialize: Returns n parameter rows `[n, n_parameters]` for an `Rng`.
        what: Description, JSON-able.
    """

    def __init__(
        self, n_parameters: int, kept: Tensor, *, bound: float, initialize: Any, what: Mapping[str, Any]
    ) -> None:
        self.n_parameters, self._initialize, self._what = n_parameters, initialize, dict(what)
        edge = torch.full((n_parameters,), bound, dtype=torch.float64)
        kept = kept.to(torch.float64)
        kinds = torch.zeros(n_parameters + len(kept), dtype=torch.int64)
        super().__init__(torch.cat([-edge, kept]), torch.cat([edge, kept]), kinds)

    def contains(self, x: Tensor) -> Tensor:
        """Tell for each row whether its parameters are within the bound and all of it is finite."""
        bound = float(self.upper[0])
        return (x[..., : self.n_parameters].abs() <= bound).all(-1) & torch.isfinite(x).all(-1)

    def contains_all(self, x: Tensor) -> bool:
        """Tell whether all rows do."""
        return bool(self.contains(x).all())

    def project(self, x: Tensor) -> Tensor:
        """Return rows with their parameters clipped; the kept columns stay."""
        bound = float(self.upper[0])
        return torch.cat([x[..., : self.n_parameters].clamp(-bound, bound), x[..., self.n_parameters :]], -1)

    def sample(self, n: int, rng: Rng, *, dtype: torch.dtype = torch.float64) -> Tensor:
        """Return n rows `[n, d]` of random policies."""
        rows = self._initialize(n, rng).to(torch.float64)
        kept = self.lower[self.n_parameters :].expand(n, -1)
        return torch.cat([rows, kept], -1).to(dtype)

    def describe(self) -> dict[str, Any]:
        """Return architecture and bound."""
        return {"kind": "Policies", "bound": float(self.upper[0]), **self._what}
