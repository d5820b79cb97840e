"""From objectives to the log-reward of a sampler."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from paretokit.core import Objective, ParetoWarning
from paretokit.core import _check as check
from paretokit.scalarization import tchebycheff, weighted_log_sum, weighted_sum

Scalarization = Literal["weighted_sum", "weighted_log_sum", "tchebycheff"]
UNLIKE = 100.0  # how many times an objective may be another in a first batch before a warning
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


def note_scales(gains: Tensor, objectives: Sequence[Objective]) -> None:
    """Warn where the best gains `[n, m]` of a first batch differ so much that a scalarized reward sees one alone."""
    best = torch.where(torch.isfinite(gains), gains, 0).amax(0)
    if not len(gains) or float(best.amin()) <= 0 or float(best.amax()) <= UNLIKE * float(best.amin()):
        return
    low, high = int(best.argmin()), int(best.argmax())
    names = [objective.name for objective in objectives]
    line = f"{names[high]!r} is up to {float(best[high]):.3g}, {names[low]!r} to {float(best[low]):.3g}"
    hint = "rewards hardly see the latter (scale them, or give `ideal` and `nadir`)"
    warnings.warn(f"in the first batch {line}: {hint}", ParetoWarning, stacklevel=2)
