"""WFG1 to WFG9: any number of objectives, separable or not, deceptive, biased (Huband and others, 2006)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import Box, Evaluation, Rng
from paretokit.core import _check as check
from paretokit.problems._thin import thin
from paretokit.problems.synthetic import _wfg_maths as wfg
from paretokit.problems.synthetic._base import Synthetic, count, whole
from paretokit.problems.synthetic._points import DEFAULT, Intervals, along, cube, simplex, thinned

# Where t cos(5 pi t)^2 exceeds all its earlier values; inner left ends are rounded up by 1e-12.
WFG2_PIECES: Intervals = (
    (0.0, 0.04158853544223386),
    (0.1296924672232, 0.2095949656312109),
    (0.3549347145870, 0.4049933325885808),
    (0.5640500911488, 0.6033554792401994),
    (0.7690984706628, 0.8025237409357283),
    (0.9724372738752, 1.0),
)
OPTIMUM = 0.35  # of every distance variable, relative to its range
OVERSAMPLED = 8  # candidates a point of a front that has no even parameters


@dataclass(frozen=True, kw_only=True)
class WFG(Synthetic):
    """Values ``f_i = t_m + 2i h_i(t_1 ... t_(m-1))`` of k position and l distance variables ``z_i in [0, 2i]``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        k: Number of position variables, a multiple of m - 1; None takes 4 for m = 2, else 2 (m - 1).
        l: Number of distance variables; 20 in the authors' experiments.

    Source: Huband, Hingston, Barone and While, "A review of multiobjective test problems and a scalable test problem
    toolkit", IEEE Transactions on Evolutionary Computation 10(5), 2006.
    """

    n_objectives: int = 3
    k: int | None = None
    l: int = 20  # noqa: E741 - the paper's letter
    _even_l = False
    _K = 0

    def __post_init__(self) -> None:
        m = self.n_objectives
        whole(n_objectives=m)
        check.at_least(2, n_objectives=m)
        k = (4 if m == 2 else 2 * (m - 1)) if self.k is None else self.k
        whole(k=k, l=self.l)
        check.at_least(1, k=k, l=self.l)
        check.that(k % (m - 1) == 0, "k", f"be a multiple of n_objectives - 1 = {m - 1}", k)
        check.that(not self._even_l or self.l % 2 == 0, "l", "be even", self.l, "its variables are reduced in pairs")
        sizes = 2 * torch.arange(1, k + self.l + 1, dtype=torch.float64)
        self._define(Box(torch.zeros_like(sizes), sizes), m, k=k, _K=k)

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        t = self._reduce(x / self.space.upper.to(x))
        return Evaluation(self._values(t[:, :-1], t[:, -1]))

    def _values(self, near: Tensor, far: Tensor) -> Tensor:
        """Return values `[n, m]` of underlying positions `[n, m - 1]` and distance `[n]`."""
        sizes = 2 * torch.arange(1, self.n_objectives + 1, dtype=near.dtype, device=near.device)
        return far[:, None] + sizes * self._shape(near)

    @abstractmethod
    def _reduce(self, y: Tensor) -> Tensor:
        """Return the m underlying parameters in [0, 1] of variables scaled to [0, 1]."""

    def _shape(self, near: Tensor) -> Tensor:
        return wfg.concave(near)

    def _means(self, y: Tensor) -> Tensor:
        return torch.stack([wfg.r_sum(part) for part in wfg.grouped(y, self._K, self.n_objectives - 1)], -1)

    def _shifted(self, y: Tensor) -> Tensor:
        return torch.cat([y[:, : self._K], wfg.s_linear(y[:, self._K :], OPTIMUM)], -1)

    def _bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        m = self.n_objectives
        return (0.0,) * m, tuple(2.0 * i for i in range(1, m + 1))

    def _front_at(self, near: Tensor) -> Tensor:
        return self._values(near, torch.zeros(near.shape[0], dtype=near.dtype))

    def _spread(self, n: int | None, pieces: Intervals) -> Tensor:
        """Return n well spread points of a front over ``pieces x [0, 1]^(m-2)``, chosen among many more."""
        count(n)
        wanted = DEFAULT if n is None else n
        near = cube(max(OVERSAMPLED * wanted, 64), self.n_objectives - 1)
        near = torch.cat([along(near[:, :1], pieces), near[:, 1:]], -1)
        ends = near[near[:, 0] == 0][:1]  # all points with first position 0 are one
        return self._own(thin(self._front_at(torch.cat([ends, near[near[:, 0] > 0]])), wanted))

    def pareto_front(self, n: int | None = None) -> Tensor:
        """Return n points of the true front, an ellipsoid: a simplex lattice projected on it, thinned to n."""
        count(n)
        _, nadir = self._bounds()

        def surface(asked: int) -> Tensor:
            directions = torch.nn.functional.normalize(simplex(asked, self.n_objectives), dim=-1)
            return directions * torch.tensor(nadir, dtype=torch.float64)

        return self._own(thinned(surface, n))


@dataclass(frozen=True, kw_only=True)
class PairedWFG(WFG):
    """WFG2 and WFG3: distance variables are reduced in pairs, so l is even."""

    _even_l = True

    def _reduce(self, y: Tensor) -> Tensor:
        shifted = self._shifted(y)
        pairs = wfg.r_nonsep(shifted[:, self._K :].reshape(y.shape[0], -1, 2))
        return self._means(torch.cat([shifted[:, : self._K], pairs], -1))


@final
@dataclass(frozen=True, kw_only=True)
class WFG1(WFG):
    """Convex front with a mixed last objective; flat regions and a strong polynomial bias ``y^0.02``.

    Args:
        n_objectives: Number m of objectives, at least 2.
        k: Number of position variables, a multiple of m - 1; None takes 4 for m = 2, else 2 (m - 1).
        l: Number of distance variables.

    Source: Huband, Hingston, Barone and While (2006).
    """

    id = "wfg1-v1"

    def _reduce(self, y: Tensor) -> Tensor:
        k = self._K
        far = wfg.b_flat(wfg.s_linear(y[:, k:], OPTIMUM), 0.8, 0.75, 0.85)
        biased = wfg.bias(torch.cat([y[:, :k], far], -1), 0.02)
        groups = self.n_objectives - 1
        weights = wfg.grouped(self.space.upper.to(y)[None], k, groups)
        parts = wfg.grouped(biased, k, groups)
        return torch.stack([wfg.r_sum(part, w[0]) for part, w in zip(parts, weights, strict=True)], -1)

    def _shape(self, near: Tensor) -> Tensor:
        return torch.cat([wfg.convex(near)[:, :-1], wfg.mixed(near[:, :1], 5)], -1)

    def pareto_front(self, n: int | None = None) -> Tensor:
        """Return n well spread points of the true front; 1000 for None."""
        return self._spread(n, ((0.0, 1.0),))


@final
@dataclass(frozen=True, kw_only=True)
class WFG2(PairedWFG):
    """Convex front in six pieces; distance variables not separable.

    Args:
        n_objectives: Number m of objectives, at least 2.
        k: Number of position variables, a multiple of m - 1; None takes 4 for m = 2, else 2 (m - 1).
        l: Number of distance variables, even.

    Source: Huband, Hingston, Barone and While (2006).
    """

    id = "wfg2-v1"

    def _shape(self, near: Tensor) -> Tensor:
        return torch.cat([wfg.convex(near)[:, :-1], wfg.disconnected(near[:, :1], 5)], -1)

    def pareto_front(self, n: int | None = None) -> Tensor:
        """Return n well spread points of the true front; 1000 for None."""
        return self._spread(n, WFG2_PIECES)


@final
@dataclass(frozen=True, kw_only=True)
class WFG3(PairedWFG):
    """A line, all positions but the first at their middle where the distance is 0; not separable.

    For two objectives the line is the whole front. From three on, solutions at larger distances are non-dominated as
    well (Ishibuchi, Masuda and Nojima, "Pareto fronts of many-objective degenerate test problems", IEEE Transactions
    on Evolutionary Computation 20(5), 2016); `pareto_front` and the scoring then stand for the intended line only,
    labelled approximate.

    Args:
        n_objectives: Number m of objectives, at least 2.
        k: Number of position variables, a multiple of m - 1; None takes 4 for m = 2, else 2 (m - 1).
        l: Number of distance variables, even.

    Source: Huband, Hingston, Barone and While (2006).
    """

    id = "wfg3-v1"

    def __post_init__(self) -> None:
        WFG.__post_init__(self)
        object.__setattr__(self, "front_kind", "exact" if self.n_objectives == 2 else "approximate")

    def _values(self, near: Tensor, far: Tensor) -> Tensor:
        middled = far[:, None] * (near[:, 1:] - 0.5) + 0.5
        return WFG._values(self, torch.cat([near[:, :1], middled], -1), far)

    def _shape(self, near: Tensor) -> Tensor:
        return wfg.linear(near)

    def _bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        m = self.n_objectives
        halves = [m - 2, *range(m - 2, -1, -1)]
        return (0.0,) * m, tuple(2 * (i + 1) * 0.5**h for i, h in enumerate(halves))

    def pareto_front(self, n: int | None = None) -> Tensor:
        """Return n evenly spread points of the line; 1000 for None."""
        count(n)
        near = torch.linspace(0, 1, DEFAULT if n is None else n, dtype=torch.float64)[:, None]
        return self._own(self._front_at(near.expand(-1, self.n_objectives - 1)))


@final
@dataclass(frozen=True, kw_only=True)
class WFG4(WFG):
    """Ellipsoidal front; every variable highly multimodal.

    Args:
        n_objectives: Number m of objectives, at least 2.
        k: Number of position variables, a multiple of m - 1; None takes 4 for m = 2, else 2 (m - 1).
        l: Number of distance variables.

    Source: Huband, Hingston, Barone and While (2006).
    """

    id = "wfg4-v1"

    def _reduce(self, y: Tensor) -> Tensor:
        return self._means(wfg.s_multi(y, 30, 10, OPTIMUM))


@final
@dataclass(frozen=True, kw_only=True)
class WFG5(WFG):
    """Ellipsoidal front; every variable deceptive.

    Args:
        n_objectives: Number m of objectives, at least 2.
        k: Number of position variables, a multiple of m - 1; None takes 4 for m = 2, else 2 (m - 1).
        l: Number of distance variables.

    Source: Huband, Hingston, Barone and While (2006).
    """

    id = "wfg5-v1"

    def _reduce(self, y: Tensor) -> Tensor:
        return self._means(wfg.s_decept(y, OPTIMUM, 0.001, 0.05))


@final
@dataclass(frozen=True, kw_only=True)
class WFG6(WFG):
    """Ellipsoidal front; no variable separable.

    pygmo 2 rounds in the non-separable reduction of groups of odd size k / (m - 1), and differs from the paper there.

    Args:
        n_objectives: Number m of objectives, at least 2.
        k: Number of position variables, a multiple of m - 1; None takes 4 for m = 2, else 2 (m - 1).
        l: Number of distance variables.

    Source: Huband, Hingston, Barone and While (2006).
    """

    id = "wfg6-v1"

    def _reduce(self, y: Tensor) -> Tensor:
        parts = wfg.grouped(self._shifted(y), self._K, self.n_objectives - 1)
        return torch.stack([wfg.r_nonsep(part) for part in parts], -1)


@final
@dataclass(frozen=True, kw_only=True)
class WFG7(WFG):
    """Ellipsoidal front; position variables biased by all variables after them.

    Args:
        n_objectives: Number m of objectives, at least 2.
        k: Number of position variables, a multiple of m - 1; None takes 4 for m = 2, else 2 (m - 1).
        l: Number of distance variables.

    Source: Huband, Hingston, Barone and While (2006).
    """

    id = "wfg7-v1"

    def _reduce(self, y: Tensor) -> Tensor:
        k = self._K
        near = wfg.b_param(y[:, :k], wfg.means_after(y)[:, :k], 0.98 / 49.98, 0.02, 50)
        return self._means(torch.cat([near, wfg.s_linear(y[:, k:], OPTIMUM)], -1))


@final
@dataclass(frozen=True, kw_only=True)
class WFG8(WFG):
    """Ellipsoidal front; distance variables biased by all variables before them, so optima depend on positions.

    pygmo 2 biases by the already biased ones before it instead of the plain ones, and differs from the paper.

    Args:
        n_objectives: Number m of objectives, at least 2.
        k: Number of position variables, a multiple of m - 1; None takes 4 for m = 2, else 2 (m - 1).
        l: Number of distance variables.

    Source: Huband, Hingston, Barone and While (2006).
    """

    id = "wfg8-v1"

    def _reduce(self, y: Tensor) -> Tensor:
        k = self._K
        far = wfg.b_param(y[:, k:], wfg.means_before(y)[:, k:], 0.98 / 49.98, 0.02, 50)
        return self._means(torch.cat([y[:, :k], wfg.s_linear(far, OPTIMUM)], -1))


@final
@dataclass(frozen=True, kw_only=True)
class WFG9(WFG):
    """Ellipsoidal front; biased by the variables after, deceptive or multimodal, and not separable.

    pygmo 2 rounds in the non-separable reduction of groups of odd size k / (m - 1), and differs from the paper there.

    Args:
        n_objectives: Number m of objectives, at least 2.
        k: Number of position variables, a multiple of m - 1; None takes 4 for m = 2, else 2 (m - 1).
        l: Number of distance variables.

    Source: Huband, Hingston, Barone and While (2006).
    """

    id = "wfg9-v1"

    def _reduce(self, y: Tensor) -> Tensor:
        k = self._K
        early = wfg.b_param(y[:, :-1], wfg.means_after(y)[:, :-1], 0.98 / 49.98, 0.02, 50)
        biased = torch.cat([early, y[:, -1:]], -1)
        near = wfg.s_decept(biased[:, :k], OPTIMUM, 0.001, 0.05)
        far = wfg.s_multi(biased[:, k:], 30, 95, OPTIMUM)
        parts = wfg.grouped(torch.cat([near, far], -1), k, self.n_objectives - 1)
        return torch.stack([wfg.r_nonsep(part) for part in parts], -1)
