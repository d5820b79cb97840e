"""One task of a stream: examples with labels for training, validation and test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from paretokit.core import _check as check

Examples = tuple[Tensor, Tensor]
"""Inputs `[n, ...]` and class labels `[n]`."""


@dataclass(frozen=True)
class StreamTask:
    """One task of a stream.

    Attributes:
        name: What tables call it.
        train: Inputs `[n, ...]` and labels `[n]`, whole numbers from 0.
        validation: Likewise, what `evaluate` measures.
        test: Likewise, what `assess` measures; the validation data unless given.
    """

    name: str
    train: Examples
    validation: Examples
    test: Examples | None = None


Given = StreamTask | tuple[Examples, Examples, Examples] | Callable[[], object]


def task_of(given: object, k: int, name: str = "") -> StreamTask:
    """Return a task as it was given: itself, a triple of training, validation and test examples, or what makes one.

    Raises:
        InputError: If it is neither, or its examples are empty, not finite, or of one class.
        ShapeError: If inputs and labels are not equally many, or the parts' inputs differ in shape.
    """
    made = given() if callable(given) and not isinstance(given, StreamTask) else given
    place = f"tasks[{k}]"
    if isinstance(made, tuple | list):
        rule = "hold training, validation and test examples"
        check.that(len(made) == 3, place, rule, f"{len(made)} parts")
        made = StreamTask(name or f"task {k + 1}", *made)
    check.that(isinstance(made, StreamTask), place, "be a StreamTask, or three parts", type(made).__name__)
    assert isinstance(made, StreamTask)
    parts = {"train": made.train, "validation": made.validation, "test": made.test or made.validation}
    held = {part: _examples(examples, f"{place}.{part}") for part, examples in parts.items()}
    shape = held["train"][0].shape[1:]
    for part, (inputs, _) in held.items():
        fits = inputs.shape[1:] == shape
        check.shape(fits, f"{place}.{part}", f"have inputs of shape {list(shape)}", list(inputs.shape[1:]))
    classes = held["train"][1].unique()
    hint = "a task with one class teaches nothing"
    check.that(len(classes) > 1, f"{place}.train", "have two classes or more", classes.tolist(), hint)
    return StreamTask(name or made.name, **held)


def _examples(given: object, place: str) -> Examples:
    """Return inputs and labels that were looked at."""
    pair = isinstance(given, tuple | list) and len(given) == 2 and all(isinstance(part, Tensor) for part in given)
    check.that(pair, place, "be inputs and labels, two tensors", type(given).__name__)
    assert isinstance(given, tuple | list)
    inputs, labels = given
    check.that(len(inputs) > 0, place, "hold at least one example", 0)
    fits = labels.ndim == 1 and len(labels) == len(inputs)
    check.shape(fits, place, f"have labels of shape [{len(inputs)}]", list(labels.shape))
    whole = not labels.is_floating_point() and labels.dtype != torch.bool and int(labels.min()) >= 0
    check.that(whole, place, "have whole numbers from 0 as labels", f"{labels.dtype}, least {float(labels.min()):g}")
    check.that(bool(torch.isfinite(inputs).all()), place, "have finite inputs", "NaN or infinity")
    return inputs.detach(), labels.detach().to(torch.int64)
