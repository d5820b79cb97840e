"""Heat map: one row a solution, one column an objective, brighter is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from paretokit.core import Front
from paretokit.core import _check as check
from paretokit.plots import _style as style
from paretokit.plots._view import Floats, FrontView, HasValues, view

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class HeatMapData:
    """Cells of solutions by objectives.

    Attributes:
        view: Where they come from.
        rows: Rows of the front from top to bottom, best first objective first.
        cells: Goodness `[n, m]`, 0 at the worst and 1 at the best value of the front.
        values: The values in the same order `[n, m]`.
        chosen: Position of the highlighted solution among the rows, or None.
    """

    view: FrontView
    rows: NDArray[np.int64]
    cells: Floats
    values: Floats
    chosen: int | None


def heat_map_data(front: Front, *, highlight: HasValues | None = None) -> HeatMapData:
    """Return the cells, solutions sorted by the first objective."""
    check.that(isinstance(front, Front), "front", "be one front for a heat map", type(front).__name__)
    data = view(front, highlight=highlight)
    cells = data.goodness(data.values[0])
    rows = np.lexsort((*(-cells[:, k] for k in range(data.m - 1, -1, -1)),)) if len(cells) else np.arange(0)
    values = data.values[0][rows]
    place = None
    if data.chosen is not None and len(values):
        match = (values == data.chosen).all(1)
        place = int(match.argmax()) if match.any() else None
    return HeatMapData(data, rows, cells[rows], values, place)


def heat_map(front: Front, *, highlight: HasValues | None = None, ax: Axes | None = None) -> Axes:
    """Draw solutions as rows and objectives as columns; brighter is better, values are written where they fit.

    Args:
        front: The front.
        highlight: A chosen solution of the front, framed.
        ax: Axes to draw on; a new figure's otherwise.

    Returns:
        The axes.
    """
    data = heat_map_data(front, highlight=highlight)
    n, m = data.cells.shape
    ax = style.axes_of(ax, size=(max(4.2, 0.85 * m + 2.0), 4.4))
    for side in ax.spines.values():
        side.set_visible(False)
    ax.set_xticks(np.arange(m), labels=[style.label(o) for o in data.view.objectives], fontsize=style.TICK)
    ax.tick_params(colors=style.INK, length=0, labelsize=style.TICK)
    ax.set_ylabel("row of the front, best first objective on top", fontsize=style.TICK, color=style.FAINT)
    style.titled(ax, data.view.title)
    longest = max(len(style.label(o)) for o in data.view.objectives)
    slanted = longest * m > 58
    if slanted:
        ax.tick_params(axis="x", labelrotation=30)
        for text in ax.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")
    style.caption(ax, data.view.caption, below=26.0 + 2.6 * longest if slanted else 34.0, width=76)
    if not n:
        ax.set(xlim=(-0.5, m - 0.5), yticks=[])
        style.nothing(ax)
        return ax
    image = ax.imshow(data.cells, aspect="auto", cmap=style.COLORS, vmin=0, vmax=1, interpolation="nearest")
    shown = np.arange(n) if n <= 25 else np.linspace(0, n - 1, 11).round().astype(int)
    ax.set_yticks(shown, labels=[str(data.rows[i]) for i in shown])
    if n <= 25:
        _write(ax, data)
    if data.chosen is not None:
        from matplotlib.patches import Rectangle

        frame: dict[str, Any] = {"fill": False, "edgecolor": style.ACCENT, "linewidth": 2.2, "clip_on": False}
        ax.add_patch(Rectangle((-0.5, data.chosen - 0.5), m, 1, **frame))
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.7, aspect=22, pad=0.03)
    bar.set_ticks([0, 1], labels=["worst", "best"])
    bar.ax.tick_params(labelsize=style.TICK, colors=style.INK, length=0)
    bar.outline.set_visible(False)
    return ax


def _write(ax: Axes, data: HeatMapData) -> None:
    for i, j in np.ndindex(data.cells.shape):
        dark = data.cells[i, j] < 0.55
        text: dict[str, Any] = {"fontsize": style.SMALL, "color": "white" if dark else "black"}
        ax.text(j, i, style.number(float(data.values[i, j]), 3), ha="center", va="center", **text)
