"""Checkpoints of one architecture, read tensor by tensor: modules, state dicts, safetensors files, sharded folders."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from paretokit.core import CheckpointError
from paretokit.core import _check as check

Checkpoint = nn.Module | Mapping[str, Tensor] | str | Path
"""A module, a state dict, a safetensors file, or a folder with one or with shards and their index."""

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
WIDEN = "quantized? write it in floating point first"
UNPICKLE = "load it where you trust it and write it with safetensors.torch.save_file"

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
"""Types by their names in safetensors files."""


class Source(ABC):
    """A checkpoint whose tensors are read when they are asked for.

    Attributes:
        label: What messages call it.
    """

    label: str

    @cached_property
    def holds(self) -> frozenset[str]:
        """The tensors' names, to be looked up."""
        return frozenset(self.names())

    @abstractmethod
    def names(self) -> list[str]:
        """Return the tensors' names in the checkpoint's order."""

    @abstractmethod
    def shape(self, name: str) -> tuple[int, ...]:
        """Return a tensor's shape without reading it."""

    @abstractmethod
    def dtype(self, name: str) -> torch.dtype:
        """Return a tensor's type without reading it."""

    @abstractmethod
    def tensor(self, name: str) -> Tensor:
        """Return a tensor."""


@final
class StateSource(Source):
    """Tensors in memory."""

    def __init__(self, tensors: Mapping[str, Tensor], label: str) -> None:
        self.label = label
        for name, tensor in tensors.items():
            check.that(isinstance(tensor, Tensor), f"{label}[{name!r}]", "be a tensor", type(tensor).__name__)
            check.that(not tensor.is_meta, f"{label}[{name!r}]", "have values", "a tensor on the meta device")
        self._tensors = tensors

    def names(self) -> list[str]:
        """Return the names."""
        return list(self._tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return a tensor's shape."""
        return tuple(self._tensors[name].shape)

    def dtype(self, name: str) -> torch.dtype:
        """Return a tensor's type."""
        return self._tensors[name].dtype

    def tensor(self, name: str) -> Tensor:
        """Return a tensor, detached."""
        return self._tensors[name].detach()


@final
class FileSource(Source):
    """Tensors in one or several safetensors files, each read through a memory map of its own that ends with it.

    A map that stayed open would keep every page that was ever read in the process: eight checkpoints, eight times.
    """

    def __init__(self, places: Mapping[str, Path], label: str) -> None:
        self.label, self._places = label, dict(places)
        self._facts: dict[str, tuple[tuple[int, ...], torch.dtype]] = {}
        for path in dict.fromkeys(self._places.values()):
            with _opened(path, label) as file:
                held = set(file.keys())
                for name in [n for n, place in self._places.items() if place == path]:
                    if name not in held:
                        raise CheckpointError(f"{label}: {path} lacks tensor {name!r}, which the index places there")
                    piece = file.get_slice(name)
                    self._facts[name] = tuple(piece.get_shape()), _dtype(piece.get_dtype(), name, path)

    def names(self) -> list[str]:
        """Return the names."""
        return list(self._places)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return a tensor's shape as the file's header has it."""
        return self._facts[name][0]

    def dtype(self, name: str) -> torch.dtype:
        """Return a tensor's type as the file's header has it."""
        return self._facts[name][1]

    def tensor(self, name: str) -> Tensor:
        """Return a tensor; its memory is the file's and goes when the tensor does."""
        with _opened(self._places[name], self.label) as file:
            read: Tensor = file.get_tensor(name)
        return read


def open_checkpoint(given: Checkpoint, label: str) -> Source:
    """Return a checkpoint as a source.

    Args:
        given: A module, a state dict, the path of a safetensors file, or of a folder as `save_pretrained` writes it.
        label: What messages call it.

    Raises:
        InputError: If it is none of these; pickle files are refused, since loading one runs what it says.
        CheckpointError: If a file is missing, truncated or damaged; the message names it.
    """
    if isinstance(given, nn.Module):
        return StateSource(given.state_dict(), label)
    if isinstance(given, Mapping):
        return StateSource(given, label)
    rule = "be a module, a state dict, a safetensors file, or a folder of them"
    check.that(isinstance(given, str | Path), label, rule, type(given).__name__)
    path = Path(given)
    if path.suffix in PICKLES:
        check.fail(label, "not be a pickle, which would run code", path, UNPICKLE)
    if not path.exists():
        raise CheckpointError(f"{label}: {path} does not exist")
    if path.is_file():
        return _single(path, label)
    if (path / INDEX).exists():
        return _sharded(path, label)
    if (path / SINGLE).exists():
        return _single(path / SINGLE, label)
    pickled = sorted(p.name for p in path.iterdir() if p.suffix in PICKLES)
    hint = f" ({pickled[0]} is a pickle and is not read; {UNPICKLE})" if pickled else ""
    raise CheckpointError(f"{label}: {path} holds neither {SINGLE} nor {INDEX}{hint}")


def _single(path: Path, label: str) -> FileSource:
    with _opened(path, label) as file:
        names = list(file.keys())
    return FileSource(dict.fromkeys(names, path), label)


def _sharded(folder: Path, label: str) -> FileSource:
    index = folder / INDEX
    try:
        places = {str(name): folder / shard for name, shard in json.loads(index.read_text())["weight_map"].items()}
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{label}: {index} is no index of shards ({error})") from error
    for shard in dict.fromkeys(places.values()):
        if not shard.exists():
            raise CheckpointError(f"{label}: shard {shard} is missing")
    return FileSource(places, label)


def _opened(path: Path, label: str) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(str(path), framework="pt")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{label}: {path} is damaged or truncated ({error})") from error


def _dtype(name: str, tensor: str, path: Path) -> torch.dtype:
    if name not in DTYPES:
        raise CheckpointError(f"{path}: tensor {tensor!r} has type {name}, which cannot be merged")
    return DTYPES[name]


def check_alike(reference: Source, others: list[Source], *, groups: Sequence[tuple[str, ...]]) -> None:
    """Raise unless all checkpoints hold the tensors of the first, in the same shapes, of floating point where it is.

    Args:
        reference: The pretrained checkpoint.
        others: The fine-tuned ones.
        groups: The tensors that are merged: each with all names by which the architecture knows it.

    Raises:
        InputError: Naming the first missing, extra or differing tensor, with both shapes or types.
    """
    known = {*reference.names(), *(name for group in groups for name in group)}
    for other in others:
        for group in groups:
            hint = "are they of one architecture?"
            here, there, own = held(reference, group), held(other, group), f"{other.label}[{group[0]!r}]"
            a, b = reference.shape(here), other.shape(there)
            check.that(a == b, own, f"have shape {a} as in {reference.label}", b, hint)
            due, got = reference.dtype(here), other.dtype(there)
            same = (due.is_floating_point, due.is_complex) == (got.is_floating_point, got.is_complex)
            kind = "of floating point" if due.is_floating_point else "complex" if due.is_complex else "of whole numbers"
            check.that(same, own, f"be {kind} as in {reference.label}, where it is {due}", got, WIDEN)
        extra = [name for name in other.names() if name not in known]
        check.that(not extra, other.label, f"hold no tensor that {reference.label} has not", extra[:1] and extra[0])


def held(source: Source, group: tuple[str, ...]) -> str:
    """Return under which of its names a checkpoint holds a tensor, or raise `InputError`."""
    names = [name for name in group if name in source.holds]
    hint = "is it of another architecture?"
    check.that(bool(names), source.label, f"hold tensor {group[0]!r} of the architecture", "no such tensor", hint)
    return names[0]


def check_finite(name: str, label: str, tensor: Tensor) -> None:
    """Raise `InputError` naming the tensor if a floating-point one holds NaN or infinity."""
    good = not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())
    check.that(good, f"{label}[{name!r}]", "be finite", "NaN or infinity")
