"""Reading of fronts: senses, masks, NaN, and the round trip through NumPy and torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretokit.core import _check as check
from paretokit.core._errors import InputError

Array = NDArray[Any] | Tensor | Sequence[Any]
"""What a user may hand in: a NumPy array, a tensor, or nested sequences of numbers."""

Senses = bool | Sequence[bool] | NDArray[np.bool_] | Tensor
"""`maximize`: one bool for all objectives, or one an objective."""


@dataclass(frozen=True)
class Return:
    """How results go back: as NumPy or as a tensor of the caller's floating dtype and device."""

    numpy: bool
    dtype: torch.dtype = torch.float64

    def __call__(self, result: Tensor) -> Any:
        """Return `result` the way the input came (a 0-d NumPy array becomes a NumPy scalar).

        Floating results take the caller's dtype; Boolean and integer ones stay what they are.
        """
        if self.numpy:
            return result.detach().cpu().numpy()[()]
        return result.to(self.dtype) if result.dtype.is_floating_point else result


@dataclass(frozen=True)
class Points:
    """Fronts in minimization sense.

    Attributes:
        values: `[*batch, n, m]`, float32 for half, bfloat16 and float32 tensors, else float64; rows that do not count
            are +inf in every coordinate.
        mask: `[*batch, n]`, the rows that count: not masked out by the caller, and free of NaN.
        senses: One bool an objective: whether the caller maximizes it.
        give: Turns a tensor result into what the caller expects.
    """

    values: Tensor
    mask: Tensor
    senses: tuple[bool, ...]
    give: Return

    @property
    def m(self) -> int:
        """Number of objectives."""
        return self.values.shape[-1]

    def point(self, name: str, value: Any, *, finite: bool = True, hint: str = "") -> Tensor:
        """Return a point or a vector of the caller's senses as a tensor `[m]` in minimization sense."""
        tensor = check.point(name, value, self.m, like=self.values, hint=hint)
        check.that(not finite or bool(torch.isfinite(tensor).all()), name, "be finite", tensor.tolist())
        return flip(tensor, self.senses)

    def like(self, name: str, value: Array, *, mask: Array | None = None) -> Points:
        """Return other points of the same objectives (a reference set, candidates), read in the same senses."""
        if not isinstance(value, Tensor):
            value = as_tensor(as_array(value, name))
        value = value.to(device=self.values.device, dtype=self.values.dtype)
        return read(value, maximize=self.senses, mask=mask, name=name, m=self.m)


def senses(maximize: Senses, m: int) -> tuple[bool, ...]:
    """Return `maximize` as one bool an objective, or raise one line."""
    if isinstance(maximize, bool | np.bool_):
        return (bool(maximize),) * m
    given = maximize.tolist() if isinstance(maximize, np.ndarray | Tensor) else maximize
    if isinstance(given, bool):
        return (given,) * m
    ok = isinstance(given, Sequence) and len(given) == m and all(isinstance(g, bool | np.bool_) for g in given)
    check.shape(ok, "maximize", f"be a bool or one bool for each of the {m} objectives", repr(maximize))
    return tuple(bool(g) for g in given)


def flip(tensor: Tensor, maximized: tuple[bool, ...]) -> Tensor:
    """Return `tensor [..., m]` with the maximized objectives negated (its own inverse)."""
    if not any(maximized):
        return tensor
    if all(maximized):
        return -tensor
    return tensor * torch.tensor([-1.0 if f else 1.0 for f in maximized], dtype=tensor.dtype, device=tensor.device)


def as_array(values: Array, name: str = "values") -> NDArray[np.float64]:
    """Return numbers that are not a tensor as a float64 array, or raise one line."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        rule = "be numbers of shape [*batch, n, m]"
        raise InputError(check.message(name, rule, type(values).__name__, str(error))) from error


def as_tensor(array: NDArray[Any]) -> Tensor:
    """Return a tensor of the array's numbers; a read-only array is copied (torch has no read-only tensors)."""
    array = np.ascontiguousarray(array)
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def tensor_of(values: Array, name: str = "values") -> Tensor:
    """Return a tensor as it is, and anything else as float64 (torch would read Python floats as float32)."""
    return values if isinstance(values, Tensor) else as_tensor(as_array(values, name))


def read(
    values: Array,
    *,
    maximize: Senses = False,
    mask: Array | None = None,
    name: str = "values",
    m: int | None = None,
) -> Points:
    """Return fronts in minimization sense with the rows that count.

    Rows with NaN are evaluations that failed: they are masked out. Infinite rows are kept, each indicator says what
    they mean to it.

    Args:
        values: `[*batch, n, m]`. An empty sequence is a front without points.
        maximize: A bool, or one an objective.
        mask: `[*batch, n]`, True where a row counts; None counts all.
        name: What messages call `values`.
        m: Number of objectives that is due, where it is known.
    """
    if isinstance(values, Tensor):
        tensor, give = (
            values,
            Return(numpy=False, dtype=values.dtype if values.dtype.is_floating_point else torch.float64),
        )
        check.that(not values.is_complex(), name, "be real", values.dtype)
        tensor = tensor.to(torch.float64 if give.dtype == torch.float64 else torch.float32)
    else:
        tensor, give = as_tensor(as_array(values, name)), Return(numpy=True)
        if tensor.ndim == 1 and tensor.shape[0] == 0 and m is not None:
            tensor = tensor.reshape(0, m)
    check.shape(
        tensor.ndim >= 2, name, "have shape [*batch, n, m]", tuple(tensor.shape), "one front is a matrix, a row a point"
    )
    width = tensor.shape[-1]
    check.shape(width >= 1, name, "have at least one objective", tuple(tensor.shape))
    check.shape(m is None or width == m, name, f"have {m} objectives in its last axis", width)
    maximized = senses(maximize, width)
    tensor = flip(tensor, maximized)
    keep = ~torch.isnan(tensor).any(-1)
    if mask is not None:
        keep = keep & read_mask(mask, tensor)
    tensor = torch.where(keep.unsqueeze(-1), tensor, math.inf)
    return Points(tensor, keep, maximized, give)


def read_mask(mask: Array, tensor: Tensor) -> Tensor:
    """Return a Boolean mask over the rows of `tensor [*batch, n, m]`, or raise one line."""
    given = (mask if isinstance(mask, Tensor) else as_tensor(np.asarray(mask))).to(tensor.device)
    check.that(given.dtype == torch.bool, "mask", "be Boolean, True where a row counts", given.dtype)
    check.shape(
        given.shape == tensor.shape[:-1],
        "mask",
        f"have the shape of the values without their last axis, {tuple(tensor.shape[:-1])}",
        tuple(given.shape),
    )
    return given
