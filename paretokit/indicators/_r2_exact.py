"""The exact R2 indicator, for every number of objectives."""

from __future__ import annotations

import functools
import itertools
import math
import time
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretokit.indicators._hypervolume import fronts
from paretokit.indicators._hypervolume_exact import SizedKernels
from paretokit.indicators._io import Array, Senses

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

_BOX_SECONDS = 4e-5  # of the plain path, a box


@functools.cache
def _kernels(m: int) -> SizedKernels:
    return SizedKernels("_r2_exact_kernels", m, 5.0)


@overload
def r2_exact(
    values: Tensor, utopian_point: Array, *, maximize: Senses = False, mask: Array | None = None
) -> Tensor: ...


@overload
def r2_exact(
    values: NDArray[Any] | list[Any] | tuple[Any, ...],
    utopian_point: Array,
    *,
    maximize: Senses = False,
    mask: Array | None = None,
) -> NDArray[np.float64]: ...


def r2_exact(values: Array, utopian_point: Array, *, maximize: Senses = False, mask: Array | None = None) -> Any:
    r"""The expected Tchebycheff cost of a front over all preferences, in closed form; smaller is better.

    .. math:: R2(A) = E_w \min_{a \in A} \max_i w_i (a_i - z_i)^+ \quad\text{(all objectives as minimization)}

    with w uniform on the simplex and z the utopian point. In coordinates :math:`u = 1 / (a - z)` it is the integral of
    :math:`(m-1)! / (\sum_i u_i)^{m+1}` over what the boxes [0, u(a)] leave uncovered. Every box of a partition of that
    region has the closed integral :math:`\frac1{m!} \sum_v \pm 1 / \sum_i v_i` over its finite vertices v, signed by
    the number of upper coordinates.

    An empty front gives inf; a front that reaches the utopian point (or goes beyond it in every objective) gives 0; an
    objective in which a point is beyond the utopian point costs it nothing; rows with NaN or a worst infinity count
    nothing. Dominated points and duplicates change nothing. Results carry no gradient.

    Args:
        values: Fronts `[*batch, n, m]` in the caller's senses, NumPy or tensor; the result comes back the same way.
        utopian_point: `[m]`, finite, in the same senses; should be better than every point in every objective.
        maximize: Whether objectives are maximized: one bool, or one an objective.
        mask: `[*batch, n]`, True where a row counts.

    Returns:
        `[*batch]`, in the (common) unit of the objectives.

    Raises:
        InputError: If shapes do not fit, or the utopian point is not finite.

    Cost:
        m = 2: O(n log n). m ≥ 3: one term for each vertex of each box; for m = 3 about 2 n boxes.

    References:
        Hansen and Jaszkiewicz (1998), IMM-REP-1998-7 (the indicator). Schäpermeier and Kerschke (2025), Evolutionary
        Computation (m = 2). Emmerich (2026), arXiv 2606.30530 (the identity with the hypervolume's boxes).

    >>> round(float(r2_exact([[5.0, 5.0], [4.0, 6.0], [2.0, 7.0], [7.0, 4.0]], [0.0, 0.0])), 6)
    2.594192
    """
    points = fronts(values, utopian_point, maximize=maximize, mask=mask)
    utopian = points.point("utopian_point", utopian_point).double().cpu().numpy()
    batch, (n, m) = points.values.shape[:-2], points.values.shape[-2:]
    every = points.values.detach().double().cpu().numpy().reshape(math.prod(batch), n, m)
    found = [_one(front, utopian) for front in every]
    result = torch.tensor(found, dtype=torch.float64, device=points.values.device)
    return points.give(result.reshape(batch))


def _one(A: Matrix, utopian: Vector) -> float:
    """Return the indicator of one front in minimization sense; rows with +inf count nothing."""
    A = A[(math.inf > A).all(1)]
    cost = np.maximum(A - utopian, 0.0)
    if len(cost) == 0:
        return math.inf
    if (cost == 0).all(1).any():
        return 0.0
    n, m = cost.shape
    if m == 1:
        return float(cost.min())
    with np.errstate(divide="ignore", over="ignore"):
        U = 1.0 / cost
    if m == 2:
        return _two(U)
    kernels = _kernels(m)
    if kernels.worth(_BOX_SECONDS * float(n) ** ((m + 1) // 2)):
        return float(kernels.load().uncovered(U, (0.0,) * m) / m)
    begin = time.perf_counter()
    total = plain(np.zeros(m), np.full(m, math.inf), U)
    kernels._spent += time.perf_counter() - begin
    return float(total / m)


def _two(U: Matrix) -> float:
    """Return the indicator for m = 2 by the strips between neighbors, sorted by the first coordinate."""
    U = U[np.lexsort((U[:, 1], U[:, 0]))][::-1]
    x, y = U.T
    best = np.maximum.accumulate(y)
    keep = y > np.concatenate([[0.0], best[:-1]])
    x, y = x[keep], y[keep]  # x falls, y rises
    left = np.concatenate([x[1:], [0.0]])  # the strip left < u_1 ≤ x is free above y; beyond x[0] everything is
    with np.errstate(divide="ignore"):
        strips = 1.0 / (left + y) - 1.0 / (x + y)
        return float(strips.sum() + 1.0 / x[0]) / 2


def plain(low: Vector, high: Vector, U: Matrix) -> float:
    """Return the alternating vertex sum over what rows U leave of a box: the slow twin of the compiled kernel."""
    U = np.minimum(U, high)
    U = U[(low < U).all(1)]
    if len(U) == 0:
        return _vertices(low, high)
    pivot = U[np.prod(U - low, 1).argmax()]
    total = 0.0
    for i in range(len(low)):
        if pivot[i] < high[i]:
            below, above = low.copy(), high.copy()
            below[i] = pivot[i]
            above[:i] = pivot[:i]
            total += plain(below, above, U[U[:, i] > pivot[i]])
    return total


def _vertices(low: Vector, high: Vector) -> float:
    total = 0.0
    for upper in itertools.product((False, True), repeat=len(low)):
        side = float(np.where(upper, high, low).sum())
        total += (-1.0) ** sum(upper) / side
    return total
