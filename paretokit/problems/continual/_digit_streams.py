"""Streams of handwritten digits: other digits each time, or the same ones turned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.problems._glyphs import SIDE, handwritten, jittered
from paretokit.problems.continual._continual import Metric, Scenario
from paretokit.problems.continual._networks import RandomFeatures
from paretokit.problems.continual._stream import ReadyStream, Sizes, shuffled
from paretokit.problems.continual._task import StreamTask

SHARES = Sizes(60, 15, 25)  # of the images, in percent


def _plain(sources: Tensor) -> Tensor:
    """Return templates as images `[n, 1, 16, 16]`, upright and in the middle."""
    return jittered(sources, Rng(0), turn=0, scale=0, shear=0, shift=0)


@final
class SplitDigits(ReadyStream):
    """Even or odd? Handwritten digits, a pair at a time: 0 or 1, 2 or 3, 4 or 5, 6 or 7, 8 or 9.

    The question has no common answer in the images' shapes, so the tasks conflict: the setting in which IBCL's
    assumption of similar tasks fails, unless `scenario="task"` gives each pair a head.

    Args:
        n_tasks: How many pairs, from the first on.
        n_features: Of the frozen random features; 0 gives the network the pixels.
        hidden: Widths of the network's hidden layers; none is logistic regression.
        scenario: "domain": one head. "task": a head a pair.
        metric: "accuracy" or "loss".
        seed: Of features, and of which images are for training (60 %), validation (15 %) and test.
    """

    id = "continual-split-digits-v1"

    def __init__(
        self,
        *,
        n_tasks: int = 5,
        n_features: int = 256,
        hidden: Sequence[int] = (),
        scenario: Scenario = "domain",
        metric: Metric = "accuracy",
        seed: int = 0,
    ) -> None:
        rng = self._store(locals())
        check.that(2 <= n_tasks <= 5, "n_tasks", "lie in 2 … 5", n_tasks)
        sources, digits = handwritten()
        images = _plain(sources)
        images = images if n_features else images.flatten(1)
        tasks = []
        for k in range(n_tasks):
            own = digits // 2 == k
            mixed = shuffled((images[own], digits[own] % 2), rng.child("order", k))
            tasks.append(StreamTask(f"{2 * k} or {2 * k + 1}", *SHARES.parts(mixed)))
        backbone = RandomFeatures(SIDE * SIDE, n_features, rng.child("features")) if n_features else None
        self._build(tasks, n_classes=2, backbone=backbone, width=n_features or SIDE * SIDE)


@final
class RotatedDigits(ReadyStream):
    """Ten handwritten digits, turned further with every task.

    Args:
        angles: Degrees, counterclockwise, a task each.
        n_features: Of the frozen random features; 0 gives the network the pixels.
        hidden: Widths of the network's hidden layers; none is logistic regression.
        scenario: "domain": one head. "task": a head an angle.
        metric: "accuracy" or "loss".
        seed: Of features, and of which images are for training (60 %), validation (15 %) and test: the same ones for
            all tasks.
    """

    id = "continual-rotated-digits-v1"

    def __init__(
        self,
        *,
        angles: Sequence[float] = (0.0, 20.0, 40.0, 60.0, 80.0),
        n_features: int = 256,
        hidden: Sequence[int] = (),
        scenario: Scenario = "domain",
        metric: Metric = "accuracy",
        seed: int = 0,
    ) -> None:
        turns = [float(angle) for angle in angles]
        check.that(len(set(turns)) == len(turns) >= 2, "angles", "be two different numbers or more", turns)
        angles = turns
        rng = self._store({name: value for name, value in locals().items() if name != "turns"})
        sources, digits = shuffled(handwritten(), rng.child("order"))
        tasks = []
        for angle in turns:
            images = _turned(sources, angle)
            examples = (images if n_features else images.flatten(1), digits)
            tasks.append(StreamTask(f"{angle:g}°", *SHARES.parts(examples)))
        backbone = RandomFeatures(SIDE * SIDE, n_features, rng.child("features")) if n_features else None
        self._build(tasks, n_classes=10, backbone=backbone, width=n_features or SIDE * SIDE)


def _turned(sources: Tensor, angle: float) -> Tensor:
    """Return templates `[n, 48, 48]`, turned, as images `[n, 1, 16, 16]`."""
    t = torch.deg2rad(torch.tensor(angle))
    cosine, sine = float(t.cos()), float(t.sin())
    maps = torch.tensor([[cosine, -sine, 0.0], [sine, cosine, 0.0]]).expand(len(sources), 2, 3)
    size = [len(sources), 1, 2 * SIDE, 2 * SIDE]
    grid = torch.nn.functional.affine_grid(maps, size, align_corners=False)
    drawn = torch.nn.functional.grid_sample(sources.unsqueeze(1), grid, mode="bilinear", align_corners=False)
    return torch.nn.functional.avg_pool2d(drawn, 2)
