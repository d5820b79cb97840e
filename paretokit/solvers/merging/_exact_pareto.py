"""Exact Pareto weights, as `solvers.gradient` computes them for all members at once."""

from __future__ import annotations

from paretokit.solvers.gradient._exact_pareto import exact_pareto_weights

__all__ = ["exact_pareto_weights"]
