"""What the solvers know of an environment: it is stepped in stacks `[P, N, ...]` and holds no state of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from paretokit.core import Objective


@dataclass(frozen=True)
class Discrete:
    """Actions 0 … n - 1, int64 `[P, N]`.

    Attributes:
        n: Number of actions.
    """

    n: int


@dataclass(frozen=True)
class Continuous:
    """Actions in a box, `[P, N, k]`; infinite bounds are allowed.

    Attributes:
        low, high: Bounds, one each a dimension.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    @property
    def dim(self) -> int:
        """Number of dimensions k."""
        return len(self.low)


Actions = Discrete | Continuous


@dataclass
class Move:
    """What one step of all lanes gave.

    Attributes:
        state: The environment's state after the step.
        reward: `[P, N, m]`, float64, in the user's senses (larger is better).
        terminated: Whether the environment ended the episode, bool `[P, N]`; time limits are not its business.
    """

    state: Any
    reward: Tensor
    terminated: Tensor


class Environment(ABC):
    """A multi-objective environment as pure functions of stacked states.

    All randomness comes in as `noise`: uniform numbers in [0, 1), float64, that the caller drew from each member's own
    lane. The same noise gives the same step on every device, alone or stacked, and a test can inject what it likes.
    Leading axes are always `[P, N]`: P members with N lanes each.

    Class or instance attributes:
        id: MO-Gymnasium's id of the environment.
        objectives: One `Objective` a reward component, all of sense "max".
        observation_dim: Length o of an observation.
        actions: `Discrete` or `Continuous`.
        horizon: The registered time limit in steps, or None.
        reset_noise, step_noise: Uniform numbers that one reset and one step of one lane take.
        functional: Whether a state is a tensor `[P, N, s]` (true), or an opaque handle on live objects (false).
        n_states: Number of distinct observations where the environment is tabular (`state_index` numbers them), else 0.
        discount: Customary discount of published returns, the problem's default.
        reference_point: Customary reference point at that discount, or None.
        front_kind: What `pareto_front` returns: "exact", "approximate", "exact convex coverage set", or "unknown".
    """

    id: str
    objectives: tuple[Objective, ...]
    observation_dim: int
    actions: Actions
    horizon: int | None = None
    reset_noise: int = 0
    step_noise: int = 0
    functional: bool = True
    n_states: int = 0
    discount: float = 0.99
    reference_point: tuple[float, ...] | None = None
    front_kind: str = "unknown"

    @property
    def n_objectives(self) -> int:
        """Number m of reward components."""
        return len(self.objectives)

    @abstractmethod
    def initial(self, noise: Tensor) -> Any:
        """Return first states of episodes for `noise [P, N, reset_noise]`."""

    @abstractmethod
    def step(self, state: Any, action: Tensor, noise: Tensor) -> Move:
        """Return what actions (`[P, N]` or `[P, N, k]`, checked) do in `state`; `state` itself stays as it was.

        Args:
            state: `[P, N, s]`.
            action: int64 for `Discrete`, floating point for `Continuous`.
            noise: Uniform numbers `[P, N, step_noise]`.
        """

    @abstractmethod
    def observe(self, state: Any) -> Tensor:
        """Return observations `[P, N, o]`, float32."""

    def reset(self, state: Any, mask: Tensor, noise: Tensor) -> Any:
        """Return `state` with a fresh episode in the lanes of `mask [P, N]`."""
        return torch.where(mask.unsqueeze(-1), self.initial(noise), state)

    def state_index(self, observation: Tensor) -> Tensor:
        """Return the number `[P, N]`, below `n_states`, of tabular observations `[P, N, o]`."""
        raise TypeError(f"{self.id} is not tabular")

    def pareto_front(self, discount: float) -> Tensor | None:
        """Return all known points `[n, m]` of the front of discounted returns of deterministic policies, or None."""
        return None

    def to(self, device: torch.device | str) -> Environment:
        """Return the environment with its tables on a device."""
        return self
