"""How far a front must be moved to weakly dominate a reference set."""

from __future__ import annotations

import math
from typing import Any

import torch

from paretokit.core import _check as check
from paretokit.core._io import Array, Senses
from paretokit.indicators._distances import read_pair
from paretokit.indicators._nearest import Cost, nearest, take, usable


def epsilon_additive(
    values: Array,
    reference: Array,
    *,
    maximize: Senses = False,
    mask: Array | None = None,
    reference_mask: Array | None = None,
) -> Any:
    r"""Least amount by which every value must improve for the front to weakly dominate the reference set.

    .. math:: \varepsilon_+(A, R) = \max_{r \in R} \min_{a \in A} \max_i (a_i - r_i) \quad \text{(minimization)}

    Smaller is better; negative where the front is strictly ahead; +inf for an empty front. Weakly Pareto compliant.
    Arguments, edge cases and cost are those of `igd`; differentiable along the path of the extremes.

    Source: Zitzler, Thiele, Laumanns, Fonseca and Grunert da Fonseca (2003), TEVC.
    """
    points, known = read_pair(values, reference, maximize=maximize, mask=mask, reference_mask=reference_mask)
    front, alive = usable(points)
    target, wanted = usable(known)
    if front.shape[1] == 0:
        return points.give(torch.full(points.values.shape[:-2], math.inf, device=front.device, dtype=front.dtype))
    gap = (take(front, nearest(target, front, alive, Cost.WORST)) - target).amax(-1)
    worst = torch.where(wanted, gap, -math.inf).amax(-1)
    worst = torch.where(alive.any(-1), worst, math.inf)
    return points.give(worst.reshape(points.values.shape[:-2]))


def epsilon_multiplicative(
    values: Array,
    reference: Array,
    *,
    maximize: Senses = False,
    mask: Array | None = None,
    reference_mask: Array | None = None,
) -> Any:
    r"""Least factor by which every value must improve for the front to weakly dominate the reference set.

    .. math:: \varepsilon_*(A, R) = \max_{r \in R} \min_{a \in A} \max_i \rho_i, \qquad
        \rho_i = a_i / r_i \ \text{(minimized)}, \quad r_i / a_i \ \text{(maximized)}

    Smaller is better, 1 for equal sets; +inf for an empty front. All values must be positive. Arguments, edge cases
    and cost are those of `igd`; differentiable along the path of the extremes.

    Raises:
        InputError: If a value that counts is not positive.

    Source: Zitzler, Thiele, Laumanns, Fonseca and Grunert da Fonseca (2003), TEVC.
    """
    points, known = read_pair(values, reference, maximize=maximize, mask=mask, reference_mask=reference_mask)
    front, alive = usable(points)
    target, wanted = usable(known)
    signs = torch.tensor([-1.0 if s else 1.0 for s in points.senses], dtype=front.dtype, device=front.device)
    for name, rows, counted in (("values", front * signs, alive), ("reference", target * signs, wanted)):
        low = torch.where(counted.unsqueeze(-1), rows.detach(), math.inf).min() if rows.numel() else math.inf
        check.that(bool(low > 0), name, "be positive for a multiplicative epsilon", f"{float(low):g}")
    if front.shape[1] == 0:
        return points.give(torch.full(points.values.shape[:-2], math.inf, device=front.device, dtype=front.dtype))
    ours = torch.where(alive.unsqueeze(-1), front * signs, 1.0)
    theirs = torch.where(wanted.unsqueeze(-1), target * signs, 1.0)
    # the logarithm turns ratios into differences, so that the same search finds the pair
    best = take(ours, nearest(theirs.log() * signs, ours.detach().log() * signs, alive, Cost.WORST))
    ratio = torch.where(signs > 0, best / theirs, theirs / best).amax(-1)
    worst = torch.where(wanted, ratio, -math.inf).amax(-1)
    worst = torch.where(alive.any(-1), worst, math.inf)
    return points.give(worst.reshape(points.values.shape[:-2]))
