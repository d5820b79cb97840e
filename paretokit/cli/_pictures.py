"""PNGs of the command line: small multiples of fronts, convergence, a chosen solution, an episode, samplers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from paretokit import plots
from paretokit.core import Front
from paretokit.plots import _style as style
from paretokit.run import Result

DPI = 130
LARGEST = 1600.0  # area in square points of a sample that always comes out


def figure(width: float, height: float) -> Any:
    """Return a figure that no window system knows of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    return made


def picture(front: Front, file: Path, *, title: str) -> None:
    """Draw one front of any number of objectives."""
    flat = len(front.objectives) != 3
    made = figure(max(5.6, 1.5 * len(front.objectives)), 4.4)
    ax = made.add_subplot(projection=None if flat else "3d")
    plots.plot(front, ax=ax)
    style.titled(ax, title)
    write(made, file)


def colored(name: str, front: Front, order: Sequence[str]) -> dict[str, Front]:
    """Return the front by name behind empty fronts for the solvers before it, so that it gets its own color."""
    if name not in order:
        return {name: front}
    nothing = dataclasses.replace(front, values=front.values[:0], x=None, stderr=None, info={})
    return {**dict.fromkeys(order[: order.index(name)], nothing), name: front}


def fronts(results: Mapping[str, Result], file: Path, *, order: Sequence[str]) -> None:
    """Draw one small picture a solver, all with the same axes, each solver in its own color."""
    m = len(next(iter(results.values())).front.objectives)
    columns = min(3, len(results) + 1)
    rows = math.ceil(len(results) / columns)
    made = figure(3.9 * columns if m == 3 else 3.6 * columns, (3.7 if m == 3 else 3.1) * rows)
    made.get_layout_engine().set(hspace=0.1 if m == 3 else 0.05, wspace=0.12 if m == 3 else 0.04)
    axes = []
    for place, (name, result) in enumerate(results.items()):
        ax = made.add_subplot(rows, columns, place + 1, projection="3d" if m == 3 else None)
        plots.scatter(colored(name, result.front, order), ax=ax)
        _bare(ax)
        volume = result.scores.get("hypervolume")
        scored = "" if volume is None else f", hypervolume {volume:.5g}"
        ax.set_title(f"{name}\n", loc="left", fontsize=style.LABEL + 0.5, color=style.INK)
        place_note = getattr(ax, "text2D", ax.text)
        note = f"{len(result.front)} points{scored}"
        place_note(0.0, 1.02, note, transform=ax.transAxes, fontsize=style.SMALL + 0.5, color=style.FAINT, va="bottom")
        axes.append(ax)
    _share_limits(axes, m)
    if place + 1 < columns * rows:
        _key(made.add_subplot(rows, columns, columns * rows), next(iter(results.values())).front)
    write(made, file)


def convergence(
    results: Mapping[str, Result], file: Path, *, order: Sequence[str], against: str = "evaluations"
) -> None:
    """Draw the hypervolume against what was spent, each solver in its own color."""
    made = figure(6.4, 3.9)
    ax = plots.convergence(results, against=against, larger_is_better=True, ax=made.add_subplot())
    for name, line in zip(results, ax.get_lines(), strict=True):
        if name in order:
            line.set_color(style.color(order.index(name)))
    style.legend(ax, loc="lower right")
    _caption(ax, f"one run each, {_reference(next(iter(results.values())).front)}")
    write(made, file)


def choice(result: Result, picked: Any, file: Path, *, order: Sequence[str], name: str) -> None:
    """Draw the chosen solution within its front: as points and, for more than two objectives, as a line among lines."""
    m = len(result.front.objectives)
    made = figure(5.6 if m == 2 else 10.6, 4.2)
    shown = colored(name, result.front, order)
    if m <= 3:
        ax = made.add_subplot(1, 1 if m == 2 else 2, 1, projection="3d" if m == 3 else None)
        plots.scatter(shown, highlight=picked, ax=ax)
        _relabel(ax, name)
        style.titled(ax, f"{name} on {result.provenance['problem']}")
        if m == 3:
            _caption(ax, f"{len(result.front)} points, {_reference(result.front)}", below=24.0)
    if m > 2:
        ax = made.add_subplot(1, 1 if m > 3 else 2, 1 if m > 3 else 2)
        plots.parallel_coordinates(result.front, highlight=picked, ax=ax)
        style.titled(ax, "the same, by objective")
    write(made, file)


def strip(frames: Sequence[Any], file: Path, *, n: int = 6, labels: Sequence[str] | None = None) -> None:
    """Draw images side by side, labeled by their place unless told otherwise."""
    height, width = frames[0].shape[:2]
    n = min(n, len(frames))
    made = figure(10.6, 0.4 + 10.6 / n * height / width)
    plots.frames(frames, n=n, labels=labels, ax=made.add_subplot())
    write(made, file)


