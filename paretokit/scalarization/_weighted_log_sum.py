"""Weighted log-sum."""

from __future__ import annotations

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.scalarization._pairing import Points, added, paired


def weighted_log_sum(
    values: Tensor,
    *,
    weights: Points,
    utopian: Points | None = None,
    rowwise: bool = False,
    span: float = 1.0,
    floor: float = 1e-6,
) -> Tensor:
    r"""Minus the weighted sum of the logarithms of the gains: the geometric mean as a scalarization.

    .. math:: s(f) = -\sum_i w_i \log \max(r_i, \epsilon), \quad r_i = z_i + \delta - f_i

    The gain r_i is what objective i is better than the worst value :math:`z_i + \delta` that counts; exp(-s) is the
    weighted geometric mean of the gains (with weights that sum to one), and the Nash bargaining solution minimizes s
    at equal weights. Rewards r are scored by `values=-r, utopian=-span`.

    Args:
        values: See `Scalarizer`.
        weights: See `Scalarizer`.
        utopian: See `Scalarizer`.
        rowwise: See `Scalarizer`.
        span: Distance δ from the utopian point to the worst value that counts; 1 suits normalized values.
        floor: Least gain ε that counts; beyond it a point is not told from a worse one (gradient 0).

    Raises:
        InputError: If span or floor is not positive; else as in `Scalarizer`.

    Cost: O(nwm) time, O(nw) memory.

    Source: Nash (1950), Econometrica 18; as a reward of preferences, Jain et al. (2023), ICML.
    """
    check.positive(span=span, floor=floor)
    pair = paired(values, weights, utopian, rowwise)
    gains = [torch.log((span - g).clamp_min(floor)) for g in pair.gaps]
    return pair.finish(-added([w * r for w, r in zip(pair.weights, gains, strict=True)]))
