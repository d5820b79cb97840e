"""A strip of frames: an episode at a glance, from left to right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paretokit.core import _check as check
from paretokit.plots import _style as style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP = 0.03  # between two frames, as a share of a frame's width


@dataclass(frozen=True, eq=False)
class FramesData:
    """Evenly spaced frames of an episode.

    Attributes:
        steps: Place of each among the frames that were given, int64 `[k]`.
        images: The frames `[k, h, w, 3]`, 8-bit RGB.
    """

    steps: NDArray[np.int64]
    images: NDArray[np.uint8]


def frames_data(frames: Sequence[ArrayLike], *, n: int = 6) -> FramesData:
    """Return at most n of the frames, evenly spaced, the first and the last included.

    Args:
        frames: 8-bit RGB images `[h, w, 3]` of one size, as `render()` of Gymnasium's "rgb_array" mode gives them.
        n: How many are kept; all where there are fewer.

    Raises:
        InputError: If there is no frame, or one is no 8-bit image.
        ShapeError: If their shapes differ or are no images'.
    """
    check.at_least(1, n=n)
    check.that(len(frames) > 0, "frames", "hold at least one image", "none")
    steps = np.unique(np.linspace(0, len(frames) - 1, min(n, len(frames))).round().astype(np.int64))
    images = [np.asarray(frames[i]) for i in steps]
    hint = 'environments render them with render_mode="rgb_array"'
    for image in images:
        check.shape(image.ndim == 3 and image.shape[2] == 3, "frames", "be images [h, w, 3]", image.shape, hint)
        check.shape(image.shape == images[0].shape, "frames", f"all be {images[0].shape}", image.shape)
        check.that(image.dtype == np.uint8, "frames", "be 8-bit images", str(image.dtype))
    return FramesData(steps, np.stack(images))


def frames(
    frames: Sequence[ArrayLike], *, n: int = 6, labels: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw frames of an episode side by side, in the order of time.

    Args:
        frames: 8-bit RGB images `[h, w, 3]`, one a step; the first is that of the reset.
        n: How many are shown, evenly spaced.
        labels: What is written under a frame, one for each of `frames`; "step i" unless given.
        ax: Axes to draw on; a new figure's otherwise.

    Returns:
        The axes.

    Raises:
        InputError: If there is no frame.
        ShapeError: If frames are not images of one size, or labels not as many as frames.
    """
    data = frames_data(frames, n=n)
    if labels is not None:
        rule = f"have {len(frames)} entries, one per frame"
        check.shape(len(labels) == len(frames), "labels", rule, len(labels))
    k, height, width = data.images.shape[:3]
    ax = style.axes_of(ax, size=(min(12.0, 2.0 * k), 0.45 + min(12.0, 2.0 * k) / k * height / width))
    pace = width * (1 + GAP)
    text: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": style.TICK, "color": style.INK, "linespacing": 1.4}
    for place, (step, image) in enumerate(zip(data.steps, data.images, strict=True)):
        left = place * pace
        ax.imshow(image, extent=(left, left + width, height, 0.0), interpolation="antialiased")
        name = f"step {step}" if labels is None else labels[step]
        ax.annotate(name, (left + width / 2, height), xytext=(0, -4), textcoords="offset points", **text)
    ax.set(xlim=(0.0, (k - 1) * pace + width), ylim=(height, 0.0), aspect="equal")
    ax.axis("off")
    return ax
