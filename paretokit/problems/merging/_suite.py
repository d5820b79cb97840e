"""The eight-task suite: real networks to merge, trained on this machine in a minute and kept in the user's cache."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from torch import nn

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.core._kinds import Kind
from paretokit.problems._glyphs import levels
from paretokit.problems.merging._bounds import checked_bounds
from paretokit.problems.merging._merging import ModelMerging
from paretokit.problems.merging._suite_cache import files_of, suite_of
from paretokit.problems.merging._suite_encoders import ENCODERS, HEADS, EncoderName, encoder_of
from paretokit.problems.merging._suite_glyphs import ALPHABETS
from paretokit.problems.merging._suite_training import Recipe
from paretokit.problems.merging._suite_views import Corruption, Protocol, Sight
from paretokit.problems.merging._tasks import Task
from paretokit.problems.merging._vectors import Storage

Tasks = int | Sequence[str]
Size = Mapping[str, float]
Sizes = Size | Literal["small"]

_CNN = {"width": 24, "depth": 4, "pretraining_steps": 120, "pretraining_batch": 32, "finetuning_steps": 300}
_VIT = {"width": 64, "depth": 2, "pretraining_steps": 150, "styled": 1500, "finetuning_steps": 500}
PRESETS: Mapping[str, Size] = {
    "cnn": {**_CNN, "pretraining_rate": 2e-3, "finetuning_rate": 5e-4},
    "mlp": {"width": 512, "depth": 5},
    "vit": {**_VIT, "pretraining_rate": 2e-3, "finetuning_rate": 5e-4},
}
"""What differs from `Recipe`'s defaults."""

_FEW = {"train": 1500, "test": 500}
SMALL: Mapping[str, Size] = {
    "cnn": {**_FEW, "width": 16, "depth": 3},
    "mlp": {**_FEW, "width": 256, "depth": 2, "finetuning_rate": 5e-4},
    "vit": {**_FEW, "width": 32},
}
"""What ``size="small"`` changes in the presets."""


class SuiteCheckpoints(NamedTuple):
    """Files of a suite's networks.

    Attributes:
        pretrained: Safetensors file of the encoder before fine-tuning.
        finetuned: Safetensors files of the fine-tunings, in the tasks' order.
        architecture: The encoder without values, on the meta device.
    """

    pretrained: Path
    finetuned: tuple[Path, ...]
    architecture: nn.Module


def suite(
    encoder: EncoderName = "mlp",
    *,
    tasks: Tasks = 8,
    seed: int = 0,
    protocol: Protocol = "transductive",
    corruption: Corruption | None = None,
    unlabeled: float = 1.0,
    imbalance: float = 1.0,
    layers: Literal["tensor", "block", "task"] = "tensor",
    bounds: tuple[float, float] = (0.0, 1.0),
    storage: Storage = "float32",
    batch_norm: Literal["merge", "estimate"] | None = None,
    metric: Literal["accuracy", "loss"] = "accuracy",
    size: Sizes | None = None,
) -> ModelMerging:
    """Return eight fine-tunings of one encoder to merge: handwritten digits, and glyphs of seven alphabets.

    The encoder is trained a little on all tasks together, on plain images and some in each task's style (rotated,
    inverted, blurred, noisy); then the heads are frozen, and a copy of it is trained on each task alone. Images are
    16 x 16, ten classes a task. Nothing is downloaded: digits are scikit-learn's, glyphs are drawn from the fonts that
    matplotlib ships. What was trained is kept in the user's cache folder, and made again where it is damaged.

    Args:
        encoder: "mlp" (residual, LayerNorm), "cnn" (BatchNorm) or "vit".
        tasks: How many, from the first on, or their names: "digits", "latin-upper", "latin-lower", "greek",
            "cyrillic", "armenian", "georgian", "symbols".
        seed: Of data and training.
        protocol: "transductive": unlabeled images are the test images, as in AdaMerging's paper; "split": one half of
            the test images is unlabeled, and the other half is the test.
        corruption: "noise", "blur" or "contrast" of unlabeled and test images; validation images stay clean.
        unlabeled: Share of the unlabeled images that is kept, at least one a task.
        imbalance: How many times more frequent the most frequent class is than the rarest among unlabeled images.
        layers: What shares coefficients (see `ModelMerging`).
        bounds: Of the coefficients.
        storage: Type of the task vectors.
        batch_norm: Of "cnn": "estimate" statistics anew (unless given), or "merge" them.
        metric: The objective on the validation images.
        size: "small", for networks and data that are trained in seconds, or other sizes than the encoder's own, by the
            names of `Recipe`: "width", "depth", "train", "validation", "test", "pretraining_steps",
            "finetuning_steps", "finetuning_rate", and the like.

    Raises:
        InputError, UnknownNameError: If an option breaks its rule.
        MissingPackageError: Without scikit-learn, with the install command, where the suite is not in the cache yet.

    Cost: once, training (on one core less than a minute for "mlp", a few minutes for the others); then a second.
    """
    chosen = {"layers": layers, "storage": storage, "batch_norm": batch_norm, "metric": metric}
    check.arguments(suite, chosen)  # before networks are trained
    low, high = checked_bounds(bounds)
    recipe, names = _recipe(encoder, seed, size), _names(tasks)
    sight = Sight(protocol=protocol, corruption=corruption, unlabeled=unlabeled, imbalance=imbalance)
    made = suite_of(recipe, names)
    problem = ModelMerging(
        pretrained=made.pretrained,
        finetuned=[made.finetuned[name] for name in names],
        tasks=_tasks(recipe, names, sight, metric=metric),
        layers=layers,
        bounds=(low, high),
        storage=storage,
        batch_norm=batch_norm or ("estimate" if encoder == "cnn" else "merge"),
    )
    given: dict[str, Any] = {
        "tasks": tasks if isinstance(tasks, int) else list(names),
        "seed": seed,
        "protocol": protocol,
        "corruption": corruption,
        "unlabeled": unlabeled,
        "imbalance": imbalance,
        **chosen,
        "bounds": [low, high],
        "size": dict(size) if isinstance(size, Mapping) else size,
    }
    return problem.named(f"merging-{encoder}-v1", given)


