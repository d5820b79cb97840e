"""Trains the eight-task suite: one encoder on all tasks, then, with heads frozen, a fine-tuning of it a task."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from paretokit.core import Rng
from paretokit.problems._glyphs import levels
from paretokit.problems.merging._suite_encoders import CosineHead, EncoderName, encoder_of, features_of, initialized
from paretokit.problems.merging._suite_glyphs import ALPHABETS, Sheets

Labeled = tuple[Tensor, Tensor]
"""Images in 0 … 255 and classes."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that the trained suite depends on.

    Attributes:
        encoder: "mlp", "cnn" or "vit".
        seed: Of all random numbers.
        width, depth: Of the encoder.
        train, validation, test: Images a task.
        pretraining_steps: Updates on all tasks together.
        finetuning_steps: Updates on each task alone.
        pretraining_rate, finetuning_rate: Of Adam.
        pretraining_batch, finetuning_batch: Images a task and update.
        styled: Images a task that look like its own among those for pre-training.
    """

    encoder: EncoderName
    seed: int
    width: int
    depth: int
    train: int = 3000
    validation: int = 200
    test: int = 1000
    styled: int = 1000
    pretraining_steps: int = 80
    pretraining_rate: float = 1e-3
    pretraining_batch: int = 64
    finetuning_steps: int = 400
    finetuning_rate: float = 2e-4
    finetuning_batch: int = 32


class Trained(NamedTuple):
    """Networks and data of the suite.

    Attributes:
        pretrained: The encoder after joint training.
        finetuned: Its fine-tunings, by task.
        heads: Frozen heads, by task.
        validation, test: Labeled images, by task.
    """

    pretrained: nn.Module
    finetuned: Mapping[str, nn.Module]
    heads: Mapping[str, nn.Module]
    validation: Mapping[str, Labeled]
    test: Mapping[str, Labeled]


def trained(recipe: Recipe) -> Trained:
    """Return the suite of a recipe: equal recipes give equal bits on one machine."""
    rng = Rng.from_seed(recipe.seed).child("suite")
    sheets = Sheets(rng)
    held: dict[str, dict[str, Labeled]] = {}
    for split, n in (("validation", recipe.validation), ("test", recipe.test)):
        held[split] = {t: sheets.draw(t, n, rng.child(split, t), split=split) for t in ALPHABETS}
    encoder, heads = pretrained(recipe, sheets, rng.child("pretraining"))
    tuned = {}
    for name, head in heads.items():
        images, labels = sheets.draw(name, recipe.train, rng.child("train", name))
        tuned[name] = finetuned(recipe, encoder, head, (images, labels), rng=rng.child("finetuning", name))
    return Trained(encoder, tuned, heads, held["validation"], held["test"])


def pretrained(recipe: Recipe, sheets: Sheets, rng: Rng) -> tuple[nn.Module, dict[str, nn.Module]]:
    """Return an encoder and heads after joint training on plain images and a few in each task's style."""
    own = encoder_of(recipe.encoder, width=recipe.width, depth=recipe.depth)
    encoder = initialized(own, rng.child("encoder"))
    features, heads = features_of(recipe.encoder, recipe.width), {}
    data: list[Labeled] = []
    for name in ALPHABETS:
        with torch.device("meta"):
            head = CosineHead(features)
        heads[name] = initialized(head, rng.child("head", name))
        plain = sheets.draw(name, recipe.train, rng.child("plain", name), styled=False)
        styled = sheets.draw(name, recipe.styled, rng.child("styled", name))
        data.append((torch.cat([plain[0], styled[0]]), torch.cat([plain[1], styled[1]])))
    parameters = [*encoder.parameters(), *(p for h in heads.values() for p in h.parameters())]
    adam = torch.optim.Adam(parameters, lr=recipe.pretraining_rate, fused=True)
    encoder.train()
    for step in range(recipe.pretraining_steps):
        batches = [_batch(own, recipe.pretraining_batch, rng.child("step", step, k)) for k, own in enumerate(data)]
        adam.zero_grad()
        parts = encoder(torch.cat([x for x, _ in batches])).split([len(x) for x, _ in batches])
        losses = [F.cross_entropy(h(z), y) for h, z, (_, y) in zip(heads.values(), parts, batches, strict=True)]
        torch.stack(losses).sum().backward()
        adam.step()
    for module in (encoder, *heads.values()):
        module.eval().requires_grad_(requires_grad=False)
    return encoder, heads


def finetuned(recipe: Recipe, encoder: nn.Module, head: nn.Module, data: Labeled, *, rng: Rng) -> nn.Module:
    """Return a copy of an encoder after training on one task under a frozen head."""
    own = copy.deepcopy(encoder).train().requires_grad_()
    adam = torch.optim.Adam(own.parameters(), lr=recipe.finetuning_rate, fused=True)
    for step in range(recipe.finetuning_steps):
        images, labels = _batch(data, recipe.finetuning_batch, rng.child("step", step))
        adam.zero_grad()
        F.cross_entropy(head(own(images)), labels).backward()
        adam.step()
    return own.eval().requires_grad_(requires_grad=False)


def _batch(data: Labeled, size: int, rng: Rng) -> Labeled:
    rows = rng.integers(len(data[0]), size)
    return levels(data[0][rows]), data[1][rows]
