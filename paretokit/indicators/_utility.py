"""What a front is worth to users with linear preferences."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from paretokit.core._io import Array, Points, Senses, read
from paretokit.indicators._distances import read_pair
from paretokit.indicators._nearest import take, usable
from paretokit.indicators._r2 import least_linear, weights_of


def _utility(points: Points, w: Tensor) -> Tensor:
    """Return the best utility of each weight, `[b, w]`, -inf without points."""
    front, alive = usable(points)
    if front.shape[1] == 0:
        return torch.full((front.shape[0], w.shape[0]), -math.inf, dtype=front.dtype, device=front.device)
    best = -(take(front, least_linear(w, front, alive)) * w).sum(-1)
    return torch.where(alive.any(-1, keepdim=True), best, -math.inf)


def expected_utility(values: Array, weights: Array, *, maximize: Senses = False, mask: Array | None = None) -> Any:
    r"""Mean over weights of the best linear utility in the front.

    .. math:: \text{EU}(A) = \frac{1}{|W|} \sum_{w \in W} \max_{a \in A} \sum_i w_i s_i a_i, \qquad
        s_i = 1 \ \text{(maximized)}, \ -1 \ \text{(minimized)}

    Larger is better; -inf for an empty front. Only the convex hull of the front counts. Rows that are not finite are
    failed candidates and do not count. Differentiable with respect to a tensor of values.

    Published figures depend on the weights: MORL-baselines takes 100 Riesz points, C-MORL a simplex grid that lost
    the weights whose sum is not 1 in floating point (`cmorl_weights` reproduces it).

    Args:
        values: Front A, `[*batch, n, m]`.
        weights: W, `[w, m]`, not negative.
        maximize: Whether larger is better: a bool, or one an objective.
        mask: `[*batch, n]`, True where a row counts.

    Returns:
        `[*batch]`, NumPy or tensor as `values`.

    Raises:
        InputError: If weights are negative or not finite.

    Cost: O(n w m) time; at most 2^21 utilities are held at once.

    Source: Zintgraf, Kanters, Roijers, Oliehoek and Beau (2015), Benelearn.
    """
    points = read(values, maximize=maximize, mask=mask)
    best = _utility(points, weights_of(points, weights))
    return points.give(best.mean(-1).reshape(points.values.shape[:-2]))


def maximum_utility_loss(
    values: Array,
    reference: Array,
    weights: Array,
    *,
    maximize: Senses = False,
    mask: Array | None = None,
    reference_mask: Array | None = None,
) -> Any:
    r"""Largest linear utility that a user gives up by choosing from the front instead of the reference set.

    .. math:: \text{MUL}(A, R) = \max_{w \in W} \Bigl( \max_{r \in R} \sum_i w_i s_i r_i -
        \max_{a \in A} \sum_i w_i s_i a_i \Bigr)

    Smaller is better; +inf for an empty front; negative where the front beats the reference set for every weight.
    Symbols and arguments are those of `expected_utility`, the reference set those of `igd`.

    Source: Zintgraf, Kanters, Roijers, Oliehoek and Beau (2015), Benelearn.
    """
    points, known = read_pair(values, reference, maximize=maximize, mask=mask, reference_mask=reference_mask)
    w = weights_of(points, weights)
    loss = (_utility(known, w) - _utility(points, w)).amax(-1)
    return points.give(loss.reshape(points.values.shape[:-2]))
