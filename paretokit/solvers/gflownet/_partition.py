"""The log partition function of each condition, learned."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from paretokit.core import Lanes, Rng
from paretokit.nn import MLP


@dataclass(frozen=True)
class Partition:
    r"""log Z(c): one number without conditions, else a small perceptron of the condition; a flat row `[D]` either way.

    Attributes:
        condition_dim: Entries c of a condition.
        hidden: Widths of the perceptron.
    """

    condition_dim: int
    hidden: tuple[int, ...] = (64, 64)

    @cached_property
    def mlp(self) -> MLP:
        """The perceptron of a condition."""
        return MLP((max(self.condition_dim, 1), *self.hidden, 1), "relu")

    def initial(self, rng: Rng, *, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return a row whose log Z is about 0."""
        if self.condition_dim == 0:
            return torch.zeros(1, dtype=dtype)
        return self.mlp.init(Lanes((rng,)), last_gain=0.01, dtype=dtype)[0]

    def __call__(self, row: Tensor, condition: Tensor | None, n: int) -> Tensor:
        """Return log Z of n trajectories `[n]` under conditions `[n, c]`."""
        if condition is None:
            return row.expand(n)
        return self.mlp(row.unsqueeze(0), condition.to(row.dtype).unsqueeze(0))[0, :, 0]
