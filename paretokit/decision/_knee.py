"""Knee."""

from __future__ import annotations

import math

from torch import Tensor

from paretokit.core import Front
from paretokit.decision._scale import scaled


def knee(front: Front) -> Tensor:
    r"""Depth of each point below the plane through the ends of the front, `[n]`; the knee is the deepest.

    .. math:: \kappa(f) = \frac{1 - \sum_i u_i}{\sqrt m}, \quad u_i = \frac{f_i - \mathrm{ideal}_i}{\mathrm{nadir}_i
              - \mathrm{ideal}_i}

    with the ideal and nadir of the front: the signed distance to the plane that cuts each axis at the nadir. With two
    objectives this is the line through the two extreme points; a front without a bulge has its knee at an end.

    Args:
        front: The front; not empty.

    Raises:
        InputError: If the front is empty.

    Cost: O(nm).

    Source: Das (1999), Structural Optimization 18, for two objectives.
    """
    u = scaled(front)
    return (1.0 - u.sum(-1)) / math.sqrt(u.shape[1])