def clouds(
    front: Front, samples: Mapping[str, Tensor], notes: Mapping[str, str], *, file: Path, order: Sequence[str]
) -> None:
    """Draw what samplers draw, one picture each with the same axes: the area of a point is how often it came out.

    Args:
        front: Tells objectives and the known front.
        samples: Values `[n, 2]` by sampler.
        notes: A line for each.
        file: Where to.
        order: Of the solvers, by which they have their colors.
    """
    made = figure(4.0 * len(samples), 3.4)
    nothing = dataclasses.replace(front, values=front.values[:0], x=None, stderr=None, info={})
    axes = []
    for place, (name, values) in enumerate(samples.items()):
        ax = plots.scatter(nothing, ax=made.add_subplot(1, len(samples), place + 1))
        _bare(ax)
        points, counts = torch.unique(values.cpu(), dim=0, return_counts=True)
        areas = (4 + LARGEST * counts / len(values)).numpy()
        look: dict[str, Any] = {"s": areas, "color": style.color(order.index(name)), "alpha": 0.6, "linewidths": 0}
        ax.scatter(*points.T.numpy(), **look)
        ax.autoscale()
        ax.set_title(f"{name}\n", loc="left", fontsize=style.LABEL + 0.5, color=style.INK)
        small: dict[str, Any] = {"fontsize": style.SMALL + 0.5, "color": style.FAINT, "va": "bottom"}
        ax.text(0.0, 1.02, notes[name], transform=ax.transAxes, **small)
        axes.append(ax)
    _share_limits(axes, 2)
    write(made, file)


def held_out(results: Mapping[str, Result], file: Path, *, names: tuple[str, str]) -> None:
    """Draw fronts of two objectives as they were chosen, and the same decisions on held-out data, on equal axes."""
    made = figure(9.6, 4.2)
    fresh = {
        name: r.front if r.held_out is None else dataclasses.replace(r.front, values=r.held_out)
        for name, r in results.items()
    }
    axes = []
    for place, layers in enumerate(({name: r.front for name, r in results.items()}, fresh)):
        ax = plots.scatter(layers, ax=made.add_subplot(1, 2, place + 1))
        _bare(ax)
        if not place:
            style.legend(ax, loc="lower left")
        style.titled(ax, names[place])
        axes.append(ax)
    _share_limits(axes, 2)
    write(made, file)


def radar(fronts: Mapping[str, Front], file: Path, *, ends: tuple[float, float]) -> None:
    """Draw one solution of each front as a polygon, between values at the center and at the rim."""
    made = figure(5.6, 6.0)
    plots.radar(fronts, ends=ends, ax=made.add_subplot(projection="polar"))
    write(made, file)


def _reference(front: Front) -> str:
    point = front.protocol.scoring.reference_point
    return "no reference point" if point is None else f"reference point ({', '.join(style.number(v) for v in point)})"


def _caption(ax: Any, text: str, *, below: float = 34.0) -> None:
    for old in list(ax.texts):
        old.remove()
    style.caption(ax, text, below=below)


def _bare(ax: Any) -> None:
    """Take legend and caption away: titles say it all."""
    for old in [*ax.texts, ax.get_legend()]:
        if old is not None:
            old.remove()
    for axis in (ax.xaxis, ax.yaxis, *([ax.zaxis] if hasattr(ax, "zaxis") else [])):
        axis.label.set_fontsize(style.LABEL - 2)
    ax.tick_params(labelsize=style.SMALL - 0.5)
    if hasattr(ax, "zaxis"):
        ax.set_box_aspect(None, zoom=0.98)


def _relabel(ax: Any, name: str) -> None:
    """Keep only what the legend must explain: the known front, the solver and the choice."""
    old = ax.get_legend()
    if old is not None:
        old.remove()
    handles, labels = ax.get_legend_handles_labels()
    named = (name, "chosen", *style.TRUTH_NAMES.values())
    kept = [(h, text) for h, text in zip(handles, labels, strict=True) if text in named]
    ax.legend(*zip(*kept, strict=True), fontsize=style.TICK, frameon=False, labelcolor=style.INK, loc="upper right")


def _key(ax: Any, front: Front) -> None:
    """Say in a free corner what the small pictures share."""
    ax.axis("off")
    problem = front.problem
    truth = None if problem is None else problem.pareto_front(style.FEW)
    if problem is not None and truth is not None:
        style.truth_key(ax, len(truth), name=style.truth_name(problem.front_kind))
        ax.legend(loc="upper left", fontsize=style.TICK, frameon=False, labelcolor=style.INK, borderaxespad=0)
    senses = sorted({o.sense for o in front.objectives})
    words = {"max": "max: larger is better", "min": "min: smaller is better"}
    better = "arrows lead to better" if len(front.objectives) == 2 else "\n".join(words[s] for s in senses)
    text = _reference(front).replace(" (", "\n(") + f"\n{better}"
    ax.text(0.0, 0.8, text, transform=ax.transAxes, fontsize=style.TICK, color=style.FAINT, va="top", linespacing=1.6)


def _share_limits(axes: Sequence[Any], m: int) -> None:
    from matplotlib.ticker import MaxNLocator

    for letter in "xyz"[:m]:
        ends = [getattr(ax, f"get_{letter}lim")() for ax in axes]
        low, high = min(e[0] for e in ends), max(e[1] for e in ends)
        for ax in axes:
            getattr(ax, f"set_{letter}lim")(low, high)
            if m == 3:
                getattr(ax, f"{letter}axis").set_major_locator(MaxNLocator(4))


def write(made: Any, file: Path) -> None:
    """Write a figure as a PNG."""
    made.savefig(file, dpi=DPI, bbox_inches="tight", pad_inches=0.12, facecolor="white")
