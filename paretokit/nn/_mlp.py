"""Stacked multilayer perceptrons whose weights are rows of a flat buffer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, cast

import torch
from torch import Tensor, nn

from paretokit.core import Lanes
from paretokit.core import _check as check

Activation = Literal["tanh", "relu"]


@dataclass(frozen=True)
class MLP:
    r"""P perceptrons in one program: ``mlp(rows [P, D], x [P, B, in]) -> [P, B, out]``.

    .. math:: h_0 = x,\quad h_{i+1} = \phi(h_i W_i^\top + b_i)

    without the activation after the last layer. A row holds, layer after layer, the weight `[out, in]` and the bias
    `[out]`, in the order in which `torch.nn.Sequential` of `Linear` layers lists its parameters.

    Attributes:
        sizes: Widths from input to output.
        activation: "tanh" or "relu".

    Cost: one batched matrix product a layer.
    """

    sizes: tuple[int, ...]
    activation: Activation = "tanh"

    def __post_init__(self) -> None:
        check.at_least(2, sizes=len(self.sizes))
        check.at_least(1, smallest_size=min(self.sizes))
        check.one_of(("tanh", "relu"), activation=self.activation)

    @cached_property
    def slices(self) -> tuple[tuple[int, int, int, int], ...]:
        """Begin of the weight, begin of the bias, fan in, fan out of each layer."""
        found, at = [], 0
        for fan_in, fan_out in zip(self.sizes[:-1], self.sizes[1:], strict=True):
            found.append((at, at + fan_in * fan_out, fan_in, fan_out))
            at += (fan_in + 1) * fan_out
        return tuple(found)

    @cached_property
    def n_parameters(self) -> int:
        """Length D of a row."""
        return sum((a + 1) * b for a, b in zip(self.sizes[:-1], self.sizes[1:], strict=True))

    def layers(self, rows: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return weight `[P, out, in]` and bias `[P, 1, out]` of each layer as views of `rows [P, D]`."""
        members, rest = rows.shape[0], rows.shape[1] - self.n_parameters
        widths = [width for _, _, a, b in self.slices for width in (a * b, b)]
        parts = rows.split([*widths, *([rest] if rest else [])], 1)  # one piece of graph, where slices are one each
        return [
            (weight.view(members, fan_out, fan_in), bias.unsqueeze(1))
            for weight, bias, (_, _, fan_in, fan_out) in zip(parts[::2], parts[1::2], self.slices, strict=False)
        ]

    def __call__(self, rows: Tensor, x: Tensor) -> Tensor:
        """Return outputs `[P, B, out]` of members `rows [P, D]` for inputs `[P, B, in]`."""
        return self.forward(self.layers(rows), x)

    def forward(self, layers: list[tuple[Tensor, Tensor]], x: Tensor) -> Tensor:
        """Return outputs for `layers(rows)`, which hot loops keep between calls."""
        last = len(layers) - 1
        for i, (weight, bias) in enumerate(layers):
            x = torch.baddbmm(bias, x, weight.transpose(1, 2))
            if i < last:
                x = torch.tanh(x) if self.activation == "tanh" else torch.relu(x)
        return x

    def init(
        self, lanes: Lanes, *, gain: float | None = None, last_gain: float = 1.0, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Return initialized rows `[P, D]`: orthogonal weights, zero biases (Saxe, McClelland, Ganguli 2014).

        Args:
            lanes: One source of numbers a member.
            gain: Of the hidden layers; sqrt(2) unless given.
            last_gain: Of the last layer.
            dtype: Of the rows.
        """
        rows = torch.zeros(len(lanes), self.n_parameters, dtype=dtype)
        last = len(self.slices) - 1
        for i, (weight, bias, fan_in, fan_out) in enumerate(self.slices):
            tall, thin = max(fan_in, fan_out), min(fan_in, fan_out)
            scale = last_gain if i == last else (2.0**0.5 if gain is None else gain)
            for p, rng in enumerate(lanes.rngs):
                q, r = torch.linalg.qr(rng.child("layer", i).normal(tall, thin))
                q = q * torch.sign(torch.diagonal(r))
                rows[p, weight:bias] = (scale * (q if fan_out >= fan_in else q.T)).reshape(-1).to(dtype)
        return rows


def perceptron(module: nn.Module) -> MLP | None:
    """Return the perceptron that a module is, if it is one: layers with biases, ReLU or tanh between them."""
    parts = list(module) if type(module) is nn.Sequential else [module]
    layers, between = parts[::2], parts[1::2]
    if len(parts) % 2 == 0 or not all(type(part) is nn.Linear and part.bias is not None for part in layers):
        return None
    kinds = {type(part) for part in between}
    hooked = any(part._forward_hooks or part._forward_pre_hooks for part in (module, *parts))
    if hooked or len(kinds) > 1 or not kinds <= {nn.ReLU, nn.Tanh}:
        return None
    linear = cast("list[nn.Linear]", layers)
    activation: Activation = "tanh" if nn.Tanh in kinds else "relu"
    return MLP((linear[0].in_features, *(part.out_features for part in linear)), activation)
