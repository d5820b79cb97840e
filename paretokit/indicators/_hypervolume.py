"""Hypervolume of one front or a batch of fronts, exact."""

from __future__ import annotations

import math
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretokit.core import _check as check
from paretokit.indicators import _hypervolume_exact as exact
from paretokit.indicators import _hypervolume_tensor as tensor
from paretokit.indicators._io import Array, Points, Senses, as_array, as_tensor, flip, read, read_mask, senses

_GRID_ROWS = 256  # above, the facets are the cheaper gradient of three objectives on a CPU


@overload
def hypervolume(
    values: Tensor, reference_point: Array, *, maximize: Senses = False, mask: Array | None = None
) -> Tensor: ...


@overload
def hypervolume(
    values: NDArray[Any] | list[Any] | tuple[Any, ...],
    reference_point: Array,
    *,
    maximize: Senses = False,
    mask: Array | None = None,
) -> NDArray[np.float64]: ...


def hypervolume(values: Array, reference_point: Array, *, maximize: Senses = False, mask: Array | None = None) -> Any:
    r"""The volume that a front dominates, up to a reference point; larger is better.

    .. math:: HV(A) = \lambda\Big(\bigcup_{a \in A} [a, r]\Big) \quad\text{(all objectives as minimization)}

    with :math:`\lambda` the Lebesgue measure and r the reference point. Defined on every input: an empty front gives 0;
    points that do not lie strictly below r in every objective count nothing (+inf among them), nor do duplicates and
    dominated points add anything; a point inside the box with -inf in an objective gives inf; rows with NaN are
    evaluations that failed, and are ignored.

    Args:
        values: Fronts `[*batch, n, m]` in the caller's senses: a NumPy array or sequences (the result is NumPy,
            float64), or a tensor (the result is a tensor of its device and floating dtype; float64 for integers).
            Gradients flow through tensors: by autograd for m ≤ 3, through exclusive facets beyond.
        reference_point: `[m]`, finite, in the same senses, worse than the points that shall count.
        maximize: Whether objectives are maximized: one bool, or one an objective.
        mask: `[*batch, n]`, True where a row counts, for fronts of unequal size.

    Returns:
        `[*batch]`, in the product of the objectives' units.

    Raises:
        InputError: If shapes do not fit, or the reference point is not finite.

    Cost:
        m = 2: O(n log n). m = 3: O(n log n), batches O(n^2) at worst. m = 4: O(n^2). m = 5: O(n^3). m ≥ 6: divide and
        conquer over all threads, exponential in m at worst. On CUDA m ≤ 3 stays on the device (m = 3: O(n^2) work,
        blocks of bounded memory); more objectives go through the host.

    References:
        Zitzler and Thiele (1998), PPSN V. Guerreiro, Fonseca and Paquete (2021), ACM Computing Surveys 54(6). For
        m = 3 … 5 moocore (Guerreiro and Fonseca, 2018, IEEE TEVC) does a single front; for m ≥ 6 QHV-II of Jaszkiewicz
        (2018), Computers & Operations Research, or pygmo where little work is not worth waiting for a compiler.

    >>> float(hypervolume([[1.0, 3.0], [2.0, 1.0]], [4.0, 4.0]))
    7.0
    """
    if isinstance(values, Tensor):
        points = fronts(values, reference_point, maximize=maximize, mask=mask)
        return points.give(of_points(points, reference_point))
    A = as_array(values)
    if A.shape == (0,):
        A = A.reshape(0, np.size(corner_like(reference_point)))
    if A.ndim < 2 or A.shape[-1] == 0:
        read(A)  # raises
    if A.ndim == 2 and mask is None:
        return _single(A, reference_point, maximize)
    return _batch(A, reference_point, maximize, mask)


def _single(A: NDArray[np.float64], reference_point: Array, maximize: Senses) -> np.float64:
    """Return the hypervolume of one NumPy front with little overhead."""
    m = A.shape[1]
    ref = corner(reference_point, m)
    if maximize is not False:
        sign = np.where(senses(maximize, m), -1.0, 1.0)
        A, ref = A * sign, ref * sign
    if not math.isfinite(A.sum()):
        A = A[(ref > A).all(1)]
        if np.isneginf(A).any():
            return np.float64(math.inf)
    return np.float64(exact.exact(A, ref))


def _batch(A: NDArray[np.float64], reference_point: Array, maximize: Senses, mask: Array | None) -> Any:
    """Return the hypervolumes of a NumPy batch without a detour through torch."""
    batch, (n, m) = A.shape[:-2], A.shape[-2:]
    ref = corner(reference_point, m)
    if maximize is not False:
        sign = np.where(senses(maximize, m), -1.0, 1.0)
        A, ref = A * sign, ref * sign
    if mask is not None:
        A = np.where(read_mask(mask, as_tensor(A)).numpy()[..., None], A, math.inf)
    A = A.reshape(math.prod(batch), n, m)
    endless = None
    if not math.isfinite(A.sum()):
        inside = np.asarray((ref > A).all(-1))
        bottomless = np.asarray(inside & np.isneginf(A).any(-1))
        A = np.where((inside & ~bottomless)[..., None], A, math.inf)
        endless = bottomless.any(-1)
    volumes = exact.exact_batch(A, ref)
    if endless is not None:
        volumes[endless] = math.inf
    return volumes.reshape(batch)[()]


def corner(reference_point: Array, m: int) -> NDArray[np.float64]:
    """Return the reference point `[m]` as NumPy in the caller's senses, or raise one line."""
    ref = corner_like(reference_point)
    if ref.shape != (m,) or not np.isfinite(ref).all():
        point = check.point("reference_point", torch.from_numpy(ref.copy()), m)
        check.that(bool(torch.isfinite(point).all()), "reference_point", "be finite", point.tolist())
    return ref


def fronts(values: Array, reference_point: Array, *, maximize: Senses, mask: Array | None) -> Points:
    """Read fronts; an empty sequence, which does not tell m, takes it from the reference point."""
    m = None
    if not isinstance(values, Tensor) and np.shape(values) == (0,):
        m = int(np.size(corner_like(reference_point)))
    return read(values, maximize=maximize, mask=mask, m=m)


def corner_like(reference_point: Array) -> NDArray[np.float64]:
    """Return the reference point as NumPy, unchecked."""
    if isinstance(reference_point, Tensor):
        return reference_point.detach().double().cpu().numpy()
    return as_array(reference_point, "reference_point")


def of_points(points: Points, reference_point: Array) -> Tensor:
    """Return the hypervolumes `[*batch]` of fronts that were read."""
    caller = torch.as_tensor(corner(reference_point, points.m).copy())
    ref = flip(caller, points.senses).to(device=points.values.device, dtype=points.values.dtype)
    batch, n = points.values.shape[:-2], points.values.shape[-2]
    values = points.values.reshape(math.prod(batch), n, points.m)
    endless = torch.isneginf(values).any(-1) & (values < ref).all(-1)
    values = values.masked_fill(endless.unsqueeze(-1), math.inf)
    if values.device.type != "cpu" and points.m <= 3:
        volumes = tensor.volumes(values, ref)
    elif not values.requires_grad:
        volumes = tensor.numeric(values, ref)
    elif points.m <= 2 or (points.m == 3 and n <= _GRID_ROWS):
        volumes = tensor.volumes(values, ref)
    else:
        volumes = tensor.Facets.apply(values, ref)  # type: ignore[no-untyped-call]
    return torch.where(endless.any(-1), math.inf, volumes).reshape(batch)
