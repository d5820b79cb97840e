"""Saving without pickle: tensors go to safetensors, everything else to JSON, classes are named and checked.

A value is a tree of tensors, NumPy arrays, numbers, strings, None, lists, tuples, string-keyed dicts and dataclasses.
Loading builds only the dataclasses that the caller's expected type mentions, so a file cannot choose what is built.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import types
import typing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from paretokit.core._errors import CheckpointError

TRANSIENT = {"transient": True}


def transient(default: Any = None) -> Any:
    """Return a dataclass field that is never saved; the solver's `restore` rebuilds it."""
    return dataclasses.field(default=default, metadata=TRANSIENT, repr=False, compare=False)


def encode(value: Any, tensors: dict[str, Tensor], path: str = "") -> Any:
    """Return the JSON-able tree of `value`, moving its tensors into `tensors` under their paths.

    Raises:
        CheckpointError: If a part is neither data nor marked transient; the message names its path.
    """
    if isinstance(value, Tensor):
        tensors[path] = value.detach().to("cpu").contiguous().clone()
        return {"$": "tensor"}
    if isinstance(value, np.ndarray):
        tensors[path] = torch.from_numpy(np.ascontiguousarray(value))
        return {"$": "array"}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        items = [encode(item, tensors, f"{path}/{i}") for i, item in enumerate(value)]
        return items if isinstance(value, list) else {"$": "tuple", "items": items}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"$": "dict", "items": {key: encode(item, tensors, f"{path}/{key}") for key, item in value.items()}}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kept = [f.name for f in dataclasses.fields(value) if not f.metadata.get("transient")]
        items_ = {name: encode(getattr(value, name), tensors, f"{path}/{name}") for name in kept}
        return {"$": type(value).__name__, "items": items_}
    raise CheckpointError(
        f"`{path or 'value'}` must be data (tensors, numbers, strings, lists, dicts, dataclasses); "
        f"got {type(value).__name__} (mark the field transient and rebuild it in `restore`)"
    )


def known_types(*expected: Any) -> dict[str, type]:
    """Return every dataclass that the annotations of the expected types mention, by name."""
    found: dict[str, type] = {}

    def visit(annotation: Any) -> None:
        for argument in typing.get_args(annotation):
            visit(argument)
        origin = typing.get_origin(annotation)
        if isinstance(origin, type) and dataclasses.is_dataclass(origin):
            visit(origin)
        if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
            if annotation.__name__ not in found:
                found[annotation.__name__] = annotation
                hints = typing.get_type_hints(annotation)
                for part in dataclasses.fields(annotation):
                    visit(hints[part.name])
        elif isinstance(annotation, types.UnionType):
            return

    for annotation in expected:
        visit(annotation)
    return found


def decode(tree: Any, tensors: dict[str, Tensor], known: dict[str, type], path: str = "") -> Any:
    """Return the value that `encode` was given, with transient fields at their defaults.

    Raises:
        CheckpointError: If the tree names a class that the expected types do not mention.
    """
    if isinstance(tree, list):
        return [decode(item, tensors, known, f"{path}/{i}") for i, item in enumerate(tree)]
    if not isinstance(tree, dict):
        return tree
    kind = tree["$"]
    if kind == "tensor":
        return tensors[path]
    if kind == "array":
        return tensors[path].numpy()
    if kind == "tuple":
        return tuple(decode(item, tensors, known, f"{path}/{i}") for i, item in enumerate(tree["items"]))
    items = {key: decode(item, tensors, known, f"{path}/{key}") for key, item in tree["items"].items()}
    if kind == "dict":
        return items
    if kind not in known:
        raise CheckpointError(f"`{path or 'value'}` must be one of {sorted(known)}; got {kind!r}")
    return known[kind](**items)


def save_tree(folder: Path, name: str, value: Any) -> None:
    """Write `value` as ``name.safetensors`` and ``name.json``; the JSON carries the tensors' checksum."""
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    tree = encode(value, tensors)
    blob = save(tensors)
    digest = hashlib.blake2b(blob, digest_size=16).hexdigest()
    write_synced(folder / f"{name}.safetensors", blob)
    body = json.dumps(tree)
    text = json.dumps({"tensors": digest, "tree": hashlib.blake2b(body.encode(), digest_size=16).hexdigest()})
    write_synced(folder / f"{name}.json", f"{text}\n{body}\n".encode())


def load_tree(folder: Path, name: str, *expected: Any) -> Any:
    """Return what `save_tree` wrote, building only dataclasses that `expected` mentions.

    Raises:
        CheckpointError: If a file is missing, truncated or does not match its checksum.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        blob = (folder / f"{name}.safetensors").read_bytes()
        head, body = (folder / f"{name}.json").read_text().splitlines()
        sums = json.loads(head)
        if (
            hashlib.blake2b(blob, digest_size=16).hexdigest() != sums["tensors"]
            or hashlib.blake2b(body.encode(), digest_size=16).hexdigest() != sums["tree"]
        ):
            raise CheckpointError(f"{folder / name} is damaged: its checksum does not match")
        return decode(json.loads(body), load(blob), known_types(*expected))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise CheckpointError(f"{folder / name} cannot be read: {error}") from error


def write_synced(path: Path, data: bytes) -> None:
    """Write bytes and wait until the disk has them."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
