"""What every picture of a front needs, as plain arrays: the data half of the plots, testable without a renderer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretokit.core import Front, Objective, to_min
from paretokit.core import _check as check
from paretokit.plots import _style as style

Floats = NDArray[np.float64]
Fronts = Front | Mapping[str, Front]


class HasValues(Protocol):
    """A chosen solution: anything with objective values `[m]`."""

    @property
    def values(self) -> Tensor:
        """Objective values `[m]` in the user's senses."""
        ...


@dataclass(frozen=True, eq=False)
class FrontView:
    """One or several fronts of the same objectives, ready to be drawn.

    Attributes:
        objectives: One each.
        names: Name of each front ("" for a single one).
        values: Points of each front `[n_i, m]`, in the user's senses.
        stderr: Standard errors of the first front's values, or None.
        dominated: Further points behind, `[k, m]`.
        truth: Points of the known front `[t, m]`, or none.
        truth_name: What it is: exact, approximate, or a convex coverage set.
        chosen: Values of a highlighted solution `[m]`, or None.
        title: The problem's name, or "".
        caption: Number of points and reference point.
    """

    objectives: tuple[Objective, ...]
    names: tuple[str, ...]
    values: tuple[Floats, ...]
    stderr: Floats | None
    dominated: Floats
    truth: Floats
    truth_name: str
    chosen: Floats | None
    title: str
    caption: str

    @property
    def m(self) -> int:
        """Number of objectives."""
        return len(self.objectives)

    @property
    def everything(self) -> Floats:
        """All fronts' points and the chosen one, `[n, m]`."""
        parts = list(self.values) if self.chosen is None else [*self.values, self.chosen[None]]
        return np.concatenate(parts)

    @property
    def empty(self) -> bool:
        """Whether no front has a point."""
        return not any(len(v) for v in self.values)

    def goodness(self, values: Floats) -> Floats:
        """Return values mapped so that 0 is the worst and 1 the best shown on each objective (0.5 where all tie)."""
        best, worst = self.ends()
        span = np.where(best == worst, 1.0, best - worst)
        scaled: Floats = np.where(best == worst, 0.5, (values - worst) / span)
        return scaled

    def ends(self) -> tuple[Floats, Floats]:
        """Return the best and the worst shown value of each objective, `[m]` each."""
        points = self.everything if len(self.everything) else np.zeros((1, self.m))
        low, high = points.min(0), points.max(0)
        largest = np.array([o.maximize for o in self.objectives])
        return np.where(largest, high, low), np.where(largest, low, high)


def array(values: Tensor | Any) -> Floats:
    """Return values as a float64 array on the CPU."""
    return np.asarray(torch.as_tensor(values).detach().cpu(), dtype=np.float64)


def named(fronts: Fronts) -> dict[str, Front]:
    """Return fronts by name, all of the same objectives."""
    layers = {"": fronts} if isinstance(fronts, Front) else dict(fronts)
    check.that(bool(layers), "front", "be a front or hold at least one", "nothing")
    for front in layers.values():
        check.that(isinstance(front, Front), "front", "be a Front, or Fronts by name", type(front).__name__)
    first = next(iter(layers.values()))
    for name, front in layers.items():
        expected, got = [o.name for o in first.objectives], [o.name for o in front.objectives]
        check.that(front.objectives == first.objectives, name, f"have the objectives {expected}", got)
    return layers


def view(
    fronts: Fronts,
    *,
    dominated: Tensor | None = None,
    truth: bool = False,
    highlight: HasValues | None = None,
    n_truth: int = 500,
) -> FrontView:
    """Return the arrays behind a picture.

    Args:
        fronts: One front, or several by name.
        dominated: Further points `[k, m]`, shown faintly; rows that are not finite are left out.
        truth: Whether to ask the problem for its known front.
        highlight: A chosen solution.
        n_truth: Number of points of the known front.
    """
    layers = named(fronts)
    first = next(iter(layers.values()))
    m = len(first.objectives)
    behind = np.zeros((0, m)) if dominated is None else array(dominated)
    check.shape(behind.ndim == 2 and behind.shape[1] == m, "dominated", f"have shape [k, {m}]", behind.shape)
    known = first.problem.pareto_front(n_truth) if truth and first.problem is not None else None
    chosen = None if highlight is None else array(highlight.values)
    check.shape(chosen is None or chosen.shape == (m,), "highlight", f"have {m} values", chosen)
    values = tuple(array(front.values) for front in layers.values())
    return FrontView(
        objectives=first.objectives,
        names=tuple(layers),
        values=values,
        stderr=None if first.stderr is None else array(first.stderr),
        dominated=behind[np.isfinite(behind).all(1)],
        truth=np.zeros((0, m)) if known is None else array(known),
        truth_name=style.truth_name("unknown" if first.problem is None else first.problem.front_kind),
        chosen=chosen,
        title="" if first.problem is None else first.problem.name,
        caption=_caption(layers, first),
    )


def _caption(layers: Mapping[str, Front], first: Front) -> str:
    sizes = [len(front) for front in layers.values()]
    count = f"{sizes[0]} point{'' if sizes[0] == 1 else 's'}" if len(sizes) == 1 else f"{sum(sizes)} points"
    reference = first.protocol.scoring.reference_point
    if reference is None:
        return count
    return f"{count}, reference point ({', '.join(style.number(r) for r in reference)})"


def representatives(view: FrontView, limit: int) -> NDArray[np.int64]:
    """Return rows of the first front that lie far apart: the best of each objective, then farthest points.

    Cost: O(limit n m).
    """
    scaled = view.goodness(view.values[0])
    n = len(scaled)
    if n <= limit:
        return np.arange(n)
    best = to_min(torch.from_numpy(view.values[0]), view.objectives).argmin(0).tolist()
    chosen = list(dict.fromkeys(best))[:limit]
    distance = np.min([np.linalg.norm(scaled - scaled[i], axis=1) for i in chosen], axis=0)
    while len(chosen) < limit:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(scaled - scaled[chosen[-1]], axis=1))
    return np.array(sorted(chosen))
