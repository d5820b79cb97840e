"""What coefficients are learned from: a minibatch of each task, and its losses with gradients to coefficients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.problems.merging import ModelMerging
from paretokit.problems.merging._runner import STACKED, Loss, entropy_of
from paretokit.problems.merging._tasks import Inputs, count, parts, rebuilt, rows_of

Signal = Literal["entropy", "validation"]
SIGNALS = ("entropy", "validation")
Rule = Callable[[int, Tensor], Tensor]
"""From a member's number and its losses `[m]` to the weights `[m]` of their gradients."""


@dataclass(frozen=True)
class Minibatch:
    """Examples of every task.

    Attributes:
        inputs: One batch a task.
        labels: Their labels, or None where prediction entropies are the losses.
        size: Number of examples of all tasks together.
    """

    inputs: list[Inputs]
    labels: list[Tensor] | None
    size: int


def minibatch(problem: ModelMerging, rng: Rng, *, signal: Signal, batch_size: int) -> Minibatch:
    """Return examples of each task, drawn with replacement: unlabeled ones, or validation data with its labels."""
    inputs: list[Inputs] = []
    labels: list[Tensor] = []
    for t in problem.tasks:
        data = t.unlabeled if signal == "entropy" or t.validation is None else t.validation[0]
        n = count(data)
        rows = rng.child("batch", t.name).integers(n, min(batch_size, n))
        drawn = rows_of(data, rows)
        placed = [
            p.to(problem.device, problem.dtype) if p.is_floating_point() else p.to(problem.device) for p in parts(drawn)
        ]
        inputs.append(rebuilt(drawn, placed))
        if signal == "validation" and t.validation is not None:
            labels.append(t.validation[1][rows].to(problem.device))
    return Minibatch(inputs, labels if signal == "validation" else None, sum(count(i) for i in inputs))


def loss_of(batch: Minibatch) -> Loss:
    """Return a task's mean loss in nats: the prediction entropy, or the cross-entropy where there are labels."""
    labels = batch.labels
    if labels is None:
        return entropy_of
    return lambda task, logits: torch.nn.functional.cross_entropy(logits, labels[task])


def weighted(
    problem: ModelMerging, coefficients: Tensor, batch: Minibatch, weights: Tensor | Rule
) -> tuple[Tensor, Tensor]:
    """Return losses `[P, m]` of P members, and gradients `[P, L, K]` of their sums by weights `[P, m]` or by a rule.

    Small networks run all members in one program, large ones one after the other, which gives the same numbers. A rule
    needs all losses of a member before any goes back.
    """
    runner, vectors = problem.runner, problem.vectors
    if batch.labels is None and len(coefficients) > 1 and vectors.size <= STACKED:
        with torch.enable_grad():
            rows = vectors.merged(coefficients).requires_grad_()
            found = runner.stacked(rows, batch.inputs, way="stacked")
            own = weights if isinstance(weights, Tensor) else _ruled(weights, found.detach())
            (slopes,) = torch.autograd.grad((found * own.to(found)).sum(), rows)
        return found.detach(), vectors.contract(slopes)
    loss = loss_of(batch)
    each = [
        runner.gradient(c, batch.inputs, weights[p] if isinstance(weights, Tensor) else partial(weights, p), loss=loss)
        for p, c in enumerate(coefficients)
    ]
    return torch.stack([e[0] for e in each]), torch.stack([e[1] for e in each])


def _ruled(rule: Rule, losses: Tensor) -> Tensor:
    return torch.stack([rule(p, own) for p, own in enumerate(losses)])


def jacobians(problem: ModelMerging, coefficients: Tensor, batch: Minibatch) -> tuple[Tensor, Tensor]:
    """Return losses `[P, m]` of P members, and the gradient of each one `[P, m, L, K]`."""
    runner, loss = problem.runner, loss_of(batch)
    if batch.labels is None:
        return runner.jacobians(coefficients, batch.inputs)
    each = [runner.jacobian(c, batch.inputs, loss=loss) for c in coefficients]
    return torch.stack([e[0] for e in each]), torch.stack([e[1] for e in each])


def passes_back(problem: ModelMerging, members: int, batch: Minibatch) -> int:
    """Return how often an example goes back through the network for `jacobians`."""
    runner = problem.runner
    apart = not runner.norms and (batch.labels is not None or not runner.stacks(members))
    return 1 if apart else problem.n_objectives
