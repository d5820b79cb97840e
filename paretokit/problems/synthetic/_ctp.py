"""CTP1 to CTP8: two objectives whose front is made by the constraints (Deb, Pratap and Meyarivan, 2001)."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from paretokit.core import Box, Evaluation, Rng
from paretokit.core import _check as check
from paretokit.problems.synthetic._base import Synthetic, count, power, whole
from paretokit.problems.synthetic._points import DEFAULT, staircase, strided

Wave = tuple[float, float, float, float, float, float]  # theta / pi, a, b, c, d, e of the paper
SCAN = 512  # steps in which f2 is searched for the first feasible value at one f1


@dataclass(frozen=True, kw_only=True)
class CTP(Synthetic):
    """``f1 = x1`` and ``f2 = g (1 - sqrt(f1 / g))``, ``g = 1 + sum_(i>1) x_i``, under constraints on the values.

    Args:
        n_variables: Number d of variables, at least 2.

    Source: Deb, Pratap and Meyarivan, "Constrained test problems for multi-objective evolutionary optimization", EMO
    2001; g as in pymoo (the paper leaves it open).
    """

    n_variables: int = 2
    _top: ClassVar[float] = 1.0
    _constraints: ClassVar[int] = 1

    def __post_init__(self) -> None:
        whole(n_variables=self.n_variables)
        check.at_least(2, n_variables=self.n_variables)
        upper = [1.0] + [self._top] * (self.n_variables - 1)
        self._define(Box([0.0] * self.n_variables, upper), n_constraints=self._constraints)

    @abstractmethod
    def _second(self, f1: Tensor, g: Tensor | float) -> Tensor:
        """Return f2, increasing in g."""

    @abstractmethod
    def _violations(self, f1: Tensor, f2: Tensor) -> Tensor:
        """Return violations `[..., k]` of values `[...]`."""

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        f1 = x[:, 0]
        f2 = self._second(f1, 1 + x[:, 1:].sum(-1))
        return Evaluation(torch.stack([f1, f2], -1), self._violations(f1, f2))

    def _lowest(self, f1: Tensor) -> Tensor:
        """Return the least feasible f2 of each f1 `[n]`, +inf where there is none."""
        low = self._second(f1, 1.0)
        high = self._second(f1, 1 + self._top * (self.n_variables - 1))
        steps = torch.linspace(0, 1, SCAN, dtype=f1.dtype)
        scanned = low[:, None] + (high - low)[:, None] * steps
        feasible = (self._violations(f1[:, None], scanned) <= 0).all(-1)
        first = feasible.to(torch.int8).argmax(-1)
        right = scanned.gather(-1, first[:, None])[:, 0]
        left = scanned.gather(-1, (first - 1).clamp_min(0)[:, None])[:, 0]
        for _ in range(48):  # bisection between the last infeasible and the first feasible value
            middle = (left + right) / 2
            good = (self._violations(f1, middle) <= 0).all(-1)
            left, right = torch.where(good, left, middle), torch.where(good, middle, right)
        return torch.where(feasible.any(-1), right, torch.inf)

    def _tips(self) -> Tensor:
        """Return feasible points `[k, 2]` that a scan of f1 would miss."""
        return torch.empty(0, 2, dtype=torch.float64)

    def _front_values(self, n: int) -> Tensor:
        f1 = torch.linspace(0, 1, n, dtype=torch.float64)
        return staircase(torch.cat([torch.stack([f1, self._lowest(f1)], -1), self._tips()]))

    def _bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        values = self._front_values(DEFAULT)
        return values.amin(0).tolist(), values.amax(0).tolist()

    def pareto_front(self, n: int | None = None) -> Tensor:
        """Return n well spread points of the front; fewer where it has so few, and all that were found for None."""
        count(n)
        values = self._front_values(DEFAULT if n is None else max(4 * n, DEFAULT))
        return self._own(values if n is None else strided(values, n))


def decay_rates(n: int) -> list[tuple[float, float]]:
    """Return the a_j and b_j of CTP1's n constraints ``f2 >= a_j exp(-b_j f1)`` by the paper's recurrence."""
    rates, a, b, step = [], 1.0, 1.0, 1 / (n + 1)
    for j in range(1, n + 1):
        beta = a * math.exp(-b * j * step)
        a = (a + beta) / 2
        b = -math.log(beta / a) / (j * step)
        rates.append((a, b))
    return rates


@final
@dataclass(frozen=True, kw_only=True)
class CTP1(CTP):
    """``f2 = g exp(-f1 / g)`` above exponential curves that cut the unconstrained front off piece by piece.

    Args:
        n_variables: Number d of variables, at least 2.
        n_curves: Number of constraints ``f2 >= a_j exp(-b_j f1)``.

    Source: Deb, Pratap and Meyarivan (2001).
    """

    id = "ctp1-v1"
    n_curves: int = 2

    def __post_init__(self) -> None:
        whole(n_curves=self.n_curves)
        check.at_least(1, n_curves=self.n_curves)
        CTP.__post_init__(self)
        object.__setattr__(self, "n_constraints", self.n_curves)

    def _second(self, f1: Tensor, g: Tensor | float) -> Tensor:
        return g * (-f1 / g).exp()

    def _violations(self, f1: Tensor, f2: Tensor) -> Tensor:
        return torch.stack([a * (-b * f1).exp() - f2 for a, b in decay_rates(self.n_curves)], -1)

    def _lowest(self, f1: Tensor) -> Tensor:
        curves = torch.stack([a * (-b * f1).exp() for a, b in [(1.0, 1.0), *decay_rates(self.n_curves)]])
        return curves.amax(0)


@dataclass(frozen=True, kw_only=True)
class WaveCTP(CTP):
    """CTP2 to CTP8: ``cos(t) (f2 - e) - sin(t) f1 >= a |sin(b pi (sin(t) (f2 - e) + cos(t) f1)^c)|^d``.

    Violations are the difference of the two sides, as in the paper; pymoo's are that divided by the right-hand side,
    of equal sign but unbounded where it vanishes.

    Where the right-hand side vanishes, with d < 1, the feasible region has sharp tips: ``f1 = cos(t) s``,
    ``f2 = e + sin(t) s`` with ``b s^c`` whole. They are the isolated points of CTP3 to CTP5's fronts.

    Args:
        n_variables: Number d of variables, at least 2.
    """

    front_kind = "approximate"
    _waves: ClassVar[tuple[Wave, ...]] = ()

    def _second(self, f1: Tensor, g: Tensor | float) -> Tensor:
        return g - power(f1 * g, 0.5)

    def _tips(self) -> Tensor:
        turn, _, b, c, d, e = self._waves[0]
        if d >= 1:
            return CTP._tips(self)
        s = (torch.arange(int(2 * b) + 1, dtype=torch.float64) / b) ** (1 / c)
        tips = torch.stack([math.cos(turn * math.pi) * s, e + math.sin(turn * math.pi) * s], -1)
        f1 = tips[:, 0]
        return tips[(f1 <= 1) & (tips[:, 1] >= self._second(f1.clamp(max=1), 1.0))]

    def _violations(self, f1: Tensor, f2: Tensor) -> Tensor:
        columns = []
        for turn, a, b, c, d, e in self._waves:
            sine, cosine = math.sin(turn * math.pi), math.cos(turn * math.pi)
            above = cosine * (f2 - e) - sine * f1
            along = sine * (f2 - e) + cosine * f1
            columns.append(a * power((b * math.pi * along**c).sin().abs(), d) - above)
        return torch.stack(columns, -1)


@final
@dataclass(frozen=True, kw_only=True)
class CTP2(WaveCTP):
    """Front in many short pieces on the unconstrained one.

    Args:
        n_variables: Number d of variables, at least 2.

    Source: Deb, Pratap and Meyarivan (2001); constants as in its table.
    """

    id = "ctp2-v1"
    _waves = ((-0.2, 0.2, 10.0, 1.0, 6.0, 1.0),)


@final
@dataclass(frozen=True, kw_only=True)
class CTP3(WaveCTP):
    """Front of isolated points, at the tips of narrow feasible tongues.

    Args:
        n_variables: Number d of variables, at least 2.

    Source: Deb, Pratap and Meyarivan (2001); constants as in its table.
    """

    id = "ctp3-v1"
    _waves = ((-0.2, 0.1, 10.0, 1.0, 0.5, 1.0),)


@final
@dataclass(frozen=True, kw_only=True)
class CTP4(WaveCTP):
    """Front of isolated points at the far ends of deep infeasible tunnels.

    Args:
        n_variables: Number d of variables, at least 2.

    Source: Deb, Pratap and Meyarivan (2001); constants as in its table.
    """

    id = "ctp4-v1"
    _waves = ((-0.2, 0.75, 10.0, 1.0, 0.5, 1.0),)


@final
@dataclass(frozen=True, kw_only=True)
class CTP5(WaveCTP):
    """Front of isolated points and one piece, unevenly spread.

    Args:
        n_variables: Number d of variables, at least 2.

    Source: Deb, Pratap and Meyarivan (2001); constants as in its table.
    """

    id = "ctp5-v1"
    _waves = ((-0.2, 0.1, 10.0, 2.0, 0.5, 1.0),)


@final
@dataclass(frozen=True, kw_only=True)
class CTP6(WaveCTP):
    """Infeasible bands between start and front; the front is at the last of them.

    Args:
        n_variables: Number d of variables, at least 2.

    Source: Deb, Pratap and Meyarivan (2001); constants as in its table.
    """

    id = "ctp6-v1"
    _waves = ((0.1, 40.0, 0.5, 1.0, 2.0, -2.0),)
    _top = 20.0


@final
@dataclass(frozen=True, kw_only=True)
class CTP7(WaveCTP):
    """Front in pieces of the unconstrained one, behind infeasible bands.

    Args:
        n_variables: Number d of variables, at least 2.

    Source: Deb, Pratap and Meyarivan (2001); constants as in its table.
    """

    id = "ctp7-v1"
    _waves = ((-0.05, 40.0, 5.0, 1.0, 6.0, 0.0),)


@final
@dataclass(frozen=True, kw_only=True)
class CTP8(WaveCTP):
    """Feasible islands: the bands of two waves cross.

    Args:
        n_variables: Number d of variables, at least 2.

    Source: Deb, Pratap and Meyarivan (2001); constants as in its table.
    """

    id = "ctp8-v1"
    _waves = ((0.1, 40.0, 0.5, 1.0, 2.0, -2.0), (-0.05, 40.0, 2.0, 1.0, 6.0, 0.0))
    _top = 20.0
    _constraints = 2
