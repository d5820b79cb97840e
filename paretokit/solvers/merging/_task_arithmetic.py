"""Task arithmetic: the sum of the task vectors, scaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from paretokit.core import _check as check
from paretokit.problems.merging import ModelMerging
from paretokit.solvers.merging._closed_form import ClosedForm, scales_of


@final
@dataclass(frozen=True, kw_only=True)
class TaskArithmetic(ClosedForm):
    r"""Merges by the scaled sum of the task vectors, at one scale or along a grid of them.

    .. math:: \theta = \theta_0 + \lambda \sum_k \tau_k

    Attributes:
        scale: The coefficient λ, or several, of which each is measured and the non-dominated ones are the front.

    Cost: one pass over the task vectors and one evaluation a scale.

    Source: Ilharco et al. (2023), ICLR, with λ = 0.3 as in its data-free comparisons; small networks prefer 0.1 to 0.2.
    """

    scale: float | Sequence[float] = 0.3

    def __post_init__(self) -> None:
        check.fields(self)
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
