"""Scalarization: one number for many objectives, as pure, batched, differentiable functions.

    scores = tchebycheff(values, weights=preferences, utopian=ideal)   # [n, m], [w, m] -> [n, w]

Values are minimized, smaller scores are better, larger weights matter more.
"""

from paretokit.scalarization._pairing import Scalarizer
from paretokit.scalarization._pbi import pbi
from paretokit.scalarization._registry import list, make  # noqa: A004 - the contract's word
from paretokit.scalarization._tchebycheff import achievement, augmented_tchebycheff, smooth_tchebycheff, tchebycheff
from paretokit.scalarization._weighted_log_sum import weighted_log_sum
from paretokit.scalarization._weighted_sum import weighted_sum

__all__ = [
    "Scalarizer",
    "achievement",
    "augmented_tchebycheff",
    "list",
    "make",
    "pbi",
    "smooth_tchebycheff",
    "tchebycheff",
    "weighted_log_sum",
    "weighted_sum",
]
