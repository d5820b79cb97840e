"""Adam over a stack, every member with its own rate and its own clipping."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class AdamState:
    """Moments of a stack.

    Attributes:
        mean, square: Running moments `[P, D]`.
        steps: Steps made by each member, int64 `[P]`.
    """

    mean: Tensor
    square: Tensor
    steps: Tensor

    @classmethod
    def zeros(cls, rows: Tensor) -> AdamState:
        """Return the state before the first step of `rows [P, D]`."""
        steps = torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
        return cls(torch.zeros_like(rows), torch.zeros_like(rows), steps)

    def select(self, members: Tensor) -> AdamState:
        """Return the moments of some members, copied."""
        return AdamState(self.mean[members].clone(), self.square[members].clone(), self.steps[members].clone())


@dataclass(frozen=True)
class Adam:
    r"""Kingma and Ba (2015), one state row a member.

    .. math:: \theta \leftarrow \theta - \eta\,\hat m / (\sqrt{\hat v} + \epsilon)

    Attributes:
        betas: Decay rates of the moments.
        eps: Added to the root, after the correction of the bias (as in torch).
    """

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def step(self, rows: Tensor, gradient: Tensor, state: AdamState, rate: Tensor | float) -> None:
        """Move `rows [P, D]` in place; `rate` is one number or one a member `[P]`."""
        b1, b2 = self.betas
        state.steps += 1
        state.mean.lerp_(gradient, 1 - b1)
        state.square.mul_(b2).addcmul_(gradient, gradient, value=1 - b2)
        if rows.shape[0] == 1 and rows.device.type == "cpu" and not isinstance(rate, Tensor):
            self._move_one(rows, state, rate)
            return
        t = state.steps.to(torch.float64)
        first = (torch.as_tensor(rate, dtype=torch.float64, device=rows.device) / (1 - b1**t)).to(rows.dtype)
        second = (1 - b2**t).sqrt().to(rows.dtype)
        root = (state.square.sqrt() / second.unsqueeze(-1)).add_(self.eps)
        rows.sub_(first.expand(len(rows)).unsqueeze(-1) * state.mean / root)

    def _move_one(self, rows: Tensor, state: AdamState, rate: float) -> None:
        """Do the same for one member with numbers in place of tensors of one entry."""
        b1, b2 = self.betas
        t = int(state.steps)
        first, second = rate / (1 - b1**t), (1 - b2**t) ** 0.5
        root = state.square.sqrt().div_(second).add_(self.eps)
        rows.addcdiv_(state.mean, root, value=-first)


def clipped(gradient: Tensor, most: float) -> Tensor:
    """Return gradients `[P, D]` scaled down, member by member, to a Euclidean norm of at most `most`."""
    norm = torch.linalg.vector_norm(gradient, dim=-1, keepdim=True)
    if norm.shape[0] == 1 and norm.device.type == "cpu" and float(norm) < 0.999 * most:
        return gradient
    scale: Tensor = (most / (norm + 1e-6)).clamp_max(1.0)
    return gradient * scale
