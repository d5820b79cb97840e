"""What a network answers along a trajectory: how to go on, how it came here, how much flows through."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.problems.design._environment import DesignEnvironment


@dataclass(frozen=True)
class Outputs:
    """What a flow model says of states.

    Attributes:
        forward: Logits of the actions `[..., A]`, illegal ones included (log edge flows for flow matching).
        backward: Logits of the backward actions `[..., B]` where the backward policy is learned, else None.
        log_flow: Log flow through the states `[...]`.
    """

    forward: Tensor
    backward: Tensor | None
    log_flow: Tensor


class Walker(Protocol):
    """A model on the way: what it keeps of the states before, so that a step costs one state (key-value caches)."""

    def logits(self, states: Tensor, step: int) -> Tensor:
        """Return the logits of the actions `[n, A]` of the states `[n, k]` after `step` actions, no gradients."""
        ...


class FlowModel(ABC):
    """A network bound to an environment; its parameters are one flat row `[D]`.

    Attributes:
        environment: Whose states it reads.
        condition_dim: Entries c of a condition; 0 where there is none.
        backward: Whether it gives logits of backward actions.
    """

    environment: DesignEnvironment
    condition_dim: int
    backward: bool

    @property
    @abstractmethod
    def n_parameters(self) -> int:
        """Length D of a row."""

    @abstractmethod
    def initial(self, rng: Rng, *, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return an initialized row `[D]`."""

    @abstractmethod
    def outputs(self, row: Tensor, states: Tensor, condition: Tensor | None) -> Outputs:
        """Return the outputs of states `[n, k]` under conditions `[n, c]`."""

    def along(self, row: Tensor, states: Tensor, condition: Tensor | None) -> Outputs | None:
        """Return the outputs of whole trajectories `[T, n, k]` in one pass, `[T, n, ...]`.

        None where the model has no cheaper way than state by state, so that the caller may leave out states.
        """
        return None

    def walker(self, row: Tensor, condition: Tensor | None) -> Walker:
        """Return the model at the start of n trajectories under conditions `[n, c]`; reads each state anew."""
        return Afresh(self, row, condition)


@dataclass
class Afresh:
    """A walker that keeps nothing."""

    model: FlowModel
    row: Tensor
    condition: Tensor | None

    def logits(self, states: Tensor, step: int) -> Tensor:
        """Return the model's logits."""
        return self.model.outputs(self.row, states, self.condition).forward


class PolicyNetwork(ABC):
    """An architecture before it meets an environment: a frozen record of widths and depths."""

    @abstractmethod
    def bind(self, environment: DesignEnvironment, *, condition_dim: int, backward: bool) -> FlowModel:
        """Return the model for an environment.

        Raises:
            InputError: If the architecture does not fit it.
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return the kind and the options, JSON-able."""


def masked_log_softmax(logits: Tensor, mask: Tensor) -> Tensor:
    """Return log-probabilities over legal entries, -inf elsewhere; rows without any are all -inf, with no gradient."""
    some = mask.any(-1, keepdim=True)
    logits = torch.where(mask | ~some, logits, -torch.inf)
    return torch.where(mask, torch.log_softmax(logits, -1), -torch.inf)
