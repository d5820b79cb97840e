"""Solvers of model merging: closed forms, and coefficients learned without labels.

pk.solvers.AdaMerging(layerwise=True)
pk.solvers.PreferenceMerging(weighting="epo")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paretokit.core._lazy import lazy_names

if TYPE_CHECKING:
    from paretokit.solvers.merging._adamerging import AdaMerging
    from paretokit.solvers.merging._dare import DARE
    from paretokit.solvers.merging._exact_pareto import exact_pareto_weights
    from paretokit.solvers.merging._fisher_merging import FisherMerging
    from paretokit.solvers.merging._preference_merging import PreferenceMerging
    from paretokit.solvers.merging._regmean import RegMean
    from paretokit.solvers.merging._surrogate_merging import SurrogateMerging
    from paretokit.solvers.merging._task_arithmetic import TaskArithmetic
    from paretokit.solvers.merging._ties import TIES
    from paretokit.solvers.merging._weight_averaging import WeightAveraging

__all__ = [
    "DARE",
    "TIES",
    "AdaMerging",
    "FisherMerging",
    "PreferenceMerging",
    "RegMean",
    "SurrogateMerging",
    "TaskArithmetic",
    "WeightAveraging",
    "exact_pareto_weights",
]

_HOMES = {
    "AdaMerging": "_adamerging",
    "DARE": "_dare",
    "FisherMerging": "_fisher_merging",
    "PreferenceMerging": "_preference_merging",
    "RegMean": "_regmean",
    "SurrogateMerging": "_surrogate_merging",
    "TIES": "_ties",
    "TaskArithmetic": "_task_arithmetic",
    "WeightAveraging": "_weight_averaging",
    "exact_pareto_weights": "_exact_pareto",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
