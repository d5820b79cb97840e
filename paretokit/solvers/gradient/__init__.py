"""Gradient-based multi-objective training: aggregators of gradients, fronts by descent, and Pareto set models.

w = pk.solvers.gradient.MGDA().weights(jacobian @ jacobian.mT)
pk.solvers.GradientDescent(aggregator="EPO", preferences=25)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paretokit.core._lazy import lazy_names

if TYPE_CHECKING:
    from paretokit.solvers.gradient._aggregator import Aggregator
    from paretokit.solvers.gradient._aligned_mtl import AlignedMTL
    from paretokit.solvers.gradient._cagrad import CAGrad
    from paretokit.solvers.gradient._descent import GradientDescent
    from paretokit.solvers.gradient._exact_pareto import EPO, exact_pareto_weights
    from paretokit.solvers.gradient._imtl_g import IMTLG
    from paretokit.solvers.gradient._mgda import MGDA
    from paretokit.solvers.gradient._min_norm import min_norm_weights
    from paretokit.solvers.gradient._nash_mtl import NashMTL
    from paretokit.solvers.gradient._pareto_mtl import ParetoMTL
    from paretokit.solvers.gradient._pareto_set import ParetoSetModel
    from paretokit.solvers.gradient._pcgrad import PCGrad
    from paretokit.solvers.gradient._scalarized import Linear, SmoothTchebycheff, Tchebycheff
    from paretokit.solvers.gradient._upgrad import UPGrad, dual_cone_weights

__all__ = [
    "EPO",
    "IMTLG",
    "MGDA",
    "Aggregator",
    "AlignedMTL",
    "CAGrad",
    "GradientDescent",
    "Linear",
    "NashMTL",
    "PCGrad",
    "ParetoMTL",
    "ParetoSetModel",
    "SmoothTchebycheff",
    "Tchebycheff",
    "UPGrad",
    "dual_cone_weights",
    "exact_pareto_weights",
    "min_norm_weights",
]

_HOMES = {
    "Aggregator": "_aggregator",
    "AlignedMTL": "_aligned_mtl",
    "CAGrad": "_cagrad",
    "EPO": "_exact_pareto",
    "GradientDescent": "_descent",
    "IMTLG": "_imtl_g",
    "Linear": "_scalarized",
    "MGDA": "_mgda",
    "NashMTL": "_nash_mtl",
    "PCGrad": "_pcgrad",
    "ParetoMTL": "_pareto_mtl",
    "ParetoSetModel": "_pareto_set",
    "SmoothTchebycheff": "_scalarized",
    "Tchebycheff": "_scalarized",
    "UPGrad": "_upgrad",
    "dual_cone_weights": "_upgrad",
    "exact_pareto_weights": "_exact_pareto",
    "min_norm_weights": "_min_norm",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
