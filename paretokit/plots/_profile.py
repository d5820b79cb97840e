"""Score distributions: which share of the runs is at least this good."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from paretokit.plots import _style as style
from paretokit.plots._convergence import arrowed
from paretokit.plots._intervals import colors_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def performance_profile(
    frame: pd.DataFrame,
    *,
    label: str,
    larger_is_better: bool | None = None,
    order: Sequence[str] | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw for each solver the share of runs that score at least as well as each threshold, with its band.

    Args:
        frame: Columns solver, threshold, share, low, high, as `paretokit.bench.performance_profile` returns them.
        label: What the thresholds are scores of.
        larger_is_better: Which way the arrow on the axis leads; no arrow for None.
        order: Solvers in the order of their colors; the frame's by default.
        title: What was solved.
        ax: Axes to draw on; a new figure's otherwise.

    Returns:
        The axes.
    """
    colors = colors_of(frame, order)
    ax = style.axes_of(ax, size=(5.6, 3.8))
    style.plain(ax)
    look: dict[str, Any] = {"alpha": 0.15, "linewidth": 0}
    for name, own in frame.groupby("solver", sort=False):
        ax.fill_between(own["threshold"], own["low"], own["high"], color=colors[name], **look)
        ax.plot(own["threshold"], own["share"], color=colors[name], linewidth=1.7, label=name)
    ax.set_ylim(-0.02, 1.02)
    ax.margins(x=0.01)
    ax.set_xlabel(arrowed(label, larger_is_better), fontsize=style.LABEL, color=style.INK)
    ax.set_ylabel("share of runs at least as good", fontsize=style.LABEL, color=style.INK)
    style.titled(ax, title)
    beside: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
    style.legend(ax, **beside)
    style.caption(ax, "bands: pointwise bootstrap intervals; higher is better")
    return ax
