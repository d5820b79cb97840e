"""Scores as they come about with cost, with bootstrap bands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from paretokit.core import _check as check
from paretokit.plots import _style as style
from paretokit.plots._convergence import UNITS, arrowed
from paretokit.plots._intervals import colors_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def anytime(
    frame: pd.DataFrame,
    *,
    indicator: str,
    against: str = "evaluations",
    larger_is_better: bool | None = None,
    order: Sequence[str] | None = None,
    log: bool = False,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw each solver's score over seeds against its cost, with a bootstrap band.

    Args:
        frame: Of one problem: columns solver, estimate, low, high, seeds and the cost, as `paretokit.bench.anytime`
            returns them.
        indicator: What the scores are.
        against: The cost: "evaluations", "work" or "seconds".
        larger_is_better: Which way the arrow on the axis leads; no arrow for None.
        order: Solvers in the order of their colors; the frame's by default.
        log: Whether the indicator's axis is logarithmic.
        title: What was solved.
        ax: Axes to draw on; a new figure's otherwise.

    Returns:
        The axes.

    Raises:
        InputError: If the frame holds several problems.
        UnknownNameError: If it has no such cost.
    """
    check.known(against, [str(c) for c in frame.columns], kind="column")
    problems = list(dict.fromkeys(frame["problem"])) if "problem" in frame.columns else [""]
    check.that(len(problems) == 1, "frame", "hold one problem", problems, "draw one picture for each")
    colors = colors_of(frame, order)
    ax = style.axes_of(ax, size=(5.6, 3.8))
    style.plain(ax)
    look: dict[str, Any] = {"alpha": 0.18, "linewidth": 0, "step": "post"}
    for name, own in frame.groupby("solver", sort=False):
        ax.fill_between(own[against], own["low"], own["high"], color=colors[name], **look)
        ax.plot(own[against], own["estimate"], color=colors[name], linewidth=1.7, drawstyle="steps-post", label=name)
    if log:
        ax.set_yscale("log")
    ax.margins(x=0.01)
    ax.set_xlabel(UNITS.get(against, against), fontsize=style.LABEL, color=style.INK)
    ax.set_ylabel(arrowed(indicator, larger_is_better), fontsize=style.LABEL, color=style.INK)
    style.titled(ax, title or str(problems[0]))
    beside: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
    style.legend(ax, **beside)
    low, high = int(frame["seeds"].min()), int(frame["seeds"].max())
    style.caption(ax, f"bands: bootstrap intervals over {low if low == high else f'{low} to {high}'} seeds")
    return ax
