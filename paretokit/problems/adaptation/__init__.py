"""Unsupervised domain adaptation: labels here, none there, and what a network trades off to serve both.

pk.problems.DomainAdaptation((x, y), x_target, (features, classifier))
pk.problems.make("adaptation-fonts-v1")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paretokit.core._lazy import lazy_names

if TYPE_CHECKING:
    from paretokit.problems.adaptation._adaptation import DomainAdaptation
    from paretokit.problems.adaptation._measures import discrepancy, mutual_information
    from paretokit.problems.adaptation._network import Classifier, convolutional, perceptron

__all__ = [
    "Classifier",
    "DomainAdaptation",
    "convolutional",
    "discrepancy",
    "mutual_information",
    "perceptron",
]

_HOMES = {
    "Classifier": "_network",
    "DomainAdaptation": "_adaptation",
    "convolutional": "_network",
    "discrepancy": "_measures",
    "mutual_information": "_measures",
    "perceptron": "_network",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
