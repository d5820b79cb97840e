"""RE41 and CRE31: car side impact."""

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

OBJECTIVES = (
    Objective("weight", "min", "kg"),
    Objective("pubic force", "min", "kN"),
    Objective("V-pillar velocity", "min", "mm/ms"),
)
VARIABLES = (
    Variable("B-pillar inner", 0.5, 1.5, "mm"),
    Variable("B-pillar reinforcement", 0.45, 1.35, "mm"),
    Variable("floor side inner", 0.5, 1.5, "mm"),
    Variable("cross members", 0.5, 1.5, "mm"),
    Variable("door beam", 0.875, 2.625, "mm"),
    Variable("door beltline reinforcement", 0.4, 1.2, "mm"),
    Variable("roof rail", 0.4, 1.2, "mm"),
)


def _model(*columns: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    x1, x2, x3, x4, x5, x6, x7 = columns
    weight = 1.98 + 4.9 * x1 + 6.67 * x2 + 6.98 * x3 + 4.01 * x4 + 1.78 * x5 + 0.00001 * x6 + 2.73 * x7
    force = 4.72 - 0.5 * x4 - 0.19 * x2 * x3
    pillar = 10.58 - 0.674 * x1 * x2 - 0.67275 * x2
    door = 16.45 - 0.489 * x3 * x7 - 0.843 * x5 * x6
    abdomen = 1.16 - 0.3717 * x2 * x4 - 0.0092928 * x3
    upper_viscous = 0.261 - 0.0159 * x1 * x2 - 0.06486 * x1 - 0.019 * x2 * x7 + 0.0144 * x3 * x5 + 0.0154464 * x6
    middle_viscous = (
        0.214
        + 0.00817 * x5
        - (0.045195 + 0.0135168) * x1
        + 0.03099 * x2 * x6
        - 0.018 * x2 * x7
        + (0.007176 + 0.023232) * x3
        - 0.00364 * x5 * x6
        - 0.018 * x2**2
    )
    lower_viscous = 0.74 - 0.61 * x2 - 0.031296 * x3 - 0.031872 * x7 + 0.227 * x2**2
    upper_rib = 28.98 + 3.818 * x3 - 4.2 * x1 * x2 + 1.27296 * x6 - 2.68065 * x7
    middle_rib = 33.86 + 2.95 * x3 - 5.057 * x1 * x2 - 3.795 * x2 - 3.4431 * x7 + 1.45728
    lower_rib = 46.36 - 9.9 * x2 - 4.4505 * x1
    slack = [
        1.0 - abdomen,
        0.32 - upper_viscous,
        0.32 - middle_viscous,
        0.32 - lower_viscous,
        32.0 - upper_rib,
        32.0 - middle_rib,
        32.0 - lower_rib,
        4.0 - force,
        9.9 - pillar,
        15.7 - door,
    ]
    return [weight, force, 0.5 * (pillar + door)], slack


@final
@dataclass(frozen=True, kw_only=True)
class RE41(EngineeringProblem):
    """Car side impact: weight against pubic force against pillar velocity against violated safety limits.

    Variables: seven sheet thicknesses in mm. Response surfaces of crash simulations give the weight of the car, the
    force on the pubic symphysis, the mean velocity of the V-pillar in the side impact, and ten limits (abdomen load,
    three viscous criteria, three rib deflections, force, two velocities), whose shortfalls f4 sums.

    Source: Jain and Deb (2014), IEEE Transactions on Evolutionary Computation 18, part II; RE4-7-1 of Tanabe and
    Ishibuchi (2020), Applied Soft Computing 89.
    """

    id = "re41-v1"
    objectives = (*OBJECTIVES, VIOLATION)
    variables = VARIABLES
    space = space_of(variables)
    protocol = protocol_of("re41-v1")
    front_kind = "approximate"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return penalized(*_model(*self.columns(x)))


@final
@dataclass(frozen=True, kw_only=True)
class CRE31(EngineeringProblem):
    """Car side impact with its ten safety limits as constraints: weight, force, velocity. See `RE41`."""

    id = "cre31-v1"
    objectives = OBJECTIVES
    variables = VARIABLES
    space = space_of(variables)
    n_constraints = 10
    protocol = protocol_of("cre31-v1")
    front_kind = "approximate"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return constrained(*_model(*self.columns(x)))
