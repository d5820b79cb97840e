"""RegMean as a solver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.problems.merging import ModelMerging
from paretokit.problems.merging._tasks import count
from paretokit.solvers.merging._data_form import DataForm


@final
@dataclass(frozen=True, kw_only=True)
class RegMean(DataForm):
    r"""Merges each linear layer into the one whose answers are nearest to those of every fine-tuning.

    .. math:: W^\top = \Big(\sum_k G_k\Big)^{-1} \sum_k G_k W_k^\top, \qquad G_k = \tfrac1n X_k^\top X_k

    with the layer's inputs :math:`X_k` on the k-th task's data; off-diagonal entries of G are shrunk, all other tensors
    are averaged.

    Attributes:
        examples: Unlabeled examples a task.
        off_diagonal: Factor of the entries of G off its diagonal.

    Cost: one forward pass an example, and for each layer of n inputs O(n^3).

    Source: Jin, Ren, Preotiuc-Pietro and Cheng (2023), ICLR. Deviation from the authors' code: a millionth of the mean
    diagonal entry is added to it (and to the right side), so that inputs that are always zero leave a plain mean.
    """

    examples: int = 256
    off_diagonal: float = 0.95

    def __post_init__(self) -> None:
        check.fields(self)
        check.at_least(1, examples=self.examples)
        check.probability(off_diagonal=self.off_diagonal)

    def variant(self, problem: ModelMerging, rng: Rng) -> dict[str, Any]:
        """Return how the direction is made."""
        options = {"examples": self.examples, "off_diagonal": self.off_diagonal}
        return {"method": "regmean", **options, "key": rng.child("examples").key}

    def making(self, problem: ModelMerging) -> float:
        """Return a forward pass for each example."""
        return float(sum(min(self.examples, count(t.unlabeled)) for t in problem.tasks))
