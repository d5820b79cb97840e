"""DTLZ1 to DTLZ7: any number of objectives, fronts in closed form (Deb, Thiele, Laumanns and Zitzler, 2002, 2005)."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import Box, Evaluation, Rng
from paretokit.core import _check as check
from paretokit.problems.synthetic._base import Synthetic, count, power, whole
from paretokit.problems.synthetic._points import DEFAULT, Intervals, along, cube, simplex, thinned

# Where t (1 + sin(3 pi t)) exceeds all its earlier values; the inner left end is rounded up by 1e-12.
DTLZ7_PIECES: Intervals = ((0.0, 0.25141183608891715), (0.6316265307011, 0.859400856644724))


def rastrigin(far: Tensor) -> Tensor:
    """Return ``g = 100 (k + sum((x - 1/2)^2 - cos(20 pi (x - 1/2))))`` of the distance variables `[n, k]`."""
    y = far - 0.5
    return 100 * ((y * y - (20 * math.pi * y).cos()).sum(-1) + far.shape[-1])


def sphere(far: Tensor) -> Tensor:
    """Return ``g = sum((x - 1/2)^2)`` of the distance variables `[n, k]`."""
    return (far - 0.5).square().sum(-1)


def fan(radius: Tensor, kept: Tensor, split: Tensor) -> Tensor:
    """Return ``f_i = radius kept_1 ... kept_(m-i) split_(m-i+1)``, `[n, m]`, from factors `[n, m - 1]`."""
    columns = []
    for j in range(kept.shape[-1]):
        columns.append(radius * split[:, j])
        radius = radius * kept[:, j]
    columns.append(radius)
    return torch.stack(columns[::-1], -1)


def linear(near: Tensor, g: Tensor) -> Tensor:
    """Return values `[n, m]` on the simplex of size ``(1 + g) / 2``."""
    return fan(0.5 * (1 + g), near, 1 - near)


def spherical(near: Tensor, g: Tensor) -> Tensor:
    """Return values `[n, m]` on the sphere of radius ``1 + g``, at angles ``near pi / 2``."""
    angles = near * (math.pi / 2)
    return fan(1 + g, angles.cos(), angles.sin())


def on_simplex(directions: Tensor) -> Tensor:
    """Return the points of DTLZ1's front along directions of the unit simplex."""
    return 0.5 * directions


def on_sphere(directions: Tensor) -> Tensor:
    """Return the points of the unit sphere along directions of the unit simplex."""
    return torch.nn.functional.normalize(directions, dim=-1)


@dataclass(frozen=True, kw_only=True)
class DTLZ(Synthetic):
    """``m - 1`` variables say where along the front, the k others how far from it (g = 0 on it).

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes the k that the paper suggests.
    """

    n_objectives: int = 3
    n_variables: int | None = None
    _k = 10

    def __post_init__(self) -> None:
        whole(n_objectives=self.n_objectives)
        check.at_least(2, n_objectives=self.n_objectives)
        d = self.n_objectives - 1 + self._k if self.n_variables is None else self.n_variables
        whole(n_variables=d)
        check.at_least(self.n_objectives, n_variables=d)
        self._define(Box(0.0, 1.0, dim=d), self.n_objectives, n_variables=d)

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the position variables `[n, m - 1]` and g `[n]`."""
        return x[:, : self.n_objectives - 1], self._distance(x[:, self.n_objectives - 1 :])

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return Evaluation(self._surface(*self._parts(x)))

    @abstractmethod
    def _distance(self, far: Tensor) -> Tensor:
        """Return g `[n]` of the distance variables."""

    @abstractmethod
    def _surface(self, near: Tensor, g: Tensor) -> Tensor:
        """Return values `[n, m]` of position variables and g."""

    def _along(self, directions: Tensor) -> Tensor:
        """Return the front's points in directions of the unit simplex."""
        return on_sphere(directions)

    def _bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        return (0.0,) * self.n_objectives, (1.0,) * self.n_objectives

    def pareto_front(self, n: int | None = None) -> Tensor:
        """Return n points of the true front: a simplex lattice projected on it, thinned to n; all of it for None."""
        count(n)
        return self._own(thinned(lambda asked: self._along(simplex(asked, self.n_objectives)), n))


@final
@dataclass(frozen=True, kw_only=True)
class DTLZ1(DTLZ):
    """Linear front ``sum f = 1/2`` behind ``11^k - 1`` local ones (a Rastrigin-like g).

    ``f_i = (1 + g) / 2 x_1 ... x_(m-i) (1 - x_(m-i+1))``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 5.

    Source: Deb, Thiele, Laumanns and Zitzler, "Scalable test problems for evolutionary multiobjective optimization",
    2005, section 6.7.1.
    """

    id = "dtlz1-v1"
    _k = 5

    def _distance(self, far: Tensor) -> Tensor:
        return rastrigin(far)

    def _surface(self, near: Tensor, g: Tensor) -> Tensor:
        return linear(near, g)

    def _along(self, directions: Tensor) -> Tensor:
        return on_simplex(directions)

    def _bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        return (0.0,) * self.n_objectives, (0.5,) * self.n_objectives


@final
@dataclass(frozen=True, kw_only=True)
class DTLZ2(DTLZ):
    """Spherical front ``sum f^2 = 1``: ``f_i = (1 + g) cos(t_1) ... cos(t_(m-i)) sin(t_(m-i+1))``, ``t = pi x / 2``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10 (pymoo's default is d = 10).

    Source: Deb, Thiele, Laumanns and Zitzler (2005), section 6.7.2.
    """

    id = "dtlz2-v1"

    def _distance(self, far: Tensor) -> Tensor:
        return sphere(far)

    def _surface(self, near: Tensor, g: Tensor) -> Tensor:
        return spherical(near, g)


