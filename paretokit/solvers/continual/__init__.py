"""Continual learning: any preference between old and new tasks by imprecise Bayes, and its rivals.

result = pk.solve(pk.problems.make("continual-case-v1"), pk.solvers.IBCL(), seed=0)
result.at([0.5, 0.5, 0, 0, 0, 0, 0, 0], n=16)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paretokit.core._lazy import lazy_names

if TYPE_CHECKING:
    from paretokit.solvers.continual._agem import AGEM, without_conflict
    from paretokit.solvers.continual._ewc import EWC
    from paretokit.solvers.continual._gaussian import kl_divergence, wasserstein
    from paretokit.solvers.continual._gem import GEM
    from paretokit.solvers.continual._ibcl import IBCL
    from paretokit.solvers.continual._knowledge import KnowledgeBase
    from paretokit.solvers.continual._region import Region, chi_square_quantile, combined
    from paretokit.solvers.continual._rehearsal import PreferenceRehearsal
    from paretokit.solvers.continual._replay import ExperienceReplay
    from paretokit.solvers.continual._vcl import VCL

__all__ = [
    "AGEM",
    "EWC",
    "GEM",
    "IBCL",
    "VCL",
    "ExperienceReplay",
    "KnowledgeBase",
    "PreferenceRehearsal",
    "Region",
    "chi_square_quantile",
    "combined",
    "kl_divergence",
    "wasserstein",
    "without_conflict",
]

_HOMES = {
    "AGEM": "_agem",
    "EWC": "_ewc",
    "ExperienceReplay": "_replay",
    "GEM": "_gem",
    "IBCL": "_ibcl",
    "KnowledgeBase": "_knowledge",
    "PreferenceRehearsal": "_rehearsal",
    "Region": "_region",
    "VCL": "_vcl",
    "chi_square_quantile": "_region",
    "combined": "_region",
    "kl_divergence": "_gaussian",
    "wasserstein": "_gaussian",
    "without_conflict": "_agem",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
