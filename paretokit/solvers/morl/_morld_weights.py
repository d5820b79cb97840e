"""Weights of MORL/D: where they begin, who is whose neighbor, and how they adapt."""

from __future__ import annotations

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.indicators import dirichlet_weights, riesz_energy_points, simplex_lattice

FAR = (
    0.01  # squared distance, in units of the range of archived returns, beyond which an archive point counts as another
)


def first_weights(kind: str, *, m: int, n: int, rng: Rng) -> Tensor:
    """Return n weights `[n, m]` on the simplex, float64.

    Args:
        kind: "uniform" (the smallest lattice of at least n points, thinned from its corners on so that the next point
            is the one farthest from all before it), "riesz" (least energy), or "random" (Dirichlet).
        m: Number of objectives.
        n: Number of weights.
        rng: Source of randomness.
    """
    if kind == "random":
        return dirichlet_weights(m, n, rng)
    if kind == "riesz":
        return riesz_energy_points(m, n, rng)
    if n == 1:
        return torch.full((1, m), 1 / m, dtype=torch.float64)
    partitions = 1
    while len(points := simplex_lattice(m, partitions)) < n:
        partitions += 1
    return points[_spread(points, n)]


def _spread(points: Tensor, n: int) -> Tensor:
    """Return the rows, in order, of n points each of which is the farthest from those before it."""
    if len(points) == n:
        return torch.arange(n)
    chosen = [int(points[:, 0].argmax())]
    gap = (points - points[chosen[0]]).square().sum(1)
    while len(chosen) < n:
        chosen.append(int(gap.argmax()))
        gap = torch.minimum(gap, (points - points[chosen[-1]]).square().sum(1))
    return torch.tensor(sorted(chosen))


def neighbors(weights: Tensor, size: int) -> Tensor:
    """Return each member's nearest others `[P, size]` by squared distance of weights; all others where fewer."""
    squared = (weights.unsqueeze(1) - weights.unsqueeze(0)).square().sum(-1).fill_diagonal_(torch.inf)
    return torch.argsort(squared, dim=1, stable=True)[:, : min(size, len(weights) - 1)]


def adapted(weights: Tensor, returns: Tensor, others: Tensor, *, span: Tensor, delta: float) -> Tensor:
    r"""Pareto simulated annealing: reinforce the objectives in which a policy leads its nearest non-dominated other.

    .. math:: w_j \leftarrow w_j (1 + \delta) \;(R_j \ge c_j), \quad w_j / (1 + \delta) \;(R_j < c_j)

    then scaled to sum 1, where c is the nearest archived return with squared distance above 0.01. Without one, or
    without a finite return, weights stay.

    Deviation: distances are taken in units of the range of archived returns (0.01 is a tenth of it, squared); the
    authors' code compares raw returns, where the threshold depends on units.

    Args:
        weights: `[P, m]`.
        returns: Latest, one row a member `[P, m]`.
        others: Archived returns `[n, m]`.
        span: Range of archived returns `[m]`, positive.
        delta: Step.

    Czyzak and Jaszkiewicz (1998), Journal of Multi-Criteria Decision Analysis 7; Felten et al. (2024), JAIR.
    """
    if not len(others):
        return weights
    mine, theirs = returns.to(torch.float64), others.to(torch.float64)
    squared = ((mine.unsqueeze(1) - theirs.unsqueeze(0)) / span).square().sum(-1)
    squared = torch.where(squared > FAR, squared, torch.inf)
    nearest = theirs[squared.argmin(1)]
    moved = torch.where(mine >= nearest, weights * (1 + delta), weights / (1 + delta))
    moved = moved / moved.sum(1, keepdim=True)
    lone = ~torch.isfinite(squared.amin(1, keepdim=True)) | ~torch.isfinite(mine).all(1, keepdim=True)
    return torch.where(lone, weights, moved)
