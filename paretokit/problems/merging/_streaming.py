"""Merging from file to file, a tensor at a time: memory for one tensor of each checkpoint."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from paretokit.core import CheckpointError
from paretokit.core import _check as check
from paretokit.problems.merging._assembly import Layers, check_layers, check_several, layer_of
from paretokit.problems.merging._checkpoints import (
    DTYPES,
    SINGLE,
    Checkpoint,
    Source,
    check_alike,
    check_finite,
    open_checkpoint,
)

NAMES = {dtype: name for name, dtype in DTYPES.items()}


class Piece(NamedTuple):
    """One tensor of all checkpoints.

    Attributes:
        name: Its name.
        base: As pretrained, in float32 (float64 where it was).
        deltas: What the fine-tunings changed `[K, *shape]`.
    """

    name: str
    base: Tensor
    deltas: Tensor


Rule = Callable[[Piece], Tensor]
"""From one tensor of all checkpoints to the merged one."""


def merge_checkpoints(
    pretrained: Checkpoint,
    finetuned: Sequence[Checkpoint],
    path: str | Path,
    *,
    coefficients: float | Sequence[float] | Tensor = 0.3,
    layers: Layers = "task",
) -> Path:
    r"""Write the merge of checkpoints to a safetensors file without ever holding one of them.

    .. math:: \theta^{(l)} = \theta_0^{(l)} + \sum_k \lambda_{lk} (\theta_k^{(l)} - \theta_0^{(l)})

    Args:
        pretrained: The common origin: what `ModelMerging` takes. Tensors not of floating point are its own.
        finetuned: The K fine-tunings.
        path: A ``.safetensors`` file, or a folder that gets ``model.safetensors`` and the origin's ``config.json``.
        coefficients: One number for all (task arithmetic; 1 / K averages), one a task `[K]`, or one a layer and task
            `[L, K]`, layers in the order in which they come first in the origin.
        layers: What shares coefficients, as in `ModelMerging`.

    Returns:
        The file.

    Cost: every checkpoint is read once; memory is the largest tensor K + 3 times. Each tensor keeps the type that it
    has in the origin; sums are in float32 (float64 where the origin is).

    Raises:
        InputError: If checkpoints differ in names, shapes or kinds of numbers, or hold NaN; the first such tensor is
            named.
        ShapeError: If coefficients are not one a task, or a layer and task.
        CheckpointError: If a file is damaged, or the disk cannot take the merged one; what was there stays whole.
    """
    check_layers(layers)
    check.that(isinstance(path, str | Path), "path", "be a folder or a .safetensors file", repr(path))
    reference, others = _opened(pretrained, finetuned)
    layer = {name: layer_of(name, layers) for name in _merged(reference)}
    order = list(dict.fromkeys(layer.values()))
    for given in (pretrained, *finetuned):
        own = isinstance(given, str | Path) and _target(given).resolve() == _target(path).resolve()
        check.that(not own, "path", "be another place than that of a checkpoint that is merged", str(path))
    weights = _weights(coefficients, (len(order), len(others)))

    def rule_of(piece: Piece) -> Tensor:
        own = weights[order.index(layer[piece.name])].to(piece.base)
        return torch.addmv(piece.base.reshape(-1), piece.deltas.reshape(len(own), piece.base.numel()).T, own).view_as(
            piece.base
        )

    return write_merged(reference, others, path, rule=rule_of, config=_config(pretrained))


def _weights(coefficients: object, due: tuple[int, int]) -> Tensor:
    """Return coefficients `[L, K]`, however few were given."""
    rule = f"be a number, or have shape [{due[1]}] or [{due[0]}, {due[1]}]"
    try:
        weights = torch.as_tensor(coefficients)
    except (TypeError, ValueError, RuntimeError):  # text, None, or rows of different lengths
        check.fail("coefficients", rule, repr(coefficients))
    real = not (weights.is_complex() or weights.dtype == torch.bool)
    check.that(real, "coefficients", rule, repr(coefficients))
    check.shape(tuple(weights.shape) in ((), due[1:], due), "coefficients", rule, list(weights.shape))
    check.that(bool(torch.isfinite(weights).all()), "coefficients", "be finite", weights.tolist())
    return torch.as_tensor(coefficients, dtype=torch.float64).expand(due)


def write_merged(
    reference: Source, others: Sequence[Source], path: str | Path, *, rule: Rule, config: Path | None = None
) -> Path:
    """Write what a rule makes of each tensor of all checkpoints; see `merge_checkpoints`."""
    place, target = Path(path), _target(path)
    aside = target.with_name(f".writing-{target.name}")
    names, merged = reference.names(), set(_merged(reference))
    header = _header(reference, names)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with aside.open("wb") as file:
                file.write(header)
                for name in names:
                    tensor = rule(_piece(name, reference, others)) if name in merged else reference.tensor(name)
                    flat = tensor.to("cpu", reference.dtype(name)).contiguous().reshape(-1)
                    file.write(flat.view(torch.uint8).numpy().data)
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
        if config is not None and target is not place:
            shutil.copyfile(config, target.parent / "config.json")
    except OSError as error:
        raise CheckpointError(f"{target} could not be written: {error} (nothing that was there is lost)") from error
    return target


def _target(path: str | Path) -> Path:
    """Return the file that a path means: itself, or the one that a folder holds."""
    place = Path(path)
    return place if place.suffix == ".safetensors" else place / SINGLE


def pieces(pretrained: Checkpoint, finetuned: Sequence[Checkpoint]) -> Iterator[Piece]:
    """Yield the floating-point tensors of checkpoints, one at a time."""
    reference, others = _opened(pretrained, finetuned)
    for name in _merged(reference):
        yield _piece(name, reference, others)


def _opened(pretrained: Checkpoint, finetuned: Sequence[Checkpoint]) -> tuple[Source, list[Source]]:
    check_several(finetuned)
    reference = open_checkpoint(pretrained, "pretrained")
    others = [open_checkpoint(given, f"finetuned[{k}]") for k, given in enumerate(finetuned)]
    check.that(bool(_merged(reference)), "pretrained", "hold a floating-point tensor", "none")
    check_alike(reference, others, groups=[(name,) for name in reference.names()])
    return reference, others


def _merged(reference: Source) -> list[str]:
    return [name for name in reference.names() if reference.dtype(name).is_floating_point]


def _piece(name: str, reference: Source, others: Sequence[Source]) -> Piece:
    origin = reference.tensor(name).cpu()
    check_finite(name, reference.label, origin)
    base = origin.to(torch.float64 if origin.dtype == torch.float64 else torch.float32)
    deltas = base.new_empty(len(others), *base.shape)
    for k, other in enumerate(others):
        tuned = other.tensor(name).cpu()
        check_finite(name, other.label, tuned)
        torch.sub(tuned.to(base.dtype), base, out=deltas[k])
    return Piece(name, base, deltas)


def _header(reference: Source, names: list[str]) -> bytes:
    """Return a safetensors header: its length in eight bytes, then JSON that says where each tensor lies."""
    sizes = [torch.Size(reference.shape(n)).numel() * reference.dtype(n).itemsize for n in names]
    ends = torch.tensor([0, *sizes]).cumsum(0).tolist()
    content: dict[str, object] = {"__metadata__": {"format": "pt"}}
    for name, (begin, end) in zip(names, pairwise(ends), strict=True):
        dtype = reference.dtype(name)
        check.that(dtype in NAMES, f"{reference.label}[{name!r}]", "have a type that safetensors files know", dtype)
        shape = list(reference.shape(name))
        content[name] = {"dtype": NAMES[dtype], "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(content, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _config(pretrained: Checkpoint) -> Path | None:
    if not isinstance(pretrained, str | Path):
        return None
    found = Path(pretrained) / "config.json"
    return found if found.is_file() else None
