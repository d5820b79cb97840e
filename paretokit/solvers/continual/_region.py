"""Where a preference's networks lie: combinations of posteriors, and their highest-density regions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.core import _check as check

Combination = Literal["barycenter", "moments", "mixture"]
Shape = Literal["ellipsoid", "box"]
DRAWS = 2000
"""Draws from which the density at a mixture's boundary is read."""
TRIES = 50
"""Rounds of draws after which a mixture's region is given up."""


def chi_square_quantile(degrees: int, mass: float) -> float:
    """Return the radius squared that holds a share of a standard normal vector in `degrees` dimensions.

    Bisection on the regularized incomplete gamma function; exact to rounding.
    """
    check.at_least(1, degrees=degrees)
    check.that(0 < mass < 1, "mass", "lie in (0, 1)", mass)
    half = torch.tensor(degrees / 2, dtype=torch.float64)
    low, high = 0.0, float(degrees) + 20.0
    while float(torch.special.gammainc(half, torch.tensor(high / 2, dtype=torch.float64))) < mass:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        inside = float(torch.special.gammainc(half, torch.tensor(middle / 2, dtype=torch.float64))) < mass
        low, high = (middle, high) if inside else (low, middle)
        if high - low <= 1e-13 * high:
            break
    return (low + high) / 2


@dataclass(frozen=True)
class Region:
    r"""The highest-density region of a preference's distribution over parameters.

    For one Gaussian :math:`\sum_d ((\theta_d - \mu_d) / \sigma_d)^2 \le \chi^2_{D, 1 - \alpha}` ("ellipsoid"), or
    each coordinate within its central interval of mass :math:`1 - \alpha` ("box", whose joint mass is
    :math:`(1 - \alpha)^D`). For a mixture, where its density is at least what a share :math:`1 - \alpha` of its draws
    has.

    Attributes:
        means, stds: Of the components `[k, D]`; one unless the combination is a mixture.
        weights: Theirs `[k]`.
        alpha: Mass outside.
        shape: "ellipsoid" or "box", for one component.
    """

    means: Tensor
    stds: Tensor
    weights: Tensor
    alpha: float
    shape: Shape = "ellipsoid"

    @property
    def is_mixture(self) -> bool:
        """Whether there are several components."""
        return len(self.means) > 1

    @property
    def mean(self) -> Tensor:
        """Mean of the distribution `[D]`."""
        return (self.weights.to(self.means) @ self.means).clone()

    @property
    def std(self) -> Tensor:
        """Standard deviations of the distribution `[D]`."""
        w = self.weights.to(self.means)
        second = w @ (self.stds.square() + self.means.square())
        return (second - self.mean.square()).clamp_min(0).sqrt()

    @property
    def center(self) -> Tensor:
        """The network to take if there is to be one `[D]`: the mean; of a mixture, the densest of its components'."""
        if not self.is_mixture:
            return self.means[0].clone()
        return self.means[int(self.log_density(self.means).argmax())].clone()

    def log_density(self, x: Tensor) -> Tensor:
        """Return the log density `[n]`, float64, of parameters `x [n, D]`."""
        x, mean, std = x.to(torch.float64), self.means.to(torch.float64), self.stds.to(torch.float64)
        parts = [
            -0.5 * ((x - m) / s).square().sum(-1) - s.log().sum() - 0.5 * x.shape[-1] * math.log(2 * math.pi)
            for m, s in zip(mean, std, strict=True)
        ]
        return torch.logsumexp(torch.stack(parts) + self.weights.to(torch.float64).log().unsqueeze(-1), 0)

    def contains(self, x: Tensor) -> Tensor:
        """Tell for parameters `x [n, D]` whether they lie in the region, `[n]`."""
        if self.is_mixture:
            return self.log_density(x) >= self._level()
        scaled = ((x - self.means[0]) / self.stds[0]).to(torch.float64)
        if self.shape == "box":
            return (scaled.abs() <= self._half_width() + 1e-6).all(-1)
        return scaled.square().sum(-1) <= chi_square_quantile(x.shape[-1], 1 - self.alpha) * (1 + 1e-6)

    def sample(self, n: int, rng: Rng) -> Tensor:
        r"""Return n parameters `[n, D]` of the region: uniform in it, or of a mixture, its draws that fall into it.

        Uniform in an ellipsoid is a random direction times :math:`r\,u^{1/D}`.

        Raises:
            InputError: If hardly any draw of a mixture falls into its region.
        """
        d = self.means.shape[1]
        if self.is_mixture:
            return self._drawn_inside(n, rng)
        if self.shape == "box":
            unit = self._half_width() * (2 * rng.uniform(n, d) - 1)
        else:
            direction = rng.child("direction").normal(n, d)
            direction = direction / torch.linalg.vector_norm(direction, dim=-1, keepdim=True)
            radius = chi_square_quantile(d, 1 - self.alpha) ** 0.5 * rng.child("radius").uniform(n, 1) ** (1 / d)
            unit = direction * radius
        return self.means[0] + self.stds[0] * unit.to(self.means)

    def _half_width(self) -> float:
        return float(torch.special.ndtri(torch.tensor(1 - self.alpha / 2, dtype=torch.float64)))

    def _draw(self, n: int, rng: Rng) -> Tensor:
        """Return n draws of the mixture `[n, D]`."""
        ends = self.weights.to("cpu", torch.float64).cumsum(0)
        which = torch.searchsorted(ends, rng.child("component").uniform(n) * ends[-1]).clamp_max(len(ends) - 1)
        noise = rng.child("noise").normal(n, self.means.shape[1]).to(self.means)
        return self.means[which] + self.stds[which] * noise

    def _level(self) -> float:
        """Return the log density at the boundary of a mixture's region."""
        return float(self.log_density(self._draw(DRAWS, Rng(0).child("level"))).quantile(self.alpha))

    def _drawn_inside(self, n: int, rng: Rng) -> Tensor:
        level, found, have = self._level(), [self.means[:0]], 0
        for turn in range(TRIES):
            drawn = self._draw(max(n, 16), rng.child("turn", turn))
            found.append(drawn[self.log_density(drawn) >= level])
            have += len(found[-1])
            if have >= n:
                return torch.cat(found)[:n]
        return check.fail("alpha", "leave a region that draws fall into", self.alpha, f"{have} of {n} did")


def combined(means: Tensor, stds: Tensor, weights: Tensor, *, way: Combination) -> tuple[Tensor, Tensor, Tensor]:
    r"""Return means, standard deviations and weights of the components of a preference's distribution.

    "barycenter": :math:`\sum \beta \mu, \sum \beta \sigma`, the 2-Wasserstein barycenter of diagonal Gaussians, as in
    the code of IBCL. "moments": the Gaussian with the mixture's mean and variance. "mixture":
    :math:`\sum \beta q`, which is what its theory says.

    Args:
        means: Of posteriors `[k, D]`.
        stds: Theirs `[k, D]`.
        weights: :math:`\beta` `[k]`, on the simplex.
        way: Which of these.
    """
    held = weights > 0
    means, stds, w = means[held], stds[held], weights[held].to(means)
    if way == "mixture":
        return means, stds, weights[held]
    mean = w @ means
    if way == "barycenter":
        std = w @ stds
    else:
        std = (w @ (stds.square() + (means - mean).square())).sqrt()
    return mean.unsqueeze(0), std.unsqueeze(0), weights.new_ones(1)
