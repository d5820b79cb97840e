"""`check_indicator`: what every unary indicator keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.testing._require import require, require_close, require_equal

Indicator = Callable[..., Any]


def check_indicator(
    indicator: Indicator,
    *,
    arguments: Callable[[int], Mapping[str, Tensor]] = lambda _: {},
    n_objectives: tuple[int, ...] = (2, 3),
    empty: float | None = None,
    flips: bool = True,
    seed: int = 0,
) -> None:
    """Raise unless an indicator ``indicator(values, **arguments, maximize=…, mask=…)`` keeps the contract.

    Checked: NumPy in gives NumPy out and tensors give tensors of the same dtype; inputs are not changed; a batch equals
    a loop; a mask equals a slice; NaN rows are ignored; the order of points does not matter; maximizing negated values
    and arguments gives the same; float32 works; the empty front has the stated value.

    Args:
        indicator: The function.
        arguments: Further keyword arguments for m objectives, points and sets in min sense (reference point, true
            front, …); tensors whose last axis is m flip with the senses.
        n_objectives: Numbers of objectives to try.
        empty: Value of the empty front, checked where given.
        flips: Whether to check `maximize`.
        seed: Of the random fronts.

    Raises:
        AssertionError: Naming the broken rule.
    """
    name = getattr(indicator, "__name__", "indicator")
    for m in n_objectives:
        rng = Rng.from_seed(seed).child("check-indicator", m)
        values = rng.uniform(3, 12, m)
        given = dict(arguments(m))
        out = indicator(values, **given)
        require(isinstance(out, Tensor) and tuple(out.shape) == (3,), f"{name}: values [3, n, m] give a tensor [3]")
        require(out.dtype in (torch.float64, torch.int64), f"{name}: the dtype is kept (or counts are whole)")
        before = values.clone()
        indicator(values, **given)
        require_equal(values, before, f"{name}: inputs are not changed")
        looped = torch.stack([indicator(front, **given) for front in values])
        require_close(looped, out, f"{name}: a batch equals a loop")
        arrays = {k: v.numpy() if isinstance(v, Tensor) else v for k, v in given.items()}
        from_numpy = indicator(values.numpy(), **arrays)
        require(isinstance(from_numpy, (np.ndarray, np.generic)), f"{name}: NumPy in gives NumPy out")
        require_close(torch.as_tensor(from_numpy), out, f"{name}: NumPy and torch agree")
        _check_rows(indicator, name, values, given, out, rng)
        if flips:
            negated = {
                k: -v
                if isinstance(v, Tensor) and v.dtype.is_floating_point and v.shape[-1:] == (m,) and k != "weights"
                else v
                for k, v in given.items()
            }
            flipped = indicator(-values, **negated, maximize=True)
            require_close(flipped, out, f"{name}: maximizing negated values gives the same")
        single = indicator(values.to(torch.float32), **given)
        require(single.dtype in (torch.float32, torch.int64), f"{name}: float32 in gives float32 out")
        require_close(single.to(torch.float64), out.to(torch.float64), f"{name}: float32 agrees", tolerance=1e-3)
        if empty is not None:
            none = indicator(values[0, :0], **given)
            require_close(none, torch.tensor(empty, dtype=none.dtype), f"{name}: the empty front has {empty}")


def _check_rows(indicator: Indicator, name: str, values: Tensor, given: dict[str, Any], out: Tensor, rng: Rng) -> None:
    order = rng.child("order").permutation(values.shape[1])
    require_close(indicator(values[:, order], **given), out, f"{name}: the order of points does not matter")
    mask = torch.arange(values.shape[1]) < torch.tensor([[12], [5], [1]])
    masked = indicator(values, **given, mask=mask)
    sliced = torch.stack([indicator(v[keep], **given) for v, keep in zip(values, mask, strict=True)])
    require_close(masked, sliced, f"{name}: a mask equals a slice")
    holes = torch.where(mask.unsqueeze(-1), values, torch.nan)
    require_close(indicator(holes, **given), sliced, f"{name}: NaN rows (failed candidates) are ignored")
