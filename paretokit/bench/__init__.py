"""Solvers against each other: same problem, same budget, same measurement, many seeds."""

from paretokit.bench._compare import Comparison, compare

__all__ = ["Comparison", "compare"]
