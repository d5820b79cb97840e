"""RE61 and CRE51: water resource planning."""

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
    Objective("drainage network cost", "min", "$"),
    Objective("storage cost", "min", "$"),
    Objective("treatment cost", "min", "$"),
    Objective("expected flood damage", "min", "$"),
    Objective("expected flood loss", "min", "$"),
)
VARIABLES = (
    Variable("detention storage", 0.01, 0.45, "basin-in"),
    Variable("treatment rate", 0.01, 0.10, "in/h"),
    Variable("overflow rate", 0.01, 0.10, "in/h"),
)
AREA = 2289.0  # of the basin, acres


def _model(storage: Tensor, treatment: Tensor, overflow: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    product = storage * treatment
    costs = [
        106780.37 * (treatment + overflow) + 61704.67,
        3000.0 * storage,
        305700.0 * AREA * treatment / (0.06 * AREA) ** 0.65,
        250.0 * AREA * (2.74 - 39.75 * treatment + 9.9 * overflow).exp(),
        25.0 * (1.39 / product + 4940.0 * overflow - 80.0),
    ]
    slack = [
        1.0 - (0.00139 / product + 4.94 * overflow - 0.08),
        1.0 - (0.000306 / product + 1.082 * overflow - 0.0986),
        50000.0 - (12.307 / product + 49408.24 * overflow + 4051.02),
        16000.0 - (2.098 / product + 8046.33 * overflow - 696.71),
        10000.0 - (2.138 / product + 7883.39 * overflow - 705.04),
        2000.0 - (0.417 * product + 1721.26 * overflow - 136.54),
        550.0 - (0.164 / product + 631.13 * overflow - 54.48),
    ]
    return costs, slack


@final
@dataclass(frozen=True, kw_only=True)
class RE61(EngineeringProblem):
    r"""Water resource planning of an urban basin: three costs and two expected flood losses against violated limits.

    With storage s in basin-inches, treatment rate t and overflow rate o in inches an hour,

    .. math:: f = \bigl(106780.37 (t + o) + 61704.67,\; 3000 s,\; 305700 \cdot 2289 t / (0.06 \cdot 2289)^{0.65},\;
              250 \cdot 2289 e^{2.74 - 39.75 t + 9.9 o},\; 25 (1.39 / (s t) + 4940 o - 80)\bigr)

    and f6 sums the shortfalls of seven limits on floods and pollutants. As in the suite, the sixth limit holds the
    product s t where the others hold its inverse.

    Source: Musselman and Talavage (1980), J. Environmental Economics and Management; RE6-3-1 of Tanabe and Ishibuchi
    (2020), Applied Soft Computing 89.
    """

    id = "re61-v1"
    objectives = (*OBJECTIVES, VIOLATION)
    variables = VARIABLES
    space = space_of(variables)
    protocol = protocol_of("re61-v1")
    front_kind = "approximate"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return penalized(*_model(*self.columns(x)))


@final
@dataclass(frozen=True, kw_only=True)
class CRE51(EngineeringProblem):
    """Water resource planning with its seven limits as constraints: three costs and two losses. See `RE61`."""

    id = "cre51-v1"
    objectives = OBJECTIVES
    variables = VARIABLES
    space = space_of(variables)
    n_constraints = 7
    protocol = protocol_of("cre51-v1")
    front_kind = "approximate"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return constrained(*_model(*self.columns(x)))
