"""RE31 and CRE21: two-bar truss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

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

OBJECTIVES = (Objective("structural volume", "min", "m³"), Objective("stress in bar AC", "min", "kPa"))
VARIABLES = (
    Variable("section of bar AC", 1e-5, 100.0, "m²"),
    Variable("section of bar BC", 1e-5, 100.0, "m²"),
    Variable("height", 1.0, 3.0, "m"),
)


def _model(ac: Tensor, bc: Tensor, y: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    long, short = (16.0 + y**2).sqrt(), (1.0 + y**2).sqrt()
    volume, stress = ac * long + bc * short, 20.0 * long / (ac * y)
    return [volume, stress], [0.1 - volume, 1e5 - stress, 1e5 - 80.0 * short / (y * bc)]


@final
@dataclass(frozen=True, kw_only=True)
class RE31(EngineeringProblem):
    r"""Two-bar truss: volume against stress against violated limits of volume and both stresses.

    .. math:: f_1 &= x_1 \sqrt{16 + y^2} + x_2 \sqrt{1 + y^2}, \quad f_2 = \frac{20 \sqrt{16 + y^2}}{x_1 y} \\
              g &= \Bigl(0.1 - f_1,\; 10^5 - f_2,\; 10^5 - \frac{80 \sqrt{1 + y^2}}{x_2 y}\Bigr) \ge 0

    and f3 the sum of the shortfalls. Variables: sections x1, x2 of the bars in m², height y of the joint in m.

    Source: Coello Coello and Pulido (2005), Structural and Multidisciplinary Optimization; RE3-3-1 of Tanabe and
    Ishibuchi (2020), Applied Soft Computing 89.
    """

    id = "re31-v1"
    objectives = (*OBJECTIVES, VIOLATION)
    variables = VARIABLES
    space = space_of(variables)
    protocol = protocol_of("re31-v1")
    front_kind = "approximate"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return penalized(*_model(*self.columns(x)))


@final
@dataclass(frozen=True, kw_only=True)
class CRE21(EngineeringProblem):
    """Two-bar truss with its three limits as constraints: volume against stress. See `RE31`."""

    id = "cre21-v1"
    objectives = OBJECTIVES
    variables = VARIABLES
    space = space_of(variables)
    n_constraints = 3
    protocol = protocol_of("cre21-v1")
    front_kind = "approximate"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return constrained(*_model(*self.columns(x)))
