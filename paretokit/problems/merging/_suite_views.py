"""What a suite lets a merge see: which images are unlabeled, how many, how skewed, how corrupted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.problems._glyphs import blurred
from paretokit.problems.merging._suite_glyphs import CLASSES

Protocol = Literal["transductive", "split"]
Corruption = Literal["noise", "blur", "contrast"]
PROTOCOLS = ("transductive", "split")
CORRUPTIONS = ("noise", "blur", "contrast")
NOISE, BLURS, CONTRAST = 0.2, 2, 0.35


@dataclass(frozen=True, kw_only=True)
class Sight:
    """Which images solvers see without labels, and on which they are judged.

    Attributes:
        protocol: "transductive": the test images themselves are the unlabeled ones, as in AdaMerging's paper; "split":
            one half of them is, and the other half is the test.
        corruption: Of all these images; None for none. Validation images stay clean.
        unlabeled: Share of the unlabeled images that is kept, at least one a task.
        imbalance: How many times more frequent the most frequent class is than the rarest among unlabeled images.
    """

    protocol: Protocol = "transductive"
    corruption: Corruption | None = None
    unlabeled: float = 1.0
    imbalance: float = 1.0

    def __post_init__(self) -> None:
        check.one_of(PROTOCOLS, protocol=self.protocol)
        check.one_of((None, *CORRUPTIONS), corruption=self.corruption)
        check.number(unlabeled=self.unlabeled, imbalance=self.imbalance)
        inside = 0 < self.unlabeled <= 1
        check.that(inside, "unlabeled", "lie in (0, 1]", self.unlabeled, "the share of images that is kept")
        check.that(1 <= self.imbalance < math.inf, "imbalance", "be a finite number of at least 1", self.imbalance)

    def split(self, images: Tensor, labels: Tensor, rng: Rng) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return unlabeled images, and test images with their classes, of a task's test images in [0, 1]."""
        if self.corruption is not None:
            images = corrupted(images, self.corruption, rng=rng.child("corruption"))
        order = rng.child("order").permutation(len(images))
        half = len(order) // 2 if self.protocol == "split" else len(order)
        seen, judged = order[:half], order[half:] if self.protocol == "split" else torch.arange(len(order))
        if self.imbalance > 1:
            seen = seen[skewed(labels[seen], self.imbalance, rng.child("classes"))]
        seen = seen[: max(1, round(self.unlabeled * len(seen)))]
        return images[seen], (images[judged], labels[judged])


def skewed(labels: Tensor, ratio: float, rng: Rng) -> Tensor:
    r"""Return the rows that stay when class frequencies fall geometrically, in a random order of the classes.

    .. math:: n_c \leftarrow \max\big(0, \operatorname{round}(n_c\, r^{-c / 9})\big), \quad c = 0 \dots 9
    """
    stays = torch.zeros(len(labels), dtype=torch.bool)
    for rank, c in enumerate(rng.permutation(CLASSES).tolist()):
        rows = (labels == c).nonzero()[:, 0]
        stays[rows[: round(len(rows) * ratio ** (-rank / (CLASSES - 1)))]] = True
    return stays.nonzero()[:, 0]


def corrupted(images: Tensor, kind: Corruption, *, severity: float = 1.0, rng: Rng | None = None) -> Tensor:
    """Return gray images `[n, 1, 16, 16]` in [0, 1] as a worse sensor would give them.

    Args:
        images: Gray levels.
        kind: "noise" adds normal numbers of standard deviation 0.2, "blur" takes means of 3 x 3 pixels twice,
            "contrast" shrinks all differences from each image's mean to 0.35 of themselves.
        severity: 0 changes nothing and 1 is as said; the result is a mixture in between.
        rng: Of the noise; a fixed key unless given.
    """
    check.one_of(CORRUPTIONS, kind=kind)
    check.probability(severity=severity)
    if kind == "noise":
        drawn = (rng or Rng.from_seed(0)).normal(*images.shape, dtype=images.dtype)
        return (images + severity * NOISE * drawn).clamp(0, 1)
    if kind == "blur":
        changed = images
        for _ in range(BLURS):
            changed = blurred(changed)
    else:
        mean = images.mean((-2, -1), keepdim=True)
        changed = mean + CONTRAST * (images - mean)
    return torch.lerp(images, changed, severity)
