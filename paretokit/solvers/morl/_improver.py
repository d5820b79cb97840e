"""How policies are improved: P members in one stack, each along its own weights or utility."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from torch import Tensor

from paretokit.core import Cost, Lanes
from paretokit.problems.morl._architecture import Architecture
from paretokit.problems.morl._morl import MORL


class Utility(Protocol):
    """What each member wants of a whole return, larger better: differentiable in the returns."""

    def __call__(self, returns: Tensor, preference: Tensor) -> Tensor:
        """Return utilities `[P, ...]` of returns `[P, ..., m]` for preferences `[P, m]`."""
        ...


@dataclass
class Aim:
    """What the members strive for during one call of `improve`.

    Attributes:
        weights: Weights `[P, m]` of the objectives' expected returns, at least 0: the preference for a weighted sum,
            the gradient of a non-linear utility at the present returns (SER).
        preference: Preferences `[P, m]` on the simplex that `utility` reads.
        utility: Utility of an episode's return, for improvers that maximize its expectation (ESR).
    """

    weights: Tensor
    preference: Tensor
    utility: Utility | None = None


@dataclass
class Spent:
    """What an improver has spent on all its members together.

    Attributes:
        env_steps: Environment steps of training.
        gradient_steps: Optimizer steps, a step of P members counting P.
    """

    env_steps: int = 0
    gradient_steps: int = 0

    def cost(self, evaluations: int, evaluation_steps: int) -> Cost:
        """Return the cost with measuring beside: `env_steps` is training alone, `work` both."""
        return Cost(
            evaluations=evaluations,
            env_steps=self.env_steps,
            gradient_steps=self.gradient_steps,
            work=float(self.env_steps + evaluation_steps),
        )


S = TypeVar("S")


class Improver(ABC, Generic[S]):
    """A frozen record of hyper-parameters; the state is a dataclass of tensors and numbers with a member axis P.

    Members never mix unless the method says so (a shared buffer): P members equal P separate runs, because each draws
    from its own lane and the losses are summed.

    Class attributes:
        criterion: "SER" (weights of expected returns) or "ESR" (utility of an episode's return).
        state_type: The state's dataclass. It has the attribute `spent`.
    """

    criterion: ClassVar[str] = "SER"
    state_type: ClassVar[type]

    def unsupported(self, problem: MORL) -> str | None:
        """Return why it cannot train on the problem (e.g. "its actions are continuous"), or None."""
        return None

    @abstractmethod
    def architecture(self, problem: MORL) -> Architecture:
        """Return what its policies are made of: decision rows are those of ``problem.with_policy(architecture)``."""

    @abstractmethod
    def start(self, problem: MORL, lanes: Lanes, preference: Tensor) -> S:
        """Return P untrained members, one a lane, for preferences `[P, m]`."""

    @abstractmethod
    def improve(self, problem: MORL, state: S, aim: Aim) -> S:
        """Return the members after one unit of training (a rollout and its updates); may change `state` in place."""

    @abstractmethod
    def rows(self, problem: MORL, state: S) -> Tensor:
        """Return the members' policies as decision rows `[P, d]`, copied."""

    @abstractmethod
    def select(self, state: S, members: Tensor) -> S:
        """Return the state of some members (`[Q]` indices, repeats allowed), copied."""

    @abstractmethod
    def transfer(self, state: S, source: int, target: int) -> None:
        """Copy the networks of one member over those of another, whose optimizer begins anew; in place."""

    def restore(self, problem: MORL, state: S) -> S:
        """Return the state with its transient fields rebuilt after loading."""
        return state


AnyImprover = Improver[Any]
