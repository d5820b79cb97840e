"""Criteria by name, as configurations say them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from paretokit.core import Registry
from paretokit.core import _check as check
from paretokit.solvers.gflownet._criterion import Criterion

_ROOM = "paretokit.solvers.gflownet."

CRITERIA = Registry(
    "criterion",
    {
        "DB": _ROOM + "_detailed_balance:DetailedBalance",
        "FM": _ROOM + "_flow_matching:FlowMatching",
        "SubTB": _ROOM + "_sub_trajectory_balance:SubTrajectoryBalance",
        "TB": _ROOM + "_trajectory_balance:TrajectoryBalance",
    },
)


def criterion_of(given: Criterion | Mapping[str, Any] | str) -> Criterion:
    """Return a criterion: itself, by name, or from what `described` gave.

    Raises:
        InputError: If a mapping has no name.
        UnknownNameError: For an unknown name or option; the message offers the nearest.

    >>> criterion_of({"name": "SubTB", "lambda_": 0.5})
    SubTrajectoryBalance(lambda_=0.5, order_weight=0.1)
    """
    if isinstance(given, Criterion):
        return given
    options = {"name": given} if isinstance(given, str) else dict(given)
    check.that("name" in options, "criterion", "have a name", sorted(options), f"one of {', '.join(CRITERIA.names())}")
    made: Criterion = CRITERIA.make(str(options.pop("name")), options)
    return made


def described(criterion: Criterion) -> dict[str, Any]:
    """Return name and options, JSON-able."""
    record: Any = criterion
    return {"name": criterion.name, **dataclasses.asdict(record)}
