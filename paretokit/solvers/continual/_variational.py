"""Variational training of Gaussian posteriors, a prior a member, the posterior of one task the prior of the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn

from paretokit.core import Lanes, Rng
from paretokit.core import _check as check
from paretokit.problems.continual import ContinualLearning
from paretokit.solvers.continual._gaussian import evidence
from paretokit.solvers.continual._learner import Learner, LearnerState, slopes

WIDE, NARROW = 0.3, 0.05
"""Most that a guide's standard deviations begin with, without hidden layers and with them."""


@dataclass(kw_only=True)
class VariationalState(LearnerState):
    r"""A learner of posteriors. `rows` holds :math:`\mu` and :math:`\log \sigma` of the parameters.

    Attributes:
        prior_mean, prior_std: Of the task that is learned `[P, D]`.
    """

    prior_mean: Tensor
    prior_std: Tensor


V = TypeVar("V", bound=VariationalState)


@dataclass(frozen=True, kw_only=True)
class Variational(Learner[V]):
    r"""Maximizes one-sample evidence bounds of all members at once.

    .. math:: \min_{\mu, \sigma} \; \frac1B \sum_{b} -\log p(y_b \mid u_b, \mu + \sigma \epsilon)
              + \frac1N \mathrm{KL}\bigl(N(\mu, \sigma^2) \,\|\, \text{prior}\bigr)

    with N examples in the task: the divergence counts once an epoch, not once a minibatch. A guide starts at its prior,
    no wider than `guide`: noise drowns the first gradients of hidden layers, and the posterior then stays at the prior.
    """

    state_type: ClassVar[type] = VariationalState

    guide: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.guide is not None:
            check.positive(guide=self.guide)

    def widest(self, problem: ContinualLearning) -> float:
        """Return the most that a guide's standard deviations begin with."""
        if self.guide is not None:
            return self.guide
        return WIDE if is_linear(problem) else NARROW

    def gradient(
        self, problem: ContinualLearning, state: V, batch: tuple[Tensor, Tensor], rng: Rng
    ) -> tuple[Tensor, Tensor]:
        """Return negative bounds `[P]` an example, and their gradients."""
        assert state.data is not None
        n, members = len(state.data[1]), len(state.rows)
        lanes = Lanes(tuple(rng.child("member", p) for p in range(members)))
        noise = normal(lanes, state.prior_mean.shape[1], like=state.rows)
        state.work += 3.0 * members * len(batch[1])
        return bound_gradient(
            problem, state.rows, noise, batch=batch, task=state.task, prior=(state.prior_mean, state.prior_std), n=n
        )

    def begun(self, problem: ContinualLearning, state: V) -> None:
        """Start the guide at the prior's mean, so that hidden units keep their meaning from task to task."""
        state.rows = guide(state.prior_mean, state.prior_std, self.widest(problem))


def is_linear(problem: ContinualLearning) -> bool:
    """Tell whether the network is one layer."""
    mlp, module = problem.stacked.mlp, problem.stacked.module
    return type(module) is nn.Linear or (mlp is not None and len(mlp.sizes) == 2)


def guide(mean: Tensor, std: Tensor, most: float = WIDE) -> Tensor:
    """Return where a guide starts `[P, 2 D]`: at its prior, no wider than `most`."""
    return torch.cat([mean, std.clamp_max(most).log()], -1)


def normal(lanes: Lanes, n: int, *, like: Tensor) -> Tensor:
    """Return standard normal numbers `[P, n]`, a lane a member, drawn on the CPU whatever computes.

    By torch's generators: the inverse transform of `Lanes.uniform` takes most of a step's time.
    """
    drawn = [torch.randn(n, generator=rng.generator(), dtype=like.dtype) for rng in lanes.rngs]
    return torch.stack(drawn).to(like.device)


def bound_gradient(
    problem: ContinualLearning,
    rows: Tensor,
    noise: Tensor,
    *,
    batch: tuple[Tensor, Tensor],
    task: int,
    prior: tuple[Tensor, Tensor],
    n: int,
) -> tuple[Tensor, Tensor]:
    """Return negative evidence bounds an example `[P]` and their gradients `[P, 2 D]`.

    Args:
        problem: Gives the likelihood.
        rows: Posteriors `[P, 2 D]`.
        noise: Standard normal numbers `[P, D]`.
        batch: Inputs and labels, the same for all members.
        task: Whose head is read.
        prior: Means and standard deviations `[P, D]`.
        n: Examples in the task.
    """
    rows = rows.detach().requires_grad_()
    with torch.enable_grad():
        drawn, divergence = evidence(rows, noise, prior_mean=prior[0], prior_std=prior[1])
        loss = problem.cross_entropy(with_buffers(problem, drawn), *batch, task=task) + divergence / n
    return loss.detach(), slopes(loss, rows)


def with_buffers(problem: ContinualLearning, parameters: Tensor) -> Tensor:
    """Return parameters `[..., D]` as decisions `[..., d]`: the network's buffers behind them, as they are."""
    free = problem.space.n_parameters
    if free == problem.space.dim:
        return parameters
    buffers = problem.space.lower[free:].to(parameters)
    return torch.cat([parameters, buffers.expand(*parameters.shape[:-1], -1)], -1)


def priors_of(
    problem: ContinualLearning, stds: tuple[float, ...], rng: Rng, *, initial: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the first task's priors: means `[P, D]` and standard deviations `[P, D]`.

    Means are those given, else zero for a single layer. With hidden layers they are one random start of the network,
    for all priors the same: at zero hidden units have no gradient, and units of different starts do not align.
    """
    free, n = problem.space.n_parameters, len(stds)
    std = torch.tensor(stds, dtype=problem.dtype, device=problem.device).unsqueeze(1).expand(-1, free).clone()
    if initial is None and is_linear(problem):
        return torch.zeros_like(std), std
    given = problem.space.sample(1, rng.child("start")) if initial is None else initial
    rows = given[torch.arange(n, device=given.device) % len(given)]
    return rows[:, :free].to(std).clone(), std


def checked_stds(name: str, given: object) -> tuple[float, ...]:
    """Return standard deviations of priors.

    Raises:
        InputError: If there is none, or one is not above zero.
    """
    stds = tuple(float(s) for s in given) if isinstance(given, (list, tuple)) else (float(str(given)),)
    check.at_least(1, **{name: len(stds)})
    for std in stds:
        check.that(std > 0, name, "be standard deviations above zero", std)
    return stds
