"""What a hyper-parameter may be: an interval, an interval on a logarithmic scale, or one of several values.

Solvers declare their own in `Solver.search_space`; a dotted name reaches into a part, as ``"ppo.learning_rate"`` does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paretokit.core import _check as check
from paretokit.core._kinds import Kind


def _whole(value: Any) -> bool:
    return Kind(int).holds(value)


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`; whole ones where both ends are whole numbers.

    Attributes:
        low, high: The ends, both included.

    >>> Range(0.0, 0.5).draw(0.5), Range(2, 10).draw(0.999)
    (0.25, 10)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        check.number(low=self.low, high=self.high)
        ends = f"({self.low!r}, {self.high!r})"
        check.that(math.isfinite(self.low) and math.isfinite(self.high), "range", "have finite ends", ends)
        check.that(self.low < self.high, "range", "have its low end below its high end", ends)

    @property
    def whole(self) -> bool:
        """Whether it holds whole numbers only."""
        return _whole(self.low) and _whole(self.high)

    def draw(self, u: float) -> float:
        """Return the number at share `u` in [0, 1) of the interval."""
        if self.whole:
            return int(self.low) + int(u * (self.high - self.low + 1))
        return self.low + u * (self.high - self.low)

    def holds(self, value: Any) -> bool:
        """Tell whether a value lies in the interval (and is whole where it has to be)."""
        fits = _whole(value) if self.whole else Kind(float).holds(value)
        return fits and bool(self.low <= value <= self.high)


@dataclass(frozen=True)
class LogRange(Range):
    """The same on a logarithmic scale: equal factors are equally likely.

    >>> round(LogRange(1e-4, 1e-2).draw(0.5), 6)
    0.001
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        check.that(self.low > 0, "low", "be positive on a logarithmic scale", repr(self.low))

    def draw(self, u: float) -> float:
        """Return the number at share `u` in [0, 1) of the interval's logarithm."""
        if self.whole:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return min(max(round(math.exp(low + u * (high - low))), int(self.low)), int(self.high))
        return float(math.exp(math.log(self.low) + u * (math.log(self.high) - math.log(self.low))))


@dataclass(frozen=True)
class Choice:
    """One of several values without an order.

    Attributes:
        options: Them: texts, numbers, None, or lists and mappings of these.

    >>> Choice(("adam", "sgd")).draw(0.7)
    'sgd'
    """

    options: Sequence[Any]

    def __post_init__(self) -> None:
        check.that(
            isinstance(self.options, list | tuple), "options", "be a list of values", repr(self.options), "('a', 'b')"
        )
        object.__setattr__(self, "options", tuple(self.options))
        check.at_least(1, options=len(self.options))
        try:
            labels = self.labels
        except (TypeError, ValueError):
            check.fail("options", "be texts, numbers, None, or lists and mappings of these", repr(self.options))
        check.that(all(labels.index(v) == i for i, v in enumerate(labels)), "options", "be distinct", list(labels))

    @property
    def labels(self) -> tuple[str | float | bool | None, ...]:
        """The options as a storage of trials takes them: lists and mappings as JSON."""
        return tuple(
            v if v is None or isinstance(v, str | bool | int | float) else json.dumps(v, sort_keys=True)
            for v in self.options
        )

    def draw(self, u: float) -> Any:
        """Return the option at share `u` in [0, 1)."""
        return self.options[int(u * len(self.options))]

    def holds(self, value: Any) -> bool:
        """Tell whether a value is among the options."""
        return any(type(value) is type(option) and value == option for option in self.options)


SearchSpace = Mapping[str, Range | LogRange | Choice]
