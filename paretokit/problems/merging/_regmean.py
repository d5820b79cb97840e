"""RegMean: each linear layer is the one whose answers are nearest to those of all fine-tunings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.problems.merging._directions import examples_of, load_tuned, one_each, single, tuned_row
from paretokit.problems.merging._vectors import TaskVectors

if TYPE_CHECKING:
    from paretokit.problems.merging._merging import ModelMerging

RIDGE = 1e-6  # of the mean diagonal entry: directions that no input takes are averaged plainly


class Grams:
    """Collects the mean outer product of the inputs of linear layers, by name, while a network runs."""

    def __init__(self, layers: dict[str, nn.Module]) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self._hooks = [m.register_forward_pre_hook(self._watch(name)) for name, m in layers.items()]

    def _watch(self, name: str) -> Any:
        def seen(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            rows = given[0].detach().reshape(-1, given[0].shape[-1]).double()
            own = rows.T @ rows
            self.sums[name] = self.sums[name] + own if name in self.sums else own
            self.counts[name] = self.counts.get(name, 0) + len(rows)

        return seen

    def means(self) -> dict[str, Tensor]:
        """Stop watching, and return each layer's Gram matrix."""
        for hook in self._hooks:
            hook.remove()
        return {name: total / self.counts[name] for name, total in self.sums.items()}


def grams(problem: ModelMerging, task: int, *, examples: int, rng: Rng) -> dict[str, Tensor]:
    """Return the Gram matrices `[in, in]` of the inputs of a fine-tuning's linear layers on its task's data."""
    merged = {part.name for part in problem.original.parts}
    modules = problem.runner.module.named_modules()
    linear: dict[str, nn.Module] = {
        name: m for name, m in modules if isinstance(m, nn.Linear) and f"{name}.weight" in merged
    }
    runner = problem.runner
    drawn = examples_of(problem, task, examples=examples, rng=rng)
    load_tuned(problem, task, drawn)
    watching = Grams(linear)
    try:
        with torch.no_grad():
            runner.forward(runner.module, drawn)
    finally:
        found = watching.means()
    return found


def regmean(problem: ModelMerging, *, examples: int, off_diagonal: float, key: int) -> TaskVectors:
    r"""Return the one direction to the weights that answer like every fine-tuning on its own inputs.

    .. math:: W^\top = \Big(\sum_k G_k\Big)^{-1} \sum_k G_k W_k^\top, \qquad G_k = \tfrac1n X_k^\top X_k

    minimizes :math:`\sum_k \lVert X_k W^\top - X_k W_k^\top \rVert^2 / n` for each linear layer by itself; all other
    tensors are averaged.

    Args:
        problem: With one task a fine-tuning.
        examples: Unlabeled examples a task.
        off_diagonal: Factor of the entries of :math:`G_k` off its diagonal.
        key: Of the examples drawn.

    Raises:
        InputError: If tasks and fine-tunings differ in number.
    """
    one_each(problem, "RegMean")
    check.probability(off_diagonal=off_diagonal)
    vectors = problem.original
    each = [grams(problem, k, examples=examples, rng=Rng(key)) for k in range(vectors.n_tasks)]
    rows = [tuned_row(problem, k) for k in range(vectors.n_tasks)]
    delta = torch.stack(rows).mean(0) - vectors.base
    for part in vectors.parts:
        layer = part.name.removesuffix(".weight")
        if layer == part.name or any(layer not in own for own in each):
            continue
        shrunk = [_shrunk(own[layer], off_diagonal) for own in each]
        total = torch.stack(shrunk).sum(0)
        ridge = RIDGE * total.diagonal().mean().clamp_min(torch.finfo(total.dtype).tiny)
        eye = torch.eye(len(total), dtype=total.dtype, device=total.device) * ridge
        tuned = [row[part.begin : part.end].view(part.shape).double().T for row in rows]
        right = torch.stack([(g + eye / len(shrunk)) @ w for g, w in zip(shrunk, tuned, strict=True)]).sum(0)
        weights = torch.linalg.solve(total + eye, right).T
        base = vectors.base[part.begin : part.end]
        delta[part.begin : part.end] = weights.reshape(-1).to(base) - base
    return single(vectors, delta)


def _shrunk(gram: Tensor, off_diagonal: float) -> Tensor:
    return off_diagonal * gram + (1 - off_diagonal) * torch.diag(gram.diagonal())
