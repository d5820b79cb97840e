"""How different objects are from each other: edit distance of words, Tanimoto distance of fingerprints."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from paretokit.core import ShapeError
from paretokit.core import _check as check

CELLS = 1 << 22  # most table entries of pairs of words worked on at once


def tokens_of(words: Sequence[str]) -> Tensor:
    """Return words as rows of code points `[n, L]`, int64, -1 after the end: what `levenshtein` reads.

    >>> tokens_of(["AB", "C"]).tolist()
    [[65, 66], [67, -1]]
    """
    rows = [torch.tensor([ord(letter) for letter in word], dtype=torch.int64) for word in words]
    if not rows:
        return torch.zeros(0, 0, dtype=torch.int64)
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)


def levenshtein(tokens: Tensor, others: Tensor, *, pad: int = -1) -> Tensor:
    r"""Least number of letters to insert, delete or replace between words, pair by pair.

    .. math:: D_{ij} = \min\big(D_{i-1,j} + 1,\; D_{i,j-1} + 1,\; D_{i-1,j-1} + [a_i \ne b_j]\big)

    Args:
        tokens: Words as rows of whole numbers `[*shape, L]`, `pad` after the end.
        others: The words beside them `[*shape, K]`; shapes are broadcast, so ``levenshtein(w[:, None], w[None])`` gives
            all pairs.
        pad: The number after the end of a word.

    Returns:
        int64 `[*shape]`.

    Raises:
        ShapeError: If leading axes cannot be broadcast.

    Cost: O(L K) a pair, a row of the table at a time for many pairs at once: the entries to the left are a running
    minimum of :math:`D_{ij} - j`.

    Source: Levenshtein (1966), Soviet Physics Doklady; the table Wagner and Fischer (1974), JACM.

    >>> words = tokens_of(["kitten", "sitting"])
    >>> levenshtein(words[0], words[1]).item()
    3
    """
    try:
        shape = torch.broadcast_shapes(tokens.shape[:-1], others.shape[:-1])
    except RuntimeError as error:
        rule = f"broadcast with {tuple(tokens.shape[:-1])}"
        raise ShapeError(check.message("others", rule, tuple(others.shape[:-1]))) from error
    a = tokens.expand(*shape, tokens.shape[-1]).reshape(shape.numel(), tokens.shape[-1])
    b = others.expand(*shape, others.shape[-1]).reshape(shape.numel(), others.shape[-1])
    size = max(1, CELLS // (b.shape[1] + 1))
    parts = [_edits(x, y, pad) for x, y in zip(a.split(size), b.split(size), strict=True)]
    return torch.cat(parts).reshape(shape)


def _edits(a: Tensor, b: Tensor, pad: int) -> Tensor:
    """Return the distances `[n]` of words `a [n, L]` and `b [n, K]`."""
    columns = torch.arange(b.shape[1] + 1, device=b.device)
    length, width = (a != pad).sum(-1), (b != pad).sum(-1, keepdim=True)
    row = columns.expand(len(b), -1)
    rows = row
    for i in range(a.shape[1]):
        other = (b != a[:, i : i + 1]).to(row.dtype)
        entered = torch.minimum(rows[:, 1:] + 1, rows[:, :-1] + other)
        entered = torch.cat([rows[:, :1] + 1, entered], 1)
        entered = (entered - columns).cummin(1).values + columns
        rows = torch.where((i < length).unsqueeze(1), entered, rows)
    return rows.gather(1, width).squeeze(1)


def tanimoto(fingerprints: Tensor, others: Tensor) -> Tensor:
    r"""Share of the bits of either fingerprint that are not in both: a distance in [0, 1], pair by pair.

    .. math:: d(a, b) = 1 - \frac{|a \wedge b|}{|a \vee b|}

    0 for two empty ones. One minus what chemists call Tanimoto similarity (and others the Jaccard index).

    Args:
        fingerprints: Bits `[*shape, B]`, bool or 0 and 1.
        others: The ones beside them `[*shape, B]`; leading axes are broadcast.

    Returns:
        float64 `[*shape]`.

    Raises:
        ShapeError: If the fingerprints differ in length.

    Cost: O(B) a pair.

    Source: Rogers and Tanimoto (1960), Science.
    """
    bits = fingerprints.shape[-1]
    check.shape(others.shape[-1] == bits, "others", f"have {bits} bits as `fingerprints`", others.shape[-1])
    a, b = fingerprints.to(torch.bool), others.to(torch.bool)
    both, either = (a & b).sum(-1), (a | b).sum(-1)
    return 1 - torch.where(either > 0, both / either.clamp_min(1).to(torch.float64), 1.0)
