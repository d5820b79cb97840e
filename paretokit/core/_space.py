"""Where decisions live. A decision is a row of a tensor `x: [n, d]`, whatever it encodes.

Every space describes its columns the same way (`lower`, `upper`, `kinds`), so that a generic solver varies reals,
integers and categories with one piece of code, and maps the unit cube to decisions (`from_unit`), so that random,
quasi-random and Latin hypercube designs are one line each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, final

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.core._rng import Rng

Bound = float | Sequence[float] | Tensor

REAL, INTEGER, CATEGORY = 0, 1, 2


class Space:
    """The set of decisions: `dim` columns with bounds and a kind each.

    Attributes:
        lower: Lower bounds, float64 `[d]`.
        upper: Upper bounds, float64 `[d]`, included.
        kinds: Kind of each column, int64 `[d]`: 0 real, 1 integer (ordered), 2 category (unordered).
    """

    def __init__(self, lower: Tensor, upper: Tensor, kinds: Tensor) -> None:
        self.lower, self.upper, self.kinds = lower, upper, kinds

    @property
    def dim(self) -> int:
        """Number of columns d."""
        return self.lower.shape[0]

    @cached_property
    def is_real(self) -> bool:
        """Whether every column is real."""
        return not bool(self.kinds.any())

    def from_unit(self, u: Tensor) -> Tensor:
        """Return decisions for points of the unit cube, `[..., d]` to `[..., d]`; whole columns in equal shares."""
        lower, upper = self.lower.to(u), self.upper.to(u)
        if self.is_real:
            return lower + u * (upper - lower)
        whole = self.kinds.to(u.device) > REAL
        cells = torch.minimum(torch.floor(lower + u * (upper - lower + 1)), upper)
        return torch.where(whole, cells, lower + u * (upper - lower))

    def sample(self, n: int, rng: Rng, *, dtype: torch.dtype = torch.float64) -> Tensor:
        """Return n uniform decisions `[n, d]`."""
        check.at_least(0, n=n)
        return self.from_unit(rng.uniform(n, self.dim)).to(dtype)

    def contains(self, x: Tensor) -> Tensor:
        """Tell for each row of `x [..., d]` whether it is a decision of this space, `[...]`."""
        inside = (x >= self.lower.to(x)) & (x <= self.upper.to(x))
        if not self.is_real:
            inside &= (self.kinds.to(x.device) == REAL) | (x == torch.round(x))
        return inside.all(-1)

    @cached_property
    def _cube(self) -> tuple[float, float] | None:
        """The bounds that all columns share, where they do."""
        low, high = self.lower.aminmax()[1], self.upper.aminmax()[0]
        same = bool((self.lower == low).all()) and bool((self.upper == high).all())
        return (float(low), float(high)) if same else None

    def contains_all(self, x: Tensor) -> bool:
        """Tell whether all rows are decisions of this space; the hot path of evaluation, a pass or two."""
        if not self.is_real or not x.numel():
            return bool(self.contains(x).all())
        if self._cube is not None:
            low, high = torch.aminmax(x.detach())  # NaN is neither above nor below
            return self._cube[0] <= float(low) and float(high) <= self._cube[1]
        return torch.equal(torch.clamp(x, self.lower.to(x), self.upper.to(x)), x)

    def project(self, x: Tensor) -> Tensor:
        """Return the nearest decision of each row: whole columns rounded, then clipped to the bounds."""
        if not self.is_real:
            x = torch.where(self.kinds.to(x.device) > REAL, torch.round(x), x)
        return torch.minimum(torch.maximum(x, self.lower.to(x)), self.upper.to(x))

    def describe(self) -> dict[str, Any]:
        """Return what identifies the space in fingerprints, as JSON-able data."""
        return {
            "kind": type(self).__name__,
            "lower": self.lower.tolist(),
            "upper": self.upper.tolist(),
            "kinds": self.kinds.tolist(),
        }


def _bounds(name: str, value: Bound, dim: int) -> Tensor:
    bounds = torch.as_tensor(value, dtype=torch.float64)
    if bounds.ndim == 0:
        return bounds.expand(dim).clone()
    check.shape(
        bounds.ndim == 1 and bounds.shape[0] == dim, name, f"be a number or have {dim} entries", list(bounds.shape)
    )
    return bounds.clone()


def _checked_bounds(lower: Bound, upper: Bound, dim: int | None) -> tuple[Tensor, Tensor]:
    size = max(torch.as_tensor(b).numel() for b in (lower, upper)) if dim is None else dim
    check.at_least(1, dim=size)
    low, high = _bounds("lower", lower, size), _bounds("upper", upper, size)
    for name, bound in (("lower", low), ("upper", high)):
        check.that(bool(torch.isfinite(bound).all()), name, "be finite", bound.tolist())
    for i in (low > high).nonzero().flatten().tolist()[:1]:
        found = f"lower[{i}] = {low[i]:g} above upper[{i}] = {high[i]:g}"
        check.fail("lower", "not lie above `upper`", found, "are the bounds the wrong way round?")
    return low, high


@final
class Box(Space):
    """Real vectors between two bounds: `Box(0.0, 1.0, dim=30)` or `Box([0, -5], [1, 5])`.

    Args:
        lower: One bound for all columns, or one each.
        upper: Likewise, included.
        dim: Number of columns; taken from the bounds where they say it.
    """

    def __init__(self, lower: Bound, upper: Bound, dim: int | None = None) -> None:
        low, high = _checked_bounds(lower, upper, dim)
        super().__init__(low, high, torch.full_like(low, REAL, dtype=torch.int64))


@final
class Integers(Space):
    """Vectors of ordered whole numbers between two bounds, both included.

    Args:
        lower: One bound for all columns, or one each.
        upper: Likewise, included.
        dim: Number of columns; taken from the bounds where they say it.
    """

    def __init__(self, lower: Bound, upper: Bound, dim: int | None = None) -> None:
        low, high = _checked_bounds(lower, upper, dim)
        for name, bound in (("lower", low), ("upper", high)):
            check.that(bool((bound == bound.round()).all()), name, "be whole", bound.tolist())
        super().__init__(low, high, torch.full_like(low, INTEGER, dtype=torch.int64))


@final
class Categorical(Space):
    """Choices without order: one column each, holding ``0 … k - 1``. `Categorical(5)` or `Categorical([3, 4])`.

    Args:
        sizes: Number of choices k, for all columns or one each.
        dim: Number of columns where `sizes` is one number.
    """

    def __init__(self, sizes: int | Sequence[int], dim: int = 1) -> None:
        given = [sizes] * dim if isinstance(sizes, int) else list(sizes)
        check.at_least(1, dim=len(given))
        check.at_least(2, sizes=min(given))
        upper = torch.tensor(given, dtype=torch.float64) - 1
        super().__init__(torch.zeros_like(upper), upper, torch.full_like(upper, CATEGORY, dtype=torch.int64))


def Binary(dim: int) -> Categorical:  # noqa: N802 - a space by its common name
    """Return bit vectors of `dim` columns holding 0 or 1."""
    return Categorical(2, dim)


@final
class Mixed(Space):
    """Named spaces side by side: `Mixed({"radius": Box(0.1, 2.0), "bolts": Integers(4, 12), "alloy": Categorical(3)})`.

    Rows are the parts' columns in order; `split(x)` gives them back by name.

    Args:
        parts: The spaces by name.
    """

    def __init__(self, parts: Mapping[str, Space]) -> None:
        check.at_least(1, parts=len(parts))
        self.parts = dict(parts)
        spaces = self.parts.values()
        super().__init__(*(torch.cat([getattr(s, a) for s in spaces]) for a in ("lower", "upper", "kinds")))

    def contains(self, x: Tensor) -> Tensor:
        """Tell for each row whether every part contains its columns."""
        parts = self.split(x)
        return torch.stack([space.contains(parts[name]) for name, space in self.parts.items()]).all(0)

    def project(self, x: Tensor) -> Tensor:
        """Return each part's projection side by side."""
        parts = self.split(x)
        return torch.cat([space.project(parts[name]) for name, space in self.parts.items()], -1)

    def split(self, x: Tensor) -> dict[str, Tensor]:
        """Return each part's columns `[..., d_part]` by name."""
        return dict(zip(self.parts, torch.split(x, [p.dim for p in self.parts.values()], -1), strict=True))

    def describe(self) -> dict[str, Any]:
        """Return the parts' descriptions by name."""
        return {"kind": "Mixed", "parts": {k: p.describe() for k, p in self.parts.items()}}


