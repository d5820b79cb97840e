"""The picture of concave fronts: a weighted sum finds their ends, an order finds all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import paretokit as pk
from benchmarks._design_rows import RESULTS
from paretokit.plots._style import BEHIND, FAINT, INK, SMALL, TICK, color, label, plain
from paretokit.problems.design import HyperGrid
from paretokit.solvers.gflownet import MOGFN, OPGFN
from paretokit.solvers.gflownet._exact import exact

LEAST = 1e-3  # probability of a cell that is drawn


def draw(order: OPGFN, weighted: MOGFN, pairs: tuple[tuple[str, ...], ...], *, seed: int = 0) -> Path:
    """Train both samplers on each pair, draw the exact probability of each cell, and return the picture's path."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 7.6), layout="constrained", dpi=150)
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(pairs), 2)
    for row, pair in zip(axes, pairs, strict=True):
        problem = HyperGrid(objectives=pair, side=32)
        for ax, solver, c in zip(row, (weighted, order), (color(1), color(0)), strict=True):
            result = pk.solve(problem, solver, seed=seed, progress=False)
            found = exact(problem, solver, result.state)
            p = found.learned.mean(0)
            front = problem.pareto_front()
            assert front is not None
            panel(ax, problem, found.values, p, front, c)
            ax.set_title(_title(solver, found.values, p, front), fontsize=TICK + 0.5, color=INK, loc="left")
    path = RESULTS / "concave_fronts.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def panel(ax: Any, problem: HyperGrid, values: Tensor, p: Tensor, front: Tensor, c: str) -> None:
    """Draw all cells, the front, and cells with an area that is their probability."""
    plain(ax)
    ax.scatter(*values.T, s=3, color=BEHIND, linewidths=0, label="all cells")
    drawn = p > LEAST
    ax.scatter(*front.T, s=26, facecolors="none", edgecolors=FAINT, linewidths=0.9, label="true front")
    area = (p[drawn] * 1500).clamp_max(400)
    ax.scatter(*values[drawn].T, s=area, color=c, alpha=0.75, linewidths=0, label="sampler (area: probability)")
    first, second = problem.objectives
    ax.set_xlabel(label(first), fontsize=TICK)
    ax.set_ylabel(label(second), fontsize=TICK)
    legend = ax.legend(fontsize=SMALL, loc="lower left", frameon=False)
    for handle in legend.legend_handles:
        handle.set_sizes([26])


def _title(solver: Any, values: Tensor, p: Tensor, front: Tensor) -> str:
    nearest = (values.unsqueeze(1) - front).abs().amax(-1).min(1)
    on = nearest.values < 1e-9
    mass = torch.zeros(len(front), dtype=p.dtype).index_add(0, nearest.indices, torch.where(on, p, 0))
    visited = int((mass > 0.1 / len(front)).sum())
    name = "OP-GFN"
    if isinstance(solver, MOGFN):
        name = f"MOGFN-PC, weighted sum, β = {solver.drawn[1].value:g}, {len(solver_preferences(solver))} preferences"
    return f"{name}\n{float(p[on].sum()):.0%} on the front, {visited} of {len(front)} points"


def solver_preferences(solver: MOGFN) -> range:
    """Return as many numbers as preferences are measured for two objectives."""
    return range((solver.partitions or 10) + 1)
