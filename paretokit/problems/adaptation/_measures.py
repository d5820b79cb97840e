"""How far apart two domains lie in feature space, and how sure and balanced predictions are."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name

RATES = (0.5, 1.0, 2.0, 4.0)
"""Rates of the Gaussian kernels, in squared distances of features of length one."""


def entropy(probabilities: Tensor) -> Tensor:
    """Return entropies `[...]` of distributions `[..., K]` in nats; zero times log zero is zero."""
    found: Tensor = torch.special.entr(probabilities).sum(-1)
    return found


def mutual_information(probabilities: Tensor) -> Tensor:
    r"""Return the mutual information of inputs and predicted classes `[...]`, in nats.

    .. math:: I = H(\bar\rho) - \tfrac1n \sum_i H(\rho_i), \qquad \bar\rho = \tfrac1n \sum_i \rho_i

    Between 0 (all predictions alike) and log K (each one sure, classes balanced).

    Args:
        probabilities: Predictions :math:`\rho` `[..., n, K]`.

    Source: Bridle, Heading and MacKay (1992), NIPS.
    """
    return entropy(probabilities.mean(-2)) - entropy(probabilities).mean(-1)


def discrepancy(first: Tensor, second: Tensor) -> Tensor:
    r"""Return the squared maximum mean discrepancy of two samples of features brought to length one, `[...]`.

    .. math:: \text{MMD}^2 = \overline{k(a, a')} - 2\,\overline{k(a, b)} + \overline{k(b, b')}, \qquad
              k(a, b) = \tfrac14 \sum_{\gamma \in \{0.5, 1, 2, 4\}} e^{-\gamma \|a - b\|^2}

    with means over all pairs (the V-statistic), so that it lies in [0, 2] and is zero for equal samples.

    Args:
        first: Features `[..., n, q]`.
        second: Features `[..., k, q]`.

    Cost: :math:`(n + k)^2` kernel values.

    Source: Gretton, Borgwardt, Rasch, Schölkopf and Smola (2012), JMLR 13.
    """
    a, b = F.normalize(first, dim=-1), F.normalize(second, dim=-1)
    return _mean_kernel(a, a) - 2 * _mean_kernel(a, b) + _mean_kernel(b, b)


def _mean_kernel(a: Tensor, b: Tensor) -> Tensor:
    distance = (2 - 2 * (a @ b.mT)).clamp_min(0)
    return torch.stack([torch.exp(-rate * distance).mean((-1, -2)) for rate in RATES]).mean(0)
