"""The error tree. Every leaf also inherits the builtin that a caller would reach for."""

from __future__ import annotations

from typing import Any


class ParetoError(Exception):
    """Root of everything that paretokit raises on purpose."""


class InputError(ParetoError, ValueError):
    """An argument breaks its rule; the message names it, the rule and the value."""


class ShapeError(InputError):
    """A tensor argument has the wrong number of axes, rows or columns."""


class UnknownNameError(ParetoError, LookupError):
    """A problem, solver, indicator or option that does not exist; the message offers the nearest."""


class MissingPackageError(ParetoError, ImportError):
    """An optional package is not installed; the message is the install command."""


class UnsupportedProblemError(ParetoError, TypeError):
    """A solver was handed a problem that it cannot solve; the message names what it can."""


class ProtocolError(ParetoError, ValueError):
    """Two fronts were measured differently and may not be compared; the message names the difference."""


class CheckpointError(ParetoError, RuntimeError):
    """A checkpoint is damaged, belongs to another run, or cannot be written."""


class EvaluationError(ParetoError, RuntimeError):
    """User code raised while a problem was evaluated; `result` holds all that was computed before.

    Attributes:
        result: The partial `Result`, or None when the first evaluation already failed.
    """

    def __init__(self, message: str, result: Any = None) -> None:
        super().__init__(message)
        self.result = result


class ParetoWarning(UserWarning):
    """Category of every warning that paretokit emits."""
