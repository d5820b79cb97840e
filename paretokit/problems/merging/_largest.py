"""The k-th largest magnitude of numbers that are never in memory together."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from paretokit.core import _check as check

DIGITS = 16  # bits that one pass decides


def largest(pieces: Callable[[], Iterable[Tensor]], k: int) -> Tensor:
    """Return the k-th largest magnitude of all pieces together, exactly, as a scalar of their type.

    Magnitudes of IEEE numbers are ordered as their bits are read as integers, so each pass counts the next 16 bits of
    those that agree with what is known so far: two passes for float32, four for float64.

    Args:
        pieces: Gives the pieces anew each time: float32 or float64 tensors, free of NaN.
        k: Rank, from 1 to the number of entries.

    Cost: memory of one piece and 65536 counters.

    Raises:
        InputError: If k is not a rank.
    """
    check.at_least(1, k=k)
    first = next(iter(pieces()))
    width = 64 if first.dtype == torch.float64 else 32
    whole = torch.int64 if width == 64 else torch.int32
    known, left = 0, k
    for shift in range(width - DIGITS, -1, -DIGITS):
        counts = torch.zeros(1 << DIGITS, dtype=torch.int64, device=first.device)
        for piece in pieces():
            bits = piece.abs().contiguous().view(whole).reshape(-1)
            if shift + DIGITS < width:
                bits = bits[bits >> (shift + DIGITS) == known]
            counts += torch.bincount((bits >> shift) & ((1 << DIGITS) - 1), minlength=1 << DIGITS)
        above = counts.flip(0).cumsum(0).flip(0)  # entries of at least this digit
        enough = (above >= left).nonzero()
        check.that(len(enough) > 0, "k", f"be at most {int(above[0])}, the number of entries", k)
        digit = int(enough[-1])
        left -= int(above[digit] - counts[digit])
        known = (known << DIGITS) | digit
    return torch.tensor(known, dtype=whole, device=first.device).view(first.dtype)
