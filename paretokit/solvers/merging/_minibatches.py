"""What coefficients are learned from: a minibatch of each task, and its losses with gradients to coefficients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.problems.merging import ModelMerging
from paretokit.problems.merging._module import batch_statistics
from paretokit.problems.merging._runner import STACKED, Runner
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


def losses(runner: Runner, batch: Minibatch) -> Tensor:
    """Return the losses `[m]` of the loaded weights, with a graph to them: mean entropies or cross-entropies, nats."""
    if batch.labels is None:
        return runner.entropies(batch.inputs)
    with batch_statistics(runner.norms):
        logits = runner.logits(batch.inputs)
    each = [torch.nn.functional.cross_entropy(z, y) for z, y in zip(logits, batch.labels, strict=True)]
    return torch.stack(each)


def weighted(problem: ModelMerging, coefficients: Tensor, batch: Minibatch, rule: Rule) -> tuple[Tensor, Tensor]:
    """Return losses `[P, m]` of P members, and gradients `[P, L, K]` of the sums that a rule weights.

    Small networks run all members in one program, large ones one after the other in the runner's flat buffers, which
    gives the same numbers.
    """
    runner, vectors = problem.runner, problem.vectors
    if batch.labels is None and len(coefficients) > 1 and vectors.size <= STACKED:
        with torch.enable_grad():
            rows = vectors.merged(coefficients).requires_grad_()
            found = runner.stacked(rows, batch.inputs, way="stacked")
            weights = torch.stack([rule(p, own) for p, own in enumerate(found.detach())])
            (slopes,) = torch.autograd.grad((found * weights).sum(), rows)
        return found.detach(), vectors.contract(slopes)
    values, gradients = [], []
    for p, own in enumerate(coefficients):
        vectors.merged(own.unsqueeze(0), out=runner.row.unsqueeze(0))
        runner.gradient.zero_()
        with torch.enable_grad():
            each = losses(runner, batch)
            (each * rule(p, each.detach())).sum().backward()
        values.append(each.detach())
        gradients.append(vectors.contract(runner.gradient.unsqueeze(0))[0])
    return torch.stack(values), torch.stack(gradients)


def jacobians(problem: ModelMerging, coefficients: Tensor, batch: Minibatch) -> tuple[Tensor, Tensor]:
    """Return losses `[P, m]` of P members, and the gradient of each one `[P, m, L, K]`: m passes back."""
    runner, vectors = problem.runner, problem.vectors
    if batch.labels is None:
        return runner.jacobians(coefficients, batch.inputs)
    values, gradients = [], []
    for own in coefficients:
        vectors.merged(own.unsqueeze(0), out=runner.row.unsqueeze(0))
        with torch.enable_grad():
            each = losses(runner, batch)
            rows = []
            for k, value in enumerate(each):
                runner.gradient.zero_()
                value.backward(retain_graph=k + 1 < len(each))
                rows.append(vectors.contract(runner.gradient.unsqueeze(0))[0])
        values.append(each.detach())
        gradients.append(torch.stack(rows))
    return torch.stack(values), torch.stack(gradients)
