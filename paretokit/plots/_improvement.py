"""How likely a run of one solver beats a run of another, as a matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from paretokit.core import _check as check
from paretokit.plots import _style as style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def improvement(frame: pd.DataFrame, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw the probability that the row's solver beats the column's; bold where the interval leaves 1/2 out.

    Args:
        frame: Columns a, b, estimate, low, high, level, as `paretokit.bench.probability_of_improvement` returns them.
        title: What was solved.
        ax: Axes to draw on; a new figure's otherwise.

    Returns:
        The axes.
    """
    for column in ("a", "b", "estimate", "low", "high", "level"):
        check.known(column, [str(c) for c in frame.columns], kind="column")
    check.that(len(frame) > 0, "frame", "hold at least one pair", "none")
    names = list(frame.groupby("a")["estimate"].mean().sort_values(ascending=False, kind="stable").index)
    s = len(names)
    shares = np.full((s, s), np.nan)
    ax = style.axes_of(ax, size=(0.62 * s + 2.0, 0.5 * s + 1.9))
    for row in frame.to_dict("records"):
        i, j = names.index(row["a"]), names.index(row["b"])
        shares[i, j] = row["estimate"]
        sure = row["low"] > 0.5 or row["high"] < 0.5
        dark = abs(row["estimate"] - 0.5) > 0.33
        text: dict[str, Any] = {"fontweight": "bold" if sure else "normal", "color": "white" if dark else style.INK}
        ax.text(j, i, f"{row['estimate']:.2f}", ha="center", va="center", fontsize=style.TICK, **text)
    ax.imshow(shares, vmin=0.0, vmax=1.0, cmap="PuOr_r", aspect="auto")
    ax.set_yticks(np.arange(s), labels=names, fontsize=style.TICK, color=style.INK)
    turn: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(np.arange(s), labels=names, fontsize=style.TICK, color=style.INK, **turn)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    style.titled(ax, title)
    level = f"{frame['level'].iloc[0]:.0%}"
    ax.set_xlabel(f"row beats column; bold: 0.5 outside the {level} interval", fontsize=style.SMALL, color=style.FAINT)
    return ax
