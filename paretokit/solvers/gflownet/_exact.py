"""The exact distribution of a trained sampler, and the one it was asked for, where all states can be listed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from paretokit.core import Problem
from paretokit.core import _check as check
from paretokit.indicators import l1_distance
from paretokit.solvers.gflownet._gflownet import GFlowNet, GFlowNetState, design_of
from paretokit.solvers.gflownet._mogfn import MOGFN
from paretokit.solvers.gflownet._policy import masked_log_softmax
from paretokit.solvers.gflownet._rewards import log_reward


@dataclass(frozen=True)
class Exact:
    r"""Distributions over all finished objects of a problem, by dynamic programming and not by samples.

    Attributes:
        x: Their decisions `[n, d]`, each once.
        values: Their objectives `[n, m]`.
        learned: Probability with which the sampler ends in each, a row for each request `[w, n]`.
        target: :math:`R_w(x)^\beta / \sum_{x'} R_w(x')^\beta` `[w, n]`; None for samplers without a reward.
    """

    x: Tensor
    values: Tensor
    learned: Tensor
    target: Tensor | None

    @property
    def l1(self) -> Tensor:
        """Summed absolute difference of both for each request `[w]`."""
        check.that(self.target is not None, "target", "be known", None, "the sampler has no reward")
        assert self.target is not None
        return l1_distance(self.learned, self.target)


@torch.no_grad()
def exact(problem: Problem, solver: GFlowNet, state: GFlowNetState, *, weights: Tensor | None = None) -> Exact:
    """Return what a sampler has learned, exactly, without the exploration of training.

    Args:
        problem: A design with a list of all states.
        solver: Any GFlowNet.
        state: Where its training stands.
        weights: Preferences `[w, m]` that a `MOGFN` is asked for, at its temperature's `value`; those under which the
            solver is measured unless given.

    Raises:
        InputError: If the design has too many states, or `weights` are given to another solver than `MOGFN`.

    Cost: the network on all S states for each request, and S A additions.
    """
    design = design_of(problem)
    states = design.states()
    if states is None:
        check.fail("problem", "have few enough states to be listed", design.name)
    env, model = states.environment, solver.engine(design).model
    asked = solver.measured(design)
    if weights is not None:
        check.that(isinstance(solver, MOGFN), "weights", "be left out but for MOGFN", type(solver).__name__)
        assert isinstance(solver, MOGFN)
        asked = solver.asked(weights, design.device)
    row = state.average[0] if solver.ema else state.row[0]
    whose = f"be of this problem and solver, with {model.n_parameters} parameters"
    check.shape(len(row) == model.n_parameters, "state", whose, len(row))
    mask, terminal, learned = env.mask(states.rows), states.terminal, []
    for i in range(len(asked)):
        condition = None if asked.condition is None else asked.condition[i].expand(len(states), -1)
        logits = model.outputs(row, states.rows, condition).forward.to(torch.float64)
        learned.append(states.terminal_distribution(masked_log_softmax(logits, mask))[terminal])
    x = env.decisions(states.rows[terminal]).to(design.dtype)
    values = design.evaluate(x).values
    target = None
    if isinstance(solver, MOGFN):
        target = torch.stack(
            [_target(solver, design.gains(values), w, b) for w, b in _pairs(asked.weights, asked.beta)]
        )
    return Exact(x, values, torch.stack(learned), target)


def _pairs(weights: Tensor, beta: Tensor) -> list[tuple[Tensor, Tensor]]:
    return list(zip(weights, beta, strict=True))


def _target(solver: MOGFN, gains: Tensor, weights: Tensor, beta: Tensor) -> Tensor:
    """Return the normalized reward `[n]` of objects of gains `[n, m]` under one request."""
    n = len(gains)
    rewards = log_reward(
        gains,
        weights.expand(n, -1).to(gains),
        beta.expand(n).to(gains),
        scalarization=solver.scalarization,
        lowest=solver.lowest,
    )
    return torch.softmax(rewards, 0)
