"""Ready shifts between images: fonts to handwriting, changed digits, one style of letters to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, final

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.problems._glyphs import SIDE, handwritten, jittered, templates
from paretokit.problems.adaptation._adaptation import DomainAdaptation
from paretokit.problems.adaptation._network import Classifier, convolutional, perceptron, unseeded

DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJ"
MARGIN = 4
"""Pixels that are cut from each side of a template, so that digits fill the image."""
SANS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSansMono-Bold", "cmss10")
ITALIC = ("DejaVuSerif-Italic", "DejaVuSerif-BoldItalic", "STIXGeneralItalic", "STIXGeneralBolIta", "cmti10")
Architecture = Literal["cnn", "mlp"]


def _network(architecture: Architecture, classes: int) -> Classifier:
    check.one_of(("cnn", "mlp"), architecture=architecture)
    return unseeded(lambda: convolutional(classes) if architecture == "cnn" else perceptron(SIDE * SIDE, classes))


def _filled(sources: Tensor) -> Tensor:
    """Return templates without their margins."""
    return sources[..., MARGIN:-MARGIN, MARGIN:-MARGIN]


def _still(sources: Tensor) -> Tensor:
    """Return templates as images, not moved."""
    return jittered(sources, Rng.from_seed(0), turn=0, scale=0, shear=0, shift=0)


def _glyphs(pool: Tensor, n: int, rng: Rng) -> tuple[Tensor, Tensor]:
    """Return n of the templates `[faces, K, 48, 48]` and their classes."""
    faces, classes = pool.shape[:2]
    labels = rng.child("classes").integers(classes, n)
    return pool[rng.child("faces").integers(faces, n), labels], labels


@final
class FontDigits(DomainAdaptation):
    """Digits in sixteen fonts, strongly distorted, to scikit-learn's 1797 handwritten digits.

    Font digits are turned by up to 25 degrees, grow or shrink by up to a quarter, lean by up to 0.35, and half of them
    have strokes a pixel thicker on each side. Images are 16 x 16 and filled by the digit.

    Args:
        seed: Of the source's images and of the splits.
        n_source: Font digits.
        architecture: "cnn", two convolutions, or "mlp".
    """

    id = "adaptation-fonts-v1"

    def __init__(self, *, seed: int = 0, n_source: int = 3000, architecture: Architecture = "cnn") -> None:
        check.at_least(100, n_source=n_source)
        self.seed, self.n_source, self.architecture = seed, n_source, architecture
        rng = Rng.from_seed(seed).child("fonts")
        sources, labels = _glyphs(_filled(templates(DIGITS))[:16], n_source, rng)
        images = jittered(sources, rng.child("affine"), turn=25, scale=0.25, shear=0.35, shift=0)
        half = rng.child("thick").uniform(n_source)[:, None, None, None] < 0.5
        images = torch.where(half, F.max_pool2d(images, 3, 1, 1), images)
        written, classes = handwritten()
        target = (_still(_filled(written)), classes)
        super().__init__((images, labels), target, _network(architecture, len(DIGITS)), split_seed=seed)

    def options(self) -> Mapping[str, Any]:
        """Return the constructor's options."""
        return {"seed": self.seed, "n_source": self.n_source, "architecture": self.architecture}


