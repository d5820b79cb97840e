"""Two curves for one network: the smallest problem of multi-task learning, with its front in closed form."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, final

import torch
from torch import Tensor, nn

from paretokit.core import EvaluationProtocol, Scoring
from paretokit.core import _check as check
from paretokit.problems.multitask._multitask import MultiTask


def _sine(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs[:, 0] - targets[:, 0]).square().mean()


def _cosine(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs[:, 0] - targets[:, 1]).square().mean()


@final
class TwoCurves(MultiTask):
    r"""A network with one output that is to be a sine and a cosine at once.

    .. math:: l_1 = \operatorname{mean}_u (f_\theta(u) - \sin \pi u)^2, \qquad
              l_2 = \operatorname{mean}_u (f_\theta(u) - \cos \pi u)^2

    over a grid on [-1, 1]. The best function for every trade-off is a mixture of the two, so that no network lies below
    :math:`(t^2 D, (1 - t)^2 D)` with D the curves' mean squared distance; a wide one comes near.

    Args:
        hidden: Width of the network's two hidden layers.
        n_points: Points of the grid.
    """

    id = "multitask-curves-v1"
    front_kind = "approximate"

    def __init__(self, *, hidden: int = 16, n_points: int = 32) -> None:
        check.at_least(1, hidden=hidden)
        check.at_least(2, n_points=n_points)
        self.hidden, self.n_points = hidden, n_points
        u = torch.linspace(-1, 1, n_points, dtype=torch.float64).unsqueeze(1)
        targets = torch.cat([torch.sin(math.pi * u), torch.cos(math.pi * u)], 1)
        self.distance = float((targets[:, 0] - targets[:, 1]).square().mean())
        sizes = (1, hidden, hidden, 1)
        layers: list[nn.Module] = []
        for k, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
            layers += [_linear(fan_in, fan_out, k), nn.Tanh()]
        module = nn.Sequential(*layers[:-1])
        super().__init__(module, [("sine", _sine), ("cosine", _cosine)], (u, targets), batch_size=n_points)
        worst = self.distance
        scoring = Scoring(reference_point=(1.1 * worst,) * 2, ideal=(0.0, 0.0), nadir=(worst,) * 2)
        self.protocol = EvaluationProtocol(scoring=scoring)

    def options(self) -> Mapping[str, Any]:
        """Return the constructor's options."""
        return {"hidden": self.hidden, "n_points": self.n_points}

    def pareto_front(self, n: int | None = None) -> Tensor:
        """Return n points (200 for None) that no network lies below."""
        t = torch.linspace(0, 1, n or 200, dtype=torch.float64)
        return self.distance * torch.stack([t.square(), (1 - t).square()], 1)


def _linear(fan_in: int, fan_out: int, k: int) -> nn.Linear:
    """Return a layer whose first weights are a fixed pattern, so that making the problem draws nothing."""
    layer = nn.Linear(fan_in, fan_out, device="meta").to_empty(device="cpu").double()
    with torch.no_grad():
        numbers = torch.arange(fan_in * fan_out, dtype=torch.float64).reshape(fan_out, fan_in)
        layer.weight.copy_(torch.sin(1.7 * numbers + k + 1) / fan_in**0.5)
        layer.bias.zero_()
    return layer
