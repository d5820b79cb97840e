"""What one point adds to the hypervolume: contributions of a front's points, improvements by candidates."""

from __future__ import annotations

import math
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretokit.core import _check as check
from paretokit.indicators import _hypervolume_exact as exact
from paretokit.indicators._hypervolume import corner, fronts
from paretokit.indicators._io import Array, Points, Senses, as_array, flip, senses

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]


@overload
def hypervolume_contributions(
    values: Tensor, reference_point: Array, *, maximize: Senses = False, mask: Array | None = None
) -> Tensor: ...


@overload
def hypervolume_contributions(
    values: NDArray[Any] | list[Any] | tuple[Any, ...],
    reference_point: Array,
    *,
    maximize: Senses = False,
    mask: Array | None = None,
) -> NDArray[np.float64]: ...


def hypervolume_contributions(
    values: Array, reference_point: Array, *, maximize: Senses = False, mask: Array | None = None
) -> Any:
    r"""The volume that each point of a front dominates alone; the least contributor is the one to drop.

    .. math:: C(a) = HV(A) - HV(A \setminus \{a\}), \quad A \text{ the non-dominated points}

    It is summed from positive boxes between a and its neighbors, never taken as a difference of two volumes of the
    whole front, so small contributions keep their digits however far the reference point is. Dominated points,
    duplicates (all copies), points outside the box of the reference point and rows with NaN contribute 0; a
    non-dominated point with -inf contributes inf. Results carry no gradient.

    Args:
        values: Fronts `[*batch, n, m]` in the caller's senses, NumPy or tensor; the result comes back the same way.
        reference_point: `[m]`, finite, in the same senses.
        maximize: Whether objectives are maximized: one bool, or one an objective.
        mask: `[*batch, n]`, True where a row counts.

    Returns:
        `[*batch, n]`; 0 where a row does not count.

    Raises:
        InputError: If shapes do not fit, or the reference point is not finite.

    Cost:
        m = 2 and 3: O(n log n). Beyond: O(n m) a point to find its neighbors, then divide and conquer among these few.

    References:
        Emmerich and Fonseca (2011), EMO (m = 3). For m = 3 moocore (HVC3D of Guerreiro and Fonseca, 2018, IEEE TEVC);
        beyond, the complement of QHV-II (Jaszkiewicz, 2018, Computers & Operations Research) in the exclusive box.

    >>> hypervolume_contributions([[1.0, 3.0], [2.0, 1.0]], [4.0, 4.0]).tolist()
    [1.0, 4.0]
    """
    if isinstance(values, np.ndarray) and values.ndim == 2 and mask is None and values.shape[1] > 0:
        A, ref = as_array(values), corner(reference_point, values.shape[1])
        if maximize is not False:
            sign = np.where(senses(maximize, A.shape[1]), -1.0, 1.0)
            A, ref = A * sign, ref * sign
        return shares(A, ref)
    points = fronts(values, reference_point, maximize=maximize, mask=mask)
    ref = _corner(points, reference_point)
    found = [shares(front, ref) for front in _fronts(points.values)]
    return _give(points, found, points.values.shape[:-1])


@overload
def hypervolume_improvement(
    candidates: Tensor, values: Array, reference_point: Array, *, maximize: Senses = False, mask: Array | None = None
) -> Tensor: ...


@overload
def hypervolume_improvement(
    candidates: NDArray[Any] | list[Any] | tuple[Any, ...],
    values: Array,
    reference_point: Array,
    *,
    maximize: Senses = False,
    mask: Array | None = None,
) -> NDArray[np.float64]: ...


