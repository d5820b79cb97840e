"""Radar: a few far-apart solutions as polygons, outwards is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from paretokit.core import Front
from paretokit.core import _check as check
from paretokit.plots import _style as style
from paretokit.plots._view import Floats, Fronts, FrontView, HasValues, representatives, view

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class RadarData:
    """Polygons around a center.

    Attributes:
        view: Where they come from.
        angles: Direction of each objective in radians, the first one upwards `[m]`.
        rows: Rows of the fronts that are drawn.
        names: What the legend calls them.
        radii: Their distances from the center `[k, m]`, 0 at the worst and 1 at the best value.
        chosen: Radii of the highlighted solution `[m]`, or None.
        ends: Values at the center and at the rim, or None for the worst and the best shown.
    """

    view: FrontView
    angles: Floats
    rows: NDArray[np.int64]
    names: tuple[str, ...]
    radii: Floats
    chosen: Floats | None
    ends: tuple[float, float] | None = None


def radar_data(
    front: Fronts, *, limit: int = 6, highlight: HasValues | None = None, ends: tuple[float, float] | None = None
) -> RadarData:
    """Return at most `limit` polygons of solutions that lie far apart; of several fronts by name, one of each."""
    check.at_least(1, limit=limit)
    data = view(front, highlight=highlight)
    check.that(data.m >= 3, "front", "have at least three objectives for a radar", data.m, 'kind="scatter" shows two')
    if ends is not None:
        distinct = len(ends) == 2 and bool(np.isfinite(ends).all()) and ends[0] != ends[1]
        check.that(distinct, "ends", "be two different finite numbers, center and rim", ends)

    def out(values: Floats) -> Floats:
        if ends is None:
            return data.goodness(values)
        scaled: Floats = ((values - ends[0]) / (ends[1] - ends[0])).clip(0, 1)
        return scaled

    if isinstance(front, Front):
        rows = representatives(data, limit)
        radii, names = out(data.values[0][rows]), [f"solution {row}" for row in rows]
    else:
        drawn = [(name, out(values)) for name, values in zip(data.names, data.values, strict=True) if len(values)]
        rows = np.array([r.mean(1).argmax() for _, r in drawn], dtype=np.int64)
        names = [name for name, _ in drawn]
        radii = np.array([r[row] for (_, r), row in zip(drawn, rows, strict=True)]).reshape(-1, data.m)
    angles = np.linspace(0, 2 * np.pi, data.m, endpoint=False)
    chosen = None if data.chosen is None else out(data.chosen)
    return RadarData(data, angles, rows, tuple(names), radii, chosen, ends)


def radar(
    front: Fronts,
    *,
    limit: int = 6,
    highlight: HasValues | None = None,
    ends: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a few solutions as polygons: each spoke is an objective, outwards is better.

    Drawn are the best of each objective and those farthest from them; of several fronts by name, the solution of each
    that reaches farthest outwards in the mean. The rim is the best shown value on that objective (written there), the
    inner circle the worst.

    Args:
        front: A front of at least three objectives, or several by name.
        limit: At most so many solutions of one front.
        highlight: A chosen solution, drawn thick.
        ends: Values at the center and at the rim on all spokes, e.g. (0, 1) for accuracies; what lies beyond is drawn
            there.
        ax: Polar axes to draw on; a new figure's otherwise.

    Returns:
        The axes.
    """
    data = radar_data(front, limit=limit, highlight=highlight, ends=ends)
    ax = style.axes_of(ax, size=(4.8, 5.2), projection="polar")
    polar: Any = ax
    polar.set_theta_offset(np.pi / 2)
    polar.set_theta_direction(-1)
    polar.set_rlim(0, 1)
    polar.set_rorigin(-0.18)
    closed, alone = np.append(data.angles, data.angles[0]), isinstance(front, Front)
    for k, (name, radii) in enumerate(zip(data.names, data.radii, strict=True)):
        around = np.append(radii, radii[0])
        ax.plot(closed, around, color=style.color(k), linewidth=1.5, label=name, clip_on=False)
        if alone:
            ax.fill(closed, around, color=style.color(k), alpha=0.06, linewidth=0)
    if data.chosen is not None:
        ax.plot(closed, np.append(data.chosen, data.chosen[0]), color=style.INK, linewidth=2.8, label="chosen")
    _spokes(polar, data)
    ax.set_title(data.view.title, loc="left", fontsize=style.LABEL + 0.5, color=style.INK, pad=18)
    rows = -(-(len(data.rows) + (data.chosen is not None)) // 3)
    place: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.17), "borderaxespad": 0}
    text = data.view.caption if alone else "one solution of each"
    style.caption(ax, f"{text}; {_said(ends)}", below=62.0 + 13.5 * rows, center=True, width=78)
    if data.view.empty:
        style.nothing(ax)
    else:
        style.legend(ax, least=1, ncols=3, columnspacing=1.4, **place)
    return ax


def _said(ends: tuple[float, float] | None) -> str:
    if ends is None:
        return "rim: best, center: worst"
    return f"rim: {style.number(ends[1])}, center: {style.number(ends[0])}"


def _spokes(polar: Any, data: RadarData) -> None:
    best, _ = data.view.ends()
    bare = data.view.empty or data.ends is not None
    ends = ["" if bare else f"\n{style.number(value)}" for value in best]
    names = [f"{style.wrapped(o.label, 16)}{end}" for o, end in zip(data.view.objectives, ends, strict=True)]
    polar.set_xticks(data.angles, labels=names, fontsize=style.TICK, color=style.INK)
    for text, angle in zip(polar.get_xticklabels(), data.angles, strict=True):
        side = np.sin(angle)
        text.set_horizontalalignment("center" if abs(side) < 0.2 else "left" if side > 0 else "right")
    polar.tick_params(axis="x", pad=3.0 * style.lines(names))
    polar.set_yticks([0.0, 0.5, 1.0], labels=[])
    polar.grid(color=style.GRID, linewidth=0.8)
    polar.spines["polar"].set_color(style.GRID)
    polar.spines["inner"].set_color(style.GRID)
    polar.set_axisbelow(True)
