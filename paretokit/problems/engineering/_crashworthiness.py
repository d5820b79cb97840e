"""RE34: vehicle crashworthiness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import Evaluation, Objective, Rng
from paretokit.problems.engineering._design import EngineeringProblem, Variable, protocol_of, space_of


@final
@dataclass(frozen=True, kw_only=True)
class RE34(EngineeringProblem):
    """Vehicle crashworthiness: mass against collision acceleration against intrusion of the toe board.

    Variables: thickness of five reinforced members around the front of the car, in mm. Quadratic response surfaces of
    crash simulations: mass of the vehicle, integrated acceleration in the full frontal crash, and intrusion of the
    toe board in the offset frontal crash.

    Source: Liao, Li, Yang, Zhang and Li (2008), Structural and Multidisciplinary Optimization 35; RE3-5-4 of Tanabe
    and Ishibuchi (2020), Applied Soft Computing 89.
    """

    id = "re34-v1"
    objectives = (
        Objective("mass", "min", "kg"),
        Objective("acceleration", "min", "m/s²"),
        Objective("toe board intrusion", "min", "m"),
    )
    variables = tuple(Variable(f"member {i} thickness", 1.0, 3.0, "mm") for i in range(1, 6))
    space = space_of(variables)
    protocol = protocol_of("re34-v1")
    front_kind = "approximate"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        x1, x2, x3, x4, x5 = x.unbind(-1)
        mass = 1640.2823 + 2.3573285 * x1 + 2.3220035 * x2 + 4.5688768 * x3 + 7.7213633 * x4 + 4.4559504 * x5
        acceleration = (
            6.5856
            + 1.15 * x1
            - 1.0427 * x2
            + 0.9738 * x3
            + 0.8364 * x4
            - 0.3695 * x1 * x4
            + 0.0861 * x1 * x5
            + 0.3628 * x2 * x4
            - 0.1106 * x1**2
            - 0.3437 * x3**2
            + 0.1764 * x4**2
        )
        intrusion = (
            -0.0551
            + 0.0181 * x1
            + 0.1024 * x2
            + 0.0421 * x3
            - 0.0073 * x1 * x2
            + 0.024 * x2 * x3
            - 0.0118 * x2 * x4
            - 0.0204 * x3 * x4
            - 0.008 * x3 * x5
            - 0.0241 * x2**2
            + 0.0109 * x4**2
        )
        return Evaluation(torch.stack([mass, acceleration, intrusion], -1))
