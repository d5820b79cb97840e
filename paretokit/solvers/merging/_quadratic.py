"""Quadratic surrogates of task metrics in the coefficients: fitted by ridge regression, searched in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from paretokit.core import Objective
from paretokit.scalarization import tchebycheff

RIDGE = 1e-4
EDGE = 1e-3  # accuracies are taken within [EDGE, 1 - EDGE], losses at least EDGE
SMOOTH = 0.01
POLISH, RATE = 150, 0.02


def features(c: Tensor) -> Tensor:
    """Return 1, the entries and their products of coefficients `[n, K]`, `[n, (K + 1)(K + 2) / 2]`."""
    i, j = torch.triu_indices(c.shape[1], c.shape[1], device=c.device)
    return torch.cat([torch.ones_like(c[:, :1]), c, c[:, i] * c[:, j]], 1)


@dataclass(frozen=True)
class Quadratic:
    r"""One quadratic a task, behind a link that keeps predictions possible.

    .. math:: \hat v_t(c) = g_t^{-1}(b_t + a_t^\top c + c^\top Q_t c)

    with :math:`g` the logit of the error 1 - accuracy, or the logarithm of a loss.

    Attributes:
        weights: Of the features, `[(K + 1)(K + 2) / 2, m]`.
        rates: Which objectives are accuracies, `[m]`.
    """

    weights: Tensor
    rates: Tensor

    @classmethod
    def fit(cls, c: Tensor, values: Tensor, objectives: Sequence[Objective]) -> Quadratic:
        """Return the ridge regression on measured coefficients `[n, K]` and values `[n, m]`, in float64.

        Rows that are not finite are left out.
        """
        good = torch.isfinite(values).all(1)
        c, values = c[good].double(), values[good].double()
        rates = torch.tensor([o.maximize for o in objectives], device=c.device)
        error = torch.where(rates, 1 - values, values)
        linked = torch.where(rates, error.clamp(EDGE, 1 - EDGE).logit(), error.clamp_min(EDGE).log())
        a = features(c)
        penalty = RIDGE * len(a) * torch.eye(a.shape[1], dtype=a.dtype, device=a.device)
        penalty[0, 0] = 1e-12  # the constant is free
        return cls(torch.linalg.solve(a.T @ a + penalty, a.T @ linked), rates)

    def errors(self, c: Tensor) -> Tensor:
        """Return predicted errors or losses `[n, m]`, to be minimized, of coefficients `[n, K]`."""
        linked = features(c) @ self.weights
        return torch.where(self.rates, linked.sigmoid(), linked.clamp_max(10).exp())

    def best(self, preferences: Tensor, pool: Tensor, region: tuple[float, float]) -> Tensor:
        r"""Return, for each preference `[w, m]`, coefficients `[w, K]` of least weighted error.

        .. math:: \min_{c \in [\text{low}, \text{high}]^K} \max_t w_t \hat v_t(c)

        The best of a pool `[n, K]`, then 150 steps of projected Adam on a soft maximum, all preferences at once; the
        better of both.
        """
        found = pool[tchebycheff(self.errors(pool), weights=preferences).argmin(0)]
        c = found.clone().requires_grad_()
        adam = torch.optim.Adam([c], lr=RATE)
        with torch.enable_grad():
            for _ in range(POLISH):
                adam.zero_grad()
                weighted = preferences * self.errors(c)
                (SMOOTH * torch.logsumexp(weighted / SMOOTH, 1)).sum().backward()
                adam.step()
                with torch.no_grad():
                    c.clamp_(*region)
        polished = c.detach()
        before, after = ((preferences * self.errors(x)).amax(1) for x in (found, polished))
        return torch.where((after < before).unsqueeze(1), polished, found)
