"""What solvers that train by proximal policy optimization have in common: the record of how, in one field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from paretokit.core import Problem, Solver
from paretokit.core import _check as check
from paretokit.problems.morl._morl import MORL
from paretokit.solvers.morl._improvers import described, improver_of
from paretokit.solvers.morl._ppo import PPO

State = TypeVar("State")


@dataclass(frozen=True, kw_only=True)
class PPOSolver(Solver[State]):
    """A solver whose policies are trained as its `ppo` says.

    Attributes:
        ppo: A `PPO`, or its options by name.
    """

    solves: ClassVar[type[Problem]] = MORL

    ppo: PPO | Mapping[str, Any] = field(default_factory=PPO)

    def __post_init__(self) -> None:
        check.fields(self)
        improver = improver_of({"kind": "PPO", **self.ppo} if isinstance(self.ppo, Mapping) else self.ppo)
        check.that(isinstance(improver, PPO), "ppo", "be a PPO", type(improver).__name__)
        object.__setattr__(self, "ppo", improver)

    @property
    def trainer(self) -> PPO:
        """`ppo`, as what `__post_init__` made of it."""
        assert isinstance(self.ppo, PPO)
        return self.ppo

    def config(self) -> dict[str, Any]:
        """Return the hyper-parameters by name, JSON-able."""
        return {**super().config(), "ppo": described(self.trainer)}

    def unsupported(self, problem: Problem) -> str | None:
        """Tell why PPO cannot train the problem's policies."""
        if not isinstance(problem, MORL):
            return "it trains policies"
        return self.trainer.unsupported(problem)
