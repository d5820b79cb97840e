"""RE23: pressure vessel."""

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

PLATE = 0.0625  # thickness step of rolled plate, in


@final
@dataclass(frozen=True, kw_only=True)
class RE23(EngineeringProblem):
    r"""Cylindrical pressure vessel with round heads: cost against violated code rules and missing volume.

    With the thicknesses :math:`t_s = 0.0625 n_s, t_h = 0.0625 n_h` in in,

    .. math:: f_1 &= 0.6224 t_s R L + 1.7781 t_h R^2 + 3.1661 t_s^2 L + 19.84 t_s^2 R \\
              g &= (t_s - 0.0193 R,\; t_h - 0.00954 R,\; \pi R^2 L + \tfrac43 \pi R^3 - 1296000) \ge 0

    and f2 the sum of the shortfalls. Variables: thicknesses of shell and head as multiples of 1/16 in (the columns
    hold the whole numbers n), inner radius R and length L of the shell in in. `decode` gives thicknesses in inches.

    Source: Kannan and Kramer (1994), J. Mechanical Design; RE2-4-3 of Tanabe and Ishibuchi (2020), Applied Soft
    Computing 89.
    """

    id = "re23-v1"
    objectives = (Objective("cost", "min", "$"), VIOLATION)
    variables = (
        Variable("shell thickness", 1, 100, "in", whole=True, step=PLATE),
        Variable("head thickness", 1, 100, "in", whole=True, step=PLATE),
        Variable("inner radius", 10.0, 200.0, "in"),
        Variable("shell length", 10.0, 240.0, "in"),
    )
    space = space_of(variables)
    protocol = protocol_of("re23-v1")
    front_kind = "approximate"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        shell, head, radius, length = self.columns(x)
        cost = (
            0.6224 * shell * radius * length
            + 1.7781 * head * radius**2
            + 3.1661 * shell**2 * length
            + 19.84 * shell**2 * radius
        )
        volume = math.pi * radius**2 * length + 4.0 / 3.0 * math.pi * radius**3
        return penalized([cost], [shell - 0.0193 * radius, head - 0.00954 * radius, volume - 1296000.0])
