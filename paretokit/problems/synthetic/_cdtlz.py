"""C-DTLZ: DTLZ problems with constraints on values."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, final

import torch
from torch import Tensor

from paretokit.core import Evaluation, Rng
from paretokit.core import _check as check
from paretokit.problems.synthetic._base import Synthetic, count
from paretokit.problems.synthetic._dtlz import DTLZ, DTLZ1, DTLZ2, DTLZ3, DTLZ4
from paretokit.problems.synthetic._points import simplex, thinned


@dataclass(frozen=True, kw_only=True)
class ConstrainedDTLZ(Synthetic):
    """A DTLZ problem of which a part is infeasible.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d of variables; None takes the plain problem's default.

    Source of C1 to C3: Jain and Deb, "An evolutionary many-objective optimization algorithm using reference-point
    based nondominated sorting approach, part II", IEEE Transactions on Evolutionary Computation 18(4), 2014.
    """

    n_objectives: int = 3
    n_variables: int | None = None
    _plain: DTLZ = field(init=False, repr=False, compare=False)
    _of: ClassVar[type[DTLZ]] = DTLZ1

    def __post_init__(self) -> None:
        self._build(1)

    def _build(self, n_constraints: int, **options: float) -> None:
        plain = self._of(n_objectives=self.n_objectives, n_variables=self.n_variables)
        object.__setattr__(self, "_plain", plain)
        named = {"n_variables": plain.n_variables, "n_constraints": n_constraints}
        self._define(plain.space, self.n_objectives, **named, **options)

    @abstractmethod
    def _violations(self, near: Tensor, g: Tensor, f: Tensor) -> Tensor:
        """Return violations `[n, k]` of positions `[n, m - 1]`, distances `[n]` and values `[n, m]`."""

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        near, g = self._plain._parts(x)
        f = self._plain._surface(near, g)
        return Evaluation(f, self._violations(near, g, f))

    def _along(self, directions: Tensor) -> Tensor:
        return self._plain._along(directions)

    def _bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        return self._plain._bounds()

    def pareto_front(self, n: int | None = None) -> Tensor:
        """Return n points of the true front: a simplex lattice projected on it, thinned to n; all of it for None."""
        count(n)
        return self._own(thinned(lambda asked: self._along(simplex(asked, self.n_objectives)), n))


@final
@dataclass(frozen=True, kw_only=True)
class C1DTLZ1(ConstrainedDTLZ):
    """DTLZ1, feasible only close to the front: ``f_m / 0.6 + sum_(i<m) f_i / 0.5 <= 1``. The front is DTLZ1's.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 5 (pymoo's default is d = 12).
    """

    id = "c1dtlz1-v1"

    def _violations(self, near: Tensor, g: Tensor, f: Tensor) -> Tensor:
        return f[:, -1:] / 0.6 + 2 * f[:, :-1].sum(-1, keepdim=True) - 1


@final
@dataclass(frozen=True, kw_only=True)
class C1DTLZ3(ConstrainedDTLZ):
    """DTLZ3 behind an infeasible shell: ``(|f|^2 - 16) (|f|^2 - radius^2) >= 0``. The front is DTLZ3's.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10.
        radius: Outer radius of the shell; None takes the paper's 9 for m < 5, 12.5 for m < 10, else 15 (the paper
            names 3, 5, 8, 10 and 15 objectives; pymoo takes 12.5 up to m = 12).
    """

    id = "c1dtlz3-v1"
    radius: float | None = None
    _of = DTLZ3
    _outer = 81.0

    def __post_init__(self) -> None:
        check.fields(self)
        m = self.n_objectives
        radius = (9.0 if m < 5 else 12.5 if m < 10 else 15.0) if self.radius is None else self.radius
        check.that(radius > 4, "radius", "exceed the shell's inner radius 4", radius)
        self._build(1, radius=radius, _outer=radius * radius)

    def _violations(self, near: Tensor, g: Tensor, f: Tensor) -> Tensor:
        size = f.square().sum(-1, keepdim=True)
        return -(size - 16) * (size - self._outer)


@final
@dataclass(frozen=True, kw_only=True)
class C2DTLZ2(ConstrainedDTLZ):
    """DTLZ2, feasible only in balls around the front's corners and center: the front is caps of a sphere.

    ``min(min_i |f - e_i|^2, |f - 1 / sqrt(m)|^2) <= radius^2``. Every cap's points dominate its ball, so the front is
    the feasible part of DTLZ2's.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10.
        radius: Of the balls; None takes the paper's 0.4 for m = 3 and 0.5 above, and pymoo's 0.2 for m = 2.
    """

    id = "c2dtlz2-v1"
    radius: float | None = None
    _of = DTLZ2
    _ball = 0.4

    def __post_init__(self) -> None:
        radius = {2: 0.2, 3: 0.4}.get(self.n_objectives, 0.5) if self.radius is None else self.radius
        check.positive(radius=radius)
        self._build(1, radius=radius, _ball=radius)

    def _violations(self, near: Tensor, g: Tensor, f: Tensor) -> Tensor:
        size = f.square().sum(-1)
        corner = size + 1 - 2 * f.amax(-1)
        center = (f - 1 / math.sqrt(self.n_objectives)).square().sum(-1)
        return (torch.minimum(corner, center) - self._ball**2)[:, None]

    def _along(self, directions: Tensor) -> Tensor:
        f = self._plain._along(directions)
        kept = self._violations(f, f, f)[:, 0] <= 0
        if self.n_objectives <= 5:
            return f[kept]
        # Few of the lattice's points lie in the caps of many dimensions: turn the others to the nearest cap's edge.
        centers = torch.cat([torch.eye(f.shape[1]), torch.full((1, f.shape[1]), f.shape[1] ** -0.5)]).to(f)
        nearest = centers[(f @ centers.T).argmax(-1)]
        cosine = (f * nearest).sum(-1, keepdim=True)
        across = torch.nn.functional.normalize(f - cosine * nearest, dim=-1)
        edge = 2 * math.asin(min(self._ball / 2, 1.0)) * (1 - 1e-9)
        return torch.where(kept[:, None], f, math.cos(edge) * nearest + math.sin(edge) * across)


@final
@dataclass(frozen=True, kw_only=True)
class C3DTLZ1(ConstrainedDTLZ):
    """DTLZ1 with m constraints that cut its front off: ``f_j / 0.5 + sum_(i != j) f_i >= 1``.

    The front is where the tightest of them is active: ``sum f + min f = 1``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 5.
    """

    id = "c3dtlz1-v1"

    def __post_init__(self) -> None:
        self._build(self.n_objectives)

    def _violations(self, near: Tensor, g: Tensor, f: Tensor) -> Tensor:
        return 1 - f - f.sum(-1, keepdim=True)

    def _along(self, directions: Tensor) -> Tensor:
        return directions / (1 + directions.amin(-1, keepdim=True))

    def _bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        return (0.0,) * self.n_objectives, (1.0,) * self.n_objectives


@final
@dataclass(frozen=True, kw_only=True)
class C3DTLZ4(ConstrainedDTLZ):
    """DTLZ4 with m constraints that cut its front off: ``f_j^2 / 4 + sum_(i != j) f_i^2 >= 1``.

    The front is where the tightest of them is active: ``|f|^2 - 3/4 max f^2 = 1``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10 (pymoo's default is d = 7).
    """

    id = "c3dtlz4-v1"
    _of = DTLZ4

    def __post_init__(self) -> None:
        self._build(self.n_objectives)
        check.at_least(self.n_objectives + 3, n_variables=self.space.dim)  # else g cannot reach the front's corners

    def _violations(self, near: Tensor, g: Tensor, f: Tensor) -> Tensor:
        squares = f.square()
        return 1 + 0.75 * squares - squares.sum(-1, keepdim=True)

    def _along(self, directions: Tensor) -> Tensor:
        squares = directions.square()
        return directions / (squares.sum(-1, keepdim=True) - 0.75 * squares.amax(-1, keepdim=True)).sqrt()

    def _bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        return (0.0,) * self.n_objectives, (2.0,) * self.n_objectives
