"""Scalarizers by name."""

from __future__ import annotations

import builtins
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from paretokit.core import _check as check
from paretokit.scalarization._pairing import Scalarizer
from paretokit.scalarization._pbi import pbi
from paretokit.scalarization._tchebycheff import achievement, augmented_tchebycheff, smooth_tchebycheff, tchebycheff
from paretokit.scalarization._weighted_log_sum import weighted_log_sum
from paretokit.scalarization._weighted_sum import weighted_sum

_FUNCTIONS: Mapping[str, Callable[..., Tensor]] = {
    f.__name__: f
    for f in (
        achievement,
        augmented_tchebycheff,
        pbi,
        smooth_tchebycheff,
        tchebycheff,
        weighted_log_sum,
        weighted_sum,
    )
}
_COMMON = ("values", "weights", "utopian", "rowwise")


def list() -> builtins.list[str]:  # noqa: A001 - the contract's word
    """Return the names of all scalarizers, sorted."""
    return sorted(_FUNCTIONS)


def make(name: str, **options: float) -> Scalarizer:
    """Return the scalarizer of a name with its options set: ``make("smooth_tchebycheff", mu=0.05)``.

    Args:
        name: One of `list()`.
        options: The function's own options, such as `mu`, `rho`, `theta`.

    Raises:
        UnknownNameError: For an unknown name or option; the message offers the nearest.
    """
    check.known(name, _FUNCTIONS, kind="scalarizer")
    function = _FUNCTIONS[name]
    own: dict[str, Any] = {k: p for k, p in inspect.signature(function).parameters.items() if k not in _COMMON}
    check.options(options, own, owner=name)
    made: Scalarizer = functools.partial(function, **options)
    return made
