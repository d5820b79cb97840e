"""From checkpoints to task vectors: which tensors are merged, which are not, and why."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from paretokit.core import _check as check
from paretokit.problems.merging._checkpoints import (
    WIDEN,
    Checkpoint,
    Source,
    check_alike,
    check_finite,
    held,
    open_checkpoint,
)
from paretokit.problems.merging._module import groups_of
from paretokit.problems.merging._vectors import STORAGES, Part, Storage, TaskVectors

Layers = Literal["tensor", "block", "task"] | Callable[[str], str]
"""What shares coefficients."""


class Assembly(NamedTuple):
    """What a merging problem is made of.

    Attributes:
        architecture: The module.
        vectors: What is merged.
        fixed: All other tensors of the architecture, as pretrained.
        notes: Names of what is not merged, and why, a line a kind.
    """

    architecture: nn.Module
    vectors: TaskVectors
    fixed: Mapping[str, Tensor]
    notes: tuple[str, ...]


class Selection(NamedTuple):
    """Which tensors of an architecture are merged.

    Attributes:
        groups: The merged ones: each with all names by which the architecture knows it (tied tensors have several).
        kept: The others, in the same form.
        notes: Why the others are not merged, a line a kind.
    """

    groups: list[tuple[str, ...]]
    kept: list[tuple[str, ...]]
    notes: tuple[str, ...]


def layer_of(name: str, layers: Layers) -> str:
    """Return the layer of a tensor: itself, its block (the name up to its first number), or all."""
    if callable(layers):
        found = layers(name)
        check.that(isinstance(found, str), "layers", f"give the layer of {name!r} as a string", repr(found))
        return found
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
    check_layers(layers)
    check_several(finetuned)
    module = pretrained if architecture is None and isinstance(pretrained, nn.Module) else architecture
    check.that(module is not None, "architecture", "be given where `pretrained` is no module", None)
    assert module is not None
    check.that(isinstance(module, nn.Module), "architecture", "be a module", repr(module))
    reference = open_checkpoint(pretrained, "pretrained")
    others = [open_checkpoint(given, f"finetuned[{k}]") for k, given in enumerate(finetuned)]
    groups, kept, notes = _selected(module, reference, others, batch_norm=batch_norm, frozen=frozen)
    names = [group[0] for group in groups]
    layer = [layer_of(name, layers) for name in names]
    order = list(dict.fromkeys(layer))
    dtype = torch.float64 if storage == "float64" else torch.float32
    parts, at = [], 0
    for group, own in zip(groups, layer, strict=True):
        shape = reference.shape(held(reference, group))
        size = int(torch.Size(shape).numel())
        parts.append(Part(group[0], at, at + size, shape, order.index(own)))
        at += size
    vectors = _filled(reference, others, parts, order, groups=groups, dtype=dtype, storage=storage)
    fixed = {group[0]: _read(reference, group) for group in kept if set(group) & reference.holds}
    return Assembly(module, vectors, fixed, notes)


def check_layers(layers: object) -> None:
    """Raise `InputError` unless `layers` is one of the names, or a function."""
    known = callable(layers) or layers in ("tensor", "block", "task")
    check.that(known, "layers", "be 'tensor', 'block', 'task', or a function from names to layers", repr(layers))


def check_several(finetuned: Sequence[Checkpoint]) -> None:
    """Raise `InputError` unless fine-tunings are a list of at least one checkpoint."""
    several = isinstance(finetuned, Sequence) and not isinstance(finetuned, str)
    check.that(several, "finetuned", "be a list of checkpoints", type(finetuned).__name__)
    check.that(len(finetuned) > 0, "finetuned", "hold at least one checkpoint", "none")


def _filled(
    reference: Source,
    others: list[Source],
    parts: list[Part],
    order: list[str],
    *,
    groups: list[tuple[str, ...]],
    dtype: torch.dtype,
    storage: Storage,
) -> TaskVectors:
    size, narrow = parts[-1].end, storage in ("bfloat16", "int8")
    kept = torch.bfloat16 if storage == "bfloat16" else torch.int8 if storage == "int8" else dtype
    base = torch.empty(size, dtype=dtype)
    deltas = torch.empty(len(others), size, dtype=kept)
    scales = torch.zeros(len(others), len(parts), dtype=dtype) if storage == "int8" else None
    for i, (part, group) in enumerate(zip(parts, groups, strict=True)):
        origin = _read(reference, group)
        check_finite(part.name, reference.label, origin)
        base[part.begin : part.end] = origin.reshape(-1).to(dtype)
        for k, other in enumerate(others):
            tuned = _read(other, group)
            check_finite(part.name, other.label, tuned)
            delta = tuned.reshape(-1).to(dtype) - base[part.begin : part.end]
            if scales is not None:
                scales[k, i] = delta.abs().amax() / 127 if delta.numel() else 0
                delta = (delta / scales[k, i].clamp_min(torch.finfo(dtype).tiny)).round()
            deltas[k, part.begin : part.end] = delta.to(kept) if narrow else delta
    return TaskVectors(base, deltas, tuple(parts), tuple(order), scales)


def _read(source: Source, group: tuple[str, ...]) -> Tensor:
    """Return a tensor on the CPU; where it is held under several names, they must agree."""
    names = [name for name in group if name in source.holds]
    first = source.tensor(names[0]).cpu()
    for name in names[1:]:
        same = torch.equal(first, source.tensor(name).cpu())
        rule = f"equal {names[0]!r}, to which the architecture ties it"
        check.that(same, f"{source.label}[{name!r}]", rule, "other values")
    return first


def _selected(
    module: nn.Module, reference: Source, others: list[Source], *, batch_norm: str, frozen: Sequence[str]
) -> Selection:
    state, groups = module.state_dict(keep_vars=True), groups_of(module)
    several = (
        isinstance(frozen, Sequence) and not isinstance(frozen, str) and all(isinstance(begin, str) for begin in frozen)
    )
    hint = f"[{frozen!r}]" if isinstance(frozen, str) else "a list of text"
    check.that(several, "frozen", "be beginnings of names", repr(frozen), hint)
    for begin in frozen:
        near = check.nearest(begin, state)
        check.that(any(n.startswith(begin) for n in state), "frozen", "begin some tensor's name", repr(begin), near)
    left: dict[str, list[str]] = {}
    chosen, kept = [], []
    for name, group in groups.items():
        tensor = state[name]
        why = ""
        if not tensor.is_floating_point():
            why = "not of floating point, taken as pretrained"
        elif batch_norm == "estimate" and name.rpartition(".")[2] in ("running_mean", "running_var"):
            why = "estimated anew"
        else:
            _check_fits(reference, group, tensor)
            if any(n.startswith(begin) for begin in frozen for n in group):
                why = "frozen, taken as pretrained"
        if why:
            left.setdefault(why, []).append(name)
            kept.append(group)
        else:
            chosen.append(group)
        if len(group) > 1:
            left.setdefault("tied to a tensor before it, merged once", []).extend(group[1:])
    check.at_least(1, merged_tensors=len(chosen))
    check_alike(reference, others, groups=chosen)
    same = [group for group in chosen if _unchanged(reference, others, group)]
    check.that(len(same) < len(chosen), "finetuned", "differ from `pretrained` in some tensor", "equal checkpoints")
    if same:
        left["the same in every checkpoint"] = [group[0] for group in same]
    strange = [n for n in reference.names() if n not in state]
    if strange:
        left["not of the architecture, ignored"] = strange
    merged = [group for group in chosen if group not in same]
    return Selection(merged, [*kept, *same], tuple(f"{why}: {', '.join(names)}" for why, names in left.items()))


def _unchanged(reference: Source, others: list[Source], group: tuple[str, ...]) -> bool:
    """Whether every fine-tuning left a tensor as it was; most often the first look says no."""
    origin = _read(reference, group)
    for other in others:
        tuned = _read(other, group)
        wide = torch.promote_types(origin.dtype, tuned.dtype)
        if not torch.equal(origin.to(wide), tuned.to(wide)):
            return False
    return True


def _check_fits(reference: Source, group: tuple[str, ...], tensor: Tensor) -> None:
    name, due = held(reference, group), tuple(tensor.shape)
    own, got, dtype = f"{reference.label}[{group[0]!r}]", reference.shape(name), reference.dtype(name)
    check.that(got == due, own, f"have the architecture's shape {due}", got)
    rule = f"be of floating point as in the architecture, where it is {tensor.dtype}"
    check.that(dtype.is_floating_point, own, rule, dtype, WIDEN)
