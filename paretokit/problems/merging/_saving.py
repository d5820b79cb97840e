"""Merged models on disk, as Hugging Face's `save_pretrained` lays them out, or in one file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from paretokit.core import CheckpointError
from paretokit.problems.merging._checkpoints import SINGLE
from paretokit.problems.merging._module import groups_of


def save_module(module: nn.Module, path: str | Path, *, config: Path | None = None) -> None:
    """Write a module to a ``.safetensors`` file, or to a folder: its tensors and ``config.json`` where it is known.

    A folder is written by the module's own `save_pretrained`, if it has one. `config` is a file that is copied where
    the module has no `config`. Tied tensors are written once, under their first name.

    Raises:
        CheckpointError: If the disk cannot take it; a file that was there stays whole.
    """
    from safetensors import SafetensorError

    place = Path(path)
    own: Any = getattr(module, "save_pretrained", None)
    try:
        if place.suffix == ".safetensors":
            place.parent.mkdir(parents=True, exist_ok=True)
            _write(module, place)
        elif callable(own):
            own(str(place))
        else:
            place.mkdir(parents=True, exist_ok=True)
            _write(module, place / SINGLE)
            _configure(module, place / "config.json", config)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{place} could not be written: {error}") from error


def _write(module: nn.Module, file: Path) -> None:
    from safetensors.torch import save_file

    state: dict[str, Tensor] = module.state_dict()
    tensors = {name: state[name].detach().contiguous().cpu() for name in groups_of(module)}
    aside = file.with_name(f".writing-{file.name}")
    try:
        save_file(tensors, str(aside), metadata={"format": "pt"})
        aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)


def _configure(module: nn.Module, file: Path, otherwise: Path | None) -> None:
    own: Any = getattr(module, "config", None)
    content = own.to_dict() if hasattr(own, "to_dict") else own
    if isinstance(content, dict):
        file.write_text(json.dumps(content, indent=2, sort_keys=True, default=str) + "\n")
    elif otherwise is not None:
        shutil.copyfile(otherwise, file)
