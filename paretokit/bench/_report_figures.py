"""The report's figures: over all problems, and for each problem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from paretokit.bench._attainment import attainment_difference, attainment_surfaces
from paretokit.bench._ranks import CriticalDifference, critical_difference
from paretokit.bench._report_page import Picture, picture
from paretokit.bench._statistics import aggregate, probability_of_improvement
from paretokit.bench._statistics_profiles import COSTS, anytime, performance_profile
from paretokit.bench._statistics_table import ScoreTable
from paretokit.core import Front

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def ranking(table: ScoreTable, alpha: float) -> CriticalDifference | None:
    """Return mean ranks over problems, or over the seeds of a single one; None where neither makes two blocks."""
    if len(table.solvers) < 2:
        return None
    blocks = "problems" if len(table.problems) > 1 else "seeds"
    if blocks == "seeds" and len(table.values[0]) < 2:
        return None
    return critical_difference(table, blocks=blocks, alpha=alpha)


def overall(table: ScoreTable, ranks: CriticalDifference | None, *, scale: str, level: float) -> list[Picture]:
    """Return what is drawn over all problems: ranks, interquartile means, improvement, profiles.

    Args:
        table: Scores on one scale.
        ranks: Of `ranking`.
        scale: What the scores are, for the axes.
        level: Of the intervals.
    """
    from paretokit import plots

    shown = []
    if ranks is not None:
        caption = "Mean ranks; a bar joins solvers between which no difference was shown (Nemenyi)."
        shown.append(picture(_figure(plots.critical_difference(ranks)), caption))
    frame = aggregate(table, level=level)
    ax = plots.intervals(frame, label=scale, larger_is_better=table.larger, order=table.solvers)
    caption = f"Interquartile mean over all runs with {level:.0%} stratified bootstrap intervals."
    shown.append(picture(_figure(ax), caption))
    if len(table.solvers) >= 2:
        ax = plots.improvement(probability_of_improvement(table, level=level))
        shown.append(picture(_figure(ax), "Probability that a run of the row's solver beats one of the column's."))
    profile = performance_profile(table, level=level)
    ax = plots.performance_profile(profile, label=scale, larger_is_better=table.larger, order=table.solvers)
    shown.append(
        picture(_figure(ax), "Score distributions: a curve that is nowhere below another is better throughout.")
    )
    return shown


def of_problem(table: ScoreTable, curves: pd.DataFrame | None, fronts: dict[str, Sequence[Front]]) -> list[Picture]:
    """Return what is drawn for one problem: scores, curves against every cost, attainment.

    Args:
        table: Scores of the problem alone.
        curves: Its snapshots, or None.
        fronts: Its fronts by solver.
    """
    from paretokit import plots

    scores = {solver: table.values[0][:, k].tolist() for k, solver in enumerate(table.solvers)}
    ax = plots.comparison(scores, indicator=table.indicator, larger_is_better=table.larger)
    shown = [picture(_figure(ax), "Every run's score, median and quartiles.")]
    shown += _attained(table, fronts)
    if curves is not None and len(curves):
        shown.append(_course(table, curves))
    return shown


def _course(table: ScoreTable, curves: pd.DataFrame) -> Picture:
    import matplotlib.pyplot as plt

    from paretokit import plots

    costs = [cost for cost in COSTS if cost in curves.columns and curves[cost].notna().all()]
    figure, axes = plt.subplots(1, len(costs), figsize=(4.2 * len(costs) + 1.4, 3.3), layout="constrained", sharey=True)
    for k, (cost, ax) in enumerate(zip(costs, np.atleast_1d(axes), strict=True)):
        frame = anytime(curves, against=cost)
        look: dict[str, Any] = {"larger_is_better": table.larger, "order": table.solvers, "title": " "}
        plots.anytime(frame, indicator=table.indicator, against=cost, ax=ax, **look)
        if k < len(costs) - 1 and ax.get_legend() is not None:
            ax.get_legend().remove()
        if k:
            ax.set_ylabel("")
        if cost == "work" and curves.attrs.get("unit"):
            ax.set_xlabel(f"work [{curves.attrs['unit']}]")
    caption = f"{table.indicator.replace('_', ' ')} as it came about: interquartile mean over seeds, 95% intervals."
    return picture(figure, caption, wide=True)


def _attained(table: ScoreTable, fronts: dict[str, Sequence[Front]]) -> list[Picture]:
    """Return attainment surfaces, and the difference of the two solvers of the best medians, for two objectives."""
    from paretokit import plots

    held = {solver: own for solver, own in fronts.items() if any(len(front) for front in own)}
    if not held or len(next(iter(held.values()))[0].objectives) != 2:
        return []
    surfaces = {solver: attainment_surfaces(own) for solver, own in held.items()}
    shown = []
    if any(len(surface.points) for own in surfaces.values() for surface in own):
        ax = plots.attainment(surfaces, order=table.solvers)
        shown.append(picture(_figure(ax), "What a quarter, half and three quarters of the runs attain."))
    order = np.median(table.goodness[0], axis=0).argsort(kind="stable")[::-1]
    names = [table.solvers[k] for k in order if table.solvers[k] in held][:2]
    full = [held[name] for name in names if all(len(front) for front in held[name])]
    if len(full) == 2 and len(full[0]) == len(full[1]):
        difference = attainment_difference(*full)
        if len(difference.boxes):
            ax = plots.attainment_difference(difference, names=(names[0], names[1]))
            shown.append(
                picture(_figure(ax), f"Where {names[0]} and {names[1]}, best by median, attain unequally often.")
            )
    return shown


def _figure(ax: Any) -> Figure:
    figure: Figure = ax.figure
    return figure
