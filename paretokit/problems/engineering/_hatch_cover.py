"""RE24: hatch cover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor

from paretokit.core import Evaluation, Objective, Rng
from paretokit.problems.engineering._design import (
    VIOLATION,
    EngineeringProblem,
    Variable,
    penalized,
    protocol_of,
    space_of,
)

MODULUS = 700000.0  # kg/cm²


@final
@dataclass(frozen=True, kw_only=True)
class RE24(EngineeringProblem):
    r"""Hatch cover of a ship: weight against violated limits of stress, buckling and deflection.

    .. math:: f_1 &= x_1 + 120 x_2, \quad \sigma_b = \frac{4500}{x_1 x_2}, \quad \sigma_k = \frac{E x_1^2}{100}, \quad
              \tau = \frac{1800}{x_2}, \quad \delta = \frac{562000}{E x_1 x_2^2} \\
              g &= (1 - \sigma_b / 700,\; 1 - \tau / 450,\; 1 - \delta / 1.5,\; 1 - \sigma_b / \sigma_k) \ge 0

    and f2 the sum of the shortfalls. Variables: thickness x1 of the flange and height x2 of the beam in cm.

    Source: Amir and Hasegawa (1989), J. Structural Engineering; RE2-2-4 of Tanabe and Ishibuchi (2020), Applied Soft
    Computing 89.
    """

    id = "re24-v1"
    objectives = (Objective("weight", "min"), VIOLATION)
    variables = (Variable("flange thickness", 0.5, 4.0, "cm"), Variable("beam height", 0.5, 50.0, "cm"))
    space = space_of(variables)
    protocol = protocol_of("re24-v1")
    front_kind = "approximate"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        flange, height = x.unbind(-1)
        bending, buckling = 4500.0 / (flange * height), MODULUS * flange**2 / 100.0
        shear, deflection = 1800.0 / height, 56.2 * 10000.0 / (MODULUS * flange * height**2)
        slack = [1 - bending / 700.0, 1 - shear / 450.0, 1 - deflection / 1.5, 1 - bending / buckling]
        return penalized([flange + 120.0 * height], slack)
