"""What a conditional sampler is told: preferences and temperatures, drawn and encoded."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.indicators import dirichlet_weights

Encoding = Literal["thermometer", "raw"]


def thermometer(values: Tensor, *, bins: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    r"""Return numbers as how many marks they pass, `[..., k]` to `[..., k * bins]`.

    .. math:: e_j = \min(\max(v - b_j, 0), g) / g, \qquad b_j = \text{low} + j g,\;
              g = (\text{high} - \text{low}) / (\text{bins} - 1)

    At v = high the last entry is 0; all are 1 only from high + g on.

    Source: as in the multi-objective GFlowNets of Jain et al. (2023), ICML.
    """
    check.at_least(2, bins=bins)
    gap = (high - low) / (bins - 1)
    marks = low + gap * torch.arange(bins, dtype=values.dtype, device=values.device)
    return ((values.unsqueeze(-1) - marks).clamp(0, gap) / gap).flatten(-2)


@final
@dataclass(frozen=True, kw_only=True)
class Temperature:
    r"""The exponent :math:`\beta` of the reward: one number, or drawn for every trajectory and told to the sampler.

    Attributes:
        value: The exponent where it is one number, and the one that is measured and asked at; within `low` and `high`
            where these bound the draw.
        draw: "constant", "uniform" or "loguniform" between `low` and `high`, or "gamma" of shape `low`, scale `high`.
        low, high: Of the draw.
        bins: Marks of its thermometer where it is drawn.
    """

    value: float = 1.0
    draw: Literal["constant", "uniform", "loguniform", "gamma"] = "constant"
    low: float = 1.0
    high: float = 64.0
    bins: int = 32

    def __post_init__(self) -> None:
        check.fields(self)
        check.positive(value=self.value, low=self.low, high=self.high)
        check.one_of(("constant", "uniform", "loguniform", "gamma"), draw=self.draw)
        check.that(
            self.draw not in ("uniform", "loguniform") or self.low <= self.high, "low", "be at most `high`", self.low
        )
        trained = self.draw not in ("uniform", "loguniform") or self.low <= self.value <= self.high
        rule = f"lie within what is drawn, {self.low:g} … {self.high:g}"
        check.that(trained, "value", rule, self.value, "the sampler is measured and asked at it")

    @staticmethod
    def of(given: Temperature | Mapping[str, Any] | float) -> Temperature:
        """Return a temperature: itself, a constant, or from its options."""
        if isinstance(given, Mapping):
            check.options(given, [f.name for f in dataclasses.fields(Temperature)], owner="Temperature")
            return Temperature(**given)
        if isinstance(given, Temperature):
            return given
        check.positive(temperature=given)
        return Temperature(value=float(given))

    @property
    def size(self) -> int:
        """Entries of the encoding; none for a constant."""
        return 0 if self.draw == "constant" else self.bins

    @property
    def _top(self) -> float:
        return 4 * self.low * self.high if self.draw == "gamma" else self.high

    def sample(self, n: int, rng: Rng) -> Tensor:
        """Return n exponents, float64 `[n]`."""
        if self.draw == "constant":
            return torch.full((n,), self.value, dtype=torch.float64)
        if self.draw == "gamma":
            return torch.from_numpy(rng.numpy().gamma(self.low, self.high, n))
        u = rng.uniform(n)
        if self.draw == "uniform":
            return self.low + u * (self.high - self.low)
        return torch.exp(math.log(self.low) + u * math.log(self.high / self.low))

    def encode(self, beta: Tensor) -> Tensor:
        """Return exponents `[n]` as a thermometer `[n, bins]`, or nothing `[n, 0]` for a constant."""
        if self.draw == "constant":
            return beta.new_zeros(len(beta), 0)
        return thermometer(beta.unsqueeze(-1), bins=self.bins, low=0.0, high=self._top)


@final
@dataclass(frozen=True, kw_only=True)
class Preferences:
    """Weights on the simplex, one a trajectory.

    Attributes:
        alpha: Concentration of the Dirichlet distribution; 1 is uniform.
        per_batch: Draw one for the whole batch (as the sequence experiments of Jain et al. do), not one a trajectory.
        encoding: "thermometer", or "raw" numbers.
        bins: Marks an objective of the thermometer.
    """

    alpha: float = 1.0
    per_batch: bool = False
    encoding: Encoding = "thermometer"
    bins: int = 16

    def __post_init__(self) -> None:
        check.fields(self)
        check.positive(alpha=self.alpha)
        check.one_of(("thermometer", "raw"), encoding=self.encoding)
        check.at_least(2, bins=self.bins)

    @staticmethod
    def of(given: Preferences | Mapping[str, Any]) -> Preferences:
        """Return preferences: themselves, or from their options."""
        if isinstance(given, Preferences):
            return given
        check.options(given, [f.name for f in dataclasses.fields(Preferences)], owner="Preferences")
        return Preferences(**given)

    def size(self, m: int) -> int:
        """Entries of the encoding of m weights."""
        return m * self.bins if self.encoding == "thermometer" else m

    def sample(self, m: int, n: int, rng: Rng) -> Tensor:
        """Return n preferences, float64 `[n, m]`."""
        if self.per_batch:
            return dirichlet_weights(m, 1, rng, alpha=self.alpha).expand(n, m)
        return dirichlet_weights(m, n, rng, alpha=self.alpha)

    def encode(self, weights: Tensor) -> Tensor:
        """Return preferences `[n, m]` as a policy reads them."""
        return thermometer(weights, bins=self.bins) if self.encoding == "thermometer" else weights
