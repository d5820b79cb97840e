"""Scaled, inverted, negated and convex forms of DTLZ1 to DTLZ4."""

from __future__ import annotations

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

# max over t in [-1/2, 1/2] of t^2 - cos(20 pi t), at t = 0.45022809...
RASTRIGIN_TOP = 1.202602641454022


@dataclass(frozen=True, kw_only=True)
class FormOfDTLZ(Synthetic):
    """A DTLZ problem with its values turned: the decisions are the same.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d of variables; None takes the plain problem's default.
    """

    n_objectives: int = 3
    n_variables: int | None = None
    _plain: DTLZ = field(init=False, repr=False, compare=False)
    _of: ClassVar[type[DTLZ]] = DTLZ2

    def __post_init__(self) -> None:
        plain = self._of(n_objectives=self.n_objectives, n_variables=self.n_variables)
        object.__setattr__(self, "_plain", plain)
        self._define(plain.space, self.n_objectives, n_variables=plain.n_variables)

    @abstractmethod
    def _form(self, f: Tensor, g: Tensor) -> Tensor:
        """Return this form's values of plain values `[n, m]` at distances g `[n, 1]`, monotone in each objective."""

    def _front_distance(self) -> float:
        """Return g on this form's front."""
        return 0.0

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        near, g = self._plain._parts(x)
        return Evaluation(self._form(self._plain._surface(near, g), g[:, None]))

    def _at_front(self, plain: Tensor) -> Tensor:
        g = torch.full((plain.shape[0], 1), self._front_distance(), dtype=plain.dtype)
        return self._form((1 + g) * plain, g)

    def _bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        ends = self._at_front(torch.tensor(self._plain._bounds(), dtype=torch.float64))
        return ends.amin(0).tolist(), ends.amax(0).tolist()

    def pareto_front(self, n: int | None = None) -> Tensor:
        """Return n points of the true front: those of the plain problem's lattice, turned likewise."""
        count(n)
        return self._own(
            thinned(lambda asked: self._at_front(self._plain._along(simplex(asked, self.n_objectives))), n)
        )


@dataclass(frozen=True, kw_only=True)
class ScaledDTLZ(FormOfDTLZ):
    """Values ``scale^(i-1) f_i``: objectives of very different sizes.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d of variables; None takes the plain problem's default.
        scale: Base of the factors; 10 in the paper for 3 objectives, 10, 3, 2 and 1.2 for 5, 8, 10 and 15.

    Source: Deb and Jain, "An evolutionary many-objective optimization algorithm using reference-point-based
    nondominated sorting approach, part I", IEEE Transactions on Evolutionary Computation 18(4), 2014, section V-C.
    """

    scale: float = 10.0

    def __post_init__(self) -> None:
        check.positive(scale=self.scale)
        FormOfDTLZ.__post_init__(self)

    def _form(self, f: Tensor, g: Tensor) -> Tensor:
        return f * self.scale ** torch.arange(self.n_objectives, dtype=f.dtype, device=f.device)


@dataclass(frozen=True, kw_only=True)
class InvertedDTLZ(FormOfDTLZ):
    """Values ``c (1 + g) - f_i``, c the plain front's largest value: the front's corners point the other way.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d of variables; None takes the plain problem's default.

    Source: Jain and Deb, "An evolutionary many-objective optimization algorithm using reference-point based
    nondominated sorting approach, part II", IEEE Transactions on Evolutionary Computation 18(4), 2014, section V-B
    (DTLZ1); the others by the same rule.
    """

    _top: ClassVar[float] = 1.0

    def _form(self, f: Tensor, g: Tensor) -> Tensor:
        return self._top * (1 + g) - f


@dataclass(frozen=True, kw_only=True)
class MinusDTLZ(FormOfDTLZ):
    """Values ``-f_i``: the front lies where g is largest, an inverted simplex or sphere.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d of variables; None takes the plain problem's default.

    Source: Ishibuchi, Setoguchi, Masuda and Nojima, "Performance of decomposition-based many-objective algorithms
    strongly depends on Pareto front shapes", IEEE Transactions on Evolutionary Computation 21(2), 2017.
    """

    def _form(self, f: Tensor, g: Tensor) -> Tensor:
        return -f

    def _front_distance(self) -> float:
        k = self._plain.space.dim - self.n_objectives + 1
        return 100 * k * (1 + RASTRIGIN_TOP) if self._of in (DTLZ1, DTLZ3) else 0.25 * k


