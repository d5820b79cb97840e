"""Weight averaging: the mean of the fine-tuned weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from paretokit.problems.merging import ModelMerging
from paretokit.solvers.merging._closed_form import ClosedForm


@final
@dataclass(frozen=True, kw_only=True)
class WeightAveraging(ClosedForm):
    r"""Merges by the mean of the fine-tuned weights, which needs no data and no choice.

    .. math:: \theta = \frac1K \sum_k \theta_k = \theta_0 + \frac1K \sum_k \tau_k

    Cost: one pass over the task vectors, one evaluation.

    Source: Wortsman et al. (2022), ICML ("model soups"). Deviation from AdaMerging's code: all K vectors count, where
    the last one is dropped there.
    """

    def scales(self, problem: ModelMerging) -> tuple[float, ...]:
        """Return 1 / K."""
        return (1 / problem.original.n_tasks,)
