"""From checkpoints to task vectors: which tensors are merged, which are not, and why."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from paretokit.core import _check as check
from paretokit.problems.merging._checkpoints import Checkpoint, Source, check_alike, check_finite, open_checkpoint
from paretokit.problems.merging._vectors import STORAGES, Part, Storage, TaskVectors

Layers = Literal["tensor", "block", "task"] | Callable[[str], str]
"""What shares coefficients."""


class Assembly(NamedTuple):
    """What a merging problem is made of.

    Attributes:
        architecture: The module.
        vectors: What is merged.
        fixed: All other tensors, as pretrained.
        notes: Names of what is not merged, and why, a line a kind.
    """

    architecture: nn.Module
    vectors: TaskVectors
    fixed: Mapping[str, Tensor]
    notes: tuple[str, ...]


def layer_of(name: str, layers: Layers) -> str:
    """Return the layer of a tensor: itself, its block (the name up to its first number), or all."""
    if callable(layers):
        return layers(name)
    if layers == "tensor":
        return name
    if layers == "task":
        return "all"
    numbered = re.match(r"(.*?\.\d+|\d+)(\.|$)", name)
    return numbered.group(1) if numbered else name.rpartition(".")[0] or name


def assembled(
    pretrained: Checkpoint,
    finetuned: Sequence[Checkpoint],
    architecture: nn.Module | None,
    *,
    layers: Layers = "tensor",
    storage: Storage = "float32",
    batch_norm: Literal["merge", "estimate"] = "merge",
    frozen: Sequence[str] = (),
) -> Assembly:
    """Return architecture, task vectors, everything else, and what was left out.

    Raises:
        InputError: If there is no fine-tuning or no architecture, or checkpoints differ in names or shapes, or hold
            NaN; the first such tensor is named.
    """
    check.one_of(STORAGES, storage=storage)
    check.that(callable(layers) or layers in ("tensor", "block", "task"), "layers", "be a known grouping", layers)
    check.at_least(1, finetuned=len(finetuned))
    module = pretrained if architecture is None and isinstance(pretrained, nn.Module) else architecture
    check.that(module is not None, "architecture", "be given where `pretrained` is no module", None)
    assert module is not None
    reference = open_checkpoint(pretrained, "pretrained")
    others = [open_checkpoint(given, f"finetuned[{k}]") for k, given in enumerate(finetuned)]
    chosen, notes = _chosen(module, reference, batch_norm=batch_norm, frozen=frozen)
    check_alike(reference, others, names=chosen)
    check.at_least(1, merged_tensors=len(chosen))
    groups = [layer_of(name, layers) for name in chosen]
    order = list(dict.fromkeys(groups))
    dtype = torch.float64 if storage == "float64" else torch.float32
    parts, at = [], 0
    for name, group in zip(chosen, groups, strict=True):
        shape = reference.shape(name)
        size = int(torch.Size(shape).numel())
        parts.append(Part(name, at, at + size, shape, order.index(group)))
        at += size
    vectors = _filled(reference, others, parts, order, dtype=dtype, storage=storage)
    fixed = {n: reference.tensor(n) for n in reference.names() if n not in set(chosen)}
    return Assembly(module, vectors, fixed, notes)


def _filled(
    reference: Source,
    others: list[Source],
    parts: list[Part],
    order: list[str],
    *,
    dtype: torch.dtype,
    storage: Storage,
) -> TaskVectors:
    size, narrow = parts[-1].end, storage in ("bfloat16", "int8")
    kept = torch.bfloat16 if storage == "bfloat16" else torch.int8 if storage == "int8" else dtype
    base = torch.empty(size, dtype=dtype)
    deltas = torch.empty(len(others), size, dtype=kept)
    scales = torch.zeros(len(others), len(parts), dtype=dtype) if storage == "int8" else None
    for i, part in enumerate(parts):
        origin = reference.tensor(part.name)
        check_finite(part.name, reference.label, origin)
        base[part.begin : part.end] = origin.reshape(-1).to(dtype)
        for k, other in enumerate(others):
            tuned = other.tensor(part.name)
            check_finite(part.name, other.label, tuned)
            delta = tuned.reshape(-1).to(dtype) - base[part.begin : part.end]
            if scales is not None:
                scales[k, i] = delta.abs().amax() / 127 if delta.numel() else 0
                delta = (delta / scales[k, i].clamp_min(torch.finfo(dtype).tiny)).round()
            deltas[k, part.begin : part.end] = delta.to(kept) if narrow else delta
    return TaskVectors(base, deltas, tuple(parts), tuple(order), scales)


def _chosen(
    module: nn.Module, reference: Source, *, batch_norm: str, frozen: Sequence[str]
) -> tuple[list[str], tuple[str, ...]]:
    """Return the names of the tensors that are merged, and a line for each kind that is not."""
    state = module.state_dict(keep_vars=True)
    present = set(reference.names())
    buffers = {name for name, _ in module.named_buffers()}
    left: dict[str, list[str]] = {}
    first: dict[tuple[int, tuple[int, ...]], str] = {}
    chosen = []
    for name, tensor in state.items():
        key = (tensor.data_ptr(), tuple(tensor.shape))
        tied = tensor.numel() > 0 and key in first
        if not tied:
            first[key] = name
        if tied:
            left.setdefault("tied to a tensor before it", []).append(name)
        elif not tensor.is_floating_point():
            left.setdefault("not of floating point, taken as pretrained", []).append(name)
        elif any(name.startswith(begin) for begin in frozen):
            left.setdefault("frozen, taken as pretrained", []).append(name)
        elif (
            batch_norm == "estimate" and name in buffers and name.rpartition(".")[2] in ("running_mean", "running_var")
        ):
            left.setdefault("estimated anew", []).append(name)
        else:
            hint = "is it of another architecture?"
            check.that(name in present, reference.label, f"hold tensor {name!r} of the architecture", "none", hint)
            same = tuple(tensor.shape) == reference.shape(name)
            rule = f"have the architecture's shape {tuple(tensor.shape)}"
            check.that(same, f"{reference.label}[{name!r}]", rule, reference.shape(name))
            chosen.append(name)
    return chosen, tuple(f"{why}: {', '.join(names)}" for why, names in left.items())
