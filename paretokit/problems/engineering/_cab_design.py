"""RE91: car cab design."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import Evaluation, Objective, Rng
from paretokit.core import _check as check
from paretokit.problems.engineering._design import EngineeringProblem, space_of
from paretokit.problems.engineering._side_impact import VARIABLES

OBJECTIVES = (
    Objective("weight", "min", "kg"),
    *(
        Objective(f"{name} / limit", "min")
        for name in (
            "abdomen load",
            "upper viscous criterion",
            "middle viscous criterion",
            "lower viscous criterion",
            "mean rib deflection",
            "pubic force",
            "B-pillar velocity",
            "front door velocity",
        )
    ),
)


@final
@dataclass(frozen=True, kw_only=True)
class RE91(EngineeringProblem):
    r"""Car cab: weight against eight crash responses, each as a share of its limit, under uncertain conditions.

    Variables: the seven sheet thicknesses of `RE41` in mm. Two material strengths, barrier height and hitting position
    are random: :math:`x_8 \sim N(0.345, 0.006^2), x_9 \sim N(0.192, 0.006^2), x_{10}, x_{11} \sim N(0, 10^2)`, drawn
    anew for every row. Responses are cut off at zero. No front is known.

    Args:
        uncertain: Whether the four quantities are drawn; otherwise they sit at their means and values are exact.

    Source: Deb, Gupta, Daum, Branke, Mall and Padmanabhan (2009), IEEE Transactions on Evolutionary Computation 13;
    RE9-7-1 of Tanabe and Ishibuchi (2020), Applied Soft Computing 89.
    """

    uncertain: bool = True

    id = "re91-v1"
    objectives = OBJECTIVES
    variables = VARIABLES
    space = space_of(VARIABLES)

    def __post_init__(self) -> None:
        check.fields(self)
        object.__setattr__(self, "deterministic", not self.uncertain)

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        x1, x2, x3, x4, x5, x6, x7 = x.unbind(-1)
        noise = rng.child("conditions").normal(x.shape[0], 4).to(x) if self.uncertain else x.new_zeros(x.shape[0], 4)
        x8, x9, x10, x11 = (
            noise * x.new_tensor([0.006, 0.006, 10.0, 10.0]) + x.new_tensor([0.345, 0.192, 0.0, 0.0])
        ).unbind(-1)
        weight = 1.98 + 4.9 * x1 + 6.67 * x2 + 6.98 * x3 + 4.01 * x4 + 1.75 * x5 + 0.00001 * x6 + 2.73 * x7
        abdomen = 1.16 - 0.3717 * x2 * x4 - 0.00931 * x2 * x10 - 0.484 * x3 * x9 + 0.01343 * x6 * x10
        upper_viscous = (
            0.261
            - 0.0159 * x1 * x2
            - 0.188 * x1 * x8
            - 0.019 * x2 * x7
            + 0.0144 * x3 * x5
            + 0.87570001 * x5 * x10
            + 0.08045 * x6 * x9
            + 0.00139 * x8 * x11
            + 0.00001575 * x10 * x11
        )
        middle_viscous = (
            0.214
            + 0.00817 * x5
            - 0.131 * x1 * x8
            - 0.0704 * x1 * x9
            + 0.03099 * x2 * x6
            - 0.018 * x2 * x7
            + 0.0208 * x3 * x8
            + 0.121 * x3 * x9
            - 0.00364 * x5 * x6
            + 0.0007715 * x5 * x10
            - 0.0005354 * x6 * x10
            + 0.00121 * x8 * x11
            + 0.00184 * x9 * x10
            - 0.018 * x2**2
        )
        lower_viscous = 0.74 - 0.61 * x2 - 0.163 * x3 * x8 + 0.001232 * x3 * x10 - 0.166 * x7 * x9 + 0.227 * x2**2
        upper_rib = (
            28.98 + 3.818 * x3 - 4.2 * x1 * x2 + 0.0207 * x5 * x10 + 6.63 * x6 * x9 - 7.77 * x7 * x8 + 0.32 * x9 * x10
        )
        middle_rib = (
            33.86
            + 2.95 * x3
            + 0.1792 * x10
            - 5.057 * x1 * x2
            - 11 * x2 * x8
            - 0.0215 * x5 * x10
            - 9.98 * x7 * x8
            + 22 * x8 * x9
        )
        lower_rib = 46.36 - 9.9 * x2 - 12.9 * x1 * x8 + 0.1107 * x3 * x10
        force = 4.72 - 0.5 * x4 - 0.19 * x2 * x3 - 0.0122 * x4 * x10 + 0.009325 * x6 * x10 + 0.000191 * x11**2
        pillar = 10.58 - 0.674 * x1 * x2 - 1.95 * x2 * x8 + 0.02054 * x3 * x10 - 0.0198 * x4 * x10 + 0.028 * x6 * x10
        door = 16.45 - 0.489 * x3 * x7 - 0.843 * x5 * x6 + 0.0432 * x9 * x10 - 0.0556 * x9 * x11 - 0.000786 * x11**2
        shares = [
            abdomen,
            upper_viscous / 0.32,
            middle_viscous / 0.32,
            lower_viscous / 0.32,
            (upper_rib + middle_rib + lower_rib) / 96.0,
            force / 4.0,
            pillar / 9.9,
            door / 15.7,
        ]
        return Evaluation(torch.stack([weight, *(share.clamp_min(0) for share in shares)], -1))
