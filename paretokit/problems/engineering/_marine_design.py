"""RE42 and CRE32: conceptual marine design."""

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
    Objective("transport cost", "min", "£/t"),
    Objective("light ship weight", "min", "t"),
    Objective("annual cargo", "max", "t"),
)
VARIABLES = (
    Variable("length", 150.0, 274.32, "m"),
    Variable("beam", 20.0, 32.31, "m"),
    Variable("depth", 13.0, 25.0, "m"),
    Variable("draft", 10.0, 11.71, "m"),
    Variable("speed", 14.0, 18.0, "kn"),
    Variable("block coefficient", 0.63, 0.75),
)


def _model(*columns: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    length, beam, depth, draft, speed, block = columns
    displacement = 1.025 * length * beam * draft * block
    froude = 0.5144 * speed / (9.8065 * length).sqrt()
    a = 4977.06 * block**2 - 8105.61 * block + 4456.51
    b = -10847.2 * block**2 + 12817.0 * block - 6960.32
    power = displacement ** (2.0 / 3.0) * speed**3 / (a + b * froude)
    outfit = length**0.8 * beam**0.6 * depth**0.3 * block**0.1
    steel = 0.034 * length**1.7 * beam**0.7 * depth**0.4 * block**0.5
    light_ship = steel + outfit + 0.17 * power**0.9
    deadweight = displacement - light_ship

    capital = 0.2 * 1.3 * (2000.0 * steel**0.85 + 3500.0 * outfit + 2400.0 * power**0.8)
    running = 40000.0 * deadweight**0.3
    sea_days = 5000.0 / 24.0 * speed
    fuel_a_day = 0.19 * power * 24.0 / 1000.0 + 0.2
    voyage = 1.05 * fuel_a_day * sea_days * 100.0 + 6.3 * deadweight**0.8
    cargo = deadweight - fuel_a_day * (sea_days + 5.0) - 2.0 * deadweight**0.5
    trips = 350.0 / (sea_days + 2.0 * (cargo / 8000.0 + 0.5))
    annual_cargo = cargo * trips
    cost = (capital + running + voyage * trips) / annual_cargo

    metacenter = 0.53 * draft + (0.085 * block - 0.002) * beam**2 / (draft * block)
    slack = [
        length / beam - 6.0,
        15.0 - length / depth,
        19.0 - length / draft,
        0.45 * deadweight**0.31 - draft,
        0.7 * depth + 0.7 - draft,
        500000.0 - deadweight,
        deadweight - 3000.0,
        0.32 - froude,
        metacenter - (1.0 + 0.52 * depth) - 0.07 * beam,
    ]
    return [cost, light_ship, annual_cargo], slack


@final
@dataclass(frozen=True, kw_only=True)
class RE42(EngineeringProblem):
    r"""Conceptual design of a bulk carrier: transport cost, light ship weight, annual cargo, violated limits.

    Variables: length L, beam B, depth D, draft T in m, speed V in knots, block coefficient C. The annual cost of
    capital, running and voyages over the annual cargo is f1, the weight of the empty ship f2, the annual cargo f3
    (maximized here; the suite minimizes its negative), and f4 sums the shortfalls of nine limits on proportions,
    deadweight, Froude number and stability.

    As in the suite, a voyage takes :math:`\frac{5000}{24} V` days at sea (the original model divides by V), so that
    fuel outweighs cargo, and the annual cargo and with it f1 are negative over most of the space. The
    deadweight's upper limit is 500000 t, the authors' correction of 2021.

    Source: Parsons and Scott (2004), J. Ship Research 48; RE4-6-2 of Tanabe and Ishibuchi (2020), Applied Soft
    Computing 89.
    """

    id = "re42-v1"
    objectives = (*OBJECTIVES, VIOLATION)
    variables = VARIABLES
    space = space_of(variables)
    protocol = protocol_of("re42-v1")
    front_kind = "approximate"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return penalized(*_model(*self.columns(x)))


@final
@dataclass(frozen=True, kw_only=True)
class CRE32(EngineeringProblem):
    """Conceptual design of a bulk carrier with its nine limits as constraints: cost, weight, cargo. See `RE42`."""

    id = "cre32-v1"
    objectives = OBJECTIVES
    variables = VARIABLES
    space = space_of(variables)
    n_constraints = 9
    protocol = protocol_of("cre32-v1")
    front_kind = "approximate"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return constrained(*_model(*self.columns(x)))
