"""Images of the eight-task suite: handwritten digits, and glyphs of seven alphabets in the fonts of matplotlib."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name

from paretokit.core import Rng
from paretokit.core import _check as check

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font

SIDE = 16  # of an image, in pixels
FINE = 48  # of a template, in pixels
INK = 34  # of a template's longer side
CLASSES = 10
N_DIGITS = (1000, 200, 597)  # handwritten images for training, validation and test
SPLITS = ("train", "validation", "test")

FACES = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-BoldOblique", "-Oblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-BoldOblique", "-Oblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-BoldItalic", "-Italic")),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralBolIta", "STIXGeneralItalic"),
    *("cmb10", "cmr10", "cmss10", "cmti10", "cmtt10"),
)


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


def fonts() -> list[tuple[str, Path]]:
    """Return names and files of the faces that matplotlib ships and that are of use here."""
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return [(face, folder / f"{face}.ttf") for face in FACES if (folder / f"{face}.ttf").exists()]


def templates(name: str) -> Tensor:
    """Return the glyphs of a task's alphabet `[faces, 10, 48, 48]` in [0, 1], of every face that has all ten."""
    from matplotlib.ft2font import FT2Font

    text, drawn = characters(name), []
    for _, path in fonts():
        font = FT2Font(str(path))
        known = font.get_charmap()
        if all(ord(c) in known for c in text):
            font.set_size(FINE, 72)
            drawn.append(torch.stack([_centered(_rendered(font, c)) for c in text]))
    return torch.stack(drawn)


def _rendered(font: FT2Font, character: str) -> Tensor:
    """Return a glyph's gray levels `[height, width]` in [0, 1]."""
    import numpy as np

    font.set_text(character)
    font.draw_glyphs_to_bitmap(antialiased=True)
    pixels = np.array(font.get_image(), dtype=np.float32)
    gray = torch.from_numpy(pixels) / 255
    rows, columns = gray.any(1).nonzero()[:, 0], gray.any(0).nonzero()[:, 0]
    return gray[int(rows[0]) : int(rows[-1]) + 1, int(columns[0]) : int(columns[-1]) + 1]


def _centered(pixels: Tensor) -> Tensor:
    """Return gray levels scaled to a longer side of `INK`, in the middle of `[48, 48]`."""
    height, width = pixels.shape
    scale = INK / max(height, width)
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    scaled = F.interpolate(pixels[None, None], size=size, mode="bilinear", align_corners=False, antialias=True)[0, 0]
    top, left = (FINE - size[0]) // 2, (FINE - size[1]) // 2
    return F.pad(scaled, (left, FINE - size[1] - left, top, FINE - size[0] - top))


def handwritten(rng: Rng) -> dict[str, tuple[Tensor, Tensor]]:
    """Return handwritten digits `[n, 48, 48]` and their classes, split into training, validation and test images."""
    check.package("sklearn", extra="merging")
    data = check.package("sklearn.datasets", extra="merging").load_digits()
    order = rng.permutation(len(data.target))
    images = torch.tensor(data.images / 16, dtype=torch.float32)[order]
    labels = torch.tensor(data.target, dtype=torch.int64)[order]
    scaled = F.interpolate(images.unsqueeze(1), size=[INK + 6, INK + 6], mode="bilinear", align_corners=False)
    scaled = F.pad(scaled.squeeze(1), [(FINE - INK - 6) // 2] * 4)
    parts = zip(SPLITS, scaled.split(N_DIGITS), labels.split(N_DIGITS), strict=True)
    return {split: (x, y) for split, x, y in parts}


class Sheets:
    """Draws labeled images of the tasks; equal keys draw equal images.

    Args:
        rng: Decides which handwritten digits are for training, validation and test.
    """

    def __init__(self, rng: Rng) -> None:
        self._digits = handwritten(rng.child("digits"))
        self._glyphs = {name: templates(name) for name in ALPHABETS if name != "digits"}

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


def jittered(sources: Tensor, rng: Rng) -> Tensor:
    """Return templates `[n, 48, 48]` as images `[n, 1, 16, 16]`, each under its own affine map.

    Turned by up to 15 degrees, scaled by up to 15 %, sheared by up to 0.15 and shifted by up to 12 % of the side.
    """
    u = 2 * rng.uniform(len(sources), 5, dtype=torch.float32) - 1
    angle, scale, shear = u[:, 0] * math.radians(15), 1 + 0.15 * u[:, 1], 0.15 * u[:, 2]
    cosine, sine = angle.cos() / scale, angle.sin() / scale
    first = torch.stack([cosine, cosine * shear - sine, 0.24 * u[:, 3]], -1)
    second = torch.stack([sine, sine * shear + cosine, 0.24 * u[:, 4]], -1)
    size = [len(sources), 1, 2 * SIDE, 2 * SIDE]
    grid = F.affine_grid(torch.stack([first, second], 1), size, align_corners=False)
    return F.avg_pool2d(F.grid_sample(sources.unsqueeze(1), grid, mode="bilinear", align_corners=False), 2)


def in_style(images: Tensor, style: Style, rng: Rng) -> Tensor:
    """Return images `[n, 1, 16, 16]` as a task shows them."""
    turned = torch.rot90(images, style.turns, (-2, -1))
    turned = 1 - turned if style.inverted else turned
    turned = blurred(turned) if style.blurred else turned
    return turned + style.noise * rng.child("noise").normal(*turned.shape, dtype=torch.float32)


def blurred(images: Tensor) -> Tensor:
    """Return images whose pixels are means of their 3 x 3 neighborhoods; the border is repeated."""
    return F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)


def quantized(images: Tensor) -> Tensor:
    """Return gray levels in [0, 1] as whole numbers of 8 bits."""
    return (images.clamp(0, 1) * 255).round().to(torch.uint8).contiguous()


def levels(images: Tensor) -> Tensor:
    """Return whole numbers of 8 bits as gray levels in [0, 1]."""
    return images.to(torch.float32) / 255
