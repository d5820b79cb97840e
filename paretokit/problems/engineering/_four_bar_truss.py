"""RE21: four-bar truss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import Evaluation, Objective, Rng
from paretokit.core import _check as check
from paretokit.problems.engineering._design import EngineeringProblem, Variable, protocol_of, space_of

FORCE, MODULUS, LENGTH = 10.0, 2.0e5, 200.0  # kN, kN/cm², cm
ROOT2 = math.sqrt(2.0)


@final
@dataclass(frozen=True, kw_only=True)
class RE21(EngineeringProblem):
    r"""Four-bar truss: volume of material against displacement of the loaded joint; convex, with an exact front.

    .. math:: f_1 = L(2x_1 + \sqrt2 x_2 + \sqrt{x_3} + x_4), \quad
              f_2 = \frac{FL}{E}\Bigl(\frac2{x_1} + \frac{2\sqrt2}{x_2} - \frac{2\sqrt2}{x_3} + \frac2{x_4}\Bigr)

    Variables: cross sections x1 … x4 of the bars in cm². F = 10 kN, E = 2e5 kN/cm², L = 200 cm.

    Front: both objectives grow with x3, so x3 is at its lower bound; what remains is convex and separable, and
    setting the derivative of f1 + λ f2 to zero gives x1 = s, x2 = x4 = √2 s, clipped to the bounds, s in [√½, 3].

    Source: Cheng and Li (1999), Engineering Optimization; RE2-4-1 of Tanabe and Ishibuchi (2020), Applied Soft
    Computing 89, with the authors' later corrections of E and of the first term of f2.
    """

    id = "re21-v1"
    objectives = (Objective("structural volume", "min", "cm³"), Objective("joint displacement", "min", "cm"))
    variables = (
        Variable("bar 1 section", 1.0, 3.0, "cm²"),
        Variable("bar 2 section", ROOT2, 3.0, "cm²"),
        Variable("bar 3 section", ROOT2, 3.0, "cm²"),
        Variable("bar 4 section", 1.0, 3.0, "cm²"),
    )
    space = space_of(variables)
    protocol = protocol_of("re21-v1")
    front_kind = "exact"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        x1, x2, x3, x4 = x.unbind(-1)
        volume = LENGTH * (2 * x1 + ROOT2 * x2 + x3.sqrt() + x4)
        displacement = FORCE * LENGTH / MODULUS * (2 / x1 + 2 * ROOT2 / x2 - 2 * ROOT2 / x3 + 2 / x4)
        return Evaluation(torch.stack([volume, displacement], -1))

    def pareto_front(self, n: int | None = None) -> Tensor:
        """Return n points of the exact front `[n, 2]` (500 for None), from the lightest to the stiffest."""
        return self._evaluate(self.pareto_set(n), Rng.from_seed(0)).values

    def pareto_set(self, n: int | None = None) -> Tensor:
        """Return the decisions `[n, 4]` behind `pareto_front(n)`."""
        size = 500 if n is None else n
        check.at_least(1, n=size)
        s = torch.linspace(1 / ROOT2, 3.0, size, dtype=self.dtype, device=self.device)
        x = torch.stack([s, ROOT2 * s, torch.zeros_like(s), ROOT2 * s], -1)
        return torch.minimum(torch.maximum(x, self.space.lower.to(x)), self.space.upper.to(x))
