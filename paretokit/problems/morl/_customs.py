"""What is customary for environments that only Gymnasium runs: names of rewards, discount, reference point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Custom:
    """Customs of published results for an environment.

    Attributes:
        names: One a reward component.
        discount: Of published returns.
        reference_point: At that discount, or None where none is customary.
    """

    names: tuple[str, ...]
    discount: float = 0.99
    reference_point: tuple[float, ...] | None = None


_LANDER = ("outcome", "shaping", "main engine", "side engines")
_HIGHWAY = Custom(names=("speed", "right lane", "collision"))

# Lunar lander: the reference points of MORL-Baselines and C-MORL, and of MORL-Baselines for continuous actions.
CUSTOMS: Mapping[str, Custom] = {
    "minecart-rgb-v0": Custom(names=("ore 1", "ore 2", "fuel"), discount=0.98, reference_point=(-1.0, -1.0, -200.0)),
    "mo-highway-fast-v0": _HIGHWAY,
    "mo-highway-v0": _HIGHWAY,
    "mo-lunar-lander-continuous-v3": Custom(names=_LANDER, reference_point=(-110.0, -400.0, -100.0, -100.0)),
    "mo-lunar-lander-v3": Custom(names=_LANDER, reference_point=(-101.0, -1001.0, -101.0, -101.0)),
    "mo-supermario-v0": Custom(names=("progress", "time", "death", "coins", "enemies")),
}
