"""Methods of merging on the eight-task suite: one run is the test accuracies of one method under one condition."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

import paretokit as pk
from paretokit.core import Solver
from paretokit.problems.merging import ModelMerging
from paretokit.solvers.merging import (
    TIES,
    AdaMerging,
    FisherMerging,
    RegMean,
    TaskArithmetic,
    WeightAveraging,
)

GRID = tuple(round(0.05 * i, 2) for i in range(1, 21))
NARROW = GRID[:10]  # the sum of eight task vectors is best at a fifth or less
NEVER = 1 << 30  # no measurement but the first and the last

SOLVERS: Mapping[str, Solver[Any]] = {
    "averaging": WeightAveraging(),
    "task arithmetic 0.3": TaskArithmetic(scale=0.3),
    "task arithmetic best": TaskArithmetic(scale=NARROW),
    "TIES 0.3": TIES(scale=0.3, aggregate="sum"),
    "TIES best": TIES(scale=GRID, aggregate="sum"),
    "RegMean": RegMean(),
    "AdaMerging task-wise": AdaMerging(layerwise=False, evaluate_every=NEVER),
    "AdaMerging layer-wise": AdaMerging(evaluate_every=NEVER),
    "AdaMerging layer-wise++": AdaMerging(ties=True, evaluate_every=NEVER),
    "Fisher": FisherMerging(),
}
METHODS = ("individual", "pretrained", *SOLVERS)


@dataclass(frozen=True)
class Condition:
    """What a merge sees; see `paretokit.problems.merging.suite`.

    Attributes:
        protocol: "transductive" or "split".
        corruption: Of test and unlabeled images, or "none".
        unlabeled: Share of the unlabeled images.
        imbalance: Frequency of the commonest class over that of the rarest.
    """

    protocol: str = "transductive"
    corruption: str = "none"
    unlabeled: float = 1.0
    imbalance: float = 1.0

    def problem(self, encoder: str, seed: int) -> ModelMerging:
        """Return the suite under this condition."""
        options = {**dataclasses.asdict(self), "seed": seed}
        options["corruption"] = None if self.corruption == "none" else self.corruption
        made = pk.problems.make(f"merging-{encoder}-v1", **options)
        assert isinstance(made, ModelMerging)
        return made


@lru_cache(maxsize=1)
def problem_of(encoder: str, seed: int, condition: Condition) -> ModelMerging:
    """Return the suite under a condition, kept for the next method."""
    return condition.problem(encoder, seed)


def accuracies(encoder: str, seed: int, method: str, condition: Condition) -> dict[str, Any]:
    """Return a method's test accuracy on each task and their mean, in %, the scale where it has one, and its work."""
    problem = problem_of(encoder, seed, condition)
    scale: float | str = ""
    work = 0.0
    if method in SOLVERS:
        result = pk.solve(problem, SOLVERS[method], seed=seed, progress=False)
        values, work = result.held_out, result.cost.work
        if method.endswith("best"):  # in hindsight: all scales, not only those that validation leaves
            view = result.front.problem
            assert view is not None
            x = result.state.x
            values = view.assess(x)[0]
            best = int(values.mean(1).argmax())
            values, scale = values[best : best + 1], float(x[best, 0])
        assert values is not None
        found = values[0]
    else:
        found = references(problem, method)
    own = {name.partition(" on ")[2]: 100 * float(v) for name, v in zip(names(problem), found, strict=True)}
    return {"accuracy": sum(own.values()) / len(own), **own, "scale": scale, "examples": work}


def names(problem: ModelMerging) -> list[str]:
    """Return the names of the objectives."""
    return [o.name for o in problem.objectives]


def references(problem: ModelMerging, method: str) -> Tensor:
    """Return the test accuracies of the pretrained encoder, or of each fine-tuning on its own task."""
    layers, tasks = problem.n_coefficients
    if method == "pretrained":
        return problem.assess(torch.zeros(1, layers * tasks))[0][0]
    alone = torch.eye(tasks).unsqueeze(1).expand(-1, layers, -1).reshape(tasks, -1)
    if problem.batch_norm == "estimate":  # fine-tunings keep the statistics of their training
        options = dict(problem.options() or {})
        return references(pk.problems.make(problem.id, **{**options, "batch_norm": "merge"}), method)  # type: ignore[arg-type]
    return problem.assess(alone)[0].diagonal()
