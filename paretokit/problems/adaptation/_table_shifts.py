"""Ready shifts between tables and between points in the plane."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, final

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.problems.adaptation._adaptation import DomainAdaptation
from paretokit.problems.adaptation._network import perceptron, unseeded


class _BiasedTable(DomainAdaptation):
    r"""A table of scikit-learn's, split by where its rows lie: covariate shift with one labeling for both domains.

    A row goes to the source with probability :math:`1 / (1 + e^{b u})`, u its first principal component in standard
    deviations: the domains see different inputs and agree on what they mean. Columns are standardized over both.

    Args:
        seed: Of the split between the domains and within.
        bias: b.
    """

    table = ""

    def __init__(self, *, seed: int = 0, bias: float = 1.5) -> None:
        check.at_least(0, bias=bias)
        self.seed, self.bias = seed, bias
        check.package("sklearn", extra="merging")
        data = getattr(check.package("sklearn.datasets", extra="merging"), f"load_{self.table}")()
        x = torch.tensor(data.data, dtype=torch.float64)
        y = torch.tensor(data.target, dtype=torch.int64)
        x = (x - x.mean(0)) / x.std(0).clamp_min(1e-9)
        along = x @ torch.linalg.eigh(x.T @ x).eigenvectors[:, -1]
        along = along * torch.sign(along[0])  # an eigenvector has no sign of its own
        chance = 1 / (1 + torch.exp(bias * along / along.std()))
        own = Rng.from_seed(seed).child("domain").uniform(len(x)) < chance
        x = x.float()
        network = unseeded(lambda: perceptron(x.shape[1], int(y.max()) + 1, hidden=(32, 32)))
        super().__init__((x[own], y[own]), (x[~own], y[~own]), network, split_seed=seed, held_share=0.2)

    def options(self) -> Mapping[str, Any]:
        """Return the constructor's options."""
        return {"seed": self.seed, "bias": self.bias}


@final
class WineShift(_BiasedTable):
    """178 wines of three cultivars, 13 measurements; the source has more of one end of the first component."""

    id = "adaptation-wine-v1"
    table = "wine"


@final
class CancerShift(_BiasedTable):
    """569 tumors, benign or malignant, 30 measurements; the source has more of one end of the first component."""

    id = "adaptation-cancer-v1"
    table = "breast_cancer"


@final
class RotatedMoons(DomainAdaptation):
    """Two half circles, and the same turned: two-dimensional, for looking.

    Args:
        seed: Of the points and of the splits.
        n: Points of each domain.
        angle: Degrees by which the target is turned, counterclockwise.
        noise: Standard deviation of the points around the half circles of radius one.
    """

    id = "adaptation-moons-v1"

    def __init__(self, *, seed: int = 0, n: int = 400, angle: float = 35.0, noise: float = 0.1) -> None:
        check.at_least(20, n=n)
        check.at_least(0, noise=noise)
        self.seed, self.n, self.angle, self.noise = seed, n, angle, noise
        rng = Rng.from_seed(seed).child("moons")
        source, target = (_moons(n, noise, rng.child("domain", k)) for k in range(2))
        turn = math.radians(angle)
        matrix = torch.tensor([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        network = unseeded(lambda: perceptron(2, 2, hidden=(32, 16)))
        super().__init__(source, (target[0] @ matrix, target[1]), network, split_seed=seed)

    def options(self) -> Mapping[str, Any]:
        """Return the constructor's options."""
        return {"seed": self.seed, "n": self.n, "angle": self.angle, "noise": self.noise}


def _moons(n: int, noise: float, rng: Rng) -> tuple[Tensor, Tensor]:
    """Return points `[n, 2]` about the origin and which half circle each belongs to."""
    labels = (torch.arange(n) % 2).to(torch.int64)
    angle = math.pi * rng.child("angle").uniform(n)
    side = 1.0 - 2.0 * labels
    x = torch.stack([side * angle.cos() + labels - 0.5, side * angle.sin() + 0.5 * labels - 0.25], 1)
    return (x + noise * rng.child("noise").normal(n, 2)).float(), labels
