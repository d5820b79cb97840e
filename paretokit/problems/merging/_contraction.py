"""Gradients to coefficients, contracted from gradients to merged weights as autograd delivers these."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from functools import partial

from torch import Tensor

from paretokit.problems.merging._vectors import TaskVectors


class Contraction:
    """Leaves of a graph that are merged tensors; what comes back to them becomes a gradient to coefficients.

    In one backward pass each tensor's gradient is contracted and dropped when it is complete, so that gradients to all
    weights are never held, cleared or added up. Of several passes the gradients are summed, and the last one contracts.

    Args:
        vectors: What is merged; one leaf a part.
        leaves: The merged tensors, in the order of the parts.
    """

    def __init__(self, vectors: TaskVectors, leaves: list[Tensor]) -> None:
        self._vectors, self._leaves = vectors, leaves
        self._sink: Tensor | None = None
        owner = weakref.ref(self)
        for number, leaf in enumerate(leaves):
            leaf.register_post_accumulate_grad_hook(partial(_arrived, owner, number))

    def of(self, sums: Iterator[Tensor], n: int, *, keep: bool = False) -> Tensor:
        """Return the gradient to coefficients `[L, K]` of the sum of n numbers, each with a graph of its own.

        Args:
            sums: The numbers; each graph is made when it is due.
            n: How many there are.
            keep: Whether the graphs are used again.
        """
        out = self._leaves[0].new_zeros(self._vectors.n_layers, self._vectors.n_tasks)
        for leaf in self._leaves:
            leaf.grad = None
        for i, total in enumerate(sums):
            self._sink = out if i + 1 == n else None
            try:
                total.backward(retain_graph=keep)
            finally:
                self._sink = None
        for number, leaf in enumerate(self._leaves):  # what the last pass did not reach
            if leaf.grad is not None:
                self._take(number, leaf, out)
        return out

    def arrived(self, number: int, leaf: Tensor) -> None:
        """Take a tensor's gradient, if it is complete."""
        if self._sink is not None:
            self._take(number, leaf, self._sink)

    def _take(self, number: int, leaf: Tensor, out: Tensor) -> None:
        if leaf.grad is not None:
            self._vectors.contract_part(number, leaf.grad, out)
            leaf.grad = None


def _arrived(owner: weakref.ref[Contraction], number: int, leaf: Tensor) -> None:
    own = owner()
    if own is not None:
        own.arrived(number, leaf)
