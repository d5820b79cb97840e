"""RE22: reinforced concrete beam."""

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

# fmt: off
STEEL_AREAS = (
    0.20, 0.31, 0.40, 0.44, 0.60, 0.62, 0.79, 0.80, 0.88, 0.93, 1.0, 1.20, 1.24, 1.32, 1.40, 1.55, 1.58, 1.60, 1.76,
    1.80, 1.86, 2.0, 2.17, 2.20, 2.37, 2.40, 2.48, 2.60, 2.64, 2.79, 2.80, 3.0, 3.08, 3.10, 3.16, 3.41, 3.52, 3.60,
    3.72, 3.95, 3.96, 4.0, 4.03, 4.20, 4.34, 4.40, 4.65, 4.74, 4.80, 4.84, 5.0, 5.28, 5.40, 5.53, 5.72, 6.0, 6.16,
    6.32, 6.60, 7.11, 7.20, 7.80, 7.90, 8.0, 8.40, 8.69, 9.0, 9.48, 10.27, 11.0, 11.06, 11.85, 12.0, 13.0, 14.0, 15.0,
)
# fmt: on


@final
@dataclass(frozen=True, kw_only=True)
class RE22(EngineeringProblem):
    r"""Reinforced concrete beam: cost of concrete and steel against violated strength and proportion rules.

    .. math:: f_1 = 29.4 A_s + 0.6 b h, \quad
              g_1 = A_s h - 7.735 A_s^2 / b - 180 \ge 0, \quad g_2 = 4 - h / b \ge 0, \quad f_2 = \sum \max(-g_i, 0)

    Variables: area A_s of the reinforcement in in² (one of 76 sums of standard bars; the column holds the index of
    the entry), width b and depth h of the beam in in. At b = 0 the rules are undefined and the row counts as failed.

    Source: Amir and Hasegawa (1989), J. Structural Engineering; RE2-3-2 of Tanabe and Ishibuchi (2020), Applied Soft
    Computing 89. The authors' code reads the table's entry 3.10 as the two numbers 3 and 10; here it is 3.10.
    """

    id = "re22-v1"
    objectives = (Objective("cost"), VIOLATION)
    variables = (
        Variable.table("reinforcement area", STEEL_AREAS, "in²"),
        Variable("beam width", 0.0, 20.0, "in"),
        Variable("beam depth", 0.0, 40.0, "in"),
    )
    space = space_of(variables)
    protocol = protocol_of("re22-v1")
    front_kind = "approximate"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        area, width, depth = self.columns(x)
        cost = 29.4 * area + 0.6 * width * depth
        return penalized([cost], [area * depth - 7.735 * area.square() / width - 180.0, 4.0 - depth / width])