def suite_tasks(
    encoder: EncoderName = "mlp",
    *,
    tasks: Tasks = 8,
    seed: int = 0,
    protocol: Protocol = "transductive",
    corruption: Corruption | None = None,
    unlabeled: float = 1.0,
    imbalance: float = 1.0,
    metric: Literal["accuracy", "loss"] = "accuracy",
    size: Sizes | None = None,
) -> tuple[Task, ...]:
    """Return the tasks of a suite, with data and heads, for a problem of your own; options are those of `suite`."""
    check.arguments(suite_tasks, {"metric": metric})
    sight = Sight(protocol=protocol, corruption=corruption, unlabeled=unlabeled, imbalance=imbalance)
    return _tasks(_recipe(encoder, seed, size), _names(tasks), sight, metric=metric)


def suite_checkpoints(
    encoder: EncoderName = "mlp", *, tasks: Tasks = 8, seed: int = 0, size: Sizes | None = None
) -> SuiteCheckpoints:
    """Return the files of a suite's networks in the user's cache, trained where need be; options are those of `suite`.

    Raises:
        CheckpointError: If the cache folder cannot be written.
    """
    recipe = _recipe(encoder, seed, size)
    pretrained, finetuned = files_of(recipe, _names(tasks))
    return SuiteCheckpoints(pretrained, finetuned, encoder_of(encoder, width=recipe.width, depth=recipe.depth))


def _tasks(
    recipe: Recipe, names: Sequence[str], sight: Sight, *, metric: Literal["accuracy", "loss"]
) -> tuple[Task, ...]:
    made = suite_of(recipe, ())
    rng = Rng.from_seed(recipe.seed).child("sight")
    found = []
    for name in names:
        x, y = made.validation[name]
        unlabeled, test = sight.split(levels(made.test[name][0]), made.test[name][1], rng.child(name))
        head = made.heads[name]
        found.append(
            Task(name=name, unlabeled=unlabeled, validation=(levels(x), y), test=test, head=head, metric=metric)
        )
    return tuple(found)


def _recipe(encoder: str, seed: int, size: Sizes | None) -> Recipe:
    check.known(encoder, ENCODERS, kind="encoder")
    check.that(Kind(int).holds(seed), "seed", "be a whole number", repr(seed))
    sizes = size is None or size == "small" or (isinstance(size, Mapping) and all(isinstance(n, str) for n in size))
    check.that(sizes, "size", "be 'small', or numbers by name", repr(size), 'such as {"width": 128}')
    given = dict(SMALL[encoder] if isinstance(size, str) else size or {})
    fields = {f.name: f for f in dataclasses.fields(Recipe) if f.name not in ("encoder", "seed")}
    check.options(given, fields, owner="`size`")
    for name, value in given.items():
        whole = fields[name].type == "int"
        fits = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool) and value > 0
        check.that(fits, f"size[{name!r}]", f"be a {'whole ' if whole else ''}number above zero", repr(value))
    made = Recipe(encoder=cast("EncoderName", encoder), seed=seed, **{**PRESETS[encoder], **given})  # type: ignore[arg-type]
    if encoder == "vit":
        check.that(made.width % HEADS == 0, "size['width']", f"be a multiple of {HEADS}, the heads", made.width)
    if encoder == "cnn":
        check.that(made.depth >= 3, "size['depth']", "be at least 3 for a CNN", made.depth)
    return made


def _names(tasks: Tasks) -> tuple[str, ...]:
    known = tuple(ALPHABETS)
    if isinstance(tasks, int):
        check.that(2 <= tasks <= len(known), "tasks", f"lie in 2 … {len(known)}, or be names", tasks)
        return known[:tasks]
    hint = f"[{tasks!r}, …]" if isinstance(tasks, str) else ""
    several = isinstance(tasks, Sequence) and not isinstance(tasks, str)
    check.that(several, "tasks", "be a number or several names", repr(tasks), hint)
    names = tuple(tasks)
    for name in names:
        check.known(name, known, kind="task")
    check.that(len(names) >= 2 and len(set(names)) == len(names), "tasks", "be two different names or more", names)
    return names
