"""Images of the eight-task suite: handwritten digits, and glyphs of seven alphabets in the fonts of matplotlib."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.problems._glyphs import blurred, handwritten, jittered, quantized, templates

CLASSES = 10
N_DIGITS = (1000, 200, 597)  # handwritten images for training, validation and test
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Style:
    """How all images of a task look, so that fine-tunings pull in different directions.

    Attributes:
        turns: Quarter turns, counterclockwise.
        inverted: Whether ink and paper change places.
        blurred: Whether each pixel is the mean of its 3 x 3 neighborhood.
        noise: Standard deviation of what is added to each pixel.
    """

    turns: int = 0
    inverted: bool = False
    blurred: bool = False
    noise: float = 0.0


@dataclass(frozen=True)
class Alphabet:
    """Ten classes of images.

    Attributes:
        first: The code point of the first of ten successive characters, the ten themselves, or none for digits.
        style: Of the task.
    """

    first: int | str
    style: Style


ALPHABETS = {
    "digits": Alphabet("", Style(noise=0.05)),
    "latin-upper": Alphabet(0x41, Style(turns=1, inverted=True, noise=0.08)),
    "latin-lower": Alphabet(0x61, Style(turns=2, blurred=True, noise=0.05)),
    "greek": Alphabet(0x3B1, Style(turns=3, inverted=True, blurred=True, noise=0.05)),
    "cyrillic": Alphabet(0x410, Style(inverted=True, noise=0.08)),
    "armenian": Alphabet(0x531, Style(turns=1, blurred=True, noise=0.05)),
    "georgian": Alphabet(0x10D0, Style(turns=2, inverted=True, noise=0.05)),
    "symbols": Alphabet("∀∃∇∈∑√∞∫≠≤", Style(turns=3, noise=0.08)),
}
"""The tasks by name, in their order."""


def characters(name: str) -> str:
    """Return the ten characters of a task, class after class."""
    first = ALPHABETS[name].first
    if isinstance(first, str):
        return first or "0123456789"
    return "".join(chr(first + i) for i in range(CLASSES))


def _digits(rng: Rng) -> dict[str, tuple[Tensor, Tensor]]:
    """Return handwritten digits `[n, 48, 48]` and their classes, split into training, validation and test images."""
    images, labels = handwritten()
    order = rng.permutation(len(labels))
    parts = zip(SPLITS, images[order].split(N_DIGITS), labels[order].split(N_DIGITS), strict=True)
    return {split: (x, y) for split, x, y in parts}


class Sheets:
    """Draws labeled images of the tasks; equal keys draw equal images.

    Args:
        rng: Decides which handwritten digits are for training, validation and test.
    """

    def __init__(self, rng: Rng) -> None:
        self._digits = _digits(rng.child("digits"))
        self._glyphs = {name: templates(characters(name)) for name in ALPHABETS if name != "digits"}

    def draw(self, name: str, n: int, rng: Rng, *, split: str = "train", styled: bool = True) -> tuple[Tensor, Tensor]:
        """Return images `[n, 1, 16, 16]` in 0 … 255 and classes of a task.

        Images of validation and test digits are different handwritten ones, so there are at most 200 and 597.
        """
        if name == "digits":
            pool, classes = self._digits[split]
            many = split == "train"
            rows = rng.child("rows").integers(len(pool), n) if many else rng.child("rows").permutation(len(pool))[:n]
            sources, labels = pool[rows], classes[rows]
        else:
            glyphs = self._glyphs[name]
            labels = rng.child("classes").integers(CLASSES, n)
            sources = glyphs[rng.child("faces").integers(len(glyphs), n), labels]
        images = jittered(sources, rng.child("affine"))
        return quantized(in_style(images, ALPHABETS[name].style, rng) if styled else images), labels


def in_style(images: Tensor, style: Style, rng: Rng) -> Tensor:
    """Return images `[n, 1, 16, 16]` as a task shows them."""
    turned = torch.rot90(images, style.turns, (-2, -1))
    turned = 1 - turned if style.inverted else turned
    turned = blurred(turned) if style.blurred else turned
    return turned + style.noise * rng.child("noise").normal(*turned.shape, dtype=torch.float32)
