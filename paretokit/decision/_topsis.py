"""TOPSIS."""

from __future__ import annotations

import torch
from torch import Tensor

from paretokit.core import Front
from paretokit.decision._scale import Preference, preference_of, scaled


def topsis(front: Front, preference: Preference | None = None) -> Tensor:
    r"""Relative closeness of each point to the ideal, `[n]` in [0, 1]; the largest is chosen.

    .. math:: c(f) = \frac{d^-}{d^+ + d^-}, \quad d^+ = \lVert w \odot u \rVert_2, \quad
              d^- = \lVert w \odot (1 - u) \rVert_2, \quad u_i = \frac{f_i - \mathrm{ideal}_i}{\mathrm{nadir}_i -
              \mathrm{ideal}_i}

    Values are scaled by their ranges rather than by their norms, so that closeness does not depend on where an
    objective has its zero. Where all distances vanish the closeness is 1. An objective without a range is left out.

    Args:
        front: The front; not empty.
        preference: Weights, larger matters more; equal by default.

    Raises:
        ShapeError: If the preference does not have one entry an objective.
        InputError: If the front is empty, or the preference negative or all zero.

    Cost: O(nm).

    Source: Hwang and Yoon (1981), Multiple Attribute Decision Making.
    """
    u = scaled(front)
    w = preference_of(front, preference)
    away = torch.where((u > 0).any(0), 1.0 - u, 0.0)
    to_ideal, to_nadir = (w * u).norm(dim=-1), (w * away).norm(dim=-1)
    total = to_ideal + to_nadir
    return torch.where(total > 0, to_nadir / torch.where(total > 0, total, 1.0), 1.0)
