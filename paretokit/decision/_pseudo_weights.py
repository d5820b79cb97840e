"""Pseudo-weights."""

from __future__ import annotations

import torch
from torch import Tensor

from paretokit.core import Front
from paretokit.decision._scale import scaled


def pseudo_weights(front: Front) -> Tensor:
    r"""The preference that each point stands for, `[n, m]`: its share of what is better than the worst.

    .. math:: w_i(f) = \frac{1 - u_i}{\sum_j (1 - u_j)}, \quad u_i = \frac{f_i - \mathrm{ideal}_i}{\mathrm{nadir}_i
              - \mathrm{ideal}_i}

    Rows lie on the simplex. An objective without a range gets no weight; where nothing is better than the worst,
    weights are equal.

    Args:
        front: The front; not empty.

    Raises:
        InputError: If the front is empty.

    Cost: O(nm).

    Source: Deb (2001), Multi-Objective Optimization Using Evolutionary Algorithms, section 8.
    """
    u = scaled(front)
    gain = torch.where((u > 0).any(0), 1.0 - u, 0.0)
    total = gain.sum(-1, keepdim=True)
    return torch.where(total > 0, gain / torch.where(total > 0, total, 1.0), 1.0 / gain.shape[1])
