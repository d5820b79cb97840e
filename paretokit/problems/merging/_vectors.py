"""Task vectors in one flat buffer: what each fine-tuning changed, merged by coefficients a layer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor

from paretokit.core import _check as check

Storage = Literal["float32", "float64", "bfloat16", "int8"]
STORAGES = ("float32", "float64", "bfloat16", "int8")


@dataclass(frozen=True)
class Part:
    """Where a tensor lies in the flat row.

    Attributes:
        name: Its name in the state dict.
        begin, end: Its entries.
        shape: Its shape.
        layer: Number of the layer that it belongs to.
    """

    name: str
    begin: int
    end: int
    shape: tuple[int, ...]
    layer: int


@dataclass(frozen=True)
class TaskVectors:
    r"""Pretrained weights and what K fine-tunings changed, flat, with coefficients for L layers.

    .. math:: \theta^{(l)}(\lambda) = \theta_0^{(l)} + \sum_k \lambda_{lk}\,\tau_k^{(l)},
              \qquad \tau_k = \theta_k - \theta_0

    Attributes:
        base: Pretrained weights `[N]`.
        deltas: Task vectors `[K, N]`, in float32, float64, bfloat16 or int8.
        parts: The tensors, in order.
        layers: Names of the L layers.
        scales: For int8, the step of each task and tensor `[K, number of parts]`; else None.

    Cost of a merge: one pass over the task vectors.
    """

    base: Tensor = field(repr=False)
    deltas: Tensor = field(repr=False)
    parts: tuple[Part, ...] = field(repr=False)
    layers: tuple[str, ...]
    scales: Tensor | None = field(default=None, repr=False)

    @property
    def n_tasks(self) -> int:
        """Number K of task vectors."""
        return self.deltas.shape[0]

    @property
    def n_layers(self) -> int:
        """Number L of layers."""
        return len(self.layers)

    @property
    def size(self) -> int:
        """Number N of merged weights."""
        return self.base.shape[0]

    @cached_property
    def spans(self) -> tuple[tuple[int, int, int], ...]:
        """Begin, end and layer of maximal runs of equal layers (of equal scales, where there are any)."""
        found: list[tuple[int, int, int]] = []
        for part in self.parts:
            if found and found[-1][2] == part.layer and self.scales is None:
                found[-1] = (found[-1][0], part.end, part.layer)
            else:
                found.append((part.begin, part.end, part.layer))
        return tuple(found)

    def delta(self, number: int) -> Tensor:
        """Return the task vectors `[K, end - begin]` of a span, in the base's dtype."""
        begin, end, _ = self.spans[number]
        piece = self.deltas[:, begin:end].to(self.base.dtype)
        return piece if self.scales is None else piece * self.scales[:, number : number + 1]

    def merge(self, coefficients: Tensor) -> Tensor:
        """Return merged weights `[P, N]` for coefficients `[P, L, K]`, with gradients to them."""
        merged: Tensor = _Merge.apply(coefficients, self)  # type: ignore[no-untyped-call]
        return merged

    def merged(self, coefficients: Tensor, out: Tensor | None = None) -> Tensor:
        """Return merged weights `[P, N]` without gradients, in `out` where it is given."""
        rows = self.base.new_empty(len(coefficients), self.size) if out is None else out
        for number, (begin, end, layer) in enumerate(self.spans):
            weights = coefficients[:, layer].detach().to(self.base)
            torch.addmm(self.base[begin:end], weights, self.delta(number), out=rows[:, begin:end])
        return rows

    def contract(self, gradient: Tensor) -> Tensor:
        r"""Return the gradient to the coefficients `[P, L, K]` from one to merged weights `[P, N]`.

        .. math:: \partial L / \partial \lambda_{lk} = \langle g^{(l)}, \tau_k^{(l)} \rangle
        """
        out = gradient.new_zeros(len(gradient), self.n_layers, self.n_tasks)
        for number, (begin, end, layer) in enumerate(self.spans):
            out[:, layer] += gradient[:, begin:end] @ self.delta(number).T
        return out

    def named(self, row: Tensor) -> dict[str, Tensor]:
        """Return the tensors of one flat row `[N]` by name, as views."""
        return {p.name: row[p.begin : p.end].view(p.shape) for p in self.parts}

    def stored(self, storage: Storage) -> TaskVectors:
        """Return the same vectors kept in another type; int8 rounds each task's tensor to 255 even steps."""
        check.one_of(STORAGES, storage=storage)
        if storage != "int8":
            kept = self.dense().to(getattr(torch, storage))
            return replace(self, deltas=kept, scales=None)
        dense = self.dense()
        scales = torch.stack([dense[:, p.begin : p.end].abs().amax(1) for p in self.parts], 1) / 127
        steps = scales.clamp_min(torch.finfo(dense.dtype).tiny)
        kept = torch.empty(dense.shape, dtype=torch.int8, device=dense.device)
        for i, p in enumerate(self.parts):
            kept[:, p.begin : p.end] = (dense[:, p.begin : p.end] / steps[:, i : i + 1]).round().to(torch.int8)
        return replace(self, deltas=kept, scales=scales)

    def dense(self) -> Tensor:
        """Return the task vectors `[K, N]` in the base's dtype."""
        if self.scales is None:
            return self.deltas.to(self.base.dtype)
        return torch.cat([self.delta(i) for i in range(len(self.spans))], 1)

    def with_deltas(self, deltas: Tensor) -> TaskVectors:
        """Return other task vectors `[K', N]` over the same base and layers."""
        return replace(self, deltas=deltas, scales=None)

    def based(self, dtype: torch.dtype) -> TaskVectors:
        """Return the vectors computing in another floating-point type."""
        scales = None if self.scales is None else self.scales.to(dtype)
        deltas = self.deltas.to(dtype) if self.deltas.dtype in (torch.float32, torch.float64) else self.deltas
        return replace(self, base=self.base.to(dtype), deltas=deltas, scales=scales)

    def to(self, device: torch.device | str) -> TaskVectors:
        """Return the vectors on another device."""
        scales = None if self.scales is None else self.scales.to(device)
        return replace(self, base=self.base.to(device), deltas=self.deltas.to(device), scales=scales)


class _Merge(torch.autograd.Function):
    """The merge, whose backward pass contracts the gradient once, without a graph through the task vectors."""

    @staticmethod
    def forward(ctx: Any, coefficients: Tensor, vectors: TaskVectors) -> Tensor:
        ctx.vectors, ctx.dtype = vectors, coefficients.dtype
        return vectors.merged(coefficients)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.vectors.contract(gradient).to(ctx.dtype), None
