"""Images that need no download: handwritten digits, and glyphs in the fonts of matplotlib."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name

from paretokit.core import Rng
from paretokit.core import _check as check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.ft2font import FT2Font

SIDE = 16  # of an image, in pixels
FINE = 48  # of a template, in pixels
INK = 34  # of a template's longer side

FACES = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-BoldOblique", "-Oblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-BoldOblique", "-Oblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-BoldItalic", "-Italic")),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralBolIta", "STIXGeneralItalic"),
    *("cmb10", "cmr10", "cmss10", "cmti10", "cmtt10"),
)


def fonts(faces: Sequence[str] = FACES) -> list[tuple[str, Path]]:
    """Return names and files of faces, of those that matplotlib ships."""
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return [(face, folder / f"{face}.ttf") for face in faces if (folder / f"{face}.ttf").exists()]


def templates(characters: str, faces: Sequence[str] = FACES, *, relative: bool = False) -> Tensor:
    """Return glyphs `[faces, characters, 48, 48]` in [0, 1], of every face that has all the characters.

    Args:
        characters: One glyph each.
        faces: Names of fonts.
        relative: Whether glyphs keep their sizes relative to the face's largest one, else all are as large.
    """
    from matplotlib.ft2font import FT2Font

    drawn = []
    for _, path in fonts(faces):
        font = FT2Font(str(path))
        known = font.get_charmap()
        if all(ord(c) in known for c in characters):
            font.set_size(FINE, 72)
            pixels = [_rendered(font, c) for c in characters]
            largest = max(max(p.shape) for p in pixels)
            drawn.append(torch.stack([_centered(p, INK / (largest if relative else max(p.shape))) for p in pixels]))
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


def _centered(pixels: Tensor, scale: float) -> Tensor:
    """Return scaled gray levels in the middle of `[48, 48]`."""
    height, width = pixels.shape
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    scaled = F.interpolate(pixels[None, None], size=size, mode="bilinear", align_corners=False, antialias=True)[0, 0]
    top, left = (FINE - size[0]) // 2, (FINE - size[1]) // 2
    return F.pad(scaled, (left, FINE - size[1] - left, top, FINE - size[0] - top))


def handwritten() -> tuple[Tensor, Tensor]:
    """Return the 1797 handwritten digits of scikit-learn `[1797, 48, 48]` in [0, 1] and their classes, in its order."""
    check.package("sklearn", extra="merging")
    data = check.package("sklearn.datasets", extra="merging").load_digits()
    images = torch.tensor(data.images / 16, dtype=torch.float32).unsqueeze(1)
    scaled = F.interpolate(images, size=[INK + 6, INK + 6], mode="bilinear", align_corners=False).squeeze(1)
    return F.pad(scaled, [(FINE - INK - 6) // 2] * 4), torch.tensor(data.target, dtype=torch.int64)


def jittered(
    sources: Tensor, rng: Rng, *, turn: float = 15, scale: float = 0.15, shear: float = 0.15, shift: float = 0.12
) -> Tensor:
    """Return templates `[n, 48, 48]` as images `[n, 1, 16, 16]`, each under its own affine map.

    Args:
        sources: Templates.
        rng: Draws the maps, uniformly and symmetrically about the identity.
        turn: Degrees that an image is turned by at most.
        scale: Share that it grows or shrinks by at most.
        shear: Tangent of the angle that it leans by at most.
        shift: Share of the side that it moves by at most.
    """
    u = 2 * rng.uniform(len(sources), 5, dtype=torch.float32) - 1
    angle, scales, shears = u[:, 0] * math.radians(turn), 1 + scale * u[:, 1], shear * u[:, 2]
    cosine, sine = angle.cos() / scales, angle.sin() / scales
    first = torch.stack([cosine, cosine * shears - sine, 2 * shift * u[:, 3]], -1)
    second = torch.stack([sine, sine * shears + cosine, 2 * shift * u[:, 4]], -1)
    size = [len(sources), 1, 2 * SIDE, 2 * SIDE]
    grid = F.affine_grid(torch.stack([first, second], 1), size, align_corners=False)
    return F.avg_pool2d(F.grid_sample(sources.unsqueeze(1), grid, mode="bilinear", align_corners=False), 2)


def blurred(images: Tensor) -> Tensor:
    """Return images whose pixels are means of their 3 x 3 neighborhoods; the border is repeated."""
    return F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)


def quantized(images: Tensor) -> Tensor:
    """Return gray levels in [0, 1] as whole numbers of 8 bits."""
    return (images.clamp(0, 1) * 255).round().to(torch.uint8).contiguous()


def levels(images: Tensor) -> Tensor:
    """Return whole numbers of 8 bits as gray levels in [0, 1]."""
    return images.to(torch.float32) / 255
