"""TIES: task vectors trimmed and freed of sign conflicts before they are added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.problems.merging import ModelMerging
from paretokit.solvers.merging._closed_form import ClosedForm, scales_of


@final
@dataclass(frozen=True, kw_only=True)
class TIES(ClosedForm):
    r"""Merges what is left of task vectors after small entries and those against the elected sign are dropped.

    .. math:: \hat\tau_k = \text{the largest entries of } \tau_k, \quad
              s = \operatorname{sign} \sum_k \hat\tau_k, \quad
              \tilde\tau_k = \hat\tau_k [\operatorname{sign} \hat\tau_k = s], \quad
              \theta = \theta_0 + \lambda \operatorname{agg}_k \tilde\tau_k

    where agg is the mean over the task vectors that kept the coordinate ("mean"), or the sum ("sum").

    Attributes:
        trim: Share of each task vector that is kept, its largest entries over all tensors together.
        scale: The coefficient λ, or several, of which each is measured.
        aggregate: "mean" or "sum"; with the sum a scale near 0.3 is usual.

    Cost: a few passes over the task vectors, and one evaluation a scale.

    Source: Yadav, Tam, Choshen, Raffel and Bansal (2023), NeurIPS. Deviations from the authors' code: see
    `TaskVectors.processed`, which keeps what the share says and not one entry more.
    """

    trim: float = 0.2
    scale: float | Sequence[float] = 1.0
    aggregate: Literal["mean", "sum"] = "mean"

    def __post_init__(self) -> None:
        check.fields(self)
        check.that(0 < self.trim <= 1, "trim", "lie in (0, 1]", self.trim, "the share that is kept; 0.2 keeps a fifth")
        check.one_of(("mean", "sum"), aggregate=self.aggregate)
        scales_of("scale", self.scale)
        if not isinstance(self.scale, (int, float)):
            object.__setattr__(self, "scale", tuple(self.scale))

    @property
    def count(self) -> int:
        """Number of scales."""
        return len(scales_of("scale", self.scale))

    def scales(self, problem: ModelMerging) -> tuple[float, ...]:
        """Return the given scales."""
        return scales_of("scale", self.scale)

    def variant(self, problem: ModelMerging, rng: Rng) -> dict[str, Any]:
        """Return how the one merged direction is made."""
        return {"method": "ties", "trim": self.trim, "aggregate": self.aggregate}
