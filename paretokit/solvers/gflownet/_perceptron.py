"""A perceptron that reads a few ones and a condition: its first layer is a sum of rows, its gradient one flat row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from paretokit.core._kernel import KernelModule
from paretokit.nn import MLP

KERNELS = KernelModule("paretokit.solvers.gflownet._perceptron_kernels", compile_seconds=3.0)
NOBODY = torch.empty(0, dtype=torch.int64)


@dataclass(frozen=True)
class Reading:
    """What M rows of a batch read.

    Attributes:
        columns: Where the features of each row are 1, all others 0, int64 `[M, K]`; or the features `[M, F]`.
        condition: Further inputs `[n, c]`, or None.
        who: Row of the condition that each row reads, int64 `[M]`; None where the first reads the first, and so on.
    """

    columns: Tensor
    condition: Tensor | None = None
    who: Tensor | None = None


class Layers:
    """A flat row `[D]` as the layers of an `MLP`.

    Attributes:
        mlp: Whose row it is.
        weights: First-layer weights of the features `[H, F]`.
        projection: First-layer weights of the condition `[H, c]`.
        bias: Of the first layer `[H]`.
        rest: Weight `[out, in]` and bias of the other layers.
    """

    def __init__(self, mlp: MLP, row: Tensor, features: int) -> None:
        (first, self.bias), *self.rest = views(mlp, row)
        self.mlp, self.relu = mlp, mlp.activation == "relu"
        self.weights, self.projection = first[:, :features], first[:, features:]

    @cached_property
    def embedding(self) -> Tensor:
        """First-layer weights as rows that are added up `[F, H]`."""
        return self.weights.T.contiguous()

    def base(self, condition: Tensor | None) -> Tensor:
        """Return what the first layer adds for each condition `[n, H]`; one row where there is none."""
        if condition is None:
            return self.bias.unsqueeze(0)
        return torch.addmm(self.bias, condition.to(self.bias.dtype), self.projection.T)

    def active(self, x: Tensor) -> Tensor:
        """Return the activation of `x`, in place."""
        return x.relu_() if self.relu else x.tanh_()

    def damp(self, slopes: Tensor, y: Tensor) -> Tensor:
        """Return slopes by an activation's inputs from those by its outputs y."""
        if self.relu:
            damped: Tensor = torch.ops.aten.threshold_backward(slopes, y, 0)
            return damped
        return slopes.mul_(1 - y.square())

    def first(self, reading: Reading, base: Tensor) -> Tensor:
        """Return the first layer `[M, H]` before its activation."""
        who = reading.who
        if reading.columns.dtype != torch.int64:
            begin = base if who is None else base[who]
            return torch.addmm(begin, reading.columns.to(base.dtype), self.weights.T)
        if who is None and reading.condition is not None:
            who = torch.arange(len(base), device=base.device)
        if fast(base):
            out = torch.empty(reading.columns.shape[0], base.shape[1], dtype=base.dtype)
            given = (self.embedding, reading.columns, base, NOBODY if who is None else who, out)
            KERNELS.load().gather(*(t.contiguous().numpy() for t in given))
            return out
        summed: Tensor = KERNELS.plain(gather_plain, self.embedding, reading.columns, base, who)
        return summed

    def after(self, hidden: Tensor) -> list[Tensor]:
        """Return what each further layer puts out, the last without its activation, for the first one's output."""
        values = [hidden]
        for i, (weight, bias) in enumerate(self.rest):
            out = torch.addmm(bias, values[-1], weight.T)
            values.append(out if i == len(self.rest) - 1 else self.active(out))
        return values


def fast(like: Tensor) -> bool:
    """Tell whether the compiled twins run."""
    return like.device.type == "cpu" and like.dtype in (torch.float32, torch.float64) and KERNELS.worth()


def gather_plain(weights: Tensor, columns: Tensor, base: Tensor, who: Tensor | None) -> Tensor:
    """Return ``base[who] + sum_k weights[columns[:, k]]``, added in this order."""
    out = base.expand(len(columns), -1) if who is None else base[who]
    for column in columns.unbind(1):
        out = out + weights[column]
    return out


