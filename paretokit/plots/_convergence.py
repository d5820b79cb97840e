"""An indicator against cost, with bands over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from paretokit.core import _check as check
from paretokit.plots import _style as style
from paretokit.plots._view import Floats
from paretokit.run import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Runs = Result | Sequence[Result]

UNITS = {"seconds": "seconds [s]", "env_steps": "environment steps", "gradient_steps": "gradient steps"}


@dataclass(frozen=True, eq=False)
class Curve:
    """One solver's indicator over its seeds.

    Attributes:
        name: The solver, or "".
        cost: Where the curve changes `[t]`, from the first cost at which every seed has a value.
        median: Median over seeds `[t]`; between its snapshots a run keeps its last value.
        low: Lower quartile `[t]`.
        high: Upper quartile `[t]`.
        seeds: Number of seeds.
    """

    name: str
    cost: Floats
    median: Floats
    low: Floats
    high: Floats
    seeds: int


def convergence_data(
    data: pd.DataFrame | Runs | Mapping[str, Runs], *, indicator: str = "hypervolume", against: str = "evaluations"
) -> tuple[Curve, ...]:
    """Return a curve for each solver.

    Args:
        data: A tidy frame with the columns `against` and `indicator` (or "value"), and "solver" and "seed" where
            there are several; or results, one or a sequence over seeds, also by name.
        indicator: Which indicator.
        against: "evaluations", "work", "seconds", "env_steps", "gradient_steps" or "step".

    Raises:
        InputError: If nothing finite is left to draw.
        UnknownNameError: If the frame has no such column; the nearest are offered.
    """
    frame: Any = data if hasattr(data, "columns") else _frame(data, indicator)
    column = indicator if indicator in frame.columns else "value"
    for name in (against, column):
        check.known(name, [str(c) for c in frame.columns], kind="column")
    frame = frame[np.isfinite(frame[column].to_numpy(dtype=float))]
    check.that(len(frame) > 0, indicator, "have finite values to draw", "none", "is there a reference point?")
    groups = frame.groupby("solver", sort=False) if "solver" in frame.columns else [("", frame)]
    return tuple(_curve(str(name), group, against, column) for name, group in groups)


def _frame(data: Any, indicator: str) -> pd.DataFrame:
    import pandas as pd

    named = data if isinstance(data, Mapping) else {"": data}
    parts = []
    for name, runs in named.items():
        for place, result in enumerate([runs] if isinstance(runs, Result) else list(runs)):
            check.that(isinstance(result, Result), "data", "be a frame or hold results", type(result).__name__)
            parts.append(result.convergence(indicator).assign(solver=name, seed=place))
    check.that(bool(parts), "data", "hold at least one result", "nothing")
    joined: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return joined


def _curve(name: str, group: Any, against: str, column: str) -> Curve:
    runs = [group] if "seed" not in group.columns else [own for _, own in group.groupby("seed")]
    tracks = []
    for run in runs:
        ordered = run.sort_values(against, kind="stable")
        tracks.append((ordered[against].to_numpy(dtype=float), ordered[column].to_numpy(dtype=float)))
    start = max(float(cost[0]) for cost, _ in tracks)
    cost = np.unique(np.concatenate([c for c, _ in tracks]))
    cost = cost[cost >= start]
    if len(cost) > 500:
        cost = np.linspace(cost[0], cost[-1], 500)
    table = np.stack([held(c, v, cost) for c, v in tracks])
    low, median, high = np.quantile(table, [0.25, 0.5, 0.75], axis=0)
    return Curve(name, cost, median, low, high, len(tracks))


def held(cost: Floats, values: Floats, at: Floats) -> NDArray[np.float64]:
    """Return the values at the costs `at`, each run keeping its last value until the next."""
    kept: NDArray[np.float64] = values[np.maximum(np.searchsorted(cost, at, side="right") - 1, 0)]
    return kept


def convergence(
    data: pd.DataFrame | Runs | Mapping[str, Runs],
    *,
    indicator: str = "hypervolume",
    against: str = "evaluations",
    larger_is_better: bool | None = None,
    log: bool = False,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw an indicator against cost: the median over seeds, and a band from the lower to the upper quartile.

    Args:
        data: A tidy frame or results (see `convergence_data`).
        indicator: Which indicator.
        against: What the runs spent; work is labeled with the problem's unit (of a frame: ``attrs["unit"]``).
        larger_is_better: Which way the arrow on the axis leads; no arrow for None.
        log: Whether the indicator's axis is logarithmic.
        title: What was solved.
        ax: Axes to draw on; a new figure's otherwise.

    Returns:
        The axes.
    """
    curves = convergence_data(data, indicator=indicator, against=against)
    ax = style.axes_of(ax, size=(5.6, 3.8))
    style.plain(ax)
    for k, curve in enumerate(curves):
        if curve.seeds > 1:
            ax.fill_between(
                curve.cost, curve.low, curve.high, color=style.color(k), alpha=0.18, linewidth=0, step="post"
            )
        line: dict[str, Any] = {"color": style.color(k), "linewidth": 1.7, "drawstyle": "steps-post"}
        ax.plot(curve.cost, curve.median, label=curve.name or "median", **line)
    if log:
        ax.set_yscale("log")
    ax.set_xlabel(_spent(data, against), fontsize=style.LABEL, color=style.INK)
    ax.set_ylabel(arrowed(indicator, larger_is_better), fontsize=style.LABEL, color=style.INK)
    ax.margins(x=0.01)
    style.titled(ax, title)
    style.legend(ax, loc="best")
    style.caption(ax, seeds_line([curve.seeds for curve in curves]))
    return ax


def _spent(data: Any, against: str) -> str:
    """Return the label of the cost's axis; work is in the problem's unit, where it is known and the same for all."""
    if against != "work":
        return UNITS.get(against, against)
    if hasattr(data, "columns"):
        units = {data.attrs.get("unit")}
    else:
        named = data.values() if isinstance(data, Mapping) else [data]
        runs = [result for own in named for result in ([own] if isinstance(own, Result) else own)]
        units = {None if result.problem is None else result.problem.unit for result in runs}
    (unit,) = units if len(units) == 1 else (None,)
    return f"work [{unit}]" if unit else "work"


def arrowed(indicator: str, larger_is_better: bool | None) -> str:
    """Return an indicator's name with an arrow to its better end."""
    words = indicator.replace("_", " ")
    return words if larger_is_better is None else f"{words} →" if larger_is_better else f"← {words}"


def seeds_line(seeds: Sequence[int]) -> str:
    """Return what the band is, and over how many seeds."""
    low, high = min(seeds), max(seeds)
    if high == 1:
        return "one run" if len(seeds) == 1 else "one run each"
    count = f"{low}" if low == high else f"{low} to {high}"
    return f"median and interquartile range, {count} seeds"