@dataclass(frozen=True, kw_only=True)
class ConvexDTLZ(FormOfDTLZ):
    """Values ``f_i^4``, the last ``f_m^2``: a convex front.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d of variables; None takes the plain problem's default.

    Source: Deb and Jain (2014), section V-D.
    """

    def _form(self, f: Tensor, g: Tensor) -> Tensor:
        squares = f * f
        return torch.cat([squares[:, :-1] ** 2, squares[:, -1:]], -1)


@final
@dataclass(frozen=True, kw_only=True)
class SDTLZ1(ScaledDTLZ):
    """Scaled form of DTLZ1 (linear front, Rastrigin-like g): ``scale^(i-1) f_i``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 5.
        scale: Base of the factors.
    """

    id = "sdtlz1-v1"
    _of = DTLZ1


@final
@dataclass(frozen=True, kw_only=True)
class SDTLZ2(ScaledDTLZ):
    """Scaled form of DTLZ2 (spherical front): ``scale^(i-1) f_i``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10.
        scale: Base of the factors.
    """

    id = "sdtlz2-v1"
    _of = DTLZ2


@final
@dataclass(frozen=True, kw_only=True)
class SDTLZ3(ScaledDTLZ):
    """Scaled form of DTLZ3 (spherical front, Rastrigin-like g): ``scale^(i-1) f_i``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10.
        scale: Base of the factors.
    """

    id = "sdtlz3-v1"
    _of = DTLZ3


@final
@dataclass(frozen=True, kw_only=True)
class SDTLZ4(ScaledDTLZ):
    """Scaled form of DTLZ4 (spherical front, biased positions): ``scale^(i-1) f_i``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10.
        scale: Base of the factors.
    """

    id = "sdtlz4-v1"
    _of = DTLZ4


@final
@dataclass(frozen=True, kw_only=True)
class IDTLZ1(InvertedDTLZ):
    """Inverted form of DTLZ1 (linear front, Rastrigin-like g): ``(1 + g) / 2 - f_i``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 5.
    """

    id = "idtlz1-v1"
    _of = DTLZ1
    _top = 0.5


@final
@dataclass(frozen=True, kw_only=True)
class IDTLZ2(InvertedDTLZ):
    """Inverted form of DTLZ2 (spherical front): ``(1 + g) - f_i``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10.
    """

    id = "idtlz2-v1"
    _of = DTLZ2


@final
@dataclass(frozen=True, kw_only=True)
class IDTLZ3(InvertedDTLZ):
    """Inverted form of DTLZ3 (spherical front, Rastrigin-like g): ``(1 + g) - f_i``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10.
    """

    id = "idtlz3-v1"
    _of = DTLZ3


@final
@dataclass(frozen=True, kw_only=True)
class IDTLZ4(InvertedDTLZ):
    """Inverted form of DTLZ4 (spherical front, biased positions): ``(1 + g) - f_i``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10.
    """

    id = "idtlz4-v1"
    _of = DTLZ4


@final
@dataclass(frozen=True, kw_only=True)
class MinusDTLZ1(MinusDTLZ):
    """Minus form of DTLZ1 (linear front, Rastrigin-like g): ``-f_i``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 5.
    """

    id = "minusdtlz1-v1"
    _of = DTLZ1


@final
@dataclass(frozen=True, kw_only=True)
class MinusDTLZ2(MinusDTLZ):
    """Minus form of DTLZ2 (spherical front): ``-f_i``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10.
    """

    id = "minusdtlz2-v1"
    _of = DTLZ2


@final
@dataclass(frozen=True, kw_only=True)
class MinusDTLZ3(MinusDTLZ):
    """Minus form of DTLZ3 (spherical front, Rastrigin-like g): ``-f_i``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10.
    """

    id = "minusdtlz3-v1"
    _of = DTLZ3


@final
@dataclass(frozen=True, kw_only=True)
class MinusDTLZ4(MinusDTLZ):
    """Minus form of DTLZ4 (spherical front, biased positions): ``-f_i``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10.
    """

    id = "minusdtlz4-v1"
    _of = DTLZ4


@final
@dataclass(frozen=True, kw_only=True)
class ConvexDTLZ2(ConvexDTLZ):
    """Convex form of DTLZ2 (spherical front): ``f_i^4``, the last ``f_m^2``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10.
    """

    id = "convexdtlz2-v1"
    _of = DTLZ2


@final
@dataclass(frozen=True, kw_only=True)
class ConvexDTLZ4(ConvexDTLZ):
    """Convex form of DTLZ4 (spherical front, biased positions): ``f_i^4``, the last ``f_m^2``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        n_variables: Number d = m - 1 + k of variables in [0, 1]; None takes k = 10.
    """

    id = "convexdtlz4-v1"
    _of = DTLZ4
