"""DC-DTLZ: DTLZ1 and DTLZ3 with constraints on decisions, feasible in bands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from paretokit.problems._thin import thin
from paretokit.problems.synthetic._base import count
from paretokit.problems.synthetic._cdtlz import ConstrainedDTLZ
from paretokit.problems.synthetic._dtlz import DTLZ1, DTLZ3
from paretokit.problems.synthetic._points import DEFAULT, Intervals, along, cube

_HALF = math.acos(0.95) / (5 * math.pi)
DC1_BANDS: Intervals = ((0.0, _HALF), (0.4 - _HALF, 0.4 + _HALF), (0.8 - _HALF, 0.8 + _HALF))
DC3_BANDS: Intervals = ((0.0, 1 / 15), (5 / 15, 7 / 15), (11 / 15, 13 / 15))


@dataclass(frozen=True, kw_only=True)
class BandedDTLZ(ConstrainedDTLZ):
    """A DTLZ problem whose constraints leave bands of positions, of distances, or of both.

    Positions stay free to be combined with g = 0, so the front is the plain one's at feasible positions.

    Source: Li, Chen, Fu and Yao, "Two-archive evolutionary algorithm for constrained multiobjective optimization", IEEE
    Transactions on Evolutionary Computation 23(2), 2019. Scaling of g inside the constraints as in pymoo.
    """

    _first: ClassVar[Intervals] = ((0.0, 1.0),)  # feasible values of the first position variable
    _others: ClassVar[Intervals] = ((0.0, 1.0),)

    def _front_at(self, t: Tensor) -> Tensor:
        near = torch.cat([along(t[:, :1], self._first), along(t[:, 1:], self._others)], -1)
        f = self._plain._surface(near, torch.zeros(t.shape[0], dtype=t.dtype))
        return torch.where(f < 1e-15, 0.0, f)

    def _bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        m = self.n_objectives  # each value is monotone in each position
        corners = self._front_at(cube(2**m, m - 1)[: 2 ** (m - 1)] if m > 2 else cube(2, 1))
        return corners.amin(0).tolist(), corners.amax(0).tolist()

    def pareto_front(self, n: int | None = None) -> Tensor:
        """Return n well spread points of the true front; 1000 for None."""
        count(n)
        wanted = DEFAULT if n is None else n
        points = self._front_at(cube(max(8 * wanted, 64), self.n_objectives - 1))
        return self._own(thin(torch.unique(points, dim=0), wanted))


@dataclass(frozen=True, kw_only=True)
class FirstBanded(BandedDTLZ):
    """DC1: ``cos(5 pi x_1) >= 0.95``."""

    _first = DC1_BANDS

    def _violations(self, near: Tensor, g: Tensor, f: Tensor) -> Tensor:
        return 0.95 - (5 * math.pi * near[:, :1]).cos()


@dataclass(frozen=True, kw_only=True)
class DistanceBanded(ConstrainedDTLZ):
    """DC2: ``cos(3 pi g / 100) >= 0.9`` and ``exp(-g / 100) >= 0.9``; the plain front is feasible."""

    def __post_init__(self) -> None:
        self._build(2)

    def _violations(self, near: Tensor, g: Tensor, f: Tensor) -> Tensor:
        return torch.stack([0.9 - (3 * math.pi * g / 100).cos(), 0.9 - (-g / 100).exp()], -1)


@dataclass(frozen=True, kw_only=True)
class AllBanded(BandedDTLZ):
    """DC3: ``cos(5 pi g) >= 0.5`` and ``cos(5 pi x_i) >= 0.5`` of every position."""

    _first = DC3_BANDS
    _others = DC3_BANDS

    def __post_init__(self) -> None:
        self._build(self.n_objectives)

    def _violations(self, near: Tensor, g: Tensor, f: Tensor) -> Tensor:
        return 0.5 - (5 * math.pi * torch.cat([g[:, None], near], -1)).cos()


@final
@dataclass(frozen=True, kw_only=True)
class DC1DTLZ1(FirstBanded):
    """DTLZ1, feasible in three bands of the first position, ``cos(5 pi x_1) >= 0.95``: the front is in pieces.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 5 (pymoo's default is d = 12).
    """

    id = "dc1dtlz1-v1"
    _of = DTLZ1


@final
@dataclass(frozen=True, kw_only=True)
class DC1DTLZ3(FirstBanded):
    """DTLZ3, feasible in three bands of the first position, ``cos(5 pi x_1) >= 0.95``: the front is in pieces.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10 (pymoo's default is d = 12).
    """

    id = "dc1dtlz3-v1"
    _of = DTLZ3


@final
@dataclass(frozen=True, kw_only=True)
class DC2DTLZ1(DistanceBanded):
    """DTLZ1, feasible in bands of distances, ``cos(3 pi g / 100) >= 0.9`` and ``exp(-g / 100) >= 0.9``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 5 (pymoo's default is d = 12).
    """

    id = "dc2dtlz1-v1"
    _of = DTLZ1


@final
@dataclass(frozen=True, kw_only=True)
class DC2DTLZ3(DistanceBanded):
    """DTLZ3, feasible in bands of distances, ``cos(3 pi g / 100) >= 0.9`` and ``exp(-g / 100) >= 0.9``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10 (pymoo's default is d = 12).
    """

    id = "dc2dtlz3-v1"
    _of = DTLZ3


@final
@dataclass(frozen=True, kw_only=True)
class DC3DTLZ1(AllBanded):
    """DTLZ1, feasible in bands of positions and distances, ``cos(5 pi x_i) >= 0.5``, ``cos(5 pi g) >= 0.5``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 5 (pymoo's default is d = 12).
    """

    id = "dc3dtlz1-v1"
    _of = DTLZ1


@final
@dataclass(frozen=True, kw_only=True)
class DC3DTLZ3(AllBanded):
    """DTLZ3, feasible in bands of positions and distances, ``cos(5 pi x_i) >= 0.5``, ``cos(5 pi g) >= 0.5``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10 (pymoo's default is d = 12).
    """

    id = "dc3dtlz3-v1"
    _of = DTLZ3