class _ChangedDigits(DomainAdaptation):
    """One half of scikit-learn's handwritten digits as they are, to the other half changed.

    Args:
        seed: Of the halves, of the change and of the splits.
        architecture: "cnn" or "mlp".
    """

    def __init__(self, *, seed: int, architecture: Architecture) -> None:
        self.seed, self.architecture = seed, architecture
        rng = Rng.from_seed(seed).child("halves")
        images, labels = handwritten()
        order = rng.permutation(len(images))
        first, second = order[: len(order) // 2], order[len(order) // 2 :]
        target = (self._changed(images[second], rng.child("change")), labels[second])
        network = _network(architecture, len(DIGITS))
        super().__init__((_still(images[first]), labels[first]), target, network, split_seed=seed)

    def _changed(self, sources: Tensor, rng: Rng) -> Tensor:
        """Return images `[n, 1, 16, 16]` of templates as the target shows them."""
        raise NotImplementedError


@final
class TurnedDigits(_ChangedDigits):
    """Handwritten digits to others turned by an angle.

    Args:
        seed: Of the halves and of the splits.
        angle: Degrees, counterclockwise.
        architecture: "cnn" or "mlp".
    """

    id = "adaptation-rotated-v1"

    def __init__(self, *, seed: int = 0, angle: float = 30.0, architecture: Architecture = "mlp") -> None:
        self.angle = angle
        super().__init__(seed=seed, architecture=architecture)

    def _changed(self, sources: Tensor, rng: Rng) -> Tensor:
        angle = torch.tensor(self.angle).deg2rad()
        zero = torch.zeros(())
        first = torch.stack([angle.cos(), -angle.sin(), zero])
        matrix = torch.stack([first, torch.stack([angle.sin(), angle.cos(), zero])]).expand(len(sources), -1, -1)
        grid = F.affine_grid(matrix, [len(sources), 1, *sources.shape[1:]], align_corners=False)
        turned = F.grid_sample(sources.unsqueeze(1), grid, mode="bilinear", align_corners=False).squeeze(1)
        return _still(turned)

    def options(self) -> Mapping[str, Any]:
        """Return the constructor's options."""
        return {"seed": self.seed, "angle": self.angle, "architecture": self.architecture}


@final
class InvertedDigits(_ChangedDigits):
    """Handwritten digits to others whose ink and paper have changed places.

    Args:
        seed: Of the halves and of the splits.
        strength: How far target images are inverted: 0.5 leaves them gray, 1 changes ink and paper.
        architecture: "cnn" or "mlp".
    """

    id = "adaptation-inverted-v1"

    def __init__(self, *, seed: int = 0, strength: float = 1.0, architecture: Architecture = "mlp") -> None:
        check.probability(strength=strength)
        self.strength = strength
        super().__init__(seed=seed, architecture=architecture)

    def _changed(self, sources: Tensor, rng: Rng) -> Tensor:
        images = _still(sources)
        return (1 - self.strength) * images + self.strength * (1 - images)

    def options(self) -> Mapping[str, Any]:
        """Return the constructor's options."""
        return {"seed": self.seed, "strength": self.strength, "architecture": self.architecture}


@final
class NoisyDigits(_ChangedDigits):
    """Handwritten digits to others with noise on every pixel.

    Args:
        seed: Of the halves, of the noise and of the splits.
        noise: Its standard deviation; images lie in [0, 1].
        architecture: "cnn" or "mlp".
    """

    id = "adaptation-noisy-v1"

    def __init__(self, *, seed: int = 0, noise: float = 0.5, architecture: Architecture = "mlp") -> None:
        check.at_least(0, noise=noise)
        self.noise = noise
        super().__init__(seed=seed, architecture=architecture)

    def _changed(self, sources: Tensor, rng: Rng) -> Tensor:
        images = _still(sources)
        return images + self.noise * rng.normal(*images.shape, dtype=torch.float32)

    def options(self) -> Mapping[str, Any]:
        """Return the constructor's options."""
        return {"seed": self.seed, "noise": self.noise, "architecture": self.architecture}


@final
class LetterStyles(DomainAdaptation):
    """Capital letters in upright sans-serif fonts to the same in italic serif fonts.

    Args:
        seed: Of all images and of the splits.
        n: Images of each domain.
        architecture: "cnn" or "mlp".
    """

    id = "adaptation-styles-v1"

    def __init__(self, *, seed: int = 0, n: int = 1500, architecture: Architecture = "mlp") -> None:
        check.at_least(100, n=n)
        self.seed, self.n, self.architecture = seed, n, architecture
        domains = []
        for k, faces in enumerate((SANS, ITALIC)):
            rng = Rng.from_seed(seed).child("styles", k)
            sources, labels = _glyphs(templates(LETTERS, faces), n, rng)
            domains.append((jittered(sources, rng.child("affine"), turn=20, shear=0.1), labels))
        super().__init__(domains[0], domains[1], _network(architecture, len(LETTERS)), split_seed=seed)

    def options(self) -> Mapping[str, Any]:
        """Return the constructor's options."""
        return {"seed": self.seed, "n": self.n, "architecture": self.architecture}
