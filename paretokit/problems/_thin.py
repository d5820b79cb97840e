"""Few points of many, spread out."""

from __future__ import annotations

import torch
from torch import Tensor


def thin(points: Tensor, n: int) -> Tensor:
    """Return n of the points `[k >= n, m]`, spread out: the best of each objective, then always the farthest left.

    Greedy k-center (Gonzalez, 1985) after scaling each objective to its range. Cost O(n k m).
    """
    if points.shape[0] <= n:
        return points
    span = (points.amax(0) - points.amin(0)).clamp_min(1e-300)
    scaled = (points - points.amin(0)) / span
    chosen = list(dict.fromkeys(scaled.argmin(0).tolist() + scaled.argmax(0).tolist()))[:n]
    gap = (scaled[:, None] - scaled[chosen]).square().sum(-1).amin(1)
    while len(chosen) < n:
        farthest = int(gap.argmax())
        chosen.append(farthest)
        gap = torch.minimum(gap, (scaled - scaled[farthest]).square().sum(-1))
    return points[sorted(chosen)]
