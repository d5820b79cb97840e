"""Checkpoints of one architecture, read tensor by tensor: modules, state dicts, safetensors files, sharded folders."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
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


class Source(ABC):
    """A checkpoint whose tensors are read when they are asked for.

    Attributes:
        label: What messages call it.
    """

    label: str

    @abstractmethod
    def names(self) -> list[str]:
        """Return the tensors' names in the checkpoint's order."""

    @abstractmethod
    def shape(self, name: str) -> tuple[int, ...]:
        """Return a tensor's shape without reading it."""

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
        self._tensors = tensors

    def names(self) -> list[str]:
        """Return the names."""
        return list(self._tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return a tensor's shape."""
        return tuple(self._tensors[name].shape)

    def tensor(self, name: str) -> Tensor:
        """Return a tensor, detached."""
        return self._tensors[name].detach()


@final
class FileSource(Source):
    """Tensors in one or several safetensors files, through memory maps: nothing stays in memory after it was used."""

    def __init__(self, places: Mapping[str, Path], label: str) -> None:
        self.label, self._places = label, dict(places)
        self._files: dict[Path, Any] = {path: _opened(path, label) for path in dict.fromkeys(places.values())}

    def names(self) -> list[str]:
        """Return the names."""
        return list(self._places)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return a tensor's shape from the file's header."""
        return tuple(self._files[self._places[name]].get_slice(name).get_shape())

    def tensor(self, name: str) -> Tensor:
        """Return a tensor."""
        read: Tensor = self._files[self._places[name]].get_tensor(name)
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
        hint = "load it where you trust it and write it with safetensors.torch.save_file"
        check.fail(label, "not be a pickle, which would run code", path, hint)
    if not path.exists():
        raise CheckpointError(f"{label}: {path} does not exist")
    if path.is_file():
        return _single(path, label)
    if (path / INDEX).exists():
        return _sharded(path, label)
    if (path / SINGLE).exists():
        return _single(path / SINGLE, label)
    raise CheckpointError(f"{label}: {path} holds neither {SINGLE} nor {INDEX}")


def _single(path: Path, label: str) -> FileSource:
    return FileSource(dict.fromkeys(_opened(path, label).keys(), path), label)


def _sharded(folder: Path, label: str) -> FileSource:
    index = folder / INDEX
    try:
        places = json.loads(index.read_text())["weight_map"]
    except (json.JSONDecodeError, KeyError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{label}: {index} is no index of shards ({error})") from error
    for shard in dict.fromkeys(places.values()):
        if not (folder / shard).exists():
            raise CheckpointError(f"{label}: shard {folder / shard} is missing")
    return FileSource({name: folder / shard for name, shard in places.items()}, label)


def _opened(path: Path, label: str) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(str(path), framework="pt")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{label}: {path} is damaged or truncated ({error})") from error


def check_alike(reference: Source, others: list[Source], *, names: list[str]) -> None:
    """Raise unless all checkpoints hold the tensors of the first, in the same shapes.

    Args:
        reference: The pretrained checkpoint.
        others: The fine-tuned ones.
        names: The tensors that are merged.

    Raises:
        InputError: Naming the first missing, extra or differing tensor, with both shapes.
    """
    known = set(reference.names())
    for other in others:
        own = set(other.names())
        for name in names:
            check.that(name in own, other.label, f"hold tensor {name!r} of {reference.label}", "no such tensor")
            a, b = reference.shape(name), other.shape(name)
            check.that(a == b, f"{other.label}[{name!r}]", f"have shape {a} as in {reference.label}", b)
        extra = [name for name in other.names() if name not in known]
        check.that(not extra, other.label, f"hold no tensor that {reference.label} has not", extra[:1] and extra[0])


def check_finite(name: str, label: str, tensor: Tensor) -> None:
    """Raise `InputError` naming the tensor if a floating-point one holds NaN or infinity."""
    good = not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())
    check.that(good, f"{label}[{name!r}]", "be finite", "NaN or infinity")
