"""Merged models on disk, as Hugging Face's `save_pretrained` lays them out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from torch import nn

from paretokit.problems.merging._checkpoints import SINGLE


def save_pretrained(module: nn.Module, folder: str | Path, *, config: Path | None = None) -> None:
    """Write ``model.safetensors``, and ``config.json`` where the module has a `config`; by its own method, if any.

    `config` is a file that is copied where the module has none.

    Tied tensors are written once, under their first name.
    """
    own: Any = getattr(module, "save_pretrained", None)
    if callable(own):
        own(str(folder))
        return
    from safetensors.torch import save_file

    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    seen: set[tuple[int, tuple[int, ...]]] = set()
    tensors = {}
    for name, tensor in module.state_dict().items():
        key = (tensor.data_ptr(), tuple(tensor.shape))
        if tensor.numel() and key in seen:
            continue
        seen.add(key)
        tensors[name] = tensor.detach().contiguous().cpu()
    save_file(tensors, str(target / SINGLE), metadata={"format": "pt"})
    own_config: Any = getattr(module, "config", None)
    content = own_config.to_dict() if hasattr(own_config, "to_dict") else own_config
    if config is not None and not isinstance(content, dict):
        shutil.copyfile(config, target / "config.json")
    elif isinstance(content, dict):
        (target / "config.json").write_text(json.dumps(content, indent=2, sort_keys=True, default=str) + "\n")
