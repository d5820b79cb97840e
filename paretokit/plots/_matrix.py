"""Scatter matrix: every pair of objectives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from paretokit.core import _check as check
from paretokit.plots import _style as style
from paretokit.plots._scatter import limits, spread
from paretokit.plots._view import Fronts, FrontView, HasValues, view

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def scatter_matrix(
    front: Fronts,
    *,
    dominated: Tensor | None = None,
    truth: bool = True,
    highlight: HasValues | None = None,
    ax: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Draw every pair of objectives below the diagonal, and how each is distributed on it.

    Args:
        front: The front, or several by name.
        dominated: Further points `[k, m]`, drawn faintly.
        truth: Whether to draw the known front behind, where the problem has one.
        highlight: A chosen solution, marked by a ring.
        ax: Array `[m, m]` of axes to draw on; a new figure's otherwise.

    Returns:
        The axes `[m, m]`; those above the diagonal are switched off.
    """
    data = view(front, dominated=dominated, truth=truth, highlight=highlight, n_truth=400)
    m = data.m
    check.that(m >= 2, "front", "have at least two objectives for a scatter matrix", m)
    grid: NDArray[Any]
    if ax is None:
        import matplotlib.pyplot as plt

        side = float(np.clip(1.7 * m, 4.0, 14.0))
        made: Any = plt.figure(figsize=(side, side), layout="constrained").subplots(m, m, squeeze=False)
        grid = made
    else:
        grid = np.asarray(ax)
        check.shape(grid.shape == (m, m), "ax", f"be an array of {m} x {m} axes", grid.shape)
    low, high = limits(data)
    for i, j in np.ndindex(m, m):
        cell: Any = grid[i, j]
        if j > i:
            cell.set_axis_off()
            continue
        style.plain(cell, grid=i != j)
        cell.tick_params(labelsize=style.SMALL)
        cell.locator_params(nbins=4)
        cell.set_xlim(float(low[j]), float(high[j]))
        if i == j:
            _bars(cell, data, i)
        else:
            spread(cell, data, j, i, size=11)
            cell.set_ylim(float(low[i]), float(high[i]))
        cell.tick_params(labelbottom=i == m - 1, labelleft=j == 0 and i > 0)
        if i == m - 1:
            cell.set_xlabel(style.wrapped(style.label(data.objectives[j]), 18), fontsize=style.TICK, color=style.INK)
        if j == 0 and i > 0:
            cell.set_ylabel(style.wrapped(style.label(data.objectives[i]), 18), fontsize=style.TICK, color=style.INK)
    _words(grid, data)
    return grid


def _bars(cell: Axes, data: FrontView, i: int) -> None:
    """Draw the distribution of one objective, and its name above where no axis of the row carries it."""
    low, high = limits(data)
    edges = np.linspace(low[i], high[i], 16)
    for k, points in enumerate(data.values):
        if len(points):
            cell.hist(
                points[:, i], bins=edges.tolist(), color=style.color(k), alpha=0.75 if len(data.values) == 1 else 0.5
            )
    cell.spines["left"].set_visible(False)
    cell.set_yticks([])
    cell.set_title(style.wrapped(data.objectives[i].label, 24), fontsize=style.TICK, color=style.INK, pad=3)


def _words(grid: NDArray[Any], data: FrontView) -> None:
    """Write title, caption and legend into the empty corner, where they move no axes."""
    corner: Axes = grid[0, data.m - 1]
    place: dict[str, Any] = {"transform": corner.transAxes, "ha": "right", "va": "top", "in_layout": False}
    corner.text(1.0, 1.1, data.title, fontsize=style.LABEL + 0.5, color=style.INK, **place)
    lines = data.caption.replace(", reference", "\nreference") + "\narrows lead to better"
    corner.text(1.0, 0.92, lines, fontsize=style.SMALL, color=style.FAINT, linespacing=1.4, **place)
    if data.empty:
        style.nothing(grid[data.m - 1, 0])
        return
    handles, labels = grid[data.m - 1, 0].get_legend_handles_labels()
    if len(labels) > 1:
        options: dict[str, Any] = {"loc": "upper right", "bbox_to_anchor": (1.06, 0.56), "frameon": False}
        words = corner.legend(handles, labels, fontsize=style.TICK, labelcolor=style.INK, **options)
        words.set_in_layout(False)
