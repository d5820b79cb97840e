"""Task vectors in one flat buffer: what each fine-tuning changed, merged by coefficients a layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.problems.merging._largest import largest
from paretokit.problems.merging._mark import mark

Storage = Literal["float32", "float64", "bfloat16", "int8"]
STORAGES = ("float32", "float64", "bfloat16", "int8")
PIECE = 1 << 18  # entries of a narrow type that are widened at a time


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


class Span(NamedTuple):
    """A run of entries of one layer.

    Attributes:
        begin, end: Its entries.
        layer: Number of the layer.
        part: Number of the tensor (the last one, where it has several).
    """

    begin: int
    end: int
    layer: int
    part: int


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
    def spans(self) -> tuple[Span, ...]:
        """Runs of entries of one layer (and, for int8, of one tensor); narrow types in pieces that fit the caches.

        A piece of a narrow type is widened before it is used, so that its length bounds the memory for that.
        """
        found: list[Span] = []
        for number, part in enumerate(self.parts):
            joins = found and found[-1].layer == part.layer and self.scales is None
            begin = found.pop().begin if joins else part.begin
            found.append(Span(begin, part.end, part.layer, number))
        if not self.narrow:
            return tuple(found)
        return tuple(
            Span(at, min(at + PIECE, s.end), s.layer, s.part) for s in found for at in range(s.begin, s.end, PIECE)
        )

    @property
    def narrow(self) -> bool:
        """Whether the task vectors are kept in fewer bits than are computed with."""
        return self.deltas.dtype in (torch.bfloat16, torch.int8)

    def delta(self, number: int) -> Tensor:
        """Return the task vectors `[K, end - begin]` of a span, in the base's dtype."""
        begin, end, _, part = self.spans[number]
        return self._widened(begin, end, part)

    def _widened(self, begin: int, end: int, part: int) -> Tensor:
        piece = self.deltas[:, begin:end].to(self.base.dtype)
        return piece if self.scales is None else piece * self.scales[:, part : part + 1]

    def merge(self, coefficients: Tensor) -> Tensor:
        """Return merged weights `[P, N]` for coefficients `[P, L, K]`, with gradients to them.

        Raises:
            ShapeError: If the coefficients are not one a layer and task.
        """
        self._check_coefficients(coefficients)
        merged: Tensor = _Merge.apply(coefficients, self)  # type: ignore[no-untyped-call]
        return merged

    def merged(self, coefficients: Tensor, out: Tensor | None = None) -> Tensor:
        """Return merged weights `[P, N]` without gradients, in `out` where it is given; see `merge`."""
        self._check_coefficients(coefficients)
        rows = self.base.new_empty(len(coefficients), self.size) if out is None else out
        weights = coefficients.detach().to(self.base)
        for number, (begin, end, layer, _) in enumerate(self.spans):
            torch.addmm(self.base[begin:end], weights[:, layer], self.delta(number), out=rows[:, begin:end])
        return rows

    def contract(self, gradient: Tensor) -> Tensor:
        r"""Return the gradient to the coefficients `[P, L, K]` from one to merged weights `[P, N]`.

        .. math:: \partial L / \partial \lambda_{lk} = \langle g^{(l)}, \tau_k^{(l)} \rangle
        """
        out = gradient.new_zeros(len(gradient), self.n_layers, self.n_tasks)
        for number, (begin, end, layer, _) in enumerate(self.spans):
            out[:, layer] += gradient[:, begin:end] @ self.delta(number).T
        return out

    def contract_part(self, number: int, gradient: Tensor, out: Tensor) -> None:
        """Add to `out [L, K]` what the gradient to one tensor's merged weights adds to `contract`; it may go then."""
        part, flat = self.parts[number], gradient.reshape(-1)
        length = PIECE if self.narrow else max(1, flat.shape[0])
        for at in range(part.begin, part.end, length):
            end = min(at + length, part.end)
            own = flat[at - part.begin : end - part.begin]
            out[part.layer] += (own.unsqueeze(0) @ self._widened(at, end, number).T)[0]

    def processed(self, *, trim: float = 0.2, elect: bool = True) -> TaskVectors:
        r"""Return the task vectors as TIES leaves them: trimmed, and without what disagrees with the elected signs.

        .. math:: \hat\tau_k = \tau_k \,[\,|\tau_k| \ge t_k\,], \qquad
                  s = \operatorname{sign} \sum_k \hat\tau_k, \qquad
                  \tilde\tau_k = \hat\tau_k \,[\,\operatorname{sign} \hat\tau_k = s\,]

        Args:
            trim: Share of each task vector's entries, over all tensors together, that is kept: the largest ones.
            elect: Whether entries against the elected sign are dropped too. A coordinate whose sum is zero takes the
                sign that most coordinates have, and plus where these are equally many.

        The layers, the base and the type stay. Cost: five passes over the task vectors, and their memory once more.

        Source: Yadav, Tam, Choshen, Raffel and Bansal (2023), NeurIPS. Their code keeps one entry more than the share
        says, and reads a share above 1 as a percentage; here it is `floor(trim * N)` entries, at least one (and all
        that equal the last of them).
        """
        check.that(0 < trim <= 1, "trim", "lie in (0, 1]", trim, "the share that is kept; 0.2 keeps a fifth")
        keep = max(1, int(trim * self.size))
        thresholds = torch.stack([largest(partial(self._pieces, k), keep) for k in range(self.n_tasks)])
        most = torch.zeros((), dtype=torch.int64, device=self.base.device)
        if elect:
            for number in range(len(self.spans)):
                most += self._trimmed(number, thresholds).sum(0).sign().sum().to(torch.int64)
        majority = 1.0 if int(most) >= 0 else -1.0
        kept = torch.empty_like(self.deltas)
        for number, span in enumerate(self.spans):
            piece = self._trimmed(number, thresholds)
            stays = piece != 0
            if elect:
                total = piece.sum(0)
                stays &= piece.sign() == torch.where(total == 0, majority, total.sign())
            kept[:, span.begin : span.end] = self.deltas[:, span.begin : span.end] * stays
        return replace(self, deltas=kept)

    def _pieces(self, task: int) -> Iterator[Tensor]:
        for number in range(len(self.spans)):
            yield self.delta(number)[task]

    def _trimmed(self, number: int, thresholds: Tensor) -> Tensor:
        piece = self.delta(number)
        return torch.where(piece.abs() >= thresholds.unsqueeze(1), piece, 0)

    def _check_coefficients(self, given: Tensor) -> None:
        due = (self.n_layers, self.n_tasks)
        rule = f"have shape [P, {due[0]}, {due[1]}], a number a layer and task"
        check.shape(given.ndim == 3 and tuple(given.shape[1:]) == due, "coefficients", rule, list(given.shape))

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

    @cached_property
    def mark(self) -> str:
        """A mark of layers, base and task vectors, bit for bit."""
        layout = [(p.name, p.shape, p.layer) for p in self.parts]
        return mark(repr((layout, self.layers)), self.base, self.deltas, self.scales)

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
