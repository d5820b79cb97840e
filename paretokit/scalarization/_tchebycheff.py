"""The Tchebycheff family: plain, augmented, smooth, and the achievement function."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.scalarization._pairing import Points, added, largest, paired


def tchebycheff(values: Tensor, *, weights: Points, utopian: Points | None = None, rowwise: bool = False) -> Tensor:
    r"""Largest weighted distance from the utopian point; every Pareto point is optimal for some weight.

    .. math:: s(f) = \max_i w_i \lvert f_i - z_i \rvert

    An objective of weight zero is ignored, so that optimal points may be weakly Pareto optimal only; see
    `augmented_tchebycheff`. Arguments, shapes and errors as in `Scalarizer`.

    Cost: O(nwm) time, O(nw) memory.

    Source: Bowman (1976), Multiple Criteria Decision Making.
    """
    pair = paired(values, weights, utopian, rowwise)
    return pair.finish(largest([w * g.abs() for w, g in zip(pair.weights, pair.gaps, strict=True)]))


def augmented_tchebycheff(
    values: Tensor,
    *,
    weights: Points,
    utopian: Points | None = None,
    rowwise: bool = False,
    rho: float = 1e-3,
) -> Tensor:
    r"""Tchebycheff plus a small plain sum, which makes every optimal point Pareto optimal, at zero weights too.

    .. math:: s(f) = \max_i w_i \lvert f_i - z_i \rvert + \rho \sum_i \lvert f_i - z_i \rvert

    Args:
        values: See `Scalarizer`.
        weights: See `Scalarizer`.
        utopian: See `Scalarizer`.
        rowwise: See `Scalarizer`.
        rho: Weight of the sum; points whose trade-offs are steeper than about rho are missed.

    Raises:
        InputError: If rho is negative; else as in `Scalarizer`.

    Cost: O(nwm) time, O(nw) memory.

    Source: Steuer and Choo (1983), Mathematical Programming 26.
    """
    check.at_least(0, rho=rho)
    pair = paired(values, weights, utopian, rowwise)
    gaps = [g.abs() for g in pair.gaps]
    return pair.finish(largest([w * g for w, g in zip(pair.weights, gaps, strict=True)]) + rho * added(gaps))


def achievement(
    values: Tensor,
    *,
    weights: Points,
    utopian: Points | None = None,
    rowwise: bool = False,
    rho: float = 1e-3,
) -> Tensor:
    r"""Achievement scalarizing function: signed shortfall from an aspiration point, negative where it is exceeded.

    .. math:: s(f) = \max_i w_i (f_i - z_i) + \rho \sum_i w_i (f_i - z_i)

    The aspiration z, passed as `utopian`, may be attainable or not: increasing in every objective, the function keeps
    its order on both sides. Wierzbicki divides by ranges where w multiplies here (a larger weight matters more). An
    objective of weight zero is ignored.

    Args:
        values: See `Scalarizer`.
        weights: See `Scalarizer`.
        utopian: The aspiration point; shapes as in `Scalarizer`.
        rowwise: See `Scalarizer`.
        rho: Weight of the sum.

    Raises:
        InputError: If rho is negative; else as in `Scalarizer`.

    Cost: O(nwm) time, O(nw) memory.

    Source: Wierzbicki (1980), Multiple Criteria Decision Making Theory and Application.
    """
    check.at_least(0, rho=rho)
    pair = paired(values, weights, utopian, rowwise)
    terms = [w * g for w, g in zip(pair.weights, pair.gaps, strict=True)]
    return pair.finish(largest(terms) + rho * added(terms))


def smooth_tchebycheff(
    values: Tensor,
    *,
    weights: Points,
    utopian: Points | None = None,
    rowwise: bool = False,
    mu: float = 0.1,
) -> Tensor:
    r"""Tchebycheff with a soft maximum: differentiable everywhere, between Tchebycheff and μ log m above it.

    .. math:: s(f) = \mu \log \sum_i \exp \frac{w_i (f_i - z_i)}{\mu}

    Args:
        values: See `Scalarizer`.
        weights: See `Scalarizer`.
        utopian: See `Scalarizer`; no value may lie below it for the bound to hold (distances are signed).
        rowwise: See `Scalarizer`.
        mu: Smoothing; the Tchebycheff function as it goes to 0.

    Raises:
        InputError: If mu is not positive; else as in `Scalarizer`.

    Cost: O(nwm) time, O(nw) memory.

    Source: Lin, Zhang, Yang, Liu, Wang and Zhang (2024), ICML.
    """
    check.that(mu > 0 and math.isfinite(mu), "mu", "be positive and finite", repr(mu))
    pair = paired(values, weights, utopian, rowwise)
    terms = [w * g / mu for w, g in zip(pair.weights, pair.gaps, strict=True)]
    return pair.finish(mu * added(terms, torch.logaddexp))
