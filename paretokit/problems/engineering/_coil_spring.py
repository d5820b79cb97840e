"""RE25: coil compression spring."""

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
    penalized,
    protocol_of,
    space_of,
)

# fmt: off
WIRES = (
    0.092, 0.105, 0.12, 0.135, 0.148, 0.162, 0.177, 0.192, 0.207, 0.225, 0.244, 0.263, 0.283, 0.307, 0.331, 0.362,
    0.394, 0.4375, 0.5,
)
# fmt: on
LOAD, PRELOAD, STRESS, MODULUS = 1000.0, 300.0, 189000.0, 11.5e6  # lb, lb, psi, psi


@final
@dataclass(frozen=True, kw_only=True)
class RE25(EngineeringProblem):
    r"""Coil compression spring: volume of wire against violated limits of stress, length and deflection.

    With N coils of wire diameter d and outside diameter D,

    .. math:: f_1 &= \tfrac{\pi^2}4 D d^2 (N + 2), \quad K = \frac{G d^4}{8 N D^3}, \quad
              C = \frac{4D/d - 1}{4D/d - 4} + \frac{0.615 d}{D}, \quad \ell = F/K + 1.05 (N + 2) d \\
              g &= \Bigl(S - \frac{8 C F D}{\pi d^3},\; 14 - \ell,\; \frac Dd - 3,\; 6 - \frac{F_p}K,\;
              \ell - \frac FK - 1.05 (N + 2) d,\; 1.25 - \frac{F - F_p}K\Bigr) \ge 0

    and f2 the sum of the shortfalls; F = 1000 lb, F_p = 300 lb, S = 189000 psi, G = 11.5e6 psi. Variables: N (whole),
    D in in, d in in (one of 19 standard wires; the column holds the index of the entry).

    Source: Lampinen and Zelinka (1999), New Ideas in Optimization; RE2-3-5 of Tanabe and Ishibuchi (2020), Applied
    Soft Computing 89, with the authors' later correction of G. The fifth constraint holds with equality always.
    """

    id = "re25-v1"
    objectives = (Objective("wire volume", "min", "in³"), VIOLATION)
    variables = (
        Variable("coils", 1, 70, whole=True),
        Variable("outside diameter", 0.6, 3.0, "in"),
        Variable.table("wire diameter", WIRES, "in"),
    )
    space = space_of(variables)
    protocol = protocol_of("re25-v1")
    front_kind = "approximate"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        coils, outside, wire = self.columns(x)
        ratio = outside / wire
        volume = math.pi**2 / 4.0 * outside * wire**2 * (coils + 2)
        curvature = (4.0 * ratio - 1) / (4.0 * ratio - 4) + 0.615 / ratio
        stiffness = MODULUS * wire**4 / (8 * coils * outside**3)
        free_length = LOAD / stiffness + 1.05 * (coils + 2) * wire
        slack = [
            STRESS - 8 * curvature * LOAD * outside / (math.pi * wire**3),
            14.0 - free_length,
            ratio - 3.0,
            6.0 - PRELOAD / stiffness,
            1.25 - (LOAD - PRELOAD) / stiffness,
        ]
        return penalized([volume], slack)
