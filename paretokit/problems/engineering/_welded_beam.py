"""RE32 and CRE22: welded beam."""

from __future__ import annotations

import math
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

OBJECTIVES = (Objective("cost", "min", "$"), Objective("end deflection", "min", "in"))
VARIABLES = (
    Variable("weld thickness", 0.125, 5.0, "in"),
    Variable("weld length", 0.1, 10.0, "in"),
    Variable("beam height", 0.1, 10.0, "in"),
    Variable("beam thickness", 0.125, 5.0, "in"),
)
LOAD, LENGTH, YOUNG, SHEAR = 6000.0, 14.0, 30.0e6, 12.0e6  # lb, in, psi, psi


def _model(h: Tensor, length: Tensor, t: Tensor, b: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    cost = 1.10471 * h**2 * length + 0.04811 * t * b * (14.0 + length)
    deflection = 4 * LOAD * LENGTH**3 / (YOUNG * b * t**3)
    offset = ((h + t) / 2.0).square()
    radius = (length**2 / 4.0 + offset).sqrt()
    throat = math.sqrt(2.0) * h * length
    polar = 2 * throat * (length**2 / 12.0 + offset)
    primary, secondary = LOAD / throat, LOAD * (LENGTH + length / 2) * radius / polar
    tau = (primary**2 + primary * secondary * length / radius + secondary**2).sqrt()
    sigma = 6 * LOAD * LENGTH / (b * t**2)
    slender = 1 - t / (2 * LENGTH) * math.sqrt(YOUNG / (4 * SHEAR))
    buckling = 4.013 * YOUNG * t * b**3 / (6.0 * LENGTH**2) * slender
    return [cost, deflection], [13600.0 - tau, 30000.0 - sigma, b - h, buckling - LOAD]


@final
@dataclass(frozen=True, kw_only=True)
class RE32(EngineeringProblem):
    r"""Welded beam: cost of welding and material against deflection against violated limits.

    With weld thickness h and length l, beam height t and thickness b (all in inches), P = 6000 lb, L = 14 in,
    E = 30e6 psi, G = 12e6 psi,

    .. math:: f_1 &= 1.10471 h^2 l + 0.04811 t b (14 + l), \quad f_2 = \frac{4 P L^3}{E b t^3} \\
              g &= (13600 - \tau,\; 30000 - \sigma,\; b - h,\; P_c - P) \ge 0, \quad \sigma = \frac{6PL}{b t^2}, \quad
              P_c = \frac{4.013 E t b^3}{6 L^2} \Bigl(1 - \frac{t}{2L} \sqrt{\frac{E}{4G}}\Bigr)

    and f3 the sum of the shortfalls. The shear stress combines the primary :math:`\tau' = P / (\sqrt2 h l)` and the
    torsional :math:`\tau'' = M R / J` with :math:`M = P (L + l/2)`, :math:`R^2 = l^2/4 + (h + t)^2/4`,
    :math:`J = 2 \sqrt2 h l (l^2/12 + (h + t)^2/4)` as :math:`\tau^2 = \tau'^2 + \tau' \tau'' l / R + \tau''^2`.

    Source: Ray and Liew (2002), Engineering Optimization; RE3-4-2 of Tanabe and Ishibuchi (2020), Applied Soft
    Computing 89.
    """

    id = "re32-v1"
    objectives = (*OBJECTIVES, VIOLATION)
    variables = VARIABLES
    space = space_of(variables)
    protocol = protocol_of("re32-v1")
    front_kind = "approximate"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return penalized(*_model(*self.columns(x)))


@final
@dataclass(frozen=True, kw_only=True)
class CRE22(EngineeringProblem):
    """Welded beam with its four limits as constraints: cost against deflection. See `RE32`."""

    id = "cre22-v1"
    objectives = OBJECTIVES
    variables = VARIABLES
    space = space_of(variables)
    n_constraints = 4
    protocol = protocol_of("cre22-v1")
    front_kind = "approximate"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return constrained(*_model(*self.columns(x)))
