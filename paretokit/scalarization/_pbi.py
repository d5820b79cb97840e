"""Penalty-based boundary intersection."""

from __future__ import annotations

from torch import Tensor

from paretokit.core import _check as check
from paretokit.scalarization._pairing import Points, added, paired, root


def pbi(
    values: Tensor,
    *,
    weights: Points,
    utopian: Points | None = None,
    rowwise: bool = False,
    theta: float = 5.0,
    floor: float = 1e-6,
) -> Tensor:
    r"""Penalty-based boundary intersection: distance along a ray plus θ times distance from it.

    .. math:: s(f) = d_1 + \theta d_2, \quad d_1 = \lvert (f - z)^T v \rvert, \quad
              d_2 = \lVert f - z - ((f - z)^T v)\, v \rVert

    with :math:`v_i \propto 1 / \max(w_i, \epsilon), \lVert v \rVert = 1`.

    Deviation: the authors give the ray itself, so that a larger entry of theirs lets its objective grow. Here a larger
    weight matters more, as everywhere, and the ray is the one on which all w_i (f_i - z_i) are equal: the Tchebycheff
    function of the same weights has its corner on it. To follow a ray λ, pass weights 1 / λ.

    Args:
        values: See `Scalarizer`.
        weights: See `Scalarizer`.
        utopian: See `Scalarizer`.
        rowwise: See `Scalarizer`.
        theta: Penalty of the distance from the ray.
        floor: Least weight ε that counts, so that a weight of zero has a ray.

    Raises:
        InputError: If theta is negative or floor is not positive; else as in `Scalarizer`.

    Cost: O(nwm) time, O(nw) memory.

    Source: Zhang and Li (2007), IEEE Transactions on Evolutionary Computation 11.
    """
    check.at_least(0, theta=theta)
    check.positive(floor=floor)
    pair = paired(values, weights, utopian, rowwise)
    rays = [1.0 / w.clamp_min(floor) for w in pair.weights]
    length = root(added([r.square() for r in rays]))
    rays = [r / length for r in rays]
    along = added([g * r for g, r in zip(pair.gaps, rays, strict=True)])
    aside = root(added([(g - along * r).square() for g, r in zip(pair.gaps, rays, strict=True)]))
    return pair.finish(along.abs() + theta * aside)
