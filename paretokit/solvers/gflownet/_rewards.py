"""From objectives to the log-reward of a sampler."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.scalarization import tchebycheff, weighted_log_sum, weighted_sum

Scalarization = Literal["weighted_sum", "weighted_log_sum", "tchebycheff"]
SCALARIZATIONS = ("weighted_sum", "weighted_log_sum", "tchebycheff")


def log_reward(
    gains: Tensor,
    weights: Tensor,
    beta: Tensor,
    *,
    scalarization: Scalarization = "weighted_sum",
    floor: float = 1e-30,
    lowest: float = -75.0,
) -> Tensor:
    r"""Return :math:`\beta \log R_w`, at least `lowest`, `[n]`.

    ==================  =============================================
    weighted_sum        :math:`R_w = \sum_j w_j r_j`
    weighted_log_sum    :math:`R_w = \prod_j r_j^{w_j}`
    tchebycheff         :math:`R_w = 1 - \max_j w_j\,|1 - r_j|`
    ==================  =============================================

    Args:
        gains: Objectives to be maximized, at least 0 and about 1 at best, `[n, m]`.
        weights: Preferences `[n, m]`.
        beta: Exponents `[n]`.
        scalarization: One of the above.
        floor: Least R and least r within logarithms.
        lowest: Least log-reward; it contains the squared errors of worthless objects.

    The Tchebycheff reward falls with the distance from the ideal point (1, …, 1). In the code of Jain et al. (2023)
    it is that distance, so that bad objects are rewarded.
    """
    check.one_of(SCALARIZATIONS, scalarization=scalarization)
    if scalarization == "weighted_log_sum":
        log_r = -weighted_log_sum(
            -gains, weights=weights, utopian=-torch.ones_like(gains[0]), rowwise=True, floor=floor
        )
    elif scalarization == "weighted_sum":
        log_r = (-weighted_sum(-gains, weights=weights, rowwise=True)).clamp_min(floor).log()
    else:
        distance = tchebycheff(-gains, weights=weights, utopian=-torch.ones_like(gains[0]), rowwise=True)
        log_r = (1 - distance).clamp_min(floor).log()
    return (beta * log_r).clamp_min(lowest)
