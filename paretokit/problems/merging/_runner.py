"""Runs networks whose weights are flat rows, without rebuilding a module and without a graph through the merge."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from paretokit.problems.merging._tasks import Inputs, Task, count, joined, parts
from paretokit.problems.merging._vectors import TaskVectors

Forward = Callable[[nn.Module, Any], Tensor]
"""From a module and inputs to what the heads take."""


def plain_forward(module: nn.Module, inputs: Any) -> Tensor:
    """Return what the module answers: one tensor, or the logits or last hidden state of a Hugging Face output."""
    if isinstance(inputs, Tensor):
        out = module(inputs)
    elif isinstance(inputs, Mapping):
        out = module(**inputs)
    else:
        out = module(*inputs)
    for field in ("logits", "pooler_output", "last_hidden_state"):
        if not isinstance(out, Tensor) and getattr(out, field, None) is not None:
            out = getattr(out, field)
    answer: Tensor = out
    return answer


def entropy(logits: Tensor) -> Tensor:
    r"""Return the mean prediction entropy in nats, :math:`-\frac1n \sum_i \sum_c p_{ic} \log p_{ic}`."""
    log_p = torch.log_softmax(logits, -1)
    return -(log_p.exp() * log_p).sum(-1).mean()


class Runner:
    """One module whose merged tensors are views of a flat row, and whose gradients are views of a second one.

    Writing a row and running forward and backward is all that a step costs: nothing is rebuilt, copied or cleared
    tensor by tensor.

    Args:
        architecture: The module; copied.
        vectors: Which tensors are merged, and where they lie.
        fixed: All other tensors by name, as the merged model has them.
        tasks: Whose heads are applied.
        forward: From module and inputs to what heads take.
    """

    def __init__(
        self,
        architecture: nn.Module,
        vectors: TaskVectors,
        *,
        fixed: Mapping[str, Tensor],
        tasks: tuple[Task, ...],
        forward: Forward = plain_forward,
    ) -> None:
        self.module = copy.deepcopy(architecture).to(vectors.base.device, vectors.base.dtype).eval()
        self.forward, self.tasks, self.vectors = forward, tasks, vectors
        self.heads = [None if t.head is None else copy.deepcopy(t.head).to(vectors.base).eval() for t in tasks]
        for head in self.heads:
            if head is not None:
                for parameter in head.parameters():
                    parameter.requires_grad = False
        own = self.module.state_dict()
        for name, tensor in fixed.items():
            if name in own:
                own[name].copy_(tensor)
        self.row = vectors.base.clone()
        self.gradient = torch.zeros_like(self.row)
        parameters = dict(self.module.named_parameters(remove_duplicate=False))
        buffers = dict(self.module.named_buffers(remove_duplicate=False))
        for parameter in parameters.values():
            parameter.requires_grad = False
        for part in vectors.parts:
            view = self.row[part.begin : part.end].view(part.shape)
            if part.name in parameters:
                parameter = parameters[part.name]
                parameter.data = view
                parameter.requires_grad_()
                parameter.grad = self.gradient[part.begin : part.end].view(part.shape)
            else:
                buffers[part.name].data = view

    def load(self, row: Tensor) -> None:
        """Put the weights of a flat row `[N]` into the module."""
        with torch.no_grad():
            self.row.copy_(row)

    def logits(self, batches: list[Inputs]) -> list[Tensor]:
        """Return the logits of one batch a task: one pass over all of them together where their forms allow it."""
        if len(batches) > 1 and _alike(batches):
            sizes = [count(b) for b in batches]
            features = self.forward(self.module, joined(batches)).split(sizes)
        else:
            features = tuple(self.forward(self.module, b) for b in batches)
        return [f if head is None else head(f) for f, head in zip(features, self.heads, strict=True)]

    def entropies(self, batches: list[Inputs]) -> Tensor:
        """Return the mean prediction entropy of each task's batch `[K]`, with a graph to the module's weights."""
        return torch.stack([entropy(z) for z in self.logits(batches)])

    def entropy_gradient(self, row: Tensor, batches: list[Inputs], weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return the entropies `[K]` of a flat row, and the gradient `[N]` of their weighted sum.

        The gradient is a buffer that the next call overwrites.
        """
        self.load(row)
        self.gradient.zero_()
        with torch.enable_grad():
            found = self.entropies(batches)
            (found * weights.to(found)).sum().backward()
        return found.detach(), self.gradient

    def entropy_gradients(self, row: Tensor, batches: list[Inputs]) -> tuple[Tensor, list[Tensor]]:
        """Return the entropies `[K]`, and the gradient of each one to the coefficients `[L, K]`: K passes back."""
        self.load(row)
        out = []
        with torch.enable_grad():
            found = self.entropies(batches)
            for k, value in enumerate(found):
                self.gradient.zero_()
                value.backward(retain_graph=k + 1 < len(found))
                out.append(self.vectors.contract(self.gradient.unsqueeze(0))[0])
        return found.detach(), out


def _alike(batches: list[Inputs]) -> bool:
    forms = [[(p.shape[1:], p.dtype) for p in parts(b)] for b in batches]
    return all(form == forms[0] for form in forms)
