"""ZDT1 to ZDT6: two objectives, one difficulty each (Zitzler, Deb and Thiele, 2000)."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import Binary, Box, Evaluation, Rng
from paretokit.core import _check as check
from paretokit.problems.synthetic._base import Synthetic, count, power, whole
from paretokit.problems.synthetic._points import DEFAULT, Intervals, grid

WHOLE: Intervals = ((0.0, 1.0),)

# Where 1 - sqrt(t) - t sin(10 pi t) falls below all its earlier values; an inner left end equals one of them and is
# rounded up by 1e-12, so that every point is non-dominated in floating point as well.
ZDT3_PIECES: Intervals = (
    (0.0, 0.08300153492691159),
    (0.1822287280304, 0.25776236338783026),
    (0.4093136748097, 0.4538821040888302),
    (0.6183967944403, 0.6525117038046626),
    (0.8233317983277, 0.8518328654364139),
)
ZDT6_LEFT = 0.28077531881536977  # min over t of 1 - exp(-4t) sin(6 pi t)^6, where tan(6 pi t) = 9 pi


class ZDT(Synthetic):
    """Values ``(f1, g h(f1, g))``: the first variable runs along the front, all others away from it (g = 1)."""

    _pieces: Intervals = WHOLE

    @abstractmethod
    def _curve(self, f1: Tensor) -> Tensor:
        """Return the front's second objective for its first."""

    def _bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        ends = torch.tensor([v for piece in self._pieces for v in piece], dtype=torch.float64)
        f2 = self._curve(ends)
        return (float(ends[0]), float(f2.min())), (float(ends[-1]), float(f2.max()))

    def pareto_front(self, n: int | None = None) -> Tensor:
        """Return n points of the true front, evenly spread in the first objective; 1000 for None."""
        count(n)
        f1 = grid(DEFAULT if n is None else n, self._pieces)
        return self._own(torch.stack([f1, self._curve(f1)], -1))


@dataclass(frozen=True, kw_only=True)
class RealZDT(ZDT):
    """A ZDT problem over real vectors.

    Args:
        n_variables: Number d of variables, at least 2.
    """

    n_variables: int = 30

    def __post_init__(self) -> None:
        whole(n_variables=self.n_variables)
        check.at_least(2, n_variables=self.n_variables)
        self._define(self._box())

    def _box(self) -> Box:
        return Box(0.0, 1.0, dim=self.n_variables)

    def _distance(self, x: Tensor) -> Tensor:
        """Return ``g = 1 + 9 mean(x_2 ... x_d)``."""
        return x[:, 1:].sum(-1) * (9 / (self.n_variables - 1)) + 1


@final
@dataclass(frozen=True, kw_only=True)
class ZDT1(RealZDT):
    r"""Convex front: ``f2 = g (1 - sqrt(f1 / g))``, ``f1 = x1``, ``g = 1 + 9 mean(x_2 ... x_d)``.

    Args:
        n_variables: Number d of variables in [0, 1]; 30 in the paper.

    Source: Zitzler, Deb and Thiele, "Comparison of multiobjective evolutionary algorithms: empirical results",
    Evolutionary Computation 8(2), 2000, eq. 7.
    """

    id = "zdt1-v1"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        f1, g = x[:, 0], self._distance(x)
        return Evaluation(torch.stack([f1, g - power(f1 * g, 0.5)], -1))

    def _curve(self, f1: Tensor) -> Tensor:
        return 1 - f1.sqrt()


@final
@dataclass(frozen=True, kw_only=True)
class ZDT2(RealZDT):
    """Concave front: ``f2 = g (1 - (f1 / g)^2)``, ``f1 = x1``, ``g = 1 + 9 mean(x_2 ... x_d)``.

    Args:
        n_variables: Number d of variables in [0, 1]; 30 in the paper.

    Source: Zitzler, Deb and Thiele (2000), eq. 8.
    """

    id = "zdt2-v1"

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        f1, g = x[:, 0], self._distance(x)
        return Evaluation(torch.stack([f1, g - f1 * f1 / g], -1))

    def _curve(self, f1: Tensor) -> Tensor:
        return 1 - f1 * f1


