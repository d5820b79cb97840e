"""Generative flow networks: samplers of many diverse designs over a whole front.

pk.solvers.MOGFN(temperature=16, policy=pk.solvers.gflownet.MLPPolicy(hidden=(256, 256)))
pk.solvers.OPGFN(criterion="SubTB", replay=pk.solvers.gflownet.Replay(pareto=0.2))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paretokit.core._lazy import lazy_names

if TYPE_CHECKING:
    from paretokit.solvers.gflownet._conditions import Preferences, Temperature
    from paretokit.solvers.gflownet._criterion import Criterion
    from paretokit.solvers.gflownet._detailed_balance import DetailedBalance
    from paretokit.solvers.gflownet._exact import Exact, exact
    from paretokit.solvers.gflownet._flow_matching import FlowMatching
    from paretokit.solvers.gflownet._gcgfn import GCGFN
    from paretokit.solvers.gflownet._gflownet import GFlowNet
    from paretokit.solvers.gflownet._goals import Goals
    from paretokit.solvers.gflownet._metropolis_hastings import MetropolisHastings
    from paretokit.solvers.gflownet._mlp_policy import MLPPolicy
    from paretokit.solvers.gflownet._mo_reinforce import MOReinforce
    from paretokit.solvers.gflownet._mogfn import MOGFN
    from paretokit.solvers.gflownet._mogfn_al import MOGFNAL
    from paretokit.solvers.gflownet._opgfn import OPGFN
    from paretokit.solvers.gflownet._policy import PolicyNetwork
    from paretokit.solvers.gflownet._replay import Replay
    from paretokit.solvers.gflownet._sub_trajectory_balance import SubTrajectoryBalance
    from paretokit.solvers.gflownet._trajectory_balance import TrajectoryBalance
    from paretokit.solvers.gflownet._transformer_policy import TransformerPolicy
    from paretokit.solvers.gflownet._tree_policy import TreePolicy

__all__ = [
    "GCGFN",
    "MOGFN",
    "MOGFNAL",
    "OPGFN",
    "Criterion",
    "DetailedBalance",
    "Exact",
    "FlowMatching",
    "GFlowNet",
    "Goals",
    "MLPPolicy",
    "MOReinforce",
    "MetropolisHastings",
    "PolicyNetwork",
    "Preferences",
    "Replay",
    "SubTrajectoryBalance",
    "Temperature",
    "TrajectoryBalance",
    "TransformerPolicy",
    "TreePolicy",
    "exact",
]

_HOMES = {
    "Criterion": "_criterion",
    "DetailedBalance": "_detailed_balance",
    "Exact": "_exact",
    "FlowMatching": "_flow_matching",
    "GCGFN": "_gcgfn",
    "GFlowNet": "_gflownet",
    "Goals": "_goals",
    "MLPPolicy": "_mlp_policy",
    "MOGFN": "_mogfn",
    "MOGFNAL": "_mogfn_al",
    "MOReinforce": "_mo_reinforce",
    "MetropolisHastings": "_metropolis_hastings",
    "OPGFN": "_opgfn",
    "PolicyNetwork": "_policy",
    "Preferences": "_conditions",
    "Replay": "_replay",
    "SubTrajectoryBalance": "_sub_trajectory_balance",
    "Temperature": "_conditions",
    "TrajectoryBalance": "_trajectory_balance",
    "TransformerPolicy": "_transformer_policy",
    "TreePolicy": "_tree_policy",
    "exact": "_exact",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
