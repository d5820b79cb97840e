"""Sets of weights on the simplex: lattices without rounding losses, Riesz points, Dirichlet draws."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.core._rng import Rng

MAX_POINTS = 10_000_000


def lattice_size(m: int, partitions: int) -> int:
    """Return the number of points of `simplex_lattice(m, partitions)`."""
    return math.comb(partitions + m - 1, m - 1)


def _compositions(m: int, total: int) -> Tensor:
    """Return all ways to write `total` as an ordered sum of m whole numbers, int64, in lexicographic order."""
    rows = torch.zeros((1, 0), dtype=torch.int64)
    left = torch.tensor([total])
    for _ in range(m - 1):
        choices = left + 1
        parent = torch.repeat_interleave(torch.arange(len(left)), choices)
        begin = choices.cumsum(0) - choices
        entry = torch.arange(len(parent)) - begin[parent]
        rows = torch.cat([rows[parent], entry.unsqueeze(1)], 1)
        left = left[parent] - entry
    return torch.cat([rows, left.unsqueeze(1)], 1)


def simplex_lattice(m: int, partitions: int) -> Tensor:
    r"""All weights whose entries are multiples of 1/H, in lexicographic order.

    .. math:: \{ w = k / H : k \in \mathbb{N}_0^m, \ \textstyle\sum_i k_i = H \}

    Counted in whole numbers, so that no weight is lost to a test of ``sum == 1`` in floating point.

    Args:
        m: Number of objectives.
        partitions: H, at least 1.

    Returns:
        float64 `[w, m]` with :math:`w = \binom{H + m - 1}{m - 1}`.

    Raises:
        InputError: If an argument is below 1, or the lattice would hold more than 1e7 points.

    Source: Das and Dennis (1998), SIAM Journal on Optimization.

    >>> simplex_lattice(2, 2)
    tensor([[0.0000, 1.0000],
            [0.5000, 0.5000],
            [1.0000, 0.0000]], dtype=torch.float64)
    """
    check.at_least(1, m=m, partitions=partitions)
    size = lattice_size(m, partitions)
    check.that(size <= MAX_POINTS, "partitions", f"give at most {MAX_POINTS} points", f"{size} points")
    return _compositions(m, partitions).to(torch.float64) / partitions


def two_layer_lattice(m: int, outer: int, inner: int, *, shrink: float = 0.5) -> Tensor:
    r"""A boundary lattice and a second one shrunk towards the center, for many objectives.

    .. math:: W = L(H_1) \cup \{ \tau w + (1 - \tau) / m : w \in L(H_2) \}

    Args:
        m: Number of objectives.
        outer: Partitions :math:`H_1` of the outer layer.
        inner: Partitions :math:`H_2` of the inner layer.
        shrink: :math:`\tau`, strictly between 0 and 1.

    Returns:
        float64 `[w, m]`, the outer layer first.

    Raises:
        InputError: If an argument is out of range.

    Source: Deb and Jain (2014), TEVC (NSGA-III).
    """
    check.that(0 < shrink < 1, "shrink", "lie strictly between 0 and 1", repr(shrink))
    return torch.cat([simplex_lattice(m, outer), shrink * simplex_lattice(m, inner) + (1 - shrink) / m])


def cmorl_weights(m: int, step: float) -> Tensor:
    """Simplex grid that keeps only weights whose floating-point sum is exactly 1, as published MORL codes use it.

    Weights are lost to rounding: 62 of 66 are left for m = 3 and step 0.1. Use it to reproduce figures and
    `simplex_lattice` for anything else.

    Args:
        m: Number of objectives.
        step: Distance of grid values along an axis, in (0, 1].

    Returns:
        float64 `[w, m]` in lexicographic order.

    Raises:
        InputError: If an argument is out of range.

    Source: the evaluation grid of C-MORL (Liu et al. 2025, ICLR).
    """
    check.at_least(1, m=m)
    check.that(0 < step <= 1, "step", "lie in (0, 1]", repr(step))
    # the multiples of the step up to 1 + step, both ends as the published loops count them
    axis = [i * step for i in range(math.ceil((1 + step) / step))]
    check.that(len(axis) ** m <= MAX_POINTS, "step", f"give at most {MAX_POINTS} grid points", f"{len(axis)}^{m}")
    rows = [w for w in itertools.product(axis, repeat=m) if sum(w) == 1]
    return torch.tensor(rows, dtype=torch.float64).reshape(-1, m)


def dirichlet_weights(m: int, n: int, rng: Rng, *, alpha: float | Sequence[float] = 1.0) -> Tensor:
    r"""Random weights from a Dirichlet distribution; uniform on the simplex for `alpha` 1.

    Args:
        m: Number of objectives.
        n: Number of weights.
        rng: Source of randomness.
        alpha: Concentration, positive: one number, or one an objective.

    Returns:
        float64 `[n, m]`.

    Raises:
        InputError: If an argument is out of range.
    """
    check.at_least(1, m=m)
    check.at_least(0, n=n)
    each = [float(alpha)] * m if isinstance(alpha, int | float) else [float(a) for a in alpha]
    check.shape(len(each) == m, "alpha", f"be a number or have {m} entries", len(each))
    check.that(all(a > 0 and math.isfinite(a) for a in each), "alpha", "be positive and finite", alpha)
    return torch.from_numpy(rng.numpy().dirichlet(each, size=n))


def riesz_energy_points(m: int, n: int, rng: Rng, *, iterations: int = 600) -> Tensor:
    r"""Any number of well-spaced weights: points on the simplex that repel each other.

    .. math:: \min_W \sum_{i \ne j} \lVert w_i - w_j \rVert_2^{-s}, \qquad s = m^2

    Projected gradient descent from a Dirichlet draw; the corners are held in place where n >= m; one point is the
    center.

    Args:
        m: Number of objectives.
        n: Number of points.
        rng: Source of randomness of the first points.
        iterations: Steps of descent.

    Returns:
        float64 `[n, m]` in lexicographic order, rows on the simplex.

    Raises:
        InputError: If an argument is out of range.

    Cost: O(iterations n^2 m) time, O(n^2 m) memory.

    Source: Hardin and Saff (2005), Advances in Mathematics; on the simplex: Blank, Deb, Dhebar, Bandaru and Seada
    (2021), TEVC. Deviations: a fixed number of shrinking steps instead of Adam with a stopping rule.
    """
    check.at_least(1, m=m, n=n, iterations=iterations)
    if m == 1 or n == 1:
        return torch.full((n, m), 1 / m, dtype=torch.float64)
    points = dirichlet_weights(m, n, rng)
    fixed = m if n >= m else 0
    if fixed:
        points[:m] = torch.eye(m, dtype=torch.float64)
    best, least = points.clone(), math.inf
    scale = n ** (-1 / (m - 1)) / 2  # about the distance of neighbors
    for step in range(iterations):
        difference = points.unsqueeze(1) - points.unsqueeze(0)
        square = difference.square().sum(-1).clamp_min(1e-24).fill_diagonal_(math.inf)
        log = -0.5 * m * m * square.log()
        top = log.amax()
        energy = float(top + (log - top).exp().sum().log())
        if energy < least:
            best, least = points.clone(), energy
        # forces of one row relative to its own largest one, so that far and near points move at one pace
        weight = (log - log.amax(1, keepdim=True)).exp() / square
        force = (weight.unsqueeze(-1) * difference).sum(1)
        force -= force.mean(1, keepdim=True)
        force /= force.norm(dim=1, keepdim=True).clamp_min(1e-300)
        force[:fixed] = 0
        points = _to_simplex(points + scale * (1 - step / iterations) ** 2 * 0.5 * force)
    order = sorted(range(n), key=lambda i: best[i].tolist())
    return best[order]


def _to_simplex(points: Tensor) -> Tensor:
    """Return the nearest points of the simplex, `[n, m]` (sorting algorithm, Held, Wolfe and Crowder 1974)."""
    m = points.shape[1]
    ordered = points.sort(1, descending=True).values
    excess = ordered.cumsum(1) - 1
    count = torch.arange(1, m + 1, dtype=points.dtype)
    active = (ordered - excess / count > 0).sum(1, keepdim=True)
    return (points - excess.gather(1, active - 1) / active).clamp_min(0)
