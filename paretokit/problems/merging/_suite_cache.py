"""The trained suite on disk: written whole or not at all, checked when read, made again where it is damaged."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor, nn

from paretokit.core import CheckpointError
from paretokit.core._kernel import cache_folder
from paretokit.core._serial import write_synced
from paretokit.core._threads import one_torch_thread
from paretokit.problems.merging._suite_encoders import CosineHead, encoder_of, features_of
from paretokit.problems.merging._suite_glyphs import ALPHABETS
from paretokit.problems.merging._suite_training import Labeled, Recipe, Trained, trained

VERSION = 1  # of data and training: raise it with every change of what is made
INDEX, PRETRAINED, HEADS, IMAGES = "suite.json", "pretrained", "heads", "images"


def fingerprint(recipe: Recipe) -> str:
    """Return a mark of everything that the trained suite depends on, the packages' versions included."""
    content = {"version": VERSION, "torch": torch.__version__, "matplotlib": version("matplotlib")}
    content |= {"recipe": dataclasses.asdict(recipe)}
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=8).hexdigest()


def folder_of(recipe: Recipe) -> Path:
    """Return where the suite of a recipe lies."""
    return cache_folder() / "merging" / f"{recipe.encoder}-{recipe.seed}-{fingerprint(recipe)}"


def suite_of(recipe: Recipe, names: Sequence[str]) -> Trained:
    """Return the suite of a recipe with some of its tasks: from the cache, or else trained and put there.

    A cache that cannot be written costs the training again, and nothing else.
    """
    try:
        return _read(folder_of(recipe), recipe, names)
    except CheckpointError:
        made = _made(recipe)
    with contextlib.suppress(OSError):  # a read-only home
        _write(folder_of(recipe), recipe, made)
    return made._replace(finetuned={n: made.finetuned[n] for n in names})


def files_of(recipe: Recipe, names: Sequence[str]) -> tuple[Path, tuple[Path, ...]]:
    """Return the files of the pretrained encoder and of some tasks' fine-tunings, training them where need be.

    Raises:
        CheckpointError: If the cache cannot be written.
    """
    folder = folder_of(recipe)
    try:
        _read(folder, recipe, names)
    except CheckpointError:
        try:
            _write(folder, recipe, _made(recipe))
        except OSError as error:
            raise CheckpointError(f"the suite cannot be written to {folder} ({error})") from error
    return folder / f"{PRETRAINED}.safetensors", tuple(folder / f"{name}.safetensors" for name in names)


def _made(recipe: Recipe) -> Trained:
    with one_torch_thread(when=True):  # the order of sums, and so the last bits, depend on the number of threads
        return trained(recipe)


def _write(folder: Path, recipe: Recipe, made: Trained) -> None:
    from safetensors.torch import save

    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        sums = {}
        for name, tensors in _tensors(made).items():
            blob = save(tensors)
            sums[name] = _sum(blob)
            write_synced(beside / f"{name}.safetensors", blob)
        index = {"fingerprint": fingerprint(recipe), "recipe": dataclasses.asdict(recipe), "sums": sums}
        write_synced(beside / INDEX, (json.dumps(index, indent=1) + "\n").encode())
        if folder.exists():  # damaged: it was read before
            aside = Path(tempfile.mkdtemp(prefix=".damaged-", dir=folder.parent))
            folder.rename(aside / "old")
            shutil.rmtree(aside, ignore_errors=True)
        os.rename(beside, folder)  # noqa: PTH104 - fails where another process was faster, as Path.replace may not
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _tensors(made: Trained) -> dict[str, dict[str, Tensor]]:
    images: dict[str, Tensor] = {}
    for split, data in (("validation", made.validation), ("test", made.test)):
        for name, (x, y) in data.items():
            images |= {f"{name}.{split}.images": x, f"{name}.{split}.classes": y}
    heads = {name: head.state_dict()["weight"] for name, head in made.heads.items()}
    modules = {PRETRAINED: made.pretrained, **made.finetuned}
    states = {name: {k: t.contiguous() for k, t in m.state_dict().items()} for name, m in modules.items()}
    return {**states, HEADS: heads, IMAGES: images}


def _read(folder: Path, recipe: Recipe, names: Sequence[str]) -> Trained:
    try:
        index = json.loads((folder / INDEX).read_text("utf-8"))
        if index["fingerprint"] != fingerprint(recipe):
            raise CheckpointError(f"{folder} is of another suite")
        sums = index["sums"]
        wanted = [PRETRAINED, HEADS, IMAGES, *names]
        found = {name: _loaded(folder / f"{name}.safetensors", sums[name]) for name in wanted}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder} cannot be read: {error}") from error
    held: dict[str, dict[str, Labeled]] = {}
    for split in ("validation", "test"):
        held[split] = {
            t: (found[IMAGES][f"{t}.{split}.images"], found[IMAGES][f"{t}.{split}.classes"]) for t in ALPHABETS
        }
    encoders = {name: _filled(recipe, found[name]) for name in (PRETRAINED, *names)}
    heads = {name: _head(recipe, found[HEADS][name]) for name in ALPHABETS}
    return Trained(encoders.pop(PRETRAINED), encoders, heads, held["validation"], held["test"])


def _loaded(path: Path, due: str) -> dict[str, Tensor]:
    from safetensors.torch import load

    blob = path.read_bytes()
    if _sum(blob) != due:
        raise CheckpointError(f"{path} is damaged: its checksum does not match")
    return load(blob)


def _filled(recipe: Recipe, tensors: dict[str, Tensor]) -> nn.Module:
    encoder = encoder_of(recipe.encoder, width=recipe.width, depth=recipe.depth)
    encoder.load_state_dict(tensors, assign=True)
    return encoder.eval().requires_grad_(requires_grad=False)


def _head(recipe: Recipe, weight: Tensor) -> nn.Module:
    with torch.device("meta"):
        head = CosineHead(features_of(recipe.encoder, recipe.width))
    head.load_state_dict({"weight": weight}, assign=True)
    return head.eval().requires_grad_(requires_grad=False)


def _sum(blob: bytes) -> str:
    return hashlib.blake2b(blob, digest_size=16).hexdigest()
