"""The frame around every scalarizer: shapes, checks, failed rows."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from paretokit.core import _check as check

Points = Tensor | Sequence[float] | Sequence[Sequence[float]]


class Scalarizer(Protocol):
    """One number for many objectives: `scalarizer(values, weights=w, utopian=z)`, always called by keyword.

    Smaller is better, and a larger weight makes its objective matter more.
    """

    def __call__(
        self, values: Tensor, *, weights: Points, utopian: Points | None = None, rowwise: bool = False
    ) -> Tensor:
        """Return the scalarized values.

        Args:
            values: Objective values, to be minimized, `[*b, n, m]`.
            weights: Non-negative; `[w, m]` scores every point under every weight, `[m]` under one.
            utopian: Point `[m]` (or broadcasting against `values`) from which distances are taken; zero by default.
            rowwise: Whether `weights` go with the points row by row instead, broadcasting against `values`.

        Returns:
            `[*b, n, w]`; `[*b, n]` for one weight or row by row. +inf for a row of values that is not finite.

        Raises:
            ShapeError: If the last dimensions differ.
            InputError: If a weight is negative or not finite.
        """


@dataclass(frozen=True)
class Pairing:
    """Distances from the utopian point and weights, one broadcasting pair of tensors an objective.

    Attributes:
        gaps: Per objective, values minus utopian, `[*b, n, 1]` (row by row: `[*b, n]`).
        weights: Per objective, `[w]` (row by row: `[*b, n]`).
        failed: Rows that are not finite, shaped like `gaps`.
        squeeze: Whether one weight was given for all points.
    """

    gaps: tuple[Tensor, ...]
    weights: tuple[Tensor, ...]
    failed: Tensor
    squeeze: bool

    def finish(self, scores: Tensor) -> Tensor:
        """Return the scores with failed rows at +inf, without the axis of a single weight."""
        scores = torch.where(self.failed, torch.inf, scores)
        return scores.squeeze(-1) if self.squeeze else scores


def paired(values: Tensor, weights: Points, utopian: Points | None, rowwise: bool) -> Pairing:
    """Check the arguments of a scalarizer and line them up."""
    f = torch.as_tensor(values)
    f = f if f.dtype.is_floating_point else f.to(torch.float64)
    w = torch.as_tensor(weights).to(f)
    z = torch.zeros(f.shape[-1:], dtype=f.dtype, device=f.device) if utopian is None else torch.as_tensor(utopian).to(f)
    check.shape(f.ndim >= 1 and f.shape[-1] >= 1, "values", "have shape [..., n, m]", tuple(f.shape))
    for name, tensor in (("weights", w), ("utopian", z)):
        check.shape(
            tensor.ndim >= 1 and tensor.shape[-1] == f.shape[-1],
            name,
            f"have {f.shape[-1]} entries, one per objective",
            f"shape {tuple(tensor.shape)}",
        )
    good = bool(((w >= 0) & torch.isfinite(w)).all())
    check.that(good, "weights", "be non-negative and finite", w.detach().reshape(-1)[:8].tolist())
    check.shape(rowwise or w.ndim <= 2, "weights", "have shape [w, m] or [m]", tuple(w.shape), "rowwise=True?")
    failed = ~torch.isfinite(f).all(-1, keepdim=not rowwise)
    gap = torch.where(torch.isfinite(f), f, 0.0) - z
    gaps = gap.unbind(-1) if rowwise else gap.unsqueeze(-2).unbind(-1)
    columns = w.unbind(-1) if rowwise else (w if w.ndim == 2 else w.unsqueeze(0)).unbind(-1)
    return Pairing(gaps, columns, failed, squeeze=w.ndim == 1 and not rowwise)


def largest(terms: Sequence[Tensor]) -> Tensor:
    """Return the elementwise maximum of broadcasting tensors."""
    return functools.reduce(torch.maximum, terms)


def added(terms: Sequence[Tensor], join: Callable[[Tensor, Tensor], Tensor] = torch.add) -> Tensor:
    """Return the elementwise sum of broadcasting tensors (or whatever `join` makes of two)."""
    return functools.reduce(join, terms)


def root(squares: Tensor) -> Tensor:
    """Return the square root, with gradient 0 at 0."""
    positive = squares > 0
    return torch.where(positive, torch.where(positive, squares, 1.0).sqrt(), 0.0)