def hypervolume_improvement(
    candidates: Array, values: Array, reference_point: Array, *, maximize: Senses = False, mask: Array | None = None
) -> Any:
    r"""The volume that each candidate, alone, would add to a front.

    .. math:: I(c) = HV(A \cup \{c\}) - HV(A)

    Summed locally, as `hypervolume_contributions`. Candidates that a point of the front weakly dominates, that do not
    lie strictly below the reference point or that hold NaN add 0; one with -inf that is not dominated adds inf.

    Args:
        candidates: `[*batch, k, m]`, or `[k, m]` for all fronts; NumPy or tensor, the result comes back the same way.
        values: Fronts `[*batch, n, m]`, in the same senses.
        reference_point: `[m]`, finite, in the same senses.
        maximize: Whether objectives are maximized: one bool, or one an objective.
        mask: `[*batch, n]`, True where a row of `values` counts.

    Returns:
        `[*batch, k]`.

    Raises:
        InputError: If shapes do not fit, or the reference point is not finite.

    Cost:
        O(n m) a candidate to find its neighbors, then divide and conquer among these few.

    References:
        Emmerich (2005), PhD thesis, TU Dortmund.

    >>> hypervolume_improvement([[0.0, 0.0], [3.0, 3.0]], [[1.0, 3.0], [2.0, 1.0]], [4.0, 4.0]).tolist()
    [9.0, 0.0]
    """
    new = fronts(candidates, reference_point, maximize=maximize, mask=None)
    points = new.like("values", values if np.shape(values) != (0,) else np.empty((0, new.m)), mask=mask)
    ref = _corner(new, reference_point)
    old, many = points.values, new.values
    batch = old.shape[:-2]
    if many.ndim == 2:
        many = many.expand(*batch, *many.shape)
    check.shape(
        many.shape[:-2] == batch,
        "candidates",
        f"have shape [k, m] or the batch of `values`, {tuple(batch)}",
        tuple(new.values.shape),
    )
    found = [gains(c, a, ref) for c, a in zip(_fronts(many), _fronts(old), strict=True)]
    return _give(new, found, many.shape[:-1])


def _corner(points: Points, reference_point: Array) -> Vector:
    ref = torch.from_numpy(corner(reference_point, points.m).copy())
    out: Vector = flip(ref, points.senses).numpy()
    return out


def _fronts(values: Tensor) -> Matrix:
    out: Matrix = values.detach().double().cpu().numpy()
    return out.reshape(math.prod(out.shape[:-2]), *out.shape[-2:])


def _give(points: Points, found: list[Vector], shape: torch.Size) -> Any:
    stacked = np.stack(found) if found else np.empty(0)
    return points.give(torch.from_numpy(stacked).reshape(shape).to(points.values.device))


def shares(A: Matrix, ref: Vector) -> Vector:
    """Return the contributions of rows in minimization sense; rows outside the box, or with NaN, have none."""
    n, m = A.shape
    if n == 0:
        return np.zeros(0)
    if not (ref > A.max(0)).all():  # NaN included; a maximum over rows is quick
        inside, out = (ref > A).all(1), np.zeros(n)
        out[inside] = shares(A[inside], ref)
        return out
    if m == 1:
        return _one(A[:, 0], float(ref[0]))
    finite = math.isfinite(A.sum()) or bool(np.isfinite(A).all())
    if m == 2:
        return _two(A, ref)
    if m == 3 and finite:
        import moocore

        out = np.asarray(moocore.hv_contributions(A, ref=ref), dtype=np.float64)
        return np.maximum(out, 0.0)
    return exact.exclusive(A, A, ref, among=True)


def gains(C: Matrix, A: Matrix, ref: Vector) -> Vector:
    """Return what rows of C add to A, in minimization sense."""
    inside, out = (ref > C).all(1), np.zeros(len(C))
    A = A[(ref > A).all(1)]
    if C.shape[1] == 1:
        best = min(float(A.min()) if len(A) else math.inf, float(ref[0]))
        better = C[:, 0] < best
        out[better] = best - C[better, 0]
    else:
        out[inside] = exact.exclusive(C[inside], A, ref, among=False)
    return out


def _one(a: Vector, ref: float) -> Vector:
    out = np.zeros(len(a))
    best = a == a.min()
    if best.sum() == 1:
        out[best] = ref - a[best]
    return out


def _two(A: Matrix, ref: Vector) -> Vector:
    """Return the contributions for m = 2: the rectangles between neighbors of the sorted staircase."""
    order = np.lexsort((A[:, 1], A[:, 0]))
    x, y = A[order, 0], A[order, 1]
    before = np.concatenate([[math.inf], np.minimum.accumulate(y)[:-1]])
    stairs = np.flatnonzero(y < before)
    copies = np.zeros(len(x), dtype=bool)
    copies[:-1] = (x[1:] == x[:-1]) & (y[1:] == y[:-1])
    sx, sy = x[stairs], y[stairs]
    width = np.append(sx[1:], ref[0]) - sx
    height = np.append(ref[1], sy[:-1]) - sy
    out = np.zeros(len(x))
    out[order[stairs]] = np.where(copies[stairs], 0.0, width * height)
    return out
