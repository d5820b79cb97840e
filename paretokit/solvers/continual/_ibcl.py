"""Imprecise Bayesian continual learning: any preference between old and new tasks, without training again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import torch
from torch import Tensor

from paretokit.core import Problem, Rng
from paretokit.core import _check as check
from paretokit.problems.continual import ContinualLearning
from paretokit.solvers.continual._asked import over_seen, rows_of, wrong_length
from paretokit.solvers.continual._knowledge import KnowledgeBase
from paretokit.solvers.continual._learner import empty_fields, stream_of
from paretokit.solvers.continual._region import Combination, Region, Shape, combined
from paretokit.solvers.continual._variational import (
    Variational,
    VariationalState,
    checked_stds,
    guide,
    priors_of,
    with_buffers,
)
from paretokit.solvers.gradient._preferences import Preferences, checked


@dataclass(kw_only=True)
class IBCLState(VariationalState):
    """A learner with its knowledge base.

    Attributes:
        base: Posteriors of the tasks learned.
    """

    base: KnowledgeBase


@final
@dataclass(frozen=True, kw_only=True)
class IBCL(Variational[IBCLState]):
    r"""Learns posteriors task by task, and combines them for any preference: ``result.at(preference, n=16)``.

    .. math:: q_i^j = \arg\max_q \mathrm{ELBO}(q;\, \text{prior } q_{i-1}^j, D_i), \qquad
              \hat q_w = \bigoplus_{i, j} \tfrac{w_i}{J}\, q_i^j, \qquad
              \Theta_w = \mathrm{HDR}_{1 - \alpha}(\hat q_w)

    Posteriors of all tasks i and priors j span a finitely generated credal set; one within the threshold of a kept one
    is dropped, and that one stands for it, as posterior and as the next task's prior. No preference is trained for:
    training costs as much as one network for each prior, however many are asked for.

    Attributes:
        priors: Standard deviations of the first task's priors :math:`N(\theta_0, s_j^2)`; trained as one stack.
            :math:`\theta_0` is zero, or with hidden layers a random start of the network, the same for all.
        threshold: 2-Wasserstein distance within which a posterior is reused; 0 keeps all. It depends on the network's
            size: choose it from the run's own `nearest` column, or from ``result.state.base.nearest``.
        alpha: Mass outside the region.
        combination: "barycenter" (means and standard deviations are averaged), "moments", or "mixture".
        region: "ellipsoid", the exact region of a Gaussian, or "box", an interval a coordinate.
        preferences: Those that are measured for the front: how many, or rows on the simplex; evenly spread unless
            given. Until all tasks were seen, shares of later ones go to the seen.
        guide: Most that the standard deviations of an approximation begin with; 0.3 for a single layer and 0.05 for
            others, unless given.
        epochs, batch_size, learning_rate: Of the training by Adam, on each task.

    The first answer to a preference is the region's center (the mean network), the others are drawn from the region:
    their spread is the uncertainty, see `region_of`. It works as far as networks between posteriors are good: for
    tasks that share a concept and start from one prior; on tasks that conflict, training for each preference wins.

    Cost: a backward pass a prior, example and epoch; memory 2 D numbers a kept posterior; an answer one weighted sum.

    Source: Lu, Caprio, Eaton and Lee (2023), arXiv 2305.14782. Deviations from their code: the distance is the true
    2-Wasserstein; `alpha` is the mass outside; coordinates are drawn each by itself; the divergence is scaled by the
    share of the minibatch; guides start at the prior's mean, no wider than `guide`.
    """

    state_type: ClassVar[type] = IBCLState

    priors: Sequence[float] = (0.2, 0.25, 0.3)
    threshold: float = 0.0
    alpha: float = 0.01
    combination: Literal["barycenter", "moments", "mixture"] = "barycenter"
    region: Literal["ellipsoid", "box"] = "ellipsoid"
    preferences: Preferences = None

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "priors", checked_stds("priors", self.priors))
        object.__setattr__(self, "preferences", checked(self.preferences))
        check.at_least(0, threshold=self.threshold)
        check.that(0 < self.alpha < 1, "alpha", "lie in (0, 1)", self.alpha, "the mass outside the region")

    def unsupported(self, problem: Problem) -> str | None:
        """Tell whether preferences have another number of entries than there are tasks."""
        return wrong_length(self._given, problem.n_objectives)

    @property
    def _given(self) -> int | tuple[tuple[float, ...], ...] | None:
        return checked(self.preferences)

    def start(self, problem: ContinualLearning, rng: Rng, *, initial: Tensor | None) -> IBCLState:
        """Return the state before the first task; rows of `initial [n, d]` are means of the first priors."""
        mean, std = priors_of(problem, tuple(self.priors), rng, initial=initial)
        base = KnowledgeBase.empty(len(std), std.shape[1], like=std)
        fields = empty_fields(problem, guide(mean, std, self.widest(problem)))
        return IBCLState(rng=rng, prior_mean=mean, prior_std=std, base=base, **fields)

    def learned(self, problem: ContinualLearning, state: IBCLState) -> None:
        """Keep the posteriors that are new; they, or what stands for them, are the next priors."""
        mean, log_std = state.rows.chunk(2, -1)
        kept = state.base.learn(mean.clone(), log_std.exp(), threshold=self.threshold)
        state.prior_mean, state.prior_std = kept

    @property
    def keeps_stages(self) -> bool:
        """Networks after each task are in the knowledge base: see `answers`."""
        return False

    def decisions(self, problem: ContinualLearning, state: IBCLState) -> tuple[Tensor, Tensor | None]:
        """Return the centers for the preferences over the tasks seen; before the first, the mean so far."""
        if not state.base.n_tasks:
            mean = state.rows.chunk(2, -1)[0].mean(0, keepdim=True)
            return problem.space.project(with_buffers(problem, mean)), None
        asked = over_seen(rows_of(self._given, problem.n_objectives), state.base.n_tasks)
        return self.answers(problem, state, asked), asked

    def answers(self, problem: Problem, state: IBCLState, preferences: Tensor, *, n_tasks: int | None = None) -> Tensor:
        """Return one network `[n, d]` for each preference `[n, m]`: its region's center.

        Args:
            problem: Whose networks they are.
            state: After a run, or in it.
            preferences: Rows on the simplex.
            n_tasks: As known after so many tasks; after all learned unless given.

        Raises:
            InputError: If a row leaves the simplex, a task not seen has a share, or `n_tasks` were not learned.
            ShapeError: If rows have another number of entries than there are tasks.
        """
        m = problem.n_objectives
        fits = preferences.ndim == 2 and preferences.shape[1] == m
        check.shape(fits, "preferences", f"be rows of {m} entries, one a task", list(preferences.shape))
        if n_tasks is not None:
            seen = state.base.n_tasks
            check.that(1 <= n_tasks <= seen, "n_tasks", f"lie in 1 … {seen}, the tasks learned", n_tasks)
        weights = state.base.weights(preferences, n_tasks=n_tasks)
        if self.combination == "mixture":
            centers = torch.stack([self._region(state, w).center for w in weights])
        else:  # the mean of all other combinations
            centers = weights.to(state.base.means) @ state.base.means
        return problem.space.project(with_buffers(stream_of(problem), centers))

    def region_of(self, problem: Problem, state: IBCLState, preference: Tensor) -> Region:
        """Return where the networks of a preference `[m]` lie, as a region of the parameters `[D]`.

        Raises:
            InputError: As `answers`.
        """
        m = problem.n_objectives
        return self._region(state, state.base.weights(check.point("preference", preference, m).unsqueeze(0))[0])

    def _region(self, state: IBCLState, weights: Tensor) -> Region:
        base, way, shape = state.base, self._combination, self._shape
        means, stds, own = combined(base.means, base.stds, weights, way=way)
        return Region(means, stds, own, self.alpha, shape)

    @property
    def _combination(self) -> Combination:
        return self.combination

    @property
    def _shape(self) -> Shape:
        return self.region

    def answer(self, problem: Problem, state: IBCLState, preference: Tensor, *, n: int, rng: Rng) -> Tensor:
        """Return n networks `[n, d]` for a preference: the region's center, then n - 1 drawn from the region.

        Raises:
            InputError: If a task that was not seen has a share.
        """
        found = self.region_of(problem, state, preference)
        rows = torch.cat([found.center.unsqueeze(0), found.sample(n - 1, rng)]) if n > 1 else found.center.unsqueeze(0)
        return problem.space.project(with_buffers(stream_of(problem), rows))

    def report(self, problem: Problem, state: IBCLState) -> dict[str, float]:
        """Return the mean loss, the task, posteriors in memory, and how near the last new one was to a kept one."""
        base = state.base
        nearest = {"nearest": float(base.nearest[-1].min())} if base.n_tasks else {}
        return {**super().report(problem, state), "kept": float(base.n_kept), **nearest}

    def config(self) -> dict[str, Any]:
        """Return the hyper-parameters by name, JSON-able."""
        rows = self._given
        given = [list(row) for row in rows] if isinstance(rows, tuple) else rows
        return {**super().config(), "priors": list(self.priors), "preferences": given}
