"""The best few of many samples: how good they are, and how different from each other."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.indicators._pairwise_distances import levenshtein, tanimoto

Distance = Callable[[Tensor, Tensor], Tensor]
"""From items `[*shape, f]` and the ones beside them, broadcast, to distances `[*shape]`."""

DISTANCES: dict[str, Distance] = {"levenshtein": levenshtein, "tanimoto": tanimoto}


def _best(rewards: Tensor, k: int) -> Tensor:
    check.at_least(1, k=k)
    n = rewards.shape[-1] if rewards.ndim else 0
    check.shape(n >= k, "rewards", f"hold at least k = {k} samples", tuple(rewards.shape))
    return rewards.topk(k, -1).indices


def top_k_reward(rewards: Tensor, *, k: int = 10) -> Tensor:
    r"""Mean of the k largest rewards, `[*batch, n]` to `[*batch]`.

    Source: Jain et al. (2023), ICML: k = 10 of the 128 samples of each preference by the scalarized reward without its
    exponent, then the mean over preferences.

    Raises:
        ShapeError: If there are fewer than k samples.

    >>> top_k_reward(torch.tensor([3.0, 1.0, 2.0]), k=2).item()
    2.5
    """
    return rewards.gather(-1, _best(rewards, k)).mean(-1)


def top_k_diversity(rewards: Tensor, items: Tensor, *, distance: str | Distance = "levenshtein", k: int = 10) -> Tensor:
    r"""Mean distance between the k samples of largest reward; larger is more diverse.

    .. math:: \binom{k}{2}^{-1} \sum_{i < j} d(x_i, x_j)

    Args:
        rewards: What ranks the samples `[*batch, n]`.
        items: What is compared `[*batch, n, f]`: padded token rows for "levenshtein", bits for "tanimoto".
        distance: "levenshtein", "tanimoto", or a function of one's own.
        k: At least 2.

    Returns:
        float64 `[*batch]`.

    Raises:
        ShapeError: If there are fewer than k samples, or not an item for each.
        UnknownNameError: For an unknown distance.

    Cost: O(k^2) distances a batch element.

    Source: Jain et al. (2023), ICML. Deviations from published codes: one of them returns the mean *similarity* of
    molecules under this name, another divides the sum over unordered pairs by k (k - 1) and so gives half the mean.
    """
    check.at_least(2, k=k)
    given = items.shape[:-1] == rewards.shape
    check.shape(given, "items", f"have shape {tuple(rewards.shape)} and one axis more", tuple(items.shape))
    best = _best(rewards, k)
    chosen = items.gather(-2, best.unsqueeze(-1).expand(*best.shape, items.shape[-1]))
    i, j = torch.triu_indices(k, k, 1, device=rewards.device).unbind(0)
    if isinstance(distance, str):
        check.known(distance, DISTANCES, kind="distance")
        distance = DISTANCES[distance]
    return distance(chosen[..., i, :], chosen[..., j, :]).to(torch.float64).mean(-1)
