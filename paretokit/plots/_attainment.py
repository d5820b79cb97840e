"""Attainment of two objectives: surfaces of several solvers, and where two of them differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from paretokit.core import _check as check
from paretokit.plots import _style as style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from paretokit.bench import AttainmentDifference, AttainmentSurface

Floats = NDArray[np.float64]


def attainment(
    surfaces: Mapping[str, Sequence[AttainmentSurface]],
    *,
    order: Sequence[str] | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw attainment surfaces of two objectives as steps: the middle level solid, the outer ones thin.

    Args:
        surfaces: By solver, as `paretokit.bench.attainment_surfaces` returns them.
        order: Solvers in the order of their colors; that of `surfaces` by default.
        title: What was solved.
        ax: Axes to draw on; a new figure's otherwise.

    Returns:
        The axes.

    Raises:
        InputError: If there are not two objectives or nothing is attained.
    """
    shown = [surface for own in surfaces.values() for surface in own if len(surface.points)]
    check.that(bool(shown), "surfaces", "hold a point", "none")
    objectives = shown[0].objectives
    hint = "numbers of the surfaces are in their points"
    check.that(len(objectives) == 2, "surfaces", "have two objectives to be drawn", len(objectives), hint)
    known = list(surfaces) if order is None else list(order)
    ax = style.axes_of(ax, size=(5.6, 4.0))
    style.plain(ax)
    maximize = [o.maximize for o in objectives]
    points = np.concatenate([surface.points for surface in shown])
    best, worst = _ends(points, maximize)
    reach = worst + 0.04 * (worst - best)
    for name, own in surfaces.items():
        check.known(name, known, kind="solver")
        middle = sorted(surface.level for surface in own)[len(own) // 2]
        for surface in own:
            if not len(surface.points):
                continue
            bold = surface.level == middle
            corners = staircase(surface.points, maximize, reach)
            look: dict[str, Any] = {"linewidth": 1.9 if bold else 0.8, "alpha": 1.0 if bold else 0.55}
            ax.plot(*corners.T, color=style.color(known.index(name)), label=name if bold else None, **look)
    ax.set_xlabel(style.label(objectives[0]), fontsize=style.LABEL, color=style.INK)
    ax.set_ylabel(style.label(objectives[1]), fontsize=style.LABEL, color=style.INK)
    style.titled(ax, title)
    beside: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
    style.legend(ax, least=1, **beside)
    levels = ", ".join(f"{level:.0%}" for level in sorted({surface.level for surface in shown}))
    style.caption(ax, f"attained by {levels} of the runs")
    return ax


def attainment_difference(
    difference: AttainmentDifference,
    *,
    names: tuple[str, str],
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw where one solver attains values in more of its runs than the other; white where both do as often.

    Args:
        difference: Of `paretokit.bench.attainment_difference`.
        names: The two solvers.
        title: What was solved.
        ax: Axes to draw on; a new figure's otherwise.

    Returns:
        The axes.

    Raises:
        ShapeError: If there are not two names.
    """
    import matplotlib as mpl
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Patch

    check.shape(len(names) == 2, "names", "have two entries", len(names))
    ax = style.axes_of(ax, size=(5.6, 4.0))
    style.plain(ax, grid=False)
    finite = difference.boxes.reshape(-1, 2)
    check.that(len(finite) > 0, "difference", "hold a box", "none", "all runs of both gave the same front")
    low, high = _finite_ends(finite)
    pad = 0.04 * np.where(high > low, high - low, 1.0)
    view = (low - pad, high + pad)
    boxes = difference.boxes.reshape(-1, 2, 2).clip(view[0], view[1]).reshape(-1, 4)
    shown = np.abs(difference.difference) > 0
    corners = [[(a, b), (c, b), (c, d), (a, d)] for a, b, c, d in boxes[shown]]
    colors = mpl.colormaps["PuOr_r"](0.5 + difference.difference[shown] / 2)
    ax.add_collection(PolyCollection(corners, facecolors=colors, edgecolors=colors, linewidths=0.2))
    ax.set(xlim=(view[0][0], view[1][0]), ylim=(view[0][1], view[1][1]))
    ax.set_xlabel(style.label(difference.objectives[0]), fontsize=style.LABEL, color=style.INK)
    ax.set_ylabel(style.label(difference.objectives[1]), fontsize=style.LABEL, color=style.INK)
    keys = []
    for k, (name, sign) in enumerate(zip(names, (1, -1), strict=True)):
        most = float(np.max(sign * difference.difference, initial=0.0))
        shade = mpl.colormaps["PuOr_r"](0.88 if k == 0 else 0.12)
        keys.append(Patch(color=shade, label=f"{name} more often (by up to {most:.0%})"))
    style.titled(ax, title)
    look: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.2}
    ax.legend(handles=keys, fontsize=style.SMALL, frameon=False, labelcolor=style.INK, **look)
    style.caption(ax, f"difference of the shares of {difference.runs} runs; a picture, not a test")
    return ax


def staircase(points: Floats, maximize: Sequence[bool], reach: Floats) -> Floats:
    """Return the corners of the border of what points attain `[2 n + 1, 2]`, from the worst second value to the first.

    Args:
        points: Mutually non-dominated `[n, 2]`.
        maximize: Senses.
        reach: Where the border ends on either side `[2]`.
    """
    sign = np.where(maximize, -1.0, 1.0)
    low = (points * sign)[np.argsort(points[:, 0] * sign[0], kind="stable")]
    end = np.maximum(reach * sign, low.max(0))
    x = np.concatenate([np.repeat(low[:, 0], 2), end[:1]])
    y = np.concatenate([end[1:], np.repeat(low[:, 1], 2)])
    corners: Floats = np.column_stack([x, y]) * sign
    return corners


def _ends(points: Floats, maximize: Sequence[bool]) -> tuple[Floats, Floats]:
    low, high = points.min(0), points.max(0)
    return np.where(maximize, high, low), np.where(maximize, low, high)


def _finite_ends(points: Floats) -> tuple[Floats, Floats]:
    kept = np.where(np.isfinite(points), points, np.nan)
    return np.nanmin(kept, axis=0), np.nanmax(kept, axis=0)
