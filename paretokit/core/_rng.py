"""Randomness as a pure key: split by name and number, never a global generator.

Uniform draws come from a counter-based generator (SplitMix64 output function of Steele, Lea and Flood,
OOPSLA 2014, applied to ``key + counter * golden``). The number at a counter depends on the key and the counter alone,
so member p of a stack draws the same numbers alone or stacked, on any device, in torch or inside a numba kernel.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    import numpy as np

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def _signed(value: int) -> int:
    """Return the two's complement reading of an unsigned 64-bit integer."""
    value &= _MASK
    return value - (1 << 64) if value >> 63 else value


def _shift(z: Tensor, bits: int) -> Tensor:
    """Shift right logically (torch shifts int64 arithmetically)."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def mix(z: Tensor) -> Tensor:
    """Return the SplitMix64 output function of int64 counters, elementwise."""
    z = (z ^ _shift(z, 30)) * _signed(0xBF58476D1CE4E5B9)
    z = (z ^ _shift(z, 27)) * _signed(0x94D049BB133111EB)
    return z ^ _shift(z, 31)


def uniform(keys: Tensor, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return uniforms in [0, 1), `[*keys.shape, *shape]`: entry c of a key's block is ``mix(key + (c + 1) golden)``.

    float64 carries 53 random bits, every other dtype 24.
    """
    count = 1
    for size in shape:
        count *= size
    counters = torch.arange(1, count + 1, dtype=torch.int64, device=keys.device) * _signed(_GOLDEN)
    bits = mix(keys.unsqueeze(-1) + counters)
    if dtype == torch.float64:
        drawn = _shift(bits, 11).to(torch.float64) * 2.0**-53
    else:
        drawn = (_shift(bits, 40).to(torch.float32) * 2.0**-24).to(dtype)
    return drawn.reshape(*keys.shape, *shape)


@dataclass(frozen=True)
class Rng:
    """A splittable key. Equal paths give equal numbers; different paths give independent ones.

    Attributes:
        key: 64-bit unsigned integer.

    >>> root = Rng.from_seed(0)
    >>> root.child("mutation", 3) == root.child("mutation", 3)
    True
    """

    key: int

    @classmethod
    def from_seed(cls, seed: int) -> Rng:
        """Return the root key of a seed (any Python integer)."""
        return cls(0).child("seed", seed)

    def child(self, *path: str | int) -> Rng:
        """Return the key below this one at `path`, e.g. ``rng.child("mutation", step, member)``."""
        digest = hashlib.blake2b(self.key.to_bytes(8, "little"), digest_size=8)
        for part in path:
            text = f"{type(part).__name__[0]}{part}".encode()
            digest.update(len(text).to_bytes(4, "little") + text)
        return Rng(int.from_bytes(digest.digest(), "little"))

    @property
    def seed32(self) -> int:
        """A seed for foreign code that takes 32 bits."""
        return self.key & 0xFFFFFFFF

    def generator(self, device: torch.device | str = "cpu") -> torch.Generator:
        """Return a fresh torch generator seeded by the key."""
        return torch.Generator(device=device).manual_seed(_signed(self.key))

    def numpy(self) -> np.random.Generator:
        """Return a fresh NumPy generator seeded by the key."""
        import numpy as np

        return np.random.default_rng(self.key)

    def uniform(self, *shape: int, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu") -> Tensor:
        """Return uniforms in [0, 1) of the given shape; the same numbers on every device."""
        key = torch.full((), _signed(self.key), device=device)  # a fill, where a copy to a GPU would wait
        return uniform(key, *shape, dtype=dtype)

    def normal(self, *shape: int, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu") -> Tensor:
        """Return standard normal numbers of the given shape (inverse transform of `uniform`)."""
        u = self.uniform(*shape, dtype=torch.float64, device=device)
        drawn: Tensor = torch.special.ndtri(u + 2.0**-54)
        return drawn.to(dtype)

    def integers(self, high: int, *shape: int, device: torch.device | str = "cpu") -> Tensor:
        """Return int64 numbers in ``0 … high - 1`` of the given shape."""
        return (self.uniform(*shape, device=device) * high).to(torch.int64)

    def permutation(self, n: int, device: torch.device | str = "cpu") -> Tensor:
        """Return a random permutation of ``0 … n - 1``."""
        return torch.argsort(self.uniform(n, device=device), stable=True)


@dataclass(frozen=True)
class Lanes:
    """One `Rng` a member of a stack: every draw has a leading member axis P, and each member its own numbers."""

    rngs: tuple[Rng, ...]

    def __len__(self) -> int:
        return len(self.rngs)

    @cached_property
    def keys(self) -> Tensor:
        """The members' keys as int64, `[P]` (for kernels that draw by counter)."""
        return torch.tensor([_signed(rng.key) for rng in self.rngs], dtype=torch.int64)

    def child(self, *path: str | int) -> Lanes:
        """Return the lanes one path below."""
        return Lanes(tuple(rng.child(*path) for rng in self.rngs))

    def uniform(self, *shape: int, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu") -> Tensor:
        """Return uniforms in [0, 1), `[P, *shape]`; row p equals ``rngs[p].uniform(*shape)``."""
        return uniform(self.keys.to(device), *shape, dtype=dtype)
