"""Unsupervised domain adaptation: labels here, none there, and what a network trades off to serve both.

pk.problems.DomainAdaptation((x, y), x_target, (features, classifier))
pk.problems.make("adaptation-fonts-v1")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paretokit.core._lazy import lazy_names

if TYPE_CHECKING:
    from paretokit.problems.adaptation._adaptation import DomainAdaptation
    from paretokit.problems.adaptation._image_shifts import (
        FontDigits,
        InvertedDigits,
        LetterStyles,
        NoisyDigits,
        TurnedDigits,
    )
    from paretokit.problems.adaptation._measures import discrepancy, mutual_information
    from paretokit.problems.adaptation._network import Classifier, convolutional, perceptron
    from paretokit.problems.adaptation._table_shifts import CancerShift, RotatedMoons, WineShift

__all__ = [
    "CancerShift",
    "Classifier",
    "DomainAdaptation",
    "FontDigits",
    "InvertedDigits",
    "LetterStyles",
    "NoisyDigits",
    "RotatedMoons",
    "TurnedDigits",
    "WineShift",
    "convolutional",
    "discrepancy",
    "mutual_information",
    "perceptron",
]

_HOMES = {
    "CancerShift": "_table_shifts",
    "Classifier": "_network",
    "DomainAdaptation": "_adaptation",
    "FontDigits": "_image_shifts",
    "InvertedDigits": "_image_shifts",
    "LetterStyles": "_image_shifts",
    "NoisyDigits": "_image_shifts",
    "TurnedDigits": "_image_shifts",
    "RotatedMoons": "_table_shifts",
    "WineShift": "_table_shifts",
    "convolutional": "_network",
    "discrepancy": "_measures",
    "mutual_information": "_measures",
    "perceptron": "_network",
}

_ROOM = "paretokit.problems.adaptation."

ADAPTATION: dict[str, str] = {
    "adaptation-cancer-v1": f"{_ROOM}_table_shifts:CancerShift",
    "adaptation-fonts-v1": f"{_ROOM}_image_shifts:FontDigits",
    "adaptation-inverted-v1": f"{_ROOM}_image_shifts:InvertedDigits",
    "adaptation-moons-v1": f"{_ROOM}_table_shifts:RotatedMoons",
    "adaptation-noisy-v1": f"{_ROOM}_image_shifts:NoisyDigits",
    "adaptation-rotated-v1": f"{_ROOM}_image_shifts:TurnedDigits",
    "adaptation-styles-v1": f"{_ROOM}_image_shifts:LetterStyles",
    "adaptation-wine-v1": f"{_ROOM}_table_shifts:WineShift",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