@final
class Sequences(Space):
    """Words over an alphabet, padded: a row holds token indices, then the pad index ``len(alphabet)`` to the end.

    Args:
        alphabet: The tokens, e.g. "ACGT".
        min_length: Shortest word.
        max_length: Longest word, the number of columns.
    """

    def __init__(self, alphabet: Sequence[str], min_length: int, max_length: int) -> None:
        check.at_least(1, alphabet=len(alphabet), min_length=min_length)
        check.at_least(min_length, max_length=max_length)
        self.alphabet, self.min_length, self.max_length = tuple(alphabet), min_length, max_length
        upper = torch.full((max_length,), float(len(alphabet)), dtype=torch.float64)
        upper[:min_length] -= 1
        super().__init__(torch.zeros_like(upper), upper, torch.full_like(upper, CATEGORY, dtype=torch.int64))

    @property
    def pad(self) -> int:
        """Index of the pad token."""
        return len(self.alphabet)

    def _after_pad(self, x: Tensor) -> Tensor:
        return (x == self.pad).cummax(-1).values

    def contains(self, x: Tensor) -> Tensor:
        """Tell for each row whether tokens are in range and nothing follows a pad."""
        return Space.contains(self, x) & (~self._after_pad(x) | (x == self.pad)).all(-1)

    def project(self, x: Tensor) -> Tensor:
        """Return rows rounded, clipped, and padded from the first pad on."""
        x = Space.project(self, x)
        return torch.where(self._after_pad(x), float(self.pad), x)

    def sample(self, n: int, rng: Rng, *, dtype: torch.dtype = torch.float64) -> Tensor:
        """Return n words `[n, max_length]`: a uniform length, then uniform tokens."""
        u = rng.uniform(n, self.max_length + 1)
        lengths = self.min_length + torch.floor(u[:, :1] * (self.max_length - self.min_length + 1))
        tokens = torch.floor(u[:, 1:] * len(self.alphabet))
        return torch.where(torch.arange(self.max_length) < lengths, tokens, float(self.pad)).to(dtype)

    def words(self, x: Tensor) -> list[str]:
        """Return each row of `x [n, max_length]` as a string."""
        return ["".join(self.alphabet[int(t)] for t in row if int(t) < self.pad) for row in x.tolist()]

    def describe(self) -> dict[str, Any]:
        """Return alphabet and lengths."""
        return {
            "kind": "Sequences",
            "alphabet": list(self.alphabet),
            "min_length": self.min_length,
            "max_length": self.max_length,
        }
