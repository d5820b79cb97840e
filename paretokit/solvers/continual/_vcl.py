"""Variational continual learning: one posterior, the prior of the next task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor

from paretokit.core import Problem, Rng
from paretokit.core import _check as check
from paretokit.problems.continual import ContinualLearning
from paretokit.solvers.continual._learner import empty_fields, stream_of
from paretokit.solvers.continual._variational import Variational, VariationalState, guide, priors_of, with_buffers


@final
@dataclass(frozen=True, kw_only=True)
class VCL(Variational[VariationalState]):
    r"""Learns one posterior through all tasks; the answer is its mean, whatever is preferred.

    .. math:: q_i = \arg\min_q \mathrm{KL}\bigl(q \,\|\, \tfrac1Z q_{i-1}\, p(D_i \mid \theta)\bigr)

    Attributes:
        prior: Standard deviation of the first task's prior, around zero, or with hidden layers a random start.
        guide: Most that the standard deviations of an approximation begin with, as in `IBCL`.
        epochs, batch_size, learning_rate: Of the training by Adam, on each task.

    The front is the last mean alone, one point.

    Source: Nguyen, Li, Bui and Turner (2018), ICLR. Deviations: no coreset; one draw a minibatch; predictions by the
    mean network; the guide starts at the prior, no wider than `guide`.
    """

    prior: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check.positive(prior=self.prior)

    def start(self, problem: ContinualLearning, rng: Rng, *, initial: Tensor | None) -> VariationalState:
        """Return the state before the first task; the first row of `initial` is the prior's mean."""
        mean, std = priors_of(problem, (self.prior,), rng, initial=initial)
        rows = guide(mean, std, self.widest(problem))
        return VariationalState(rng=rng, prior_mean=mean, prior_std=std, **empty_fields(problem, rows))

    def learned(self, problem: ContinualLearning, state: VariationalState) -> None:
        """Make the posterior the next prior."""
        mean, log_std = state.rows.chunk(2, -1)
        state.prior_mean, state.prior_std = mean.clone(), log_std.exp()

    def decisions(self, problem: Problem, state: VariationalState) -> tuple[Tensor, Tensor | None]:
        """Return the mean network."""
        mean = state.rows.chunk(2, -1)[0]
        return problem.space.project(with_buffers(stream_of(problem), mean)), None
