"""Parallel coordinates: one line a solution, one upright axis an objective, upwards is better on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from paretokit.core import Objective
from paretokit.core import _check as check
from paretokit.plots import _style as style
from paretokit.plots._view import Floats, Fronts, FrontView, HasValues, view

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class ParallelData:
    """Lines between upright axes.

    Attributes:
        view: Where they come from.
        lines: Heights of each front's solutions `[n_i, m]`, 0 at the worst and 1 at the best shown value.
        chosen: Heights of the highlighted solution `[m]`, or None.
        top: Values at the upper ends `[m]`, the best shown.
        bottom: Values at the lower ends `[m]`, the worst shown.
    """

    view: FrontView
    lines: tuple[Floats, ...]
    chosen: Floats | None
    top: Floats
    bottom: Floats


def parallel_data(front: Fronts, *, highlight: HasValues | None = None) -> ParallelData:
    """Return the lines of a parallel coordinates plot."""
    data = view(front, highlight=highlight)
    check.that(data.m >= 2, "front", "have at least two objectives for parallel coordinates", data.m)
    top, bottom = data.ends()
    lines = tuple(data.goodness(points) for points in data.values)
    return ParallelData(data, lines, None if data.chosen is None else data.goodness(data.chosen), top, bottom)


def parallel_coordinates(front: Fronts, *, highlight: HasValues | None = None, ax: Axes | None = None) -> Axes:
    """Draw one line a solution; upwards is better on every axis, whose ends carry the best and worst value shown.

    The lines of a single front are colored by its first objective; several fronts have a color each.

    Args:
        front: The front, or several by name.
        highlight: A chosen solution, drawn thick.
        ax: Axes to draw on; a new figure's otherwise.

    Returns:
        The axes.
    """
    import matplotlib as mpl
    from matplotlib.collections import LineCollection

    data = parallel_data(front, highlight=highlight)
    places, m = np.arange(data.view.m), data.view.m
    ax = style.axes_of(ax, size=(max(5.0, 1.25 * m + 1.0), 4.0))
    single = len(data.lines) == 1
    for k, (name, lines) in enumerate(zip(data.view.names, data.lines, strict=True)):
        if not len(lines):
            continue
        order = np.argsort(lines[:, 0], kind="stable")
        segments = [np.column_stack([places, lines[row]]) for row in order]
        colors: Any = mpl.colormaps[style.COLORS](0.92 * lines[order, 0]) if single else style.color(k)
        alpha = float(np.clip(12 / np.sqrt(len(lines)) / 2, 0.25, 0.9))
        ax.add_collection(LineCollection(segments, colors=colors, linewidths=1.0, alpha=alpha))
        if not single:
            ax.plot([], [], color=style.color(k), label=name)
    if data.chosen is not None:
        ax.plot(places, data.chosen, color=style.INK, linewidth=2.8, marker="o", markersize=5, label="chosen")
    _upright(ax, data)
    style.titled(ax, data.view.title)
    tint = f"; color: {data.view.objectives[0].name}" if single and not data.view.empty else ""
    style.caption(
        ax, data.view.caption + tint, below=26.0 + 12.5 * style.lines(label_lines(data.view.objectives)), width=76
    )
    if data.view.empty:
        style.nothing(ax)
    place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.2}
    style.legend(ax, least=1, ncols=4, **place)
    return ax


def label_lines(objectives: Sequence[Objective]) -> list[str]:
    """Return names with units, broken into lines that fit between two axes, then the sense."""
    return [f"{style.wrapped(o.label, 16)}\n{'max' if o.maximize else 'min'}" for o in objectives]


def _upright(ax: Axes, data: ParallelData) -> None:
    objectives, places = data.view.objectives, np.arange(data.view.m)
    for side in ax.spines.values():
        side.set_visible(False)
    ax.vlines(places, 0, 1, color=style.FAINT, linewidth=0.9, zorder=0)
    ax.set_xlim(-0.35, data.view.m - 0.65)
    ax.set_ylim(-0.02, 1.1)
    names = label_lines(objectives)
    ax.set_xticks(places, labels=names, fontsize=style.LABEL - 0.5, color=style.INK)
    ax.tick_params(axis="x", length=0, pad=14)
    ax.set_yticks([0, 1], labels=["worst", "best"], fontsize=style.TICK, color=style.FAINT)
    ax.tick_params(axis="y", length=0)
    if data.view.empty:
        return
    for k in range(data.view.m):
        both: dict[str, Any] = {"ha": "center", "fontsize": style.SMALL, "color": style.INK}
        ax.text(k, 1.02, style.number(data.top[k]), va="bottom", **both)
        ax.annotate(style.number(data.bottom[k]), (k, 0), xytext=(0, -4), textcoords="offset points", va="top", **both)
