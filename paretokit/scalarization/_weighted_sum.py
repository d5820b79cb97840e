"""Weighted sum."""

from __future__ import annotations

from torch import Tensor

from paretokit.scalarization._pairing import Points, added, paired


def weighted_sum(values: Tensor, *, weights: Points, utopian: Points | None = None, rowwise: bool = False) -> Tensor:
    r"""Weighted sum of the distances from the utopian point; reaches the convex part of a front only.

    .. math:: s(f) = \sum_i w_i (f_i - z_i)

    The utopian point shifts all scores of a weight alike. Arguments, shapes and errors as in `Scalarizer`.

    Cost: O(nwm) time, O(nw) memory.
    """
    pair = paired(values, weights, utopian, rowwise)
    return pair.finish(added([w * g for w, g in zip(pair.weights, pair.gaps, strict=True)]))
