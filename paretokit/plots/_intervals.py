"""Estimates with their intervals, one row a solver."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from paretokit.core import _check as check
from paretokit.plots import _style as style
from paretokit.plots._convergence import arrowed

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def intervals(
    frame: pd.DataFrame,
    *,
    label: str,
    larger_is_better: bool | None = None,
    order: Sequence[str] | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw each solver's estimate and interval, in the order of the frame.

    Args:
        frame: Columns solver, estimate, low, high, level, as `paretokit.bench.aggregate` returns them.
        label: What was estimated.
        larger_is_better: Which way the arrow on the axis leads; no arrow for None.
        order: Solvers in the order of their colors; the frame's by default.
        title: What was solved.
        ax: Axes to draw on; a new figure's otherwise.

    Returns:
        The axes.
    """
    colors = colors_of(frame, order)
    ax = style.axes_of(ax, size=(5.6, 0.36 * len(frame) + 1.4))
    style.plain(ax)
    ax.grid(visible=False, axis="y")
    bar: dict[str, Any] = {"linewidth": 7, "alpha": 0.3, "solid_capstyle": "butt"}
    for k, row in enumerate(frame.to_dict("records")):
        ax.plot([row["low"], row["high"]], [k, k], color=colors[row["solver"]], **bar)
        ax.plot([row["estimate"]] * 2, [k - 0.27, k + 0.27], color=colors[row["solver"]], linewidth=2.4)
    ax.set_yticks(np.arange(len(frame)), labels=list(frame["solver"]), fontsize=style.LABEL - 0.5, color=style.INK)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_ylim(len(frame) - 0.5, -0.5)
    ax.set_xlabel(arrowed(label, larger_is_better), fontsize=style.LABEL, color=style.INK)
    style.titled(ax, title)
    style.caption(ax, f"bars: {frame['level'].iloc[0]:.0%} stratified bootstrap intervals, each by itself")
    return ax


def colors_of(frame: pd.DataFrame, order: Sequence[str] | None) -> dict[str, str]:
    """Return a color for every solver of a frame, by its place in `order`."""
    check.known("solver", [str(c) for c in frame.columns], kind="column")
    names = list(dict.fromkeys(frame["solver"]))
    check.that(bool(names), "frame", "hold at least one solver", "none")
    known = names if order is None else list(order)
    for name in names:
        check.known(name, known, kind="solver")
    return {name: style.color(known.index(name)) for name in names}
