"""What a merged model shall be able to do: data, head and metric of each task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from paretokit.core import _check as check

Inputs = Tensor | tuple[Tensor, ...] | Mapping[str, Tensor]
"""What the module takes: a tensor, several positional ones, or several by name; examples along the first axis."""


def count(inputs: Inputs) -> int:
    """Return the number of examples."""
    return len(parts(inputs)[0])


def parts(inputs: Inputs) -> list[Tensor]:
    """Return the tensors."""
    if isinstance(inputs, Tensor):
        return [inputs]
    return list(inputs.values()) if isinstance(inputs, Mapping) else list(inputs)


def rebuilt(like: Inputs, tensors: list[Tensor]) -> Inputs:
    """Return tensors in the form of `like`."""
    if isinstance(like, Tensor):
        return tensors[0]
    return dict(zip(like, tensors, strict=True)) if isinstance(like, Mapping) else tuple(tensors)


def rows_of(inputs: Inputs, rows: Tensor | slice) -> Inputs:
    """Return some of the examples."""
    return rebuilt(inputs, [t[rows] for t in parts(inputs)])


def joined(batches: list[Inputs]) -> Inputs:
    """Return batches of equal form one below the other."""
    columns = zip(*(parts(b) for b in batches), strict=True)
    return rebuilt(batches[0], [torch.cat(column) for column in columns])


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task of a merged model.

    Attributes:
        name: What axes and messages call it.
        unlabeled: Inputs without labels, for the entropy.
        validation: Inputs and labels (class numbers) for the objective; without them the objective is the entropy.
        test: Inputs and labels that no solver sees.
        head: From the module's output to logits; frozen, never merged. None where the module gives the logits.
        metric: The objective: "accuracy" (in [0, 1], to be maximized) or "loss" (cross-entropy in nats, minimized).
    """

    name: str
    unlabeled: Inputs = field(repr=False)
    validation: tuple[Inputs, Tensor] | None = field(default=None, repr=False)
    test: tuple[Inputs, Tensor] | None = field(default=None, repr=False)
    head: nn.Module | None = field(default=None, repr=False)
    metric: Literal["accuracy", "loss"] = "accuracy"

    def __post_init__(self) -> None:
        check.one_of(("accuracy", "loss"), metric=self.metric)
        named = isinstance(self.name, str) and bool(self.name)
        check.that(named, "name", "be a text that is not empty, for axes and messages", repr(self.name))
        own = f"tasks[{self.name!r}]"
        headed = self.head is None or isinstance(self.head, nn.Module)
        check.that(headed, f"{own}.head", "be a module, or None", type(self.head).__name__, "wrap a function in one")
        for kind, tensor in () if self.head is None else self.head.state_dict().items():
            finite = not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())
            check.that(finite, f"{own}.head", "be finite", f"NaN or infinity in {kind!r}")
        _check_inputs(f"{own}.unlabeled", self.unlabeled)
        for split, data in (("validation", self.validation), ("test", self.test)):
            if data is not None:
                pair = isinstance(data, tuple | list) and len(data) == 2 and isinstance(data[1], Tensor)
                check.that(pair, f"{own}.{split}", "be a pair, inputs and a tensor of labels", type(data).__name__)
                _check_inputs(f"{own}.{split}", data[0])
                n, labels = count(data[0]), data[1]
                rule = f"hold {n} labels, whole numbers, one an example"
                shape = tuple(labels.shape)
                whole = not (labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool)
                check.shape(shape == (n,), f"{own}.{split}", rule, f"shape {shape}")
                check.that(whole, f"{own}.{split}", rule, labels.dtype)


def _check_inputs(name: str, inputs: Inputs) -> None:
    rule = "be a tensor, a tuple of tensors, or tensors by name"
    check.that(isinstance(inputs, Tensor | tuple | Mapping), name, rule, type(inputs).__name__)
    tensors = parts(inputs)
    check.that(all(isinstance(t, Tensor) and t.ndim > 0 for t in tensors), name, rule, type(inputs).__name__)
    lengths = [len(t) for t in tensors]
    check.that(bool(lengths) and min(lengths) > 0, name, "hold at least one example", 0)
    check.that(len(set(lengths)) == 1, name, "hold equally many examples in each tensor", lengths)
    for t in tensors:
        if t.is_floating_point() and not bool(torch.isfinite(t).all()):
            first = int((~torch.isfinite(t)).reshape(len(t), -1).any(1).nonzero()[0])
            check.fail(name, "be finite", f"NaN or infinity in example {first}")
