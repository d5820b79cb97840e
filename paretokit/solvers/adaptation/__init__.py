"""Solvers of domain adaptation: one training loop, and what weighs its three objectives.

pk.solvers.ParetoDA(alignment="cdan")
pk.solvers.WeightedDA(preferences=10)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paretokit.core._lazy import lazy_names

if TYPE_CHECKING:
    from paretokit.solvers.adaptation._cooperation import cooperative_weights
    from paretokit.solvers.adaptation._paretoda import ParetoDA
    from paretokit.solvers.adaptation._refinement import refined
    from paretokit.solvers.adaptation._weighted import WeightedDA

__all__ = ["ParetoDA", "WeightedDA", "cooperative_weights", "refined"]

_HOMES = {
    "ParetoDA": "_paretoda",
    "WeightedDA": "_weighted",
    "cooperative_weights": "_cooperation",
    "refined": "_refinement",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
