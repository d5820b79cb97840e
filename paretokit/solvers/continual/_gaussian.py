"""Diagonal Gaussians over parameters: divergence, distance, and one-sample evidence bounds of a stack."""

from __future__ import annotations

import torch
from torch import Tensor

from paretokit.core import _check as check


def kl_divergence(mean: Tensor, std: Tensor, *, prior_mean: Tensor, prior_std: Tensor) -> Tensor:
    r"""Return the divergence of diagonal Gaussians from their priors, `[*batch]`, in nats.

    .. math:: \sum_d \log\frac{s_d}{\sigma_d} + \frac{\sigma_d^2 + (\mu_d - m_d)^2}{2 s_d^2} - \frac12

    Args:
        mean: :math:`\mu` `[*batch, D]`.
        std: :math:`\sigma` `[*batch, D]`.
        prior_mean: m `[*batch, D]`.
        prior_std: s `[*batch, D]`.
    """
    ratio = std / prior_std
    shift = (mean - prior_mean) / prior_std
    return (0.5 * (ratio.square() + shift.square() - 1) - ratio.log()).sum(-1)


def wasserstein(mean: Tensor, std: Tensor, *, others: tuple[Tensor, Tensor]) -> Tensor:
    r"""Return the 2-Wasserstein distance of a diagonal Gaussian from others, `[n]`.

    .. math:: W_2^2 = \lVert \mu - \mu' \rVert^2 + \lVert \sigma - \sigma' \rVert^2

    Args:
        mean: `[D]`.
        std: `[D]`.
        others: Means and standard deviations `[n, D]`.

    Source: Dowson and Landau (1982), Journal of Multivariate Analysis 12. The IBCL code divides the norms by D, adds
    them without squares, and counts the standard deviations twice.
    """
    means, stds = others
    check.shape(means.shape == stds.shape, "others", "have as many means as deviations", list(stds.shape))
    return ((means - mean).square().sum(-1) + (stds - std).square().sum(-1)).sqrt()


def evidence(rows: Tensor, noise: Tensor, *, prior_mean: Tensor, prior_std: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return one draw :math:`\mu + \sigma \epsilon` a member `[P, D]`, and its divergence from the prior `[P]`.

    Args:
        rows: :math:`\mu` and :math:`\log \sigma` side by side `[P, 2 D]`.
        noise: :math:`\epsilon` `[P, D]`.
        prior_mean: `[P, D]`.
        prior_std: `[P, D]`.
    """
    mean, log_std = rows.chunk(2, -1)
    std = log_std.exp()
    return torch.addcmul(mean, std, noise), kl_divergence(mean, std, prior_mean=prior_mean, prior_std=prior_std)
