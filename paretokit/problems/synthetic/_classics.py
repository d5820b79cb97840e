"""Small constrained problems of textbooks: BNH, SRN, TNK, OSY."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from paretokit.core import Box, Evaluation, Rng
from paretokit.problems.synthetic._base import Synthetic, count
from paretokit.problems.synthetic._points import DEFAULT, staircase, strided

SRN_TOP = math.acos(-2.5 / 15)  # angle at which the straight piece of SRN's front meets the circle
SRN_END = 1.899410666831129  # angle of least f2 on the circle: 9 sin a + 2 (15 sin a - 1) cos a = 0
TNK_END = 0.040099955671146936  # angle at which the wave meets the circle: sin(2a) = 0.1 cos(16a)


@dataclass(frozen=True, kw_only=True)
class Classic(Synthetic):
    """A constrained problem without options, its optimal decisions known as curves."""

    _lower: ClassVar[tuple[float, ...]]
    _upper: ClassVar[tuple[float, ...]]
    _constraints: ClassVar[int] = 2

    def __post_init__(self) -> None:
        self._define(Box(self._lower, self._upper), n_constraints=self._constraints)

    @abstractmethod
    def _optimal(self, t: Tensor) -> Tensor:
        """Return decisions that hold the front for parameters t in [0, 1], many for each."""

    def _optimal_values(self, n: int) -> Tensor:
        x = self._optimal(torch.linspace(0, 1, n, dtype=torch.float64))
        return self._evaluate(x, Rng.from_seed(0)).values

    def pareto_front(self, n: int | None = None) -> Tensor:
        """Return n well spread points of the true front; 1000 for None."""
        count(n)
        wanted = DEFAULT if n is None else n
        values = self._optimal_values(max(8 * wanted, 512))
        return self._own(strided(staircase(values), wanted))


def line(t: Tensor, start: Sequence[float], end: Sequence[float]) -> Tensor:
    """Return the points ``start + t (end - start)``, `[n, d]`."""
    a, b = torch.tensor(start, dtype=t.dtype), torch.tensor(end, dtype=t.dtype)
    return a + t[:, None] * (b - a)


@final
@dataclass(frozen=True, kw_only=True)
class BNH(Classic):
    """Squared distances to two points, one disk kept and one cut out: ``f1 = 4 |x|^2``, ``f2 = |x - (5, 5)|^2``.

    Violations are divided by 25 and 7.7, as in pymoo. Optimal are ``x1 = x2 <= 3``, then ``x2 = 3``.

    Source: Binh and Korn, "MOBES: a multiobjective evolution strategy for constrained optimization problems", 1997.
    """

    id = "bnh-v1"
    _lower = (0.0, 0.0)
    _upper = (5.0, 3.0)

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        a, b = x[:, 0], x[:, 1]
        values = torch.stack([4 * (a * a + b * b), (a - 5) ** 2 + (b - 5) ** 2], -1)
        kept = ((a - 5) ** 2 + b * b) / 25 - 1
        cut = 1 - ((a - 8) ** 2 + (b + 3) ** 2) / 7.7
        return Evaluation(values, torch.stack([kept, cut], -1))

    def _optimal(self, t: Tensor) -> Tensor:
        return torch.cat([line(t, (0, 0), (3, 3)), line(t, (3, 3), (5, 3))])

    def _bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        return (0.0, 4.0), (136.0, 50.0)


@final
@dataclass(frozen=True, kw_only=True)
class SRN(Classic):
    """``f1 = 2 + (x1 - 2)^2 + (x2 - 1)^2``, ``f2 = 9 x1 - (x2 - 1)^2`` in a disk, beyond a line.

    Textbooks and pymoo give the front as ``x1 = -2.5``, ``2.5 <= x2 <= 14.79``. That is its middle: it goes on along
    the line ``x1 - 3 x2 + 10 = 0`` to the least f1 at (1.1, 3.7), and along the circle to the least f2 at
    (-4.84, 14.20). `pareto_front` holds all three pieces.

    Source: Srinivas and Deb, "Multiobjective optimization using nondominated sorting in genetic algorithms",
    Evolutionary Computation 2(3), 1994.
    """

    id = "srn-v1"
    _lower = (-20.0, -20.0)
    _upper = (20.0, 20.0)

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        a, b = x[:, 0], x[:, 1]
        lift = (b - 1) ** 2
        values = torch.stack([2 + (a - 2) ** 2 + lift, 9 * a - lift], -1)
        return Evaluation(values, torch.stack([a * a + b * b - 225, a - 3 * b + 10], -1))

    def _optimal(self, t: Tensor) -> Tensor:
        angle = SRN_TOP + t * (SRN_END - SRN_TOP)
        arc = 15 * torch.stack([angle.cos(), angle.sin()], -1)
        top = 15 * math.sin(SRN_TOP)
        return torch.cat([line(t, (1.1, 3.7), (-2.5, 2.5)), line(t, (-2.5, 2.5), (-2.5, top)), arc])

    def _bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        a, b = 15 * math.cos(SRN_END), 15 * math.sin(SRN_END)
        return (10.1, 9 * a - (b - 1) ** 2), (2 + (a - 2) ** 2 + (b - 1) ** 2, 2.61)


@final
@dataclass(frozen=True, kw_only=True)
class TNK(Classic):
    """The decisions are the values: the lower edge ``|x|^2 = 1 + 0.1 cos(16 atan(x1 / x2))`` inside a disk.

    The front's points lie on the edge exactly; where its pieces end is known to the spacing of 8 times as many points.

    Source: Tanaka, Watanabe, Furukawa and Tanino, "GA-based decision support system for multicriteria optimization",
    1995.
    """

    id = "tnk-v1"
    front_kind = "approximate"
    _lower = (0.0, 0.0)
    _upper = (math.pi, math.pi)

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        a, b = x[:, 0], x[:, 1]
        edge = 1 + 0.1 * (16 * torch.atan2(a, b)).cos() - a * a - b * b
        disk = 2 * ((a - 0.5) ** 2 + (b - 0.5) ** 2) - 1
        return Evaluation(x.clone(), torch.stack([edge, disk], -1))

    def _optimal(self, t: Tensor) -> Tensor:
        angle = TNK_END + t * (math.pi / 2 - 2 * TNK_END)
        radius = (1 + 0.1 * (16 * angle).cos()).sqrt()[:, None]
        x = radius * torch.stack([angle.cos(), angle.sin()], -1)
        return x[(2 * (x - 0.5).square().sum(-1) <= 1 + 1e-9)]

    def _bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        radius = math.sqrt(1 + 0.1 * math.cos(16 * TNK_END))
        low, high = radius * math.sin(TNK_END), radius * math.cos(TNK_END)
        return (low, low), (high, high)


@final
@dataclass(frozen=True, kw_only=True)
class OSY(Classic):
    """Six variables, six constraints: the front is five pieces on different active constraints.

    Violations are scaled as in pymoo. The pieces are those of Deb, "Multi-objective optimization using evolutionary
    algorithms", 2001, section 8.3.4, with what they dominate among themselves left out.

    Source: Osyczka and Kundu, "A new method to solve generalized multicriteria optimization problems using the simple
    genetic algorithm", Structural Optimization 10, 1995.
    """

    id = "osy-v1"
    front_kind = "approximate"
    _lower = (0.0, 0.0, 1.0, 0.0, 1.0, 0.0)
    _upper = (10.0, 10.0, 5.0, 6.0, 5.0, 10.0)
    _constraints = 6

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        a, b, c, d, e, f = x.unbind(-1)
        far = 25 * (a - 2) ** 2 + (b - 2) ** 2 + (c - 1) ** 2 + (d - 4) ** 2 + (e - 1) ** 2
        violations = [
            (2 - a - b) / 2,
            (a + b - 6) / 6,
            (b - a - 2) / 2,
            (a - 3 * b - 2) / 2,
            ((c - 3) ** 2 + d - 4) / 4,
            (4 - (e - 3) ** 2 - f) / 4,
        ]
        return Evaluation(torch.stack([-far, x.square().sum(-1)], -1), torch.stack(violations, -1))

    def _optimal(self, t: Tensor) -> Tensor:
        return torch.cat(
            [
                line(t, (5, 1, 1, 0, 5, 0), (5, 1, 5, 0, 5, 0)),
                line(t, (5, 1, 1, 0, 1, 0), (5, 1, 5, 0, 1, 0)),
                line(t, (2, 0, 1, 0, 1, 0), (5, 1, 1, 0, 1, 0)),
                line(t, (0, 2, 1, 0, 1, 0), (0, 2, 5, 0, 1, 0)),
                line(t, (1, 1, 1, 0, 1, 0), (0, 2, 1, 0, 1, 0)),
            ]
        )

    def _bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        return (-274.0, 4.0), (-42.0, 76.0)
