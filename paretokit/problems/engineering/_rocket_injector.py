"""RE37: rocket injector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import Evaluation, Objective, Rng
from paretokit.problems.engineering._design import EngineeringProblem, Variable, protocol_of, space_of

# Rows: monomials as exponents of (alpha, HA, OA, OPTT); one coefficient an objective.
# fmt: off
RESPONSE = (
    ((0, 0, 0, 0), (0.692, 0.153, 0.370)),
    ((1, 0, 0, 0), (0.477, -0.322, -0.205)),
    ((0, 1, 0, 0), (-0.687, 0.396, 0.0307)),
    ((0, 0, 1, 0), (-0.080, 0.424, 0.108)),
    ((0, 0, 0, 1), (-0.0650, 0.0226, 1.019)),
    ((2, 0, 0, 0), (-0.167, 0.175, -0.135)),
    ((1, 1, 0, 0), (-0.0129, 0.0185, 0.0141)),
    ((0, 2, 0, 0), (0.0796, -0.0701, 0.0998)),
    ((1, 0, 1, 0), (-0.0634, -0.251, 0.208)),
    ((0, 1, 1, 0), (-0.0257, 0.179, -0.0301)),
    ((0, 0, 2, 0), (0.0877, 0.0150, -0.226)),
    ((1, 0, 0, 1), (-0.0521, 0.0134, 0.353)),
    ((0, 1, 0, 1), (0.00156, 0.0296, 0.0)),
    ((0, 0, 1, 1), (0.00198, 0.0752, -0.0497)),
    ((0, 0, 0, 2), (0.0184, 0.0192, -0.423)),
    ((2, 1, 0, 0), (0.0, 0.0, 0.202)),
    ((2, 0, 1, 0), (0.0, 0.0, -0.281)),
    ((1, 2, 0, 0), (0.0, 0.0, -0.342)),
    ((0, 2, 1, 0), (0.0, 0.0, -0.245)),
    ((0, 1, 2, 0), (0.0, 0.0, 0.281)),
    ((1, 0, 0, 2), (0.0, 0.0, -0.184)),
    ((1, 1, 1, 0), (0.0, 0.0, -0.281)),
)
# fmt: on


@final
@dataclass(frozen=True, kw_only=True)
class RE37(EngineeringProblem):
    """Rocket injector: face temperature against combustion length against post-tip temperature.

    Polynomial response surfaces of flow simulations: the maximum temperature of the injector face, the distance from
    the inlet at which combustion is complete, and the maximum temperature on the post tip, each scaled by the range
    of the simulations. Variables, scaled to [0, 1]: hydrogen flow angle, change of the hydrogen area, change of the
    oxygen area, thickness of the oxidizer post tip.

    Source: Vaidyanathan, Tucker, Papila and Shyy (2003), AIAA 2003-1160; RE3-4-7 of Tanabe and Ishibuchi (2020),
    Applied Soft Computing 89.
    """

    id = "re37-v1"
    objectives = (
        Objective("face temperature", "min", "scaled"),
        Objective("combustion length", "min", "scaled"),
        Objective("post-tip temperature", "min", "scaled"),
    )
    variables = tuple(
        Variable(name, 0.0, 1.0, "scaled")
        for name in ("hydrogen flow angle", "hydrogen area", "oxygen area", "post-tip thickness")
    )
    space = space_of(variables)
    protocol = protocol_of("re37-v1")
    front_kind = "approximate"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        powers = torch.stack([torch.ones_like(x), x, x**2], -1)
        terms = [
            powers[..., 0, a] * powers[..., 1, b] * powers[..., 2, c] * powers[..., 3, d]
            for (a, b, c, d), _ in RESPONSE
        ]
        coefficients = torch.tensor([row for _, row in RESPONSE], dtype=x.dtype, device=x.device)
        return Evaluation(torch.stack(terms, -1) @ coefficients)
