"""Runs networks whose weights are flat rows, without rebuilding a module and without a graph through the merge."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn

from paretokit.problems.merging._contraction import Contraction
from paretokit.problems.merging._module import (
    batch_norms,
    batch_statistics,
    differentiable,
    estimating,
    likeness,
    plain_attention,
    with_tensors,
)
from paretokit.problems.merging._tasks import Inputs, Task, count, joined, parts, rebuilt, rows_of
from paretokit.problems.merging._vectors import TaskVectors

Forward = Callable[[nn.Module, Any], Tensor]
"""From a module and inputs to what the heads take."""

Way = Literal["auto", "stacked", "loop"]
"""How several members are run."""

Loss = Callable[[int, Tensor], Tensor]
"""From a task's number and its logits to its loss."""

Rule = Callable[[Tensor], Tensor]
"""From the losses of all tasks `[m]` to the weights `[m]` of their gradients."""

STACKED = 1 << 15  # most weights of a network that "auto" stacks: beyond, a loop was faster (16 MLPs, CNNs; one core)
PASS = 1 << 27  # bytes that a pass on a CPU keeps for its way back: a ViT was as fast up to 1 << 28, slower beyond
BATCH = 32  # examples a task in a batch of which statistics are taken


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
    r"""Return the mean prediction entropy in nats, :math:`-\frac1n \sum_i \sum_c p_{ic} \log p_{ic}`.

    Where the predictions are certain it is zero, and so is its gradient; logits of -inf rule a class out.
    """
    log_p = torch.log_softmax(logits, -1)
    log_p = log_p.clamp_min(torch.finfo(log_p.dtype).min)  # 0 * -inf is NaN
    return -(log_p.exp() * log_p).sum(-1).mean()


def entropy_of(_: int, logits: Tensor) -> Tensor:
    """Return the loss that needs no labels; see `entropy`."""
    return entropy(logits)


