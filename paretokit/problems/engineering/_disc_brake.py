"""RE33 and CRE23: disc brake."""

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

OBJECTIVES = (Objective("mass", "min", "kg"), Objective("stopping time", "min", "s"))
VARIABLES = (
    Variable("inner radius", 55.0, 80.0, "mm"),
    Variable("outer radius", 75.0, 110.0, "mm"),
    Variable("engaging force", 1000.0, 3000.0, "N"),
    Variable("friction surfaces", 11.0, 20.0),
)


def _model(inner: Tensor, outer: Tensor, force: Tensor, surfaces: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    squares, cubes = outer**2 - inner**2, outer**3 - inner**3
    mass = 4.9e-5 * squares * (surfaces - 1.0)
    time = 9.82e6 * squares / (force * surfaces * cubes)
    slack = [
        outer - inner - 20.0,
        0.4 - force / (3.14 * squares),
        1.0 - 2.22e-3 * force * cubes / squares**2,
        2.66e-2 * force * surfaces * cubes / squares - 900.0,
    ]
    return [mass, time], slack


@final
@dataclass(frozen=True, kw_only=True)
class RE33(EngineeringProblem):
    r"""Disc brake: mass against stopping time against violated limits of pressure, temperature and torque.

    With inner and outer radius r, R in mm, engaging force F in N, number s of friction surfaces (real, as in the
    suite), :math:`Q = R^2 - r^2, C = R^3 - r^3`,

    .. math:: f_1 &= 4.9 \cdot 10^{-5} Q (s - 1), \quad f_2 = \frac{9.82 \cdot 10^6 Q}{F s C} \\
              g &= \Bigl(R - r - 20,\; 0.4 - \frac{F}{3.14 Q},\; 1 - \frac{0.00222 F C}{Q^2},\;
              \frac{0.0266 F s C}{Q} - 900\Bigr) \ge 0

    and f3 the sum of the shortfalls. At R = r the brake is undefined and the row counts as failed.

    Source: Ray and Liew (2002), Engineering Optimization; RE3-4-3 of Tanabe and Ishibuchi (2020), Applied Soft
    Computing 89.
    """

    id = "re33-v1"
    objectives = (*OBJECTIVES, VIOLATION)
    variables = VARIABLES
    space = space_of(variables)
    protocol = protocol_of("re33-v1")
    front_kind = "approximate"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return penalized(*_model(*self.columns(x)))


@final
@dataclass(frozen=True, kw_only=True)
class CRE23(EngineeringProblem):
    """Disc brake with its four limits as constraints: mass against stopping time. See `RE33`."""

    id = "cre23-v1"
    objectives = OBJECTIVES
    variables = VARIABLES
    space = space_of(variables)
    n_constraints = 4
    protocol = protocol_of("cre23-v1")
    front_kind = "approximate"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return constrained(*_model(*self.columns(x)))
