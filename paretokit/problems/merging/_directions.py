"""Other task vectors made of a problem's own, each by a record that makes them again: what views are saved as."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.problems.merging._module import estimating
from paretokit.problems.merging._tasks import Inputs, count, parts, rebuilt, rows_of
from paretokit.problems.merging._vectors import TaskVectors

if TYPE_CHECKING:
    from paretokit.problems.merging._merging import ModelMerging

METHODS: Mapping[str, str] = {
    "dare": "_directions:dare",
    "fisher": "_fisher:fisher",
    "regmean": "_regmean:regmean",
    "ties": "_directions:ties",
}
AGGREGATES = ("none", "sum", "mean")


def directions(problem: ModelMerging, variant: Mapping[str, Any]) -> TaskVectors:
    """Return the task vectors that a variant describes: its "method" on the problem's original ones.

    Args:
        problem: Whose checkpoints' task vectors (and data) are used, whatever view it is.
        variant: The method by name, and its options.

    Raises:
        InputError: If the method is unknown.
    """
    check.one_of(sorted(METHODS), method=variant.get("method"))
    module, _, name = METHODS[variant["method"]].partition(":")
    make: Callable[..., TaskVectors] = getattr(importlib.import_module(f"paretokit.problems.merging.{module}"), name)
    return make(problem, **{k: v for k, v in variant.items() if k != "method"})


def single(vectors: TaskVectors, delta: Tensor) -> TaskVectors:
    """Return one direction `[N]` over the same base and layers: a merge that is no combination of task vectors."""
    return vectors.with_deltas(delta.to(vectors.base).unsqueeze(0))


def one_each(problem: ModelMerging, method: str) -> None:
    """Raise `InputError` unless the problem has one task a fine-tuning, whose data says what its weights are for."""
    k, m = problem.original.n_tasks, len(problem.tasks)
    check.that(k == m, "tasks", f"be one a fine-tuning for {method}, {k} in all", m)


def tuned_row(problem: ModelMerging, k: int) -> Tensor:
    """Return the flat weights `[N]` of a fine-tuning."""
    vectors = problem.original
    one = vectors.base.new_zeros(1, vectors.n_layers, vectors.n_tasks)
    one[..., k] = 1
    return vectors.merged(one)[0]


def examples_of(problem: ModelMerging, k: int, *, examples: int, rng: Rng) -> Inputs:
    """Return some of a task's unlabeled inputs, drawn without replacement, where and as the problem computes."""
    data = problem.tasks[k].unlabeled
    chosen = rows_of(data, rng.child("examples", k).permutation(count(data))[:examples])
    placed = [p.to(problem.device, problem.dtype if p.is_floating_point() else None) for p in parts(chosen)]
    return rebuilt(chosen, placed)


def load_tuned(problem: ModelMerging, k: int, inputs: Inputs) -> Tensor:
    """Put a fine-tuning into the problem's network, running statistics of its own inputs included; return its row."""
    runner, row = problem.runner, tuned_row(problem, k)
    runner.load(row)
    if runner.norms:
        with torch.no_grad(), estimating(runner.norms):
            runner.forward(runner.module, inputs)
    return row


def ties(problem: ModelMerging, *, trim: float, aggregate: str) -> TaskVectors:
    r"""Return trimmed, sign-elected task vectors, or one aggregate of them.

    .. math:: \tau = \sum_k \tilde\tau_k \quad\text{("sum")}, \qquad
              \tau = \sum_k \tilde\tau_k \big/ \max(1, |\{k : \tilde\tau_k \ne 0\}|) \quad\text{("mean", a coordinate)}

    "none" keeps the K vectors (see `TaskVectors.processed`).
    """
    check.one_of(AGGREGATES, aggregate=aggregate)
    vectors = problem.original.processed(trim=trim, elect=True)
    if aggregate == "none":
        return vectors
    total = torch.empty_like(vectors.base)
    for number, span in enumerate(vectors.spans):
        piece = vectors.delta(number)
        summed = piece.sum(0)
        total[span[0] : span[1]] = summed if aggregate == "sum" else summed / (piece != 0).sum(0).clamp_min(1)
    return single(vectors, total)


def dare(problem: ModelMerging, *, drop: float, rescale: bool, key: int) -> TaskVectors:
    r"""Return task vectors with random entries dropped and the others scaled up, so that the mean stays.

    .. math:: \tilde\tau_k = m_k \odot \tau_k / (1 - p), \qquad m_k \sim \operatorname{Bernoulli}(1 - p)
    """
    vectors, rng = problem.original, Rng(key)
    scale = 1 / (1 - drop) if rescale else 1.0
    kept = vectors.dense().clone()
    for k in range(vectors.n_tasks):
        u = rng.child("drop", k).uniform(vectors.size, dtype=torch.float32, device=kept.device)
        kept[k] *= (u >= drop) * scale
    return vectors.with_deltas(kept)