@final
@dataclass(frozen=True, kw_only=True)
class DTLZ3(DTLZ):
    """DTLZ2's spherical front behind the ``3^k - 1`` local ones of DTLZ1's g.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10.

    Source: Deb, Thiele, Laumanns and Zitzler (2005), section 6.7.3.
    """

    id = "dtlz3-v1"

    def _distance(self, far: Tensor) -> Tensor:
        return rastrigin(far)

    def _surface(self, near: Tensor, g: Tensor) -> Tensor:
        return spherical(near, g)


@final
@dataclass(frozen=True, kw_only=True)
class DTLZ4(DTLZ):
    """DTLZ2 with position variables ``x^alpha``: uniform samples crowd where an objective vanishes.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10.
        alpha: Exponent, 100 in the paper.

    Source: Deb, Thiele, Laumanns and Zitzler (2005), section 6.7.4.
    """

    id = "dtlz4-v1"
    alpha: float = 100.0

    def __post_init__(self) -> None:
        check.positive(alpha=self.alpha)
        DTLZ.__post_init__(self)

    def _distance(self, far: Tensor) -> Tensor:
        return sphere(far)

    def _surface(self, near: Tensor, g: Tensor) -> Tensor:
        return spherical(power(near, self.alpha), g)


@dataclass(frozen=True, kw_only=True)
class CurveDTLZ(DTLZ):
    """DTLZ5 and DTLZ6: where g = 0, all angles but the first are 45 degrees, so that the front is a curve.

    Up to three objectives the curve is the whole front. From four on, solutions with g > 0 are non-dominated as well
    (Huband, Hingston, Barone and While, 2006, section V-C); `pareto_front` and the scoring then stand for the
    intended curve only, labelled approximate.
    """

    def __post_init__(self) -> None:
        DTLZ.__post_init__(self)
        object.__setattr__(self, "front_kind", "exact" if self.n_objectives <= 3 else "approximate")

    def _surface(self, near: Tensor, g: Tensor) -> Tensor:
        bent = (0.5 + g[:, None] * near[:, 1:]) / (1 + g[:, None])
        return spherical(torch.cat([near[:, :1], bent], -1), g)

    def _curve(self, t: Tensor) -> Tensor:
        near = torch.full((t.shape[0], self.n_objectives - 1), 0.5, dtype=t.dtype)
        near[:, 0] = t
        return spherical(near, torch.zeros_like(t))

    def _bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        m = self.n_objectives
        halves = [max(m - 2, 0), *range(m - 2, -1, -1)]  # 45 degree factors of each objective
        return (0.0,) * m, tuple(0.5 ** (h / 2) for h in halves)

    def pareto_front(self, n: int | None = None) -> Tensor:
        """Return n points evenly spread over the curve; 1000 for None."""
        count(n)
        return self._own(self._curve(torch.linspace(0, 1, DEFAULT if n is None else n, dtype=torch.float64)))


@final
@dataclass(frozen=True, kw_only=True)
class DTLZ5(CurveDTLZ):
    """A curve: DTLZ2 with angles ``t_i = pi (1 + 2 g x_i) / (4 (1 + g))``, i > 1.

    Args:
        n_objectives: Number m of objectives, at least 2; from 4 on the front is more than the curve.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10.

    Source: Deb, Thiele, Laumanns and Zitzler (2005), section 6.7.5.
    """

    id = "dtlz5-v1"

    def _distance(self, far: Tensor) -> Tensor:
        return sphere(far)


@final
@dataclass(frozen=True, kw_only=True)
class DTLZ6(CurveDTLZ):
    """DTLZ5's curve behind the steep ``g = sum(x^0.1)``; its slope is infinite at x = 0, where the gradient is 0.

    Args:
        n_objectives: Number m of objectives, at least 2; from 4 on the front is more than the curve.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10.

    Source: Deb, Thiele, Laumanns and Zitzler (2005), section 6.7.6.
    """

    id = "dtlz6-v1"

    def _distance(self, far: Tensor) -> Tensor:
        return power(far, 0.1).sum(-1)


@final
@dataclass(frozen=True, kw_only=True)
class DTLZ7(DTLZ):
    """Front in ``2^(m-1)`` pieces: ``f_i = x_i`` for i < m, ``f_m = (1 + g) m - sum_(i<m) f_i (1 + sin(3 pi f_i))``.

    ``g = 1 + 9 mean(far)``. The last objective is separable, so the front is a product of intervals: all points whose
    every ``t (1 + sin(3 pi t))`` exceeds that of all smaller t.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 20.

    Source: Deb, Thiele, Laumanns and Zitzler (2005), section 6.7.7.
    """

    id = "dtlz7-v1"
    _k = 20

    def _distance(self, far: Tensor) -> Tensor:
        return 1 + 9 * far.mean(-1)

    def _surface(self, near: Tensor, g: Tensor) -> Tensor:
        last = (1 + g) * self.n_objectives - (near * (1 + (3 * math.pi * near).sin())).sum(-1)
        return torch.cat([near, last[:, None]], -1)

    def _front_at(self, t: Tensor) -> Tensor:
        near = along(t, DTLZ7_PIECES)
        return self._surface(near, torch.ones(near.shape[0], dtype=near.dtype))

    def _bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        m, right = self.n_objectives, DTLZ7_PIECES[-1][1]
        best = 2 * m - (m - 1) * right * (1 + math.sin(3 * math.pi * right))
        return (0.0,) * (m - 1) + (best,), (right,) * (m - 1) + (2.0 * m,)

    def pareto_front(self, n: int | None = None) -> Tensor:
        """Return n points evenly spread over the pieces; 1000 for None."""
        count(n)
        return self._own(self._front_at(cube(DEFAULT if n is None else n, self.n_objectives - 1)))