class Runner:
    """One module whose merged tensors are views of a flat row, and whose gradients are contracted as they arrive.

    Writing a row and running forward and backward is all that a step costs: no module is rebuilt, and no gradient to
    all weights is kept where one pass serves all tasks.

    Args:
        architecture: The module; its weights are not copied, and may be on the meta device.
        vectors: Which tensors are merged, and where they lie.
        fixed: All other tensors by name, as the merged model has them.
        tasks: Whose heads are applied.
        forward: From module and inputs to what heads take.
        batch_norm: "merge", or "estimate": then entropies of minibatches normalize by the minibatch.

    Attributes:
        module, row: The network and its weights `[N]`.
    """

    def __init__(
        self,
        architecture: nn.Module,
        vectors: TaskVectors,
        *,
        fixed: Mapping[str, Tensor],
        tasks: tuple[Task, ...],
        forward: Forward,
        batch_norm: Literal["merge", "estimate"] = "merge",
    ) -> None:
        self.forward, self.tasks, self.vectors = forward, tasks, vectors
        placed = likeness(vectors.base.device, vectors.base.dtype)
        self.heads = [None if t.head is None else copy.deepcopy(t.head).to(vectors.base).eval() for t in tasks]
        for head in self.heads:
            if head is not None:
                head.requires_grad_(requires_grad=False)
        self.row = vectors.base.clone()
        leaves = []
        learnt = {name for name, _ in architecture.named_parameters(remove_duplicate=False)}
        tensors = {name: placed(tensor) for name, tensor in fixed.items()}
        for part in vectors.parts:
            view = self.row[part.begin : part.end].view(part.shape)
            view = nn.Parameter(view) if part.name in learnt else view.requires_grad_()
            leaves.append(view)
            tensors[part.name] = view
        self._contraction = Contraction(vectors, leaves)
        self.module = with_tensors(architecture, tensors, placed)
        norms = batch_norms(self.module)
        self.norms = norms if batch_norm == "estimate" else []
        differentiable([m for m in norms if _learns(m.running_mean) or _learns(m.running_var)])
        self._called = _Called(self)

    def load(self, row: Tensor) -> None:
        """Put the weights of a flat row `[N]` into the module."""
        with torch.no_grad():
            self.row.copy_(row)

    def logits(self, batches: list[Inputs], first: int = 0) -> list[Tensor]:
        """Return the logits of batches of the tasks from `first` on, in one pass where their forms allow it."""
        if len(batches) > 1 and _alike(batches):
            sizes = [count(b) for b in batches]
            features = self.forward(self.module, joined(batches)).split(sizes)
        else:
            features = tuple(self.forward(self.module, b) for b in batches)
        heads = self.heads[first : first + len(batches)]
        return [f if head is None else head(f) for f, head in zip(features, heads, strict=True)]

    def entropies(self, batches: list[Inputs]) -> Tensor:
        """Return the mean prediction entropy of each task's batch `[m]`, with a graph to the module's weights."""
        with batch_statistics(self.norms):
            return torch.stack([entropy(z) for z in self.logits(batches)])

    def gradient(
        self, coefficients: Tensor, batches: list[Inputs], weights: Tensor | Rule, *, loss: Loss = entropy_of
    ) -> tuple[Tensor, Tensor]:
        """Return the losses `[m]` of one member, and the gradient of their weighted sum to its coefficients `[L, K]`.

        One merge; forward and back in as few passes as memory allows; one contraction.

        Args:
            coefficients: `[L, K]`.
            batches: One a task.
            weights: `[m]`, or what gives them when all losses are known: then all passes go forward first.
            loss: Of a task.
        """
        self._merge(coefficients)
        passes = self._passes(batches)
        with torch.enable_grad():
            if not isinstance(weights, Tensor):
                graphs = [self._losses(batches, tasks, loss) for tasks in passes]
                found = torch.cat(graphs).detach()
                own = weights(found).to(found)
                gradient = self._contraction.of(((graphs.pop(0) * own[tasks]).sum() for tasks in passes), len(passes))
                return found, gradient
            values: list[Tensor] = []

            def sums() -> Iterator[Tensor]:
                for tasks in passes:
                    each = self._losses(batches, tasks, loss)
                    values.append(each.detach())
                    yield (each * weights[tasks].to(each)).sum()

            gradient = self._contraction.of(sums(), len(passes))
        return torch.cat(values), gradient

    def jacobian(
        self, coefficients: Tensor, batches: list[Inputs], *, loss: Loss = entropy_of
    ) -> tuple[Tensor, Tensor]:
        """Return the losses `[m]` of one member, and the gradient of each to its coefficients `[m, L, K]`.

        Every task goes forward and back by itself; where BatchNorm sees all tasks together, there are m passes back.
        """
        self._merge(coefficients)
        rows = []
        with torch.enable_grad():
            if self.norms:
                values = self._losses(batches, slice(0, len(batches)), loss)
                for k, value in enumerate(values):
                    rows.append(self._contraction.of(iter([value]), 1, keep=k + 1 < len(values)))
                return values.detach(), torch.stack(rows)
            found = []
            for k in range(len(batches)):
                value = self._losses(batches, slice(k, k + 1), loss)
                found.append(value.detach())
                rows.append(self._contraction.of(iter([value.sum()]), 1))
        return torch.cat(found), torch.stack(rows)

    def weighted(
        self, coefficients: Tensor, batches: list[Inputs], weights: Tensor, *, way: Way = "auto"
    ) -> tuple[Tensor, Tensor]:
        """Return entropies `[P, m]` of P members, and the gradients `[P, L, K]` of their weighted sums.

        Args:
            coefficients: `[P, L, K]`.
            batches: One a task, the same for all members.
            weights: `[P, m]`.
            way: "stacked" runs all members in one program, "loop" one after the other in the flat buffers; "auto"
                stacks where that is faster.
        """
        if not self.stacks(len(coefficients), way):
            each = [self.gradient(own, batches, w) for own, w in zip(coefficients, weights, strict=True)]
            return torch.stack([e[0] for e in each]), torch.stack([e[1] for e in each])
        with torch.enable_grad():
            rows = self.vectors.merged(coefficients).requires_grad_()
            values = self.stacked(rows, batches, way="stacked")
            (slopes,) = torch.autograd.grad((values * weights.to(values)).sum(), rows)
        return values.detach(), self.vectors.contract(slopes)

    def jacobians(self, coefficients: Tensor, batches: list[Inputs], *, way: Way = "auto") -> tuple[Tensor, Tensor]:
        """Return entropies `[P, m]` of P members, and the gradient of each one `[P, m, L, K]`; see `weighted`."""
        if not self.stacks(len(coefficients), way):
            answers = [self.jacobian(own, batches) for own in coefficients]
            return torch.stack([a[0] for a in answers]), torch.stack([a[1] for a in answers])
        with torch.enable_grad():
            rows = self.vectors.merged(coefficients).requires_grad_()
            values = self.stacked(rows, batches, way="stacked")
            slopes = [
                torch.autograd.grad(column.sum(), rows, retain_graph=k + 1 < values.shape[1])[0]
                for k, column in enumerate(values.unbind(1))
            ]
        return values.detach(), torch.stack([self.vectors.contract(s) for s in slopes], 1)

    def stacked(self, rows: Tensor, batches: list[Inputs], *, way: Way = "auto") -> Tensor:
        """Return the entropies `[P, m]` of P flat rows `[P, N]` on the same batches, with a graph to the rows.

        The module's own weights are neither read nor written.
        """
        if self.stacks(len(rows), way):
            with plain_attention():
                out: Tensor = torch.func.vmap(self._called.at, in_dims=(0, None))(rows, batches)
            return out
        return torch.stack([self._called.at(row, batches) for row in rows])

    def stacks(self, members: int, way: Way = "auto") -> bool:
        """Whether several members are run in one program."""
        small = members > 1 and self.vectors.size <= STACKED
        return way == "stacked" or (way == "auto" and small and self.stackable)

    @cached_property
    def stackable(self) -> bool:
        """Whether all that the network does can be batched over its weights."""
        place = likeness(self.row.device, self.row.dtype)
        few = [rebuilt(t.unlabeled, [place(p[:2]) for p in parts(t.unlabeled)]) for t in self.tasks]
        rows = self.vectors.base.repeat(2, 1).requires_grad_()
        try:
            with warnings.catch_warnings(), torch.enable_grad():
                warnings.simplefilter("error")  # an operation that would be looped over with a warning
                torch.autograd.grad(self.stacked(rows, few, way="stacked").sum(), rows)
        except (RuntimeError, UserWarning):
            return False
        return True

    @cached_property
    def kept(self) -> float:
        """Bytes that a forward pass keeps for its way back, an example of the first task; weights do not count."""
        place = likeness(self.row.device, self.row.dtype)
        data = self.tasks[0].unlabeled
        few = rebuilt(data, [place(p[:2]) for p in parts(data)])
        seen: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            memory = tensor.untyped_storage()
            seen[memory.data_ptr()] = memory.nbytes()
            return tensor

        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            out = self.logits([few])[0]
        heads = [p for head in self.heads if head is not None for p in head.parameters()]
        for weights in (self.row, *heads):
            seen.pop(weights.untyped_storage().data_ptr(), None)
        return sum(seen.values()) / len(out)

    def _passes(self, batches: list[Inputs]) -> list[slice]:
        """Return which tasks go through the network together."""
        if self.norms or (self.row.device.type != "cpu" and _alike(batches)):
            return [slice(0, len(batches))]
        if not _alike(batches):
            return [slice(k, k + 1) for k in range(len(batches))]
        found, room = [slice(0, 0)], PASS / max(self.kept, 1)
        for k, batch in enumerate(batches):
            room -= count(batch)
            if room < 0 and found[-1].stop > found[-1].start:
                found.append(slice(k, k))
                room = PASS / max(self.kept, 1) - count(batch)
            found[-1] = slice(found[-1].start, k + 1)
        return found

    def _merge(self, coefficients: Tensor) -> None:
        self.vectors.merged(coefficients.unsqueeze(0), out=self.row.unsqueeze(0))

    def _losses(self, batches: list[Inputs], tasks: slice, loss: Loss) -> Tensor:
        with batch_statistics(self.norms):
            logits = self.logits(batches[tasks], tasks.start)
        return torch.stack([loss(tasks.start + i, z) for i, z in enumerate(logits)])

    def estimate(self, inputs: list[Inputs], place: Callable[[Inputs], Inputs]) -> int:
        """Set the running statistics of the loaded weights to the mean over batches that mix all tasks evenly.

        Args:
            inputs: Unlabeled data of each task; as many of each as of the shortest are used.
            place: Brings a batch to device and type.

        Returns:
            The number of examples used.
        """
        if not self.norms:
            return 0
        few = min(count(i) for i in inputs)
        with torch.no_grad(), estimating(self.norms):
            for begin in range(0, few, BATCH):
                rows = slice(begin, min(begin + BATCH, few))
                if begin == 0 or (rows.stop - begin) * len(inputs) > 1:  # one example has no variance
                    self.logits([place(rows_of(i, rows)) for i in inputs])
        return few * len(inputs)


class _Called(nn.Module):
    """The runner as a function of weights."""

    def __init__(self, runner: Runner) -> None:
        super().__init__()
        self.module = runner.module
        self._entropies, self._named = runner.entropies, runner.vectors.named

    def forward(self, batches: list[Inputs]) -> Tensor:
        """Return the entropies under the module's present weights."""
        return self._entropies(batches)

    def at(self, row: Tensor, batches: list[Inputs]) -> Tensor:
        """Return the entropies `[m]` of a flat row, with a graph to it."""
        named = {f"module.{name}": tensor for name, tensor in self._named(row).items()}
        out: Tensor = torch.func.functional_call(self, named, (batches,))
        return out


def _learns(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.requires_grad


def _alike(batches: list[Inputs]) -> bool:
    forms = [[(p.shape[1:], p.dtype) for p in parts(b)] for b in batches]
    return all(form == forms[0] for form in forms)
