"""Fisher merging: each weight averaged by how much each fine-tuning's predictions depend on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.problems.merging._directions import examples_of, load_tuned, one_each, single, tuned_row
from paretokit.problems.merging._module import plain_attention
from paretokit.problems.merging._tasks import Inputs, count, parts, rebuilt
from paretokit.problems.merging._vectors import TaskVectors

if TYPE_CHECKING:
    from paretokit.problems.merging._merging import ModelMerging

ENTRIES = 1 << 24  # of per-example gradients that are held at once
SAME = 1e-3  # relative difference of gradients that are one


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

    Cost: one forward and C backward passes an example for C classes; C gradients of what is not in a linear layer that
    sees one row an example.
    """
    vectors, scored = problem.original, Scored(problem, task)
    drawn = examples_of(problem, task, examples=examples, rng=rng)
    row = load_tuned(problem, task, drawn)
    by_layer = linear_information(scored, drawn)
    learnt = {name for name, _ in problem.runner.module.named_parameters(remove_duplicate=False)}
    named = vectors.named(row)
    rest = {f"module.{n}": t for n, t in named.items() if n in learnt and f"module.{n}" not in by_layer}
    by_layer |= remaining_information(scored, rest, drawn)
    total = torch.zeros_like(row)
    for name, view in vectors.named(total).items():
        if f"module.{name}" in by_layer:
            view.copy_(by_layer[f"module.{name}"])
    return total / count(drawn)


def linear_information(scored: Scored, inputs: Inputs) -> dict[str, Tensor]:
    r"""Return the sums over examples and classes for linear layers that see one row an example, by name.

    .. math:: F_{W,ij} = \sum_x \Big(\sum_y p(y \mid x)\, \delta_{xyi}^2\Big)\, a_{xj}^2

    with the slopes :math:`\delta` at the layer's answers and its inputs a: no example's gradient is ever made.
    """
    calls: dict[str, list[tuple[Tensor, Tensor]]] = {}

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        return lambda _, given, answer: calls.setdefault(name, []).append((given[0], answer))

    layers: dict[str, nn.Linear] = {
        n: m for n, m in scored.named_modules() if n.startswith("module") and isinstance(m, nn.Linear)
    }
    hooks = [m.register_forward_hook(watch(name)) for name, m in layers.items()]
    try:
        with torch.enable_grad():
            log_p = scored(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    once = {n: own[0] for n, own in calls.items() if len(own) == 1 and own[0][0].ndim == 2}
    once = {n: own for n, own in once.items() if len(own[0]) == len(log_p) and own[1].requires_grad}
    if not once:
        return {}
    whole = torch.autograd.grad(log_p[:, 0].sum(), [layers[n].weight for n in once], retain_graph=True)
    slopes = torch.autograd.grad(log_p[:, 0].sum(), [answer for _, answer in once.values()], retain_graph=True)
    for name, gradient, slope in zip(list(once), whole, slopes, strict=True):
        alone = slope.T @ once[name][0].detach()
        if torch.linalg.vector_norm(gradient - alone) > SAME * torch.linalg.vector_norm(gradient):
            del once[name]  # the weights act elsewhere too: they are tied
    if not once:
        return {}
    answers = [answer for _, answer in once.values()]
    squares = [torch.zeros_like(answer) for answer in answers]
    probabilities = log_p.detach().exp()
    for y in range(log_p.shape[1]):
        slopes = torch.autograd.grad(log_p[:, y].sum(), answers, retain_graph=True)
        for square, slope in zip(squares, slopes, strict=True):
            square += probabilities[:, y : y + 1] * slope.square()
    found = {}
    for (name, (given, _)), square in zip(once.items(), squares, strict=True):
        found[f"{name}.weight"] = square.T @ given.detach().square()
        if layers[name].bias is not None:
            found[f"{name}.bias"] = square.sum(0)
    return found


def remaining_information(scored: Scored, named: dict[str, Tensor], inputs: Inputs) -> dict[str, Tensor]:
    """Return the sums over examples and classes for any tensors, from each example's gradients."""
    if not named:
        return {}

    def scores(weights: dict[str, Tensor], pieces: list[Tensor]) -> tuple[Tensor, Tensor]:
        one = rebuilt(inputs, [p.unsqueeze(0) for p in pieces])
        log_p: Tensor = torch.func.functional_call(scored, weights, (one,))[0]
        return log_p, log_p

    def information(pieces: list[Tensor]) -> dict[str, Tensor]:
        jacobian, log_p = torch.func.jacrev(scores, has_aux=True)(named, pieces)
        return {n: torch.tensordot(log_p.exp(), j.square(), 1) for n, j in jacobian.items()}

    tensors, n = parts(inputs), count(inputs)
    with torch.no_grad():
        classes = scored(rebuilt(inputs, [t[:1] for t in tensors])).shape[-1]
    chunk = max(1, ENTRIES // (classes * sum(t.numel() for t in named.values())))
    total = {name: torch.zeros_like(t) for name, t in named.items()}
    for begin in range(0, n, chunk):
        try:
            with plain_attention():
                found = torch.func.vmap(information)([t[begin : begin + chunk] for t in tensors])
        except RuntimeError as error:
            said = str(error).splitlines()[0]
            rule = "be a network that torch.func.vmap can follow, for Fisher merging"
            check.fail("architecture", rule, said, "recurrent layers are not; the other merges take them")
        for name, own in found.items():
            total[name] += own.detach().sum(0)
    return total


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