def scatter_plain(slopes: Tensor, columns: Tensor, who: Tensor | None, weights: Tensor, base: Tensor) -> None:
    """Add slopes `[M, H]` to the rows of `weights` that each read, one column after the other, and to its base."""
    for column in columns.unbind(1):
        weights.index_add_(0, column, slopes)
    if who is not None:
        base.index_add_(0, who, slopes)


def views(mlp: MLP, row: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return weight `[out, in]` and bias of each layer as views of a row `[D]`."""
    sizes = [size for _, _, fan_in, fan_out in mlp.slices for size in (fan_in * fan_out, fan_out)]
    parts = row.split_with_sizes(sizes)
    return [(w.view(b.shape[0], -1), b) for w, b in zip(parts[::2], parts[1::2], strict=True)]


def read(mlp: MLP, row: Tensor, reading: Reading) -> Tensor:
    """Return the outputs `[M, O]` of the perceptron of a row `[D]`, with the gradient to the row.

    Equal to ``mlp(row, [features, condition])`` up to rounding.

    Cost: that of the perceptron without its first layer, and KH a row; the condition's part of the first layer once a
    condition instead of once a row.
    """
    if not torch.is_grad_enabled():
        return forwards(mlp, row, reading)[1][-1]
    outputs: Tensor = _Read.apply(row, mlp, reading)  # type: ignore[no-untyped-call]
    return outputs


def forwards(mlp: MLP, row: Tensor, reading: Reading) -> tuple[Layers, list[Tensor]]:
    """Return the layers, and what each of them puts out."""
    condition = reading.condition
    layers = Layers(mlp, row, mlp.sizes[0] - (0 if condition is None else condition.shape[1]))
    return layers, layers.after(layers.active(layers.first(reading, layers.base(condition))))


def backwards(layers: Layers, reading: Reading, values: Sequence[Tensor], slopes: Tensor) -> Tensor:
    """Return the gradient `[D]` to the row from slopes `[M, O]` of the outputs and the hidden layers' values."""
    gradient = torch.empty(layers.mlp.n_parameters, dtype=slopes.dtype, device=slopes.device)
    first, *places = views(layers.mlp, gradient)
    for i in reversed(range(len(places))):
        torch.mm(slopes.T, values[i], out=places[i][0])
        torch.sum(slopes, 0, out=places[i][1])
        slopes = layers.damp(slopes @ layers.rest[i][0], values[i])
    _first_slopes(layers, reading, slopes, *first)
    return gradient


class _Read(torch.autograd.Function):
    """Layer by layer; backwards every slope is written to its place in one flat row."""

    @staticmethod
    def forward(ctx: Any, row: Tensor, mlp: MLP, reading: Reading) -> Tensor:
        ctx.layers, values = forwards(mlp, row, reading)
        ctx.reading = reading
        ctx.save_for_backward(*values[:-1])
        return values[-1]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return backwards(ctx.layers, ctx.reading, ctx.saved_tensors, gradients[0]), None, None


def _first_slopes(layers: Layers, reading: Reading, slopes: Tensor, to_weight: Tensor, to_bias: Tensor) -> None:
    """Fill the gradients of the first layer `[H, F + c]` and `[H]`."""
    features, condition, who = layers.weights.shape[1], reading.condition, reading.who
    hot = reading.columns.dtype == torch.int64
    torch.sum(slopes, 0, out=to_bias)
    base = slopes
    if condition is not None and who is not None:
        base = torch.zeros(len(condition), slopes.shape[1], dtype=slopes.dtype, device=slopes.device)
    if hot:
        weights = torch.zeros_like(layers.embedding)
        if fast(slopes):
            given = (slopes, reading.columns, NOBODY if who is None else who, weights, base)
            KERNELS.load().scatter(*(t.contiguous().numpy() for t in given))
        else:
            KERNELS.plain(scatter_plain, slopes, reading.columns, who, weights, base)
        to_weight[:, :features] = weights.T
    else:
        torch.mm(slopes.T, reading.columns.to(slopes.dtype), out=to_weight[:, :features])
        if who is not None and base is not slopes:
            base.index_add_(0, who, slopes)
    if condition is not None:
        to_weight[:, features:] = base.T @ condition.to(slopes.dtype)
