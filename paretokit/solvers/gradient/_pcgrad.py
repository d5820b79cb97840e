"""Gradient surgery: conflicting components are projected away, one loss after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.solvers.gradient._aggregator import Aggregator, Setting, ratio


@final
@dataclass(frozen=True, kw_only=True)
class PCGrad(Aggregator):
    r"""Removes from each gradient, one after the other, its component against each gradient it conflicts with.

    .. math:: g_i' \leftarrow g_i' - \frac{\min(0, g_i' \cdot g_j)}{\lVert g_j \rVert^2} g_j \ \text{ for all } j \ne i,
              \qquad d = \sum_i g_i'

    With two losses the sum conflicts with neither gradient; with more it may. Asks for no preference.

    Attributes:
        order: In which order the j are gone through, for all i. Unless given, every call draws an order for each i from
            its `rng`, the same for the whole batch; without one the losses' own order is taken.

    Cost: :math:`O(m^3)` in m (m - 1) small steps.

    Source: Yu, Kumar, Gupta, Levine, Hausman and Finn (2020), NeurIPS. The results are summed, as in their code.
    """

    order: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        check.fields(self)
        if self.order is not None:
            chosen = tuple(int(i) for i in self.order)
            fits = sorted(chosen) == list(range(len(chosen)))
            check.that(fits, "order", "name every loss once, from 0", list(chosen))
            object.__setattr__(self, "order", chosen)

    def _weights(self, given: Setting) -> Tensor:
        c, m = given.gramian, given.gramian.shape[-1]
        w = torch.eye(m, dtype=c.dtype, device=c.device).expand(c.shape).clone()
        length = c.diagonal(dim1=-2, dim2=-1)
        rows = torch.arange(m, device=c.device)
        for j in self._orders(given, m).unbind(1):  # the j-th other of every i at once
            other = c.index_select(-1, j).transpose(-1, -2)  # row i: products of all gradients with its other one
            inner = (w * other).sum(-1)
            share = ratio(inner.clamp_max(0), length.index_select(-1, j))
            share = torch.where(j == rows, 0.0, share)
            w = w.scatter_add(-1, j.expand(c.shape[:-1]).unsqueeze(-1), -share.unsqueeze(-1))
        return w.sum(-2)

    def _orders(self, given: Setting, m: int) -> Tensor:
        """Return row i: the order of gradient i, `[m, m]`."""
        if self.order is not None:
            check.shape(len(self.order) == m, "order", f"name {m} losses", list(self.order))
            return torch.tensor(self.order, device=given.gramian.device).expand(m, m)
        if given.rng is None:
            return torch.arange(m, device=given.gramian.device).expand(m, m)
        return torch.argsort(given.rng.child("order").uniform(m, m, device=given.gramian.device), dim=1)
