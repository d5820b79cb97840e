"""The kits' one way to say no."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor


def require(condition: object, rule: str) -> None:
    """Raise `AssertionError` with the rule unless the condition holds."""
    if not condition:
        raise AssertionError(rule)


def require_equal(a: Tensor, b: Tensor, rule: str) -> None:
    """Require bit equality of two tensors, NaN being equal to NaN."""
    same = a.shape == b.shape and a.dtype == b.dtype and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))
    require(same and torch.equal(torch.isnan(a), torch.isnan(b)), rule)


def require_close(a: Tensor, b: Tensor, rule: str, *, tolerance: float = 1e-9) -> None:
    """Require equality up to a relative and absolute tolerance, NaN being equal to NaN."""
    require(a.shape == b.shape, f"{rule}: shapes {tuple(a.shape)} and {tuple(b.shape)}")
    close = torch.isclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
    where = (~close).nonzero()
    first = where[0].tolist() if len(where) else None
    require(first is None, f"{rule}: first difference at {first}" if first else rule)


@contextlib.contextmanager
def refused(error: type[Exception], rule: str) -> Iterator[None]:
    """Require that the block raises `error` with a message of one line."""
    try:
        yield
    except error as raised:
        require("\n" not in str(raised), f"{rule}: the message has several lines")
        return
    raise AssertionError(rule)
