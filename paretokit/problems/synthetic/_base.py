"""What the synthetic families share: default scoring, a power with finite slopes, checks of options."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from paretokit.core import EvaluationProtocol, Problem, Scoring, Space, objectives_of
from paretokit.core import _check as check


class Synthetic(Problem):
    """A problem whose front is known in closed form: subclasses say between which points it lies.

    The default reference point is ``ideal + 1.1 (nadir - ideal)``, one tenth of the front's range beyond its worst
    values (the rule of Ishibuchi, Imada, Setoguchi and Nojima, 2018, for fine-grained fronts; 1.1 times the nadir
    point where the ideal point is the origin).
    """

    front_kind = "exact"
    light = True

    @abstractmethod
    def _bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        """Return the ideal and the nadir point of the true front."""

    def _define(self, space: Space, m: int = 2, **options: int | float | None) -> None:
        """Set what follows from the options: space, objectives, resolved options and, from the front, the scoring."""
        objectives = objectives_of(m)
        for name, value in {"space": space, "objectives": objectives, **options}.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "protocol", EvaluationProtocol(scoring=scoring_between(*self._bounds())))

    def _own(self, points: Tensor) -> Tensor:
        """Return points on the problem's device in its dtype."""
        return points.to(device=self.device, dtype=self.dtype)


def scoring_between(ideal: Sequence[float], nadir: Sequence[float]) -> Scoring:
    """Return the scoring of a front between two points, reference point one tenth beyond the nadir point."""
    low, high = [float(v) for v in ideal], [float(v) for v in nadir]
    reference = tuple(a + 1.1 * (b - a) for a, b in zip(low, high, strict=True))
    return Scoring(reference_point=reference, ideal=tuple(low), nadir=tuple(high))


def power(base: Tensor, exponent: float) -> Tensor:
    """Return ``base ** exponent`` for base >= 0; at 0, where the slope is infinite, the gradient is 0 instead."""
    if not base.requires_grad or exponent >= 1:
        return base.sqrt() if exponent == 0.5 else base**exponent
    zero = base == 0
    return torch.where(zero, 0.0, torch.where(zero, 1.0, base) ** exponent)


def whole(**named: object) -> None:
    """Raise `InputError` for the first named option that is not a whole number."""
    for name, value in named.items():
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        check.that(is_whole, name, "be a whole number", repr(value))


def count(n: int | None) -> None:
    """Raise `InputError` unless n is None or a positive whole number."""
    if n is not None:
        whole(n=n)
        check.at_least(1, n=n)
