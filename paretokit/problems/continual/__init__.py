"""Continual learning: tasks come one after the other, and what the network knows of each is an objective.

pk.problems.ContinualLearning([(train, validation, test), ...], network)
pk.problems.make("continual-case-v1", seed=0)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paretokit.core._lazy import lazy_names

if TYPE_CHECKING:
    from paretokit.problems.continual._continual import ContinualLearning
    from paretokit.problems.continual._digit_streams import RotatedDigits, SplitDigits
    from paretokit.problems.continual._glyph_streams import CaseStream, DigitStream
    from paretokit.problems.continual._networks import RandomFeatures
    from paretokit.problems.continual._tabular_stream import TabularStream
    from paretokit.problems.continual._task import StreamTask
    from paretokit.problems.continual._text_stream import TextStream
    from paretokit.problems.continual._transfer import (
        average_accuracy,
        backward_transfer,
        forward_transfer,
        peak_accuracy,
        preferred_accuracy,
        preferred_matrix,
    )

__all__ = [
    "CaseStream",
    "ContinualLearning",
    "DigitStream",
    "RandomFeatures",
    "RotatedDigits",
    "SplitDigits",
    "StreamTask",
    "TabularStream",
    "TextStream",
    "average_accuracy",
    "backward_transfer",
    "forward_transfer",
    "peak_accuracy",
    "preferred_accuracy",
    "preferred_matrix",
]

_HOMES = {
    "CaseStream": "_glyph_streams",
    "ContinualLearning": "_continual",
    "DigitStream": "_glyph_streams",
    "RandomFeatures": "_networks",
    "RotatedDigits": "_digit_streams",
    "SplitDigits": "_digit_streams",
    "StreamTask": "_task",
    "TabularStream": "_tabular_stream",
    "TextStream": "_text_stream",
    "average_accuracy": "_transfer",
    "backward_transfer": "_transfer",
    "forward_transfer": "_transfer",
    "peak_accuracy": "_transfer",
    "preferred_accuracy": "_transfer",
    "preferred_matrix": "_transfer",
}

_ROOM = "paretokit.problems.continual."

CONTINUAL: dict[str, str] = {
    "continual-case-v1": _ROOM + "_glyph_streams:CaseStream",
    "continual-dig-v1": _ROOM + "_glyph_streams:DigitStream",
    "continual-rotated-digits-v1": _ROOM + "_digit_streams:RotatedDigits",
    "continual-split-digits-v1": _ROOM + "_digit_streams:SplitDigits",
    "continual-tabular-v1": _ROOM + "_tabular_stream:TabularStream",
    "continual-text-v1": _ROOM + "_text_stream:TextStream",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
