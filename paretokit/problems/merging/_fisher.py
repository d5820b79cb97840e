"""Fisher merging: each weight averaged by how much each fine-tuning's predictions depend on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.problems.merging._directions import examples_of, load_tuned, one_each, single, tuned_row
from paretokit.problems.merging._tasks import count, parts, rebuilt
from paretokit.problems.merging._vectors import TaskVectors

if TYPE_CHECKING:
    from paretokit.problems.merging._merging import ModelMerging

ENTRIES = 1 << 24  # of per-example gradients that are held at once


class Scored(nn.Module):
    """The network with a task's head, from one example to log-probabilities."""

    def __init__(self, problem: ModelMerging, task: int) -> None:
        super().__init__()
        runner = problem.runner
        self.module, self.head, self._forward = runner.module, runner.heads[task], runner.forward

    def forward(self, inputs: object) -> Tensor:
        """Return log-probabilities `[n, C]`."""
        features = self._forward(self.module, inputs)
        return torch.log_softmax(features if self.head is None else self.head(features), -1)


def diagonal_fisher(problem: ModelMerging, task: int, *, examples: int, rng: Rng) -> Tensor:
    r"""Return the diagonal of a fine-tuning's Fisher information on its own task's unlabeled data `[N]`.

    .. math:: F_i = \frac1n \sum_x \sum_y p(y \mid x) \Big(\frac{\partial \log p(y \mid x)}{\partial \theta_i}\Big)^2

    Exact over classes, example by example; zero for tensors that are no parameters (running statistics).

    Cost: one forward and C backward passes an example for C classes; C gradients in memory.
    """
    vectors, scored = problem.original, Scored(problem, task)
    drawn = examples_of(problem, task, examples=examples, rng=rng)
    row = load_tuned(problem, task, drawn)
    learnt = {name for name, _ in problem.runner.module.named_parameters(remove_duplicate=False)}

    def scores(weights: Tensor, pieces: list[Tensor]) -> tuple[Tensor, Tensor]:
        named = {f"module.{name}": t if name in learnt else t.detach() for name, t in vectors.named(weights).items()}
        one = rebuilt(problem.tasks[task].unlabeled, [p.unsqueeze(0) for p in pieces])
        log_p: Tensor = torch.func.functional_call(scored, named, (one,))[0]
        return log_p, log_p

    def information(pieces: list[Tensor]) -> Tensor:
        jacobian, log_p = torch.func.jacrev(scores, has_aux=True)(row, pieces)
        return torch.einsum("c,cn->n", log_p.exp(), jacobian.square())

    tensors, n = parts(drawn), count(drawn)
    with torch.no_grad():
        classes = scored(rebuilt(drawn, [t[:1] for t in tensors])).shape[-1]
    chunk = max(1, ENTRIES // (classes * vectors.size))
    total = torch.zeros_like(row)
    for begin in range(0, n, chunk):
        total += torch.func.vmap(information)([t[begin : begin + chunk] for t in tensors]).sum(0)
    return total.detach() / n


def fisher(problem: ModelMerging, *, examples: int, floor: float, normalize: bool, key: int) -> TaskVectors:
    r"""Return the one direction of the Fisher-weighted mean of the fine-tuned weights.

    .. math:: \tau = \sum_k \frac{F_k + \epsilon}{\sum_j (F_j + \epsilon)} \odot \tau_k

    Args:
        problem: With one task a fine-tuning.
        examples: Unlabeled examples a task.
        floor: The number ε, which averages weights plainly that no prediction depends on.
        normalize: Whether each :math:`F_k` is divided by its Euclidean norm first.
        key: Of the examples drawn.

    Raises:
        InputError: If tasks and fine-tunings differ in number.
    """
    one_each(problem, "Fisher merging")
    check.positive(floor=floor)
    vectors = problem.original
    above, below = torch.zeros_like(vectors.base), torch.zeros_like(vectors.base)
    for k in range(vectors.n_tasks):
        weight = diagonal_fisher(problem, k, examples=examples, rng=Rng(key))
        if normalize:
            weight = weight / torch.linalg.vector_norm(weight).clamp_min(torch.finfo(weight.dtype).tiny)
        weight += floor
        above += weight * (tuned_row(problem, k) - vectors.base)
        below += weight
    return single(vectors, above / below)
