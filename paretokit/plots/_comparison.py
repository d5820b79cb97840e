"""Solvers side by side: every seed's score, its median and quartiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from paretokit.core import _check as check
from paretokit.plots import _style as style
from paretokit.plots._convergence import arrowed, seeds_line
from paretokit.plots._view import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class ComparisonData:
    """Scores over seeds.

    Attributes:
        names: Solvers from top to bottom.
        scores: Each one's finite scores.
        offsets: Where each score lies across its row, in (-0.5, 0.5).
        quartiles: Lower quartile, median, upper quartile of each `[s, 3]`; NaN where no score is finite.
        dropped: Number of scores that are not finite.
    """

    names: tuple[str, ...]
    scores: tuple[Floats, ...]
    offsets: tuple[Floats, ...]
    quartiles: Floats
    dropped: int


def comparison_data(values: Mapping[str, Sequence[float]]) -> ComparisonData:
    """Return each solver's scores, spread across its row so that near ones do not hide each other."""
    check.that(bool(values), "values", "hold at least one solver", "nothing")
    given = [np.asarray(v, dtype=float).reshape(-1) for v in values.values()]
    finite = [v[np.isfinite(v)] for v in given]
    check.that(any(len(v) for v in finite), "values", "hold finite scores", "none")
    quartiles = [np.quantile(v, [0.25, 0.5, 0.75]) if len(v) else np.full(3, np.nan) for v in finite]
    golden = (np.sqrt(5) - 1) / 2
    offsets = [0.44 * ((np.argsort(np.argsort(v, kind="stable")) + 1) * golden % 1.0 - 0.5) for v in finite]
    dropped = sum(len(g) - len(f) for g, f in zip(given, finite, strict=True))
    return ComparisonData(tuple(values), tuple(finite), tuple(offsets), np.array(quartiles), dropped)


def comparison(
    values: Mapping[str, Sequence[float]],
    *,
    indicator: str,
    larger_is_better: bool | None = None,
    kind: str = "both",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw each solver's scores over seeds as a row: a dot a seed, a box over the quartiles, a line at the median.

    Args:
        values: Scores by solver, one a seed; those that are not finite are left out and counted in the caption.
        indicator: What the scores are.
        larger_is_better: Which way the arrow on the axis leads; no arrow for None.
        kind: "both", "box" or "strip".
        title: What was solved.
        ax: Axes to draw on; a new figure's otherwise.

    Returns:
        The axes.
    """
    check.one_of(("both", "box", "strip"), kind=kind)
    data = comparison_data(values)
    count = len(data.names)
    ax = style.axes_of(ax, size=(5.6, 0.5 * count + 1.5))
    style.plain(ax)
    ax.grid(visible=False, axis="y")
    for k, (scores, offsets) in enumerate(zip(data.scores, data.offsets, strict=True)):
        if not len(scores):
            ax.annotate("no finite score", (0.5, k), xycoords=ax.get_yaxis_transform(), va="center", **_quiet())
            continue
        low, median, high = data.quartiles[k]
        if kind != "strip":
            box: dict[str, Any] = {"height": 0.56, "color": style.color(k), "alpha": 0.22, "linewidth": 0}
            ax.barh(k, high - low, left=low, **box)
            ax.plot([median, median], [k - 0.28, k + 0.28], color=style.color(k), linewidth=2.2, zorder=3)
        if kind != "box":
            dots: dict[str, Any] = {"s": 13, "color": style.color(k), "edgecolors": "white", "linewidths": 0.3}
            ax.scatter(scores, k + offsets, zorder=4, **dots)
    ax.set_yticks(np.arange(count), labels=list(data.names), fontsize=style.LABEL - 0.5, color=style.INK)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_ylim(count - 0.5, -0.5)
    ax.margins(x=0.04)
    ax.locator_params(axis="x", nbins=7)
    ax.ticklabel_format(axis="x", useOffset=False)
    ax.set_xlabel(arrowed(indicator, larger_is_better), fontsize=style.LABEL, color=style.INK)
    style.titled(ax, title)
    lost = f"; {data.dropped} not finite" if data.dropped else ""
    style.caption(ax, seeds_line([len(v) for v in data.scores if len(v)]) + lost)
    return ax


def _quiet() -> dict[str, Any]:
    return {"ha": "center", "fontsize": style.SMALL, "color": style.FAINT}
