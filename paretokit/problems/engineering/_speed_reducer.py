"""RE35 and CRE24: speed reducer."""

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

OBJECTIVES = (Objective("volume", "min", "cm³"), Objective("shaft 1 stress", "min", "kgf/cm²"))
VARIABLES = (
    Variable("face width", 2.6, 3.6, "cm"),
    Variable("tooth module", 0.7, 0.8, "cm"),
    Variable("pinion teeth", 17, 28, whole=True),
    Variable("shaft 1 length", 7.3, 8.3, "cm"),
    Variable("shaft 2 length", 7.3, 8.3, "cm"),
    Variable("shaft 1 diameter", 2.9, 3.9, "cm"),
    Variable("shaft 2 diameter", 5.0, 5.5, "cm"),
)


def _model(*columns: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    b, m, z, l1, l2, d1, d2 = columns
    volume = (
        0.7854 * b * m**2 * (10.0 / 3.0 * z**2 + 14.933 * z - 43.0934)
        - 1.508 * b * (d1**2 + d2**2)
        + 7.477 * (d1**3 + d2**3)
        + 0.7854 * (l1 * d1**2 + l2 * d2**2)
    )
    stress1 = ((745.0 * l1 / (m * z)).square() + 1.69e7).sqrt() / (0.1 * d1**3)
    stress2 = ((745.0 * l2 / (m * z)).square() + 1.575e8).sqrt() / (0.1 * d2**3)
    slack = [
        1.0 / 27.0 - 1.0 / (b * m**2 * z),
        1.0 / 397.5 - 1.0 / (b * m**2 * z**2),
        1.0 / 1.93 - l1**3 / (m * z * d1**4),
        1.0 / 1.93 - l2**3 / (m * z * d2**4),
        40.0 - m * z,
        12.0 - b / m,
        b / m - 5.0,
        l1 - 1.5 * d1 - 1.9,
        l2 - 1.1 * d2 - 1.9,
        1300.0 - stress1,
        1100.0 - stress2,
    ]
    return [volume, stress1], slack


@final
@dataclass(frozen=True, kw_only=True)
class RE35(EngineeringProblem):
    r"""Speed reducer: volume of the gearbox against stress in its first shaft against violated limits.

    With face width b, module m, z teeth, shaft lengths l and diameters d,

    .. math:: f_1 &= 0.7854 b m^2 (\tfrac{10}3 z^2 + 14.933 z - 43.0934) - 1.508 b (d_1^2 + d_2^2)
              + 7.477 (d_1^3 + d_2^3) + 0.7854 (l_1 d_1^2 + l_2 d_2^2) \\
              f_2 &= \frac{\sqrt{(745 l_1 / (m z))^2 + 1.69 \cdot 10^7}}{0.1 d_1^3}

    and f3 the sum of the shortfalls of eleven limits (bending and surface stress of the teeth, deflection and stress
    of the shafts, proportions). The number of teeth is whole; lengths are in cm. The suite's text calls f1 a weight.

    Source: Kurpati, Azarm and Wu (2002), Structural and Multidisciplinary Optimization; RE3-7-5 of Tanabe and
    Ishibuchi (2020), Applied Soft Computing 89.
    """

    id = "re35-v1"
    objectives = (*OBJECTIVES, VIOLATION)
    variables = VARIABLES
    space = space_of(variables)
    protocol = protocol_of("re35-v1")
    front_kind = "approximate"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return penalized(*_model(*self.columns(x)))


@final
@dataclass(frozen=True, kw_only=True)
class CRE24(EngineeringProblem):
    """Speed reducer with its eleven limits as constraints: volume against stress. See `RE35`."""

    id = "cre24-v1"
    objectives = OBJECTIVES
    variables = VARIABLES
    space = space_of(variables)
    n_constraints = 11
    protocol = protocol_of("cre24-v1")
    front_kind = "approximate"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return constrained(*_model(*self.columns(x)))
