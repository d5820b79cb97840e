"""Networks of the ready streams, and the frozen features before them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from paretokit.core import Rng


class RandomFeatures(nn.Module):
    r"""Frozen random features, the stand-in for a frozen encoder.

    .. math:: h = \max(0, W (u - c) + b), \qquad W_{ij} \sim N(0, g^2 / n), \; b_i \sim N(0, b^2)

    Args:
        n_inputs: Number n of entries of an input, however it is shaped.
        n_features: Number of features.
        rng: Draws W and b.
        gain: g.
        offset: b.
        center: c, which is taken off each entry.
    """

    def __init__(
        self,
        n_inputs: int,
        n_features: int,
        rng: Rng,
        *,
        gain: float = 2.0,
        offset: float = 0.5,
        center: float = 0.2,
    ) -> None:
        super().__init__()
        weight = gain / n_inputs**0.5 * rng.child("weight").normal(n_features, n_inputs, dtype=torch.float32)
        self.weight: Tensor
        self.bias: Tensor
        self.register_buffer("weight", weight)
        self.register_buffer("bias", offset * rng.child("bias").normal(n_features, dtype=torch.float32))
        self.center = center

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the features `[n, n_features]` of inputs `[n, ...]`."""
        return torch.relu(torch.addmm(self.bias, inputs.flatten(1) - self.center, self.weight.mT))


def perceptron_of(sizes: Sequence[int]) -> nn.Module:
    """Return a perceptron with ReLU between its layers, all zeros, so that making it draws nothing."""
    parts: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        layer = nn.Linear(fan_in, fan_out, device="meta").to_empty(device="cpu")
        with torch.no_grad():
            layer.weight.zero_()
            layer.bias.zero_()
        parts += [layer, nn.ReLU()]
    return parts[0] if len(parts) == 2 else nn.Sequential(*parts[:-1])
