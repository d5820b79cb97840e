"""DARE: task vectors with most entries dropped at random and the others scaled up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.problems.merging import ModelMerging
from paretokit.solvers.merging._closed_form import ClosedForm, scales_of


@final
@dataclass(frozen=True, kw_only=True)
class DARE(ClosedForm):
    r"""Merges randomly thinned task vectors, which interfere less and are right in the mean.

    .. math:: \theta = \theta_0 + \lambda \sum_k \frac{m_k \odot \tau_k}{1 - p}, \qquad
              m_{ki} \sim \operatorname{Bernoulli}(1 - p)

    Attributes:
        drop: Probability p that an entry is dropped.
        scale: The coefficient λ, or several, of which each is measured under the same masks.
        rescale: Whether what stays is divided by 1 - p.

    Cost: one pass over the task vectors, their memory once more, and one evaluation a scale.

    Source: Yu, Yu, Yu, Huang and Li (2024), ICML. Deviation from the authors' code: masks follow from the run's seed, a
    lane of numbers a task.
    """

    drop: float = 0.9
    scale: float | Sequence[float] = 0.3
    rescale: bool = True

    def __post_init__(self) -> None:
        check.fields(self)
        check.that(0 <= self.drop < 1, "drop", "lie in [0, 1)", self.drop)
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
        """Return how the thinned task vectors are made."""
        key = rng.child("masks").key
        return {"method": "dare", "drop": self.drop, "rescale": self.rescale, "key": key}
