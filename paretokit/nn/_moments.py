"""Running mean and variance of each member's data."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Moments:
    """Mean and variance of everything that was seen, a member at a time (Chan, Golub, LeVeque 1983).

    Attributes:
        mean, variance: `[P, k]`, float64.
        count: Rows seen, float64 `[P]`.
    """

    mean: Tensor
    variance: Tensor
    count: Tensor

    @classmethod
    def start(cls, members: int, k: int, device: torch.device | str = "cpu") -> Moments:
        """Return zero means and unit variances that the first data replace."""
        zeros = torch.zeros(members, k, dtype=torch.float64, device=device)
        return cls(zeros, torch.ones_like(zeros), torch.zeros(members, dtype=torch.float64, device=device))

    def update(self, data: Tensor) -> None:
        """Take in rows `[P, n, k]`, in place."""
        data = data.to(torch.float64)
        n = data.shape[1]
        mean, variance = data.mean(1), data.var(1, unbiased=False)
        total = self.count + n
        old, new = (self.count / total).unsqueeze(-1), (n / total).unsqueeze(-1)
        gap = mean - self.mean
        self.variance = self.variance * old + variance * new + gap.square() * old * new
        self.mean = self.mean + gap * new
        self.count = total

    @property
    def scale(self) -> Tensor:
        """One over the standard deviation `[P, k]`."""
        return (self.variance + 1e-8).rsqrt()

    def select(self, members: Tensor) -> Moments:
        """Return the moments of some members, copied."""
        return Moments(self.mean[members].clone(), self.variance[members].clone(), self.count[members].clone())
