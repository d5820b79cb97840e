"""Fisher merging as a solver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import torch

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.problems.merging import ModelMerging
from paretokit.problems.merging._directions import examples_of
from paretokit.problems.merging._tasks import count
from paretokit.solvers.merging._data_form import DataForm


@final
@dataclass(frozen=True, kw_only=True)
class FisherMerging(DataForm):
    r"""Averages each weight by how much each fine-tuning's predictions depend on it.

    .. math:: \theta_i = \frac{\sum_k (F_{ki} + \epsilon)\,\theta_{ki}}{\sum_k (F_{ki} + \epsilon)}, \qquad
              F_{ki} = \mathbb E_x \sum_y p_k(y \mid x)
              \Big(\frac{\partial \log p_k(y \mid x)}{\partial \theta_i}\Big)^2

    Attributes:
        examples: Unlabeled examples a task.
        floor: The number ε; where nothing depends on a weight, fine-tunings count equally.
        normalize: Whether each task's F is divided by its Euclidean norm, so that no task outweighs another.

    Cost: one forward and a backward pass a class for each example.

    Source: Matena and Raffel (2022), NeurIPS. Deviation from a widespread code: squares are taken example by example,
    not of a batch's summed gradient.
    """

    examples: int = 256
    floor: float = 1e-6
    normalize: bool = False

    def __post_init__(self) -> None:
        check.fields(self)
        check.at_least(1, examples=self.examples)
        check.positive(floor=self.floor)

    def variant(self, problem: ModelMerging, rng: Rng) -> dict[str, Any]:
        """Return how the direction is made."""
        options = {"examples": self.examples, "floor": self.floor, "normalize": self.normalize}
        return {"method": "fisher", **options, "key": rng.child("examples").key}

    def making(self, problem: ModelMerging) -> float:
        """Return a forward and a backward pass a class for each example."""
        drawn = [examples_of(problem, k, examples=1, rng=Rng(0)) for k in range(len(problem.tasks))]
        with torch.no_grad():
            classes = [z.shape[-1] for z in problem.runner.logits(drawn)]
        sizes = [min(self.examples, count(t.unlabeled)) for t in problem.tasks]
        return float(sum(n * (1 + 2 * c) for n, c in zip(sizes, classes, strict=True)))