@final
@dataclass(frozen=True, kw_only=True)
class ZDT3(RealZDT):
    """Front in five pieces: ``f2 = g (1 - sqrt(f1 / g) - (f1 / g) sin(10 pi f1))``.

    Args:
        n_variables: Number d of variables in [0, 1]; 30 in the paper.

    Source: Zitzler, Deb and Thiele (2000), eq. 9.
    """

    id = "zdt3-v1"
    _pieces = ZDT3_PIECES

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        f1, g = x[:, 0], self._distance(x)
        return Evaluation(torch.stack([f1, g - power(f1 * g, 0.5) - f1 * (10 * math.pi * f1).sin()], -1))

    def _curve(self, f1: Tensor) -> Tensor:
        return 1 - f1.sqrt() - f1 * (10 * math.pi * f1).sin()


@final
@dataclass(frozen=True, kw_only=True)
class ZDT4(RealZDT):
    """Convex front behind 21^(d-1) local ones: ``g = 1 + sum_(i>1) (x_i^2 + 10 - 10 cos(4 pi x_i))``.

    Args:
        n_variables: Number d of variables, the first in [0, 1], all others in [-5, 5]; 10 in the paper.

    Source: Zitzler, Deb and Thiele (2000), eq. 10.
    """

    id = "zdt4-v1"
    n_variables: int = 10

    def _box(self) -> Box:
        rest = self.n_variables - 1
        return Box([0.0] + [-5.0] * rest, [1.0] + [5.0] * rest)

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        f1, y = x[:, 0], x[:, 1:]
        g = (y * y - 10 * (4 * math.pi * y).cos()).sum(-1) + (1 + 10 * (self.n_variables - 1))
        return Evaluation(torch.stack([f1, g - power(f1 * g, 0.5)], -1))

    def _curve(self, f1: Tensor) -> Tensor:
        return 1 - f1.sqrt()


@final
@dataclass(frozen=True, kw_only=True)
class ZDT5(ZDT):
    """Deceptive bits: ``f1 = 1 + u_1``, ``f2 = sum_(i>1) v(u_i) / f1`` for the numbers of ones u_i in each block.

    The first block has 30 bits, all others 5; ``v(u) = 2 + u`` for u < 5, and 1 for u = 5. The front is the 31 points
    ``(t, (n_blocks - 1) / t)``, t = 1 ... 31. pymoo scales both objectives to [0, 1] by default and gives the front
    as a continuous curve; here, as in the paper and in pygmo, values are plain.

    Args:
        n_blocks: Number of blocks, at least 2; 11 in the paper (80 bits).

    Source: Zitzler, Deb and Thiele (2000), eq. 11.
    """

    id = "zdt5-v1"
    n_blocks: int = 11

    def __post_init__(self) -> None:
        whole(n_blocks=self.n_blocks)
        check.at_least(2, n_blocks=self.n_blocks)
        self._define(Binary(30 + 5 * (self.n_blocks - 1)))

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        f1 = x[:, :30].sum(-1) + 1
        ones = x[:, 30:].reshape(x.shape[0], -1, 5).sum(-1)
        g = torch.where(ones == 5, 1.0, ones + 2).sum(-1)
        return Evaluation(torch.stack([f1, g / f1], -1))

    def _curve(self, f1: Tensor) -> Tensor:
        return (self.n_blocks - 1) / f1

    def _bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        return (1.0, (self.n_blocks - 1) / 31), (31.0, self.n_blocks - 1.0)

    def pareto_front(self, n: int | None = None) -> Tensor:
        """Return n of the front's 31 points, evenly spread in the first objective; all of them for None or n > 31."""
        count(n)
        f1 = torch.linspace(1, 31, 31 if n is None else min(n, 31), dtype=torch.float64).round()
        return self._own(torch.stack([f1, self._curve(f1)], -1))


@final
@dataclass(frozen=True, kw_only=True)
class ZDT6(RealZDT):
    """Concave front whose density falls along it: ``f1 = 1 - exp(-4 x1) sin(6 pi x1)^6``, ``f2 = g (1 - (f1/g)^2)``.

    ``g = 1 + 9 mean(x_2 ... x_d)^(1/4)``: solutions are also rare near the front.

    Args:
        n_variables: Number d of variables in [0, 1]; 10 in the paper.

    Source: Zitzler, Deb and Thiele (2000), eq. 12.
    """

    id = "zdt6-v1"
    n_variables: int = 10
    _pieces = ((ZDT6_LEFT, 1.0),)

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        t = x[:, 0]
        f1 = 1 - (-4 * t).exp() * (6 * math.pi * t).sin() ** 6
        g = 1 + 9 * power(x[:, 1:].sum(-1) / (self.n_variables - 1), 0.25)
        return Evaluation(torch.stack([f1, g - f1 * f1 / g], -1))

    def _curve(self, f1: Tensor) -> Tensor:
        return 1 - f1 * f1
