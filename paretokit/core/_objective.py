"""What is traded off, and the one place where signs flip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from paretokit.core import _check as check

Sense = Literal["min", "max"]


@dataclass(frozen=True)
class Objective:
    """One thing that is traded off.

    Attributes:
        name: What tables and axes call it.
        sense: "min" or "max", the direction in which the user finds it better.
        unit: Physical unit, or an empty string.
    """

    name: str
    sense: Sense = "min"
    unit: str = ""

    def __post_init__(self) -> None:
        check.one_of(("min", "max"), sense=self.sense)

    @property
    def label(self) -> str:
        """Name and unit as axes show them."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name

    @property
    def maximize(self) -> bool:
        """Whether larger is better."""
        return self.sense == "max"


def objectives_of(
    objectives: int | Sequence[Objective | str], senses: Sequence[Sense] | None = None
) -> tuple[Objective, ...]:
    """Return objectives from a number, from names, or unchanged; `senses` (one each) default to "min"."""
    if isinstance(objectives, int):
        objectives = [f"f{i + 1}" for i in range(objectives)]
    elif isinstance(objectives, str | Objective):
        objectives = [objectives]
    rule = "be their number, or a list of names or `Objective`s"
    fine = isinstance(objectives, Sequence) and all(isinstance(o, str | Objective) for o in objectives)
    check.that(fine, "objectives", rule, repr(objectives))
    items: list[Objective | str] = list(objectives)
    check.that(len(items) >= 1, "objectives", "hold at least one objective", len(items))
    check.shape(
        senses is None or len(senses) == len(items),
        "senses",
        f"have {len(items)} entries, one per objective",
        None if senses is None else len(senses),
    )
    chosen: Sequence[Sense] = senses if senses is not None else ["min" for _ in items]
    return tuple(o if isinstance(o, Objective) else Objective(o, s) for o, s in zip(items, chosen, strict=True))


def maximize_of(objectives: Sequence[Objective]) -> tuple[bool, ...]:
    """Return one bool an objective, as the indicators' `maximize=` takes it."""
    return tuple(o.maximize for o in objectives)


def to_min(values: Tensor, objectives: Sequence[Objective]) -> Tensor:
    """Return values `[..., m]` with maximized objectives negated, so that smaller is better everywhere.

    Its own inverse. Values are returned as they are where nothing is maximized.
    """
    n_maximized = sum(o.maximize for o in objectives)
    if n_maximized in (0, len(objectives)):
        return -values if n_maximized else values
    signs = torch.tensor([-1.0 if o.maximize else 1.0 for o in objectives], dtype=values.dtype, device=values.device)
    return values * signs


def to_min_or_inf(values: Tensor, objectives: Sequence[Objective]) -> Tensor:
    """Return `to_min(values)` with every row that is not finite (a failed candidate) set to +inf, worse than all."""
    flipped = to_min(values, objectives)
    bad = ~torch.isfinite(flipped).all(-1, keepdim=True)
    return torch.where(bad, torch.inf, flipped) if bool(bad.any()) else flipped
