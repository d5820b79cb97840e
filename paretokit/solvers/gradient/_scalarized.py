"""Weights of scalarized losses: they need one backward pass, and no Gramian."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.solvers.gradient._aggregator import Aggregator, Setting


@final
@dataclass(frozen=True, kw_only=True)
class Linear(Aggregator):
    r"""Descends the preferred weighted sum, which reaches the convex parts of a front only.

    .. math:: w = p
    """

    _reads: ClassVar[frozenset[str]] = frozenset({"preference"})

    def _weights(self, given: Setting) -> Tensor:
        return given.preference


@dataclass(frozen=True, kw_only=True)
class _Shifted(Aggregator):
    """A rule of distances from a utopian point."""

    _reads: ClassVar[frozenset[str]] = frozenset({"losses", "preference"})

    utopian: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        check.fields(self)
        if self.utopian is not None:
            point = tuple(float(v) for v in self.utopian)
            check.that(all(map(math.isfinite, point)), "utopian", "be finite", list(point))
            object.__setattr__(self, "utopian", point)

    def _weighted(self, given: Setting) -> Tensor:
        gaps = given.losses
        if self.utopian is not None:
            gaps = gaps - check.point("utopian", self.utopian, gaps.shape[-1], like=gaps)
        return given.preference * gaps


@final
@dataclass(frozen=True, kw_only=True)
class Tchebycheff(_Shifted):
    r"""Descends the largest weighted distance from the utopian point: every Pareto point has its preference.

    .. math:: w = p_k e_k, \quad k = \arg\max_i p_i (l_i - z_i)

    a subgradient, so that steps have to shrink for it to settle; `SmoothTchebycheff` needs none of that.

    Attributes:
        utopian: z, in losses to be minimized; zeros unless given.

    Source: Bowman (1976), Multiple Criteria Decision Making. LibMOON descends the unweighted loss at the maximum.
    """

    def _weights(self, given: Setting) -> Tensor:
        found = self._weighted(given)
        most = found.argmax(-1, keepdim=True)
        chosen = torch.zeros_like(found).scatter(-1, most, given.preference.gather(-1, most))
        return torch.where(torch.isfinite(found).all(-1, keepdim=True), chosen, torch.nan)


@final
@dataclass(frozen=True, kw_only=True)
class SmoothTchebycheff(_Shifted):
    r"""Descends a soft maximum of the weighted distances from the utopian point.

    .. math:: w_i = p_i \, \frac{\exp(p_i (l_i - z_i) / \mu)}{\sum_k \exp(p_k (l_k - z_k) / \mu)}

    Attributes:
        mu: Smoothing, in units of the weighted losses; the Tchebycheff rule as it goes to zero.
        utopian: z, in losses to be minimized; zeros unless given.

    Source: Lin, Zhang, Yang, Liu, Wang and Zhang (2024), ICML.
    """

    mu: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check.that(self.mu > 0 and math.isfinite(self.mu), "mu", "be positive and finite", repr(self.mu))

    def _weights(self, given: Setting) -> Tensor:
        return given.preference * torch.softmax(self._weighted(given) / self.mu, -1)
