"""RE36 and CRE25: gear train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import Evaluation, Objective, Rng
from paretokit.problems.engineering._design import (
    VIOLATION,
    EngineeringProblem,
    Variable,
    constrained,
    penalized,
    protocol_of,
    space_of,
)

OBJECTIVES = (Objective("gear ratio error"), Objective("largest gear", "min", "teeth"))
VARIABLES = tuple(Variable(f"gear {i} teeth", 12, 60, whole=True) for i in range(1, 5))
RATIO = 6.931


def _model(x1: Tensor, x2: Tensor, x3: Tensor, x4: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    error = (RATIO - x3 / x1 * (x4 / x2)).abs()
    return [error, torch.stack([x1, x2, x3, x4]).amax(0)], [0.5 - error / RATIO]


@final
@dataclass(frozen=True, kw_only=True)
class RE36(EngineeringProblem):
    r"""Gear train: error of the ratio against the largest gear against an error above one half.

    .. math:: f_1 = \Bigl|6.931 - \frac{x_3 x_4}{x_1 x_2}\Bigr|, \quad f_2 = \max_i x_i, \quad
              f_3 = \max\Bigl(\frac{f_1}{6.931} - \frac12, 0\Bigr)

    Variables: teeth of the four gears, whole numbers from 12 to 60. The stored front is exact (all 5.8 million designs
    were enumerated).

    Source: Deb and Srinivasan (2006), GECCO; RE3-4-6 of Tanabe and Ishibuchi (2020), Applied Soft Computing 89.
    """

    id = "re36-v1"
    objectives = (*OBJECTIVES, VIOLATION)
    variables = VARIABLES
    space = space_of(variables)
    protocol = protocol_of("re36-v1")
    front_kind = "exact"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return penalized(*_model(*self.columns(x)))


@final
@dataclass(frozen=True, kw_only=True)
class CRE25(EngineeringProblem):
    """Gear train with an error of at most one half as a constraint: error against the largest gear. See `RE36`."""

    id = "cre25-v1"
    objectives = OBJECTIVES
    variables = VARIABLES
    space = space_of(variables)
    n_constraints = 1
    protocol = protocol_of("cre25-v1")
    front_kind = "exact"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return constrained(*_model(*self.columns(x)))
