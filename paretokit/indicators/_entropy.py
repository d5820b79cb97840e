"""Pareto-clusters entropy: how evenly samples visit the regions of a reference front."""

from __future__ import annotations

from typing import Any

import torch

from paretokit.core._io import Array, Senses
from paretokit.indicators._distances import read_pair
from paretokit.indicators._nearest import Cost, nearest, usable


def pc_entropy(
    values: Array,
    reference: Array,
    *,
    maximize: Senses = False,
    mask: Array | None = None,
    reference_mask: Array | None = None,
    compat: bool = False,
) -> Any:
    r"""Entropy, in nats, of the histogram of samples over their nearest reference points.

    .. math:: H = -\sum_{r \in R} p_r \ln p_r, \qquad p_r = \tfrac{1}{n} |\{ a : r \ \text{is nearest to} \ a \}|

    Larger is more diverse, at most :math:`\ln \min(n, |R|)`; 0 for an empty set. Distances are Euclidean, ties go to
    the first reference point. All samples count, dominated ones too; rows that are not finite are failed candidates
    and do not. No gradient.

    Args:
        values: Samples A, `[*batch, n, m]`.
        reference: Reference points R, `[k, m]` or `[*batch, k, m]`, in the senses of the samples.
        maximize: Whether larger is better (the entropy does not depend on it).
        mask: `[*batch, n]`, True where a row counts.
        reference_mask: `[k]` or `[*batch, k]`, True where a reference point counts.
        compat: Whether to compute :math:`-\sum p \ln(p + 10^{-8})`, as the published codes do.

    Returns:
        `[*batch]`, NumPy or tensor as `values`.

    Raises:
        ShapeError: If shapes do not fit each other.
        InputError: If the reference set is empty or not finite.

    Cost: O(n k m) time, O(n + k) memory.

    Source: Roy et al. (2023), goal-conditioned GFlowNets; Chen and Mauch (2024), ICLR (OP-GFN).
    """
    points, known = read_pair(values, reference, maximize=maximize, mask=mask, reference_mask=reference_mask)
    samples, alive = usable(points)
    target, wanted = usable(known)
    found = nearest(samples, target, wanted, Cost.EUCLIDEAN).clamp_min(0)
    histogram = torch.zeros((samples.shape[0], target.shape[1]), dtype=points.values.dtype, device=samples.device)
    histogram.scatter_add_(1, found, alive.to(histogram.dtype))
    p = histogram / alive.sum(-1, keepdim=True).clamp_min(1)
    entropy = -(p * (p + 1e-8).log()).sum(-1) if compat else torch.special.entr(p).sum(-1)
    return points.give(entropy.reshape(points.values.shape[:-2]))
