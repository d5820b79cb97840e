"""Mean ranks on a line, with bars over the solvers that are not told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paretokit.plots import _style as style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from paretokit.bench import CriticalDifference


def critical_difference(result: CriticalDifference, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw mean ranks, the best at the left; a bar joins solvers between which no difference was shown.

    Args:
        result: Of `paretokit.bench.critical_difference`.
        title: What was ranked.
        ax: Axes to draw on; a new figure's otherwise.

    Returns:
        The axes.

    Source: J. Demsar, Journal of Machine Learning Research 7, 2006, figure 1.
    """
    s, levels = len(result.solvers), len(result.groups)
    half = (s + 1) // 2
    depth = 0.35 * levels + 0.45
    ax = style.axes_of(ax, size=(6.0, 1.6 + 0.28 * (half + levels)))
    ax.set(xlim=(1 - 0.55 * s / 2, s + 0.55 * s / 2), ylim=(-(depth + 0.55 * half), 1.15))
    ax.axis("off")
    ax.plot([1, s], [0, 0], color=style.INK, linewidth=1.0)
    text: dict[str, Any] = {"color": style.INK, "fontsize": style.TICK}
    for tick in range(1, s + 1):
        ax.plot([tick, tick], [0, 0.14], color=style.INK, linewidth=1.0)
        ax.text(tick, 0.2, str(tick), ha="center", va="bottom", **text)
    for k, (name, rank) in enumerate(zip(result.solvers, result.ranks, strict=True)):
        left = k < half
        row = k if left else s - 1 - k
        height, end = -(depth + 0.55 * row), (1 - 0.08 * s if left else s + 0.08 * s)
        ax.plot([rank, rank, end], [0, height, height], color=style.FAINT, linewidth=0.9)
        words = f"{name}  {rank:.2f}" if left else f"{rank:.2f}  {name}"
        place = -0.02 * s if left else 0.02 * s
        ax.text(end + place, height, words, ha="right" if left else "left", va="center", **text)
    for level, group in enumerate(result.groups):
        ends = [result.ranks[result.solvers.index(name)] for name in (group[0], group[-1])]
        height = -(0.3 + 0.35 * level)
        ax.plot([ends[0] - 0.04, ends[1] + 0.04], [height, height], color=style.PALETTE[0], linewidth=4.0)
    if result.difference is not None and result.difference < s - 1:
        ax.plot([1, 1 + result.difference], [0.78, 0.78], color=style.ACCENT, linewidth=1.6, marker="|", markersize=7)
        words = f"critical difference {result.difference:.2f}"
        ax.text(1 + result.difference / 2, 0.86, words, ha="center", va="bottom", **text)
    style.titled(ax, title)
    ax.figure.text(0.99, 0.01, _note(result), ha="right", va="bottom", fontsize=style.SMALL, color=style.FAINT)
    return ax


def _note(result: CriticalDifference) -> str:
    wide = result.difference is not None and result.difference >= len(result.solvers) - 1
    beyond = f"; critical difference {result.difference:.2f}: too few blocks to tell any two apart" if wide else ""
    p = "p < 0.001" if result.p < 0.001 else f"p = {result.p:.3f}"
    return f"mean ranks over {result.blocks} blocks; Friedman {p}{beyond}"
