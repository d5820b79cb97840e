"""Solvers of multi-objective reinforcement learning: whole populations of policies trained in one stack.

pk.solvers.CMORL(ppo=pk.solvers.morl.PPO(n_envs=16))
pk.solvers.MORLD(improver=pk.solvers.morl.SAC(shared_buffer=True))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paretokit.core._lazy import lazy_names

if TYPE_CHECKING:
    from paretokit.solvers.morl._cpo import TrustRegion
    from paretokit.solvers.morl._eupg import EUPG
    from paretokit.solvers.morl._improver import Aim, Improver, Spent
    from paretokit.solvers.morl._ppo import PPO
    from paretokit.solvers.morl._sac import SAC

__all__ = ["EUPG", "PPO", "SAC", "Aim", "Improver", "Spent", "TrustRegion"]

_HOMES = {
    "Aim": "_improver",
    "EUPG": "_eupg",
    "Improver": "_improver",
    "PPO": "_ppo",
    "SAC": "_sac",
    "Spent": "_improver",
    "TrustRegion": "_cpo",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
