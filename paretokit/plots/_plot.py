"""One door to all pictures of a front."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from paretokit.core import Front
from paretokit.core import _check as check
from paretokit.plots._heat_map import heat_map
from paretokit.plots._matrix import scatter_matrix
from paretokit.plots._parallel import parallel_coordinates
from paretokit.plots._radar import radar
from paretokit.plots._scatter import scatter
from paretokit.plots._view import Fronts

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _kinds() -> dict[str, Callable[..., Any]]:
    return {
        "heatmap": heat_map,
        "matrix": scatter_matrix,
        "parallel": parallel_coordinates,
        "radar": radar,
        "scatter": scatter,
    }


def plot(front: Fronts, *, kind: str = "auto", ax: Axes | None = None) -> Axes:
    """Draw a front: points for two and three objectives, parallel coordinates for more.

    Args:
        front: The front, or several by name (not for "heatmap").
        kind: "auto", "scatter", "parallel", "radar", "heatmap" or "matrix".
        ax: Axes to draw on ("matrix": an array of them); a new figure's otherwise.

    Returns:
        The axes; for "matrix" the array of axes.

    Raises:
        UnknownNameError: For an unknown kind; the nearest are offered.
        InputError: If the kind does not suit the number of objectives.
    """
    kinds = _kinds()
    check.known(kind, ["auto", *kinds], kind="kind")
    if kind == "auto":
        first = front if isinstance(front, Front) else next(iter(front.values()), None)
        kind = "scatter" if first is not None and len(first.objectives) in (2, 3) else "parallel"
    return cast("Axes", kinds[kind](front, ax=ax))
