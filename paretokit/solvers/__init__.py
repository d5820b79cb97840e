"""What searches: native solvers, and every static multi-objective algorithm of pymoo and pygmo.

pk.solvers.NSGA3(partitions=12)
pk.solvers.pymoo("SMSEMOA", pop_size=50)
pk.solvers.list()
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from paretokit.core import _check as check
from paretokit.solvers._registry import NATIVE, SolverRecord, SolverTable, fitting, make
from paretokit.solvers._registry import table as list  # noqa: A004 - the contract's word

if TYPE_CHECKING:
    from paretokit.solvers.adaptation._paretoda import ParetoDA
    from paretokit.solvers.adaptation._weighted import WeightedDA
    from paretokit.solvers.continual._agem import AGEM
    from paretokit.solvers.continual._ewc import EWC
    from paretokit.solvers.continual._gem import GEM
    from paretokit.solvers.continual._ibcl import IBCL
    from paretokit.solvers.continual._rehearsal import PreferenceRehearsal
    from paretokit.solvers.continual._replay import ExperienceReplay
    from paretokit.solvers.continual._vcl import VCL
    from paretokit.solvers.evolutionary._moead import MOEAD
    from paretokit.solvers.evolutionary._nsga2 import NSGA2
    from paretokit.solvers.evolutionary._nsga3 import NSGA3
    from paretokit.solvers.evolutionary._pygmo import PygmoSolver, pygmo
    from paretokit.solvers.evolutionary._pymoo import PymooSolver, pymoo
    from paretokit.solvers.evolutionary._random import QuasiRandomSearch, RandomSearch
    from paretokit.solvers.evolutionary._smsemoa import SMSEMOA
    from paretokit.solvers.gflownet._gcgfn import GCGFN
    from paretokit.solvers.gflownet._metropolis_hastings import MetropolisHastings
    from paretokit.solvers.gflownet._mo_reinforce import MOReinforce
    from paretokit.solvers.gflownet._mogfn import MOGFN
    from paretokit.solvers.gflownet._mogfn_al import MOGFNAL
    from paretokit.solvers.gflownet._opgfn import OPGFN
    from paretokit.solvers.gradient._descent import GradientDescent
    from paretokit.solvers.gradient._pareto_set import ParetoSetModel
    from paretokit.solvers.merging._adamerging import AdaMerging
    from paretokit.solvers.merging._dare import DARE
    from paretokit.solvers.merging._fisher_merging import FisherMerging
    from paretokit.solvers.merging._preference_merging import PreferenceMerging
    from paretokit.solvers.merging._regmean import RegMean
    from paretokit.solvers.merging._surrogate_merging import SurrogateMerging
    from paretokit.solvers.merging._task_arithmetic import TaskArithmetic
    from paretokit.solvers.merging._ties import TIES
    from paretokit.solvers.merging._weight_averaging import WeightAveraging
    from paretokit.solvers.morl._cmorl import CMORL
    from paretokit.solvers.morl._conditioned_ppo import ConditionedPPO
    from paretokit.solvers.morl._morld import MORLD
    from paretokit.solvers.morl._multi_policy_q import MultiPolicyQ
    from paretokit.solvers.morl._pgmorl import PGMORL

__all__ = [
    "AGEM",
    "CMORL",
    "DARE",
    "EWC",
    "GCGFN",
    "GEM",
    "IBCL",
    "MOEAD",
    "MOGFN",
    "MOGFNAL",
    "MORLD",
    "NSGA2",
    "NSGA3",
    "OPGFN",
    "PGMORL",
    "SMSEMOA",
    "TIES",
    "VCL",
    "AdaMerging",
    "ConditionedPPO",
    "ExperienceReplay",
    "FisherMerging",
    "GradientDescent",
    "MOReinforce",
    "MetropolisHastings",
    "MultiPolicyQ",
    "ParetoDA",
    "ParetoSetModel",
    "PreferenceMerging",
    "PreferenceRehearsal",
    "PygmoSolver",
    "PymooSolver",
    "QuasiRandomSearch",
    "RandomSearch",
    "RegMean",
    "SolverRecord",
    "SolverTable",
    "SurrogateMerging",
    "TaskArithmetic",
    "WeightAveraging",
    "WeightedDA",
    "fitting",
    "list",
    "make",
    "pygmo",
    "pymoo",
]

_WORLDS = ("adaptation", "continual", "gflownet", "gradient", "merging", "morl")
_ADAPTERS = {"PygmoSolver": "_pygmo", "PymooSolver": "_pymoo", "pygmo": "_pygmo", "pymoo": "_pymoo"}


def __getattr__(name: str) -> Any:
    """Import a solver when it is first named."""
    if name in NATIVE:
        module, _, attribute = NATIVE[name].partition(":")
        return getattr(importlib.import_module(module), attribute)
    if name in _ADAPTERS:
        return getattr(importlib.import_module(f"paretokit.solvers.evolutionary.{_ADAPTERS[name]}"), name)
    if name in _WORLDS:
        return importlib.import_module(f"{__name__}.{name}")
    for world in _WORLDS:
        if name in importlib.import_module(f"{__name__}.{world}").__all__:
            hint = f"it is one of `{__name__}.{world}`, as a part of other solvers: `pk.solvers.{world}.{name}`"
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}; {hint}")
    hint = check.nearest(name, [*NATIVE, *_ADAPTERS, *_WORLDS])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}" + (f"; {hint}" if hint else ""))
