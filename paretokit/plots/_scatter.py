"""Points in two or three dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from paretokit.core import _check as check
from paretokit.plots import _style as style
from paretokit.plots._view import Floats, Fronts, FrontView, HasValues, view

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def scatter(
    front: Fronts,
    *,
    dominated: Tensor | None = None,
    truth: bool = True,
    highlight: HasValues | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a front of two or three objectives as points; the arrows on the axes lead to the better end.

    Args:
        front: The front, or several by name.
        dominated: Further points `[k, m]`, drawn faintly; they do not widen the axes.
        truth: Whether to draw the known front behind, where the problem has one.
        highlight: A chosen solution, marked by a ring.
        ax: Axes to draw on (3-D ones for three objectives); a new figure's otherwise.

    Returns:
        The axes.

    Raises:
        InputError: For another number of objectives, or for axes of the wrong projection.
    """
    data = view(front, dominated=dominated, truth=truth, highlight=highlight, n_truth=600)
    rule = "have two or three objectives for a scatter plot"
    check.that(data.m in (2, 3), "front", rule, data.m, 'kind="parallel" or "matrix" shows more')
    return _flat(data, ax) if data.m == 2 else _solid(data, ax)


def limits(data: FrontView, margin: float = 0.05) -> tuple[Floats, Floats]:
    """Return lower and upper ends of the axes, `[m]` each: fronts and known front with a margin on both sides."""
    points = np.concatenate([data.everything, data.truth])
    if not len(points):
        return np.zeros(data.m), np.ones(data.m)
    low, high = points.min(0), points.max(0)
    pad = margin * np.where(high > low, high - low, np.maximum(1.0, np.abs(high)))
    return low - pad, high + pad


def spread(ax: Any, data: FrontView, i: int, j: int, *, size: float) -> None:
    """Draw objectives i and j of everything on flat axes, the known front behind and the chosen point in front."""
    if len(data.truth):
        style.truth(ax, data.truth[:, [i, j]], name=data.truth_name, zorder=1)
    if len(data.dominated):
        faint = {"s": size / 3, "color": style.BEHIND, "linewidths": 0, "zorder": 1.5}
        ax.scatter(*data.dominated[:, [i, j]].T, label="dominated", **faint)
    for k, (name, points) in enumerate(zip(data.names, data.values, strict=True)):
        look: dict[str, Any] = {"s": size, "color": style.color(k), "marker": style.MARKERS[k % 8], "zorder": 3}
        ax.scatter(*points[:, [i, j]].T, edgecolors="white", linewidths=0.4, label=name or "front", **look)
    if data.chosen is not None:
        ring: dict[str, Any] = {"s": 4 * size, "facecolors": "none", "edgecolors": style.INK, "linewidths": 1.6}
        ax.scatter(data.chosen[i], data.chosen[j], zorder=4, label="chosen", **ring)


def _flat(data: FrontView, given: Axes | None) -> Axes:
    ax = style.axes_of(given, size=(5.0, 4.0))
    style.plain(ax)
    if data.stderr is not None and not data.empty:
        (x, y), (dx, dy) = data.values[0].T, data.stderr.T
        ax.errorbar(x, y, yerr=dy, xerr=dx, fmt="none", ecolor=style.color(0), elinewidth=0.7, alpha=0.5, zorder=2)
    spread(ax, data, 0, 1, size=22)
    low, high = limits(data)
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1], high[1])
    ax.set_xlabel(style.label(data.objectives[0]), fontsize=style.LABEL, color=style.INK)
    ax.set_ylabel(style.label(data.objectives[1]), fontsize=style.LABEL, color=style.INK)
    _finish(ax, data)
    return ax


def _finish(ax: Axes, data: FrontView, below: float = 34.0) -> None:
    style.titled(ax, data.title)
    arrows = "; arrows lead to better" if data.m == 2 else ""
    style.caption(ax, data.caption + arrows, below=below)
    if data.empty:
        style.nothing(ax)
        return
    style.legend(ax, loc="best")


def _solid(data: FrontView, given: Axes | None) -> Axes:
    ax: Any = style.axes_of(given, size=(5.4, 4.6), projection="3d")
    if len(data.truth):
        style.truth(ax, data.truth, name=data.truth_name, dot=1.5, depthshade=False)
    low, high = limits(data)
    behind = data.dominated[((data.dominated >= low) & (data.dominated <= high)).all(1)]
    if len(behind):
        ax.scatter(*behind.T, s=5, color=style.BEHIND, linewidths=0, depthshade=False, label="dominated")
    for k, (name, points) in enumerate(zip(data.names, data.values, strict=True)):
        look: dict[str, Any] = {"s": 20, "color": style.color(k), "marker": style.MARKERS[k % 8]}
        ax.scatter(
            *points.T,
            edgecolors="white",
            linewidths=0.3,
            depthshade=len(data.names) == 1,
            label=name or "front",
            **look,
        )
    if data.chosen is not None:
        ring: dict[str, Any] = {"s": 90, "facecolors": "none", "edgecolors": style.INK, "linewidths": 1.8}
        ax.scatter(*data.chosen[:, None], depthshade=False, label="chosen", **ring)
    for k, axis in enumerate((ax.xaxis, ax.yaxis, ax.zaxis)):
        axis.set_pane_color("#fafafa")
        axis._axinfo["grid"].update(color=style.GRID, linewidth=0.6)
        objective = data.objectives[k]
        better = "max" if objective.maximize else "min"
        text = style.wrapped(f"{objective.label} ({better})", 20)
        axis.set_label_text(text, fontsize=style.LABEL - 0.5, color=style.INK)
        axis.labelpad = 4.0 + 6.0 * (style.lines([text]) - 1)
    ax.zaxis.set_rotate_label(False)
    ax.zaxis.label.set_rotation(90)
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    ax.tick_params(labelsize=style.TICK - 0.5, colors=style.INK, pad=1)
    ax.view_init(elev=24, azim=42)
    ax.set_box_aspect(None, zoom=0.94)
    _finish(ax, data, below=10.0)
    solid: Axes = ax
    return solid
