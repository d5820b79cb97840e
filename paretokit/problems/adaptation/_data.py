"""What users hand over as domains: tensors, or loaders of batches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.core import _check as check

Labeled = tuple[Tensor, Tensor] | Iterable[tuple[Tensor, Tensor]]
"""Inputs `[n, ...]` and classes `[n]`, or batches of them."""
Unlabeled = Tensor | tuple[Tensor, Tensor] | Iterable[Any]
"""Inputs, or inputs with classes for scoring only, or batches of either."""


def labeled(data: Labeled, name: str) -> tuple[Tensor, Tensor]:
    """Return inputs and whole-numbered classes of all batches together.

    Raises:
        InputError: If there are no labels, or inputs are not finite.
        ShapeError: If inputs and labels are not equally many.
    """
    hint = "it needs labels"
    check.that(not isinstance(data, Tensor), name, "be inputs and labels", "inputs only", hint)
    inputs, labels = unlabeled(data, name)
    if labels is None:
        check.fail(name, "be inputs and labels", "inputs only", hint)
    return inputs, labels


def unlabeled(data: Unlabeled, name: str) -> tuple[Tensor, Tensor | None]:
    """Return inputs of all batches together, and their classes where they are given.

    Raises:
        InputError: If there are none, inputs are not finite, or labels are no whole numbers.
        ShapeError: If inputs and labels are not equally many.
    """
    whole = isinstance(data, Tensor) or _is_pair(data, tuple)
    batches: list[Any] = [data] if whole else list(data)
    check.that(len(batches) > 0, name, "hold at least one batch", 0)
    inputs, labels = [], []
    for batch in batches:
        if _is_pair(batch, tuple | list):
            inputs.append(batch[0])
            labels.append(batch[1].reshape(len(batch[1])) if batch[1].numel() == len(batch[1]) else batch[1])
        else:
            check.that(isinstance(batch, Tensor), name, "be inputs, or inputs and labels", type(batch).__name__)
            inputs.append(batch)
    check.that(len(labels) in (0, len(inputs)), name, "have labels in all batches or in none", len(labels))
    x = torch.cat(inputs).detach()
    check.that(x.ndim > 1 and len(x) > 0, name, "hold inputs [n, ...]", list(x.shape))
    check.that(bool(torch.isfinite(x).all()), name, "be finite", "NaN or infinity among the inputs")
    return x, _classes(torch.cat(labels), len(x), name) if labels else None


def _classes(labels: Tensor, n: int, name: str) -> Tensor:
    check.shape(labels.ndim == 1 and len(labels) == n, name, f"have {n} labels", list(labels.shape))
    whole = bool((labels == labels.round()).all()) and bool((labels >= 0).all())
    check.that(whole, name, "have classes 0, 1, ... as labels", labels.unique()[:4].tolist())
    return labels.detach().to(torch.int64)


def _is_pair(data: Any, kinds: Any) -> bool:
    pair = isinstance(data, kinds) and len(data) == 2
    return pair and all(isinstance(part, Tensor) and part.ndim > 0 for part in data)


def parted(n: int, shares: tuple[float, ...], rng: Rng) -> list[Tensor]:
    """Return row numbers of a random split: what is left, then one part for each share, at least one row."""
    order = rng.permutation(n)
    sizes = [max(1, round(share * n)) for share in shares]
    check.at_least(sum(sizes) + 1, n=n)
    ends = [n - sum(sizes), *sizes]
    return [part.sort().values for part in order.split(ends)]
