"""Words, uniforms and random bijections of a stack, by counter: torch twins of the draws in `_variation_kernels.py`."""

from __future__ import annotations

import torch
from torch import Tensor

from paretokit.core._rng import mix

GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)  # as int64
UNIT = 2.0**-53


def shift(z: Tensor, bits: int) -> Tensor:
    """Shift int64 right logically."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def words(keys: Tensor, count: int) -> Tensor:
    """Return int64 words `[*keys.shape, count]`: entry c is ``mix(key + (c + 1) golden)``."""
    counters = torch.arange(1, count + 1, dtype=torch.int64, device=keys.device)
    return mix(keys.unsqueeze(-1) + counters * GOLDEN)


def word(keys: Tensor, counter: int) -> Tensor:
    """Return the word at one counter, shaped like `keys`."""
    step = (counter + 1) * GOLDEN & ((1 << 64) - 1)
    return mix(keys + (step - (1 << 64) if step >> 63 else step))


def unit(drawn: Tensor) -> Tensor:
    """Return float64 uniforms in [0, 1) of words, by their upper 53 bits."""
    return shift(drawn, 11).to(torch.float64) * UNIT


def coin(drawn: Tensor) -> Tensor:
    """Return the lowest bit of words, which `unit` leaves unused."""
    return (drawn & 1).bool()


def shuffled(keys: Tensor, count: int, n: int) -> Tensor:
    """Return `count` numbers `[P, count]` of 0 … n - 1 along random permutations, one after the other.

    Each permutation is a keyed bijection of the next power of two (affine maps and shifts), walked along its cycles
    until it lands below n, so any position can be asked for alone.
    """
    numbers = -(-count // n)
    positions = torch.arange(n, device=keys.device).expand(len(keys), numbers, n)
    return _sent(positions, words(keys, 8 * numbers).reshape(-1, numbers, 8, 1), n).reshape(len(keys), -1)[:, :count]


def places(keys: Tensor, begin: int, count: int, n: int) -> Tensor:
    """Return entries `begin` … of the first permutation of `shuffled`, `[P, count]`, without the others."""
    positions = torch.arange(begin, begin + count, device=keys.device).expand(len(keys), 1, count)
    return _sent(positions, words(keys, 8).reshape(-1, 1, 8, 1), n).squeeze(1)


def _sent(positions: Tensor, constants: Tensor, n: int) -> Tensor:
    """Return where bijections with constants `[P, k, 8, 1]` send positions `[P, k, c]`."""
    bits = max(1, (n - 1).bit_length())
    mask, step = (1 << bits) - 1, (bits + 1) >> 1

    def scrambled(y: Tensor) -> Tensor:
        for j in range(4):
            y = (y * (constants[:, :, 2 * j] | 1) + constants[:, :, 2 * j + 1]) & mask
            y = y ^ (y >> step)
        return y

    y = scrambled(positions)
    while bool((outside := y >= n).any()):
        y = torch.where(outside, scrambled(y), y)
    return y


def distinct_pairs(drawn: Tensor, size: int) -> Tensor:
    """Return two different numbers of 0 … size - 1 (equal ones for size 1), `[..., 2]`, from words `[..., 2]`."""
    first = (unit(drawn[..., 0]) * size).to(torch.int64)
    second = (unit(drawn[..., 1]) * (size - 1)).to(torch.int64)
    return torch.stack([first, (second + (second >= first).to(torch.int64)).clamp_max(size - 1)], -1)
