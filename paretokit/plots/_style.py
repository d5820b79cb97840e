"""How our pictures look: sizes, colors and small texts, given to each call; no global setting is touched."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from paretokit.core import Objective
from paretokit.core import _check as check
from paretokit.core._text import number as number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
"""Colors that the color-blind can tell apart (M. Okabe and K. Ito, 2008), in the order of use."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
INK, FAINT, GRID = "#333333", "#8a8a8a", "#e4e4e4"
ACCENT = "#D55E00"
TRUTH, BEHIND = "#b0b0b0", "#c9d6df"
LABEL, TICK, SMALL = 10.0, 8.5, 7.5
COLORS = "cividis"
FEW = 100
"""A known front of fewer points is drawn as rings."""

TRUTH_NAMES = {
    "exact": "exact front",
    "exact convex coverage set": "convex coverage set",
    "approximate": "approximate front",
}
"""What legends call the known front, by the problem's `front_kind`."""


def color(i: int) -> str:
    """Return the i-th color, from the start again after the last."""
    return PALETTE[i % len(PALETTE)]


def axes_of(ax: Axes | None, *, size: tuple[float, float] = (5.0, 4.0), projection: str | None = None) -> Axes:
    """Return the given axes after checking their projection, or the only axes of a new pyplot figure."""
    wanted = projection or "rectilinear"
    if ax is not None:
        found = getattr(ax, "name", "none")
        hint = "" if projection is None else f'`fig.add_subplot(projection="{projection}")` makes one'
        check.that(found == wanted, "ax", f"be {wanted} axes for this picture", f"{found} axes", hint)
        return ax
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=size, layout="constrained")
    made: Axes = figure.add_subplot(projection=projection)
    return made


def plain(ax: Axes, *, grid: bool = True) -> None:
    """Give rectilinear axes two spines, small ticks and a faint grid behind the data."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(FAINT)
        ax.spines[side].set_linewidth(0.8)
    ax.tick_params(labelsize=TICK, colors=INK, width=0.8, length=3)
    ax.set_axisbelow(True)
    if grid:
        ax.grid(visible=True, color=GRID, linewidth=0.6)


def label(objective: Objective, *, arrow: bool = True) -> str:
    """Return name and unit with an arrow along the axis to the better end."""
    if not arrow:
        return objective.label
    return f"{objective.label} →" if objective.maximize else f"← {objective.label}"


def wrapped(text: str, width: int) -> str:
    """Return text broken between words into lines of about `width` characters; nothing in brackets is broken."""
    kept = re.sub(r"[\[(][^\])]*[\])]", lambda found: found[0].replace(" ", "\xa0"), text)
    return textwrap.fill(kept, width, break_long_words=False, break_on_hyphens=False).replace("\xa0", " ")


def lines(texts: Iterable[str]) -> int:
    """Return the largest number of lines among texts."""
    return max((text.count("\n") + 1 for text in texts), default=1)


def truth(ax: Any, points: Any, *, name: str, dot: float = 1.6, **look: Any) -> None:
    """Draw points of a known front `[t, m]` behind: fine dots where they are dense, rings where they can be counted."""
    few = len(points) < FEW
    if few:
        rings: dict[str, Any] = {"s": 46, "facecolors": "none", "edgecolors": TRUTH, "linewidths": 1.1}
        ax.scatter(*points.T, **rings, **look)
    else:
        ax.scatter(*points.T, s=dot, color=TRUTH, linewidths=0, **look)
    truth_key(ax, len(points), name=name)


def truth_name(kind: str) -> str:
    """Return what the legend calls a known front of some `front_kind`."""
    return TRUTH_NAMES.get(kind, "known front")


def truth_key(ax: Any, n: int, *, name: str) -> None:
    """Name the known front of n points in the legend, as `truth` draws it."""
    empty: list[list[float]] = [[]] * (3 if hasattr(ax, "zaxis") else 2)
    ring: dict[str, Any] = {"marker": "o", "markersize": 6, "markerfacecolor": "none", "linestyle": "none"}
    ax.plot(*empty, color=TRUTH, label=name, **(ring if n < FEW else {"linewidth": 1.4}))


def caption(ax: Axes, text: str, *, below: float = 34.0, center: bool = False, width: int = 96) -> None:
    """Write a small text under the axes, `below` points beneath their lower edge."""
    place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
    side, ha = (0.5, "center") if center else (1.0, "right")
    look: dict[str, Any] = {"ha": ha, "va": "top", "fontsize": SMALL, "color": FAINT, "linespacing": 1.4}
    ax.annotate(wrapped(text, width), xy=(side, 0.0), xytext=(0.0, -below), **look, **place)


def titled(ax: Axes, text: str) -> None:
    """Write the title, left-aligned, if there is one."""
    if text:
        ax.set_title(text, loc="left", fontsize=LABEL + 0.5, color=INK)


def nothing(ax: Axes) -> None:
    """Say in the middle of the axes that there is nothing to show."""
    text = "no feasible point"
    write: Any = getattr(ax, "text2D", ax.text)
    write(0.5, 0.5, text, ha="center", va="center", fontsize=LABEL, color=FAINT, transform=ax.transAxes)


def legend(ax: Axes, *, least: int = 2, **options: Any) -> None:
    """Draw a frameless legend if at least so many things are named."""
    handles, labels = ax.get_legend_handles_labels()
    if len(labels) >= least:
        ax.legend(handles, labels, fontsize=TICK, frameon=False, labelcolor=INK, handletextpad=0.5, **options)
