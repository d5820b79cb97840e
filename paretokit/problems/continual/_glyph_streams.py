"""Streams of glyphs: pairs of characters that share a concept, drawn from fonts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.problems._glyphs import FACES, SIDE, jittered, templates
from paretokit.problems.continual._continual import Metric, Scenario
from paretokit.problems.continual._networks import RandomFeatures
from paretokit.problems.continual._stream import ReadyStream, Sizes
from paretokit.problems.continual._task import StreamTask

NINE = tuple(
    f
    for f in FACES
    if f.startswith("DejaVu")
    and f not in ("DejaVuSerif-BoldItalic", "DejaVuSerif-Italic", "DejaVuSansMono-BoldOblique")
)
CASE = "AaBbDdEeGgHhQqRr"
DIGIT = "A0B1C2D3E4F5G6H7"


class _GlyphStream(ReadyStream):
    """Task k tells two glyphs apart, and the same side of all pairs has one label."""

    pairs: str
    n_tasks: int

    def __init__(
        self,
        *,
        n_tasks: int = 8,
        train: int = 200,
        validation: int = 100,
        test: int = 200,
        noise: float = 0.1,
        n_features: int = 256,
        hidden: Sequence[int] = (),
        scenario: Scenario = "domain",
        metric: Metric = "accuracy",
        seed: int = 0,
    ) -> None:
        rng = self._store(locals())
        check.at_least(1, train=train, validation=validation, test=test)
        self._draw(rng, sizes=Sizes(train, validation, test), noise=noise, n_features=n_features)

    def _draw(self, rng: Rng, *, sizes: Sizes, noise: float, n_features: int) -> None:
        check.that(2 <= self.n_tasks <= 8, "n_tasks", "lie in 2 … 8", self.n_tasks)
        check.at_least(0, noise=noise, n_features=n_features)
        tasks = []
        drawn = templates(self.pairs, NINE, relative=True)
        for k in range(self.n_tasks):
            pair = self.pairs[2 * k : 2 * k + 2]
            glyphs = drawn[:, 2 * k : 2 * k + 2]
            own = rng.child("task", k)
            labels = (torch.arange(2 * sizes.total) % 2)[own.child("order").permutation(2 * sizes.total)]
            faces = own.child("faces").integers(len(glyphs), len(labels))
            images = jittered(glyphs[faces, labels], own.child("affine"), turn=15, scale=0.1, shear=0.1, shift=0.1)
            images = images + noise * own.child("noise").normal(*images.shape, dtype=torch.float32)
            seen = images if n_features else images.flatten(1)
            tasks.append(StreamTask(f"{pair[0]} or {pair[1]}", *sizes.parts((seen, labels))))
        backbone = RandomFeatures(SIDE * SIDE, n_features, rng.child("features")) if n_features else None
        self._build(tasks, n_classes=2, backbone=backbone, width=n_features or SIDE * SIDE)


@final
class CaseStream(_GlyphStream):
    """Upper or lower case? Eight letters, one after the other: A or a, B or b, D, E, G, H, Q, R.

    All tasks ask the same question of other shapes, so that what serves several of them exists: the setting in which
    IBCL's assumption holds. Glyphs of nine faces of DejaVu that matplotlib ships, each under its own affine map (± 15°,
    10 % in scale, lean and place), with noise, 16 x 16 pixels; frozen random features stand in for a trained encoder.

    Args:
        n_tasks: How many letters, from the first on.
        train, validation, test: Images of each class of a task.
        noise: Standard deviation of what is added to each pixel.
        n_features: Of the frozen random features; 0 gives the network the pixels.
        hidden: Widths of the network's hidden layers; none is logistic regression.
        scenario: "domain": one head. "task": a head a letter.
        metric: "accuracy" or "loss".
        seed: Of images and features.
    """

    id = "continual-case-v1"
    pairs = CASE


@final
class DigitStream(_GlyphStream):
    """Letter or digit? Eight pairs, one after the other: A or 0, B or 1, … H or 7.

    As `CaseStream`, with another shared question.

    Args:
        n_tasks: How many pairs, from the first on.
        train, validation, test: Images of each class of a task.
        noise: Standard deviation of what is added to each pixel.
        n_features: Of the frozen random features; 0 gives the network the pixels.
        hidden: Widths of the network's hidden layers; none is logistic regression.
        scenario: "domain": one head. "task": a head a pair.
        metric: "accuracy" or "loss".
        seed: Of images and features.
    """

    id = "continual-dig-v1"
    pairs = DIGIT
