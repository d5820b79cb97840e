"""Model merging as a problem: decisions are coefficients of task vectors, objectives what the merged model can do."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, final

import torch
from torch import Tensor, nn

from paretokit.core import Box, Evaluation, EvaluationProtocol, Objective, Problem, Rng, Scoring
from paretokit.core import _check as check
from paretokit.problems.merging._assembly import Layers, assembled
from paretokit.problems.merging._checkpoints import Checkpoint
from paretokit.problems.merging._runner import Forward, Runner, plain_forward
from paretokit.problems.merging._tasks import Inputs, Task, count, rows_of
from paretokit.problems.merging._vectors import Storage, TaskVectors

CHUNK = 512  # examples that are run together when accuracies are measured


@final
class ModelMerging(Problem):
    r"""Merge K fine-tunings of one model into one that trades their tasks off.

    .. math:: \theta^{(l)}(\lambda) = \theta_0^{(l)} + \sum_k \lambda_{lk} (\theta_k^{(l)} - \theta_0^{(l)})

    A decision is a row of coefficients `[L * K]`, layer after layer (`x.view(L, K)`). An objective is a task's metric
    on its validation data, or, without labels, the mean prediction entropy of its unlabeled data; `assess` measures on
    the test data. `losses` are the entropies of minibatches.

    Args:
        pretrained: Checkpoint of the common origin: a module, a state dict, a safetensors file or a folder.
        finetuned: Checkpoints of the fine-tunings.
        tasks: Data, head and metric of each objective; one a fine-tuning is usual, not required.
        architecture: The module that the weights are for; `pretrained` where that is one.
        layers: What shares coefficients: each "tensor", each "block", the whole "task" vector, or what a function
            from a tensor's name to a layer's says.
        bounds: Of the coefficients.
        storage: Type of the task vectors in memory: "float32", "float64", "bfloat16", or "int8".
        batch_norm: "merge" running statistics like weights, or "estimate" them on the unlabeled data.
        frozen: Beginnings of names of tensors that stay as pretrained.
        batch_size: Examples a task in a minibatch of `losses`.
        forward: From the module and inputs to what the heads take; the module's answer unless given.

    Work is counted in examples that went through the network, a backward pass as two.

    Raises:
        InputError: Where checkpoints, heads or data do not fit; the first differing tensor is named.

    Source: Ilharco et al. (2023), ICLR, for task vectors; Yang et al. (2024), ICLR, for coefficients a layer and for
    entropy as the surrogate.
    """

    unit = "examples"
    dtype = torch.float32
    _variant: Mapping[str, Any] | None = None
    _origin: TaskVectors | None = None

    def __init__(
        self,
        *,
        pretrained: Checkpoint,
        finetuned: Sequence[Checkpoint],
        tasks: Sequence[Task],
        architecture: nn.Module | None = None,
        layers: Layers = "tensor",
        bounds: tuple[float, float] = (0.0, 1.0),
        storage: Storage = "float32",
        batch_norm: Literal["merge", "estimate"] = "merge",
        frozen: Sequence[str] = (),
        batch_size: int = 16,
        forward: Forward = plain_forward,
    ) -> None:
        check.one_of(("merge", "estimate"), batch_norm=batch_norm)
        check.at_least(1, batch_size=batch_size, tasks=len(tasks))
        check.that(bounds[0] < bounds[1], "bounds", "increase", bounds, "are they the wrong way round?")
        names = [t.name for t in tasks]
        check.that(len(set(names)) == len(names), "tasks", "have different names", names)
        parts = assembled(
            pretrained, finetuned, architecture, layers=layers, storage=storage, batch_norm=batch_norm, frozen=frozen
        )
        self.architecture, self.vectors, self.fixed, self.notes = parts
        self.dtype = self.vectors.base.dtype
        self.tasks, self.batch_norm, self.batch_size = tuple(tasks), batch_norm, batch_size
        self.forward, self.bounds = forward, bounds
        self.objectives = tuple(_objective(t) for t in self.tasks)
        self.held_out = all(t.test is not None for t in self.tasks)
        if all(o.maximize for o in self.objectives):
            m = len(self.tasks)
            scoring = Scoring(reference_point=(0.0,) * m, ideal=(1.0,) * m, nadir=(0.0,) * m)
            self.protocol = EvaluationProtocol(scoring=scoring)
        self.space = Box(*bounds, dim=self.vectors.n_layers * self.vectors.n_tasks)
        self._mark = ""
        self._try_heads()

    @cached_property
    def runner(self) -> Runner:
        """The network, run from flat rows; made when it is first asked for."""
        return Runner(self.architecture, self.vectors, fixed=self.fixed, tasks=self.tasks, forward=self.forward)

    @property
    def n_coefficients(self) -> tuple[int, int]:
        """Layers L and task vectors K of a decision."""
        return self.vectors.n_layers, self.vectors.n_tasks

    def coefficients(self, x: Tensor) -> Tensor:
        """Return decision rows `[n, L * K]` as coefficients `[n, L, K]`."""
        return x.reshape(-1, *self.n_coefficients)

    def batches(self, rng: Rng) -> list[Inputs]:
        """Return a minibatch of unlabeled inputs of each task, drawn with replacement."""
        found = []
        for t in self.tasks:
            n = count(t.unlabeled)
            rows = rng.child("batch", t.name).integers(n, min(self.batch_size, n))
            found.append(_at(rows_of(t.unlabeled, rows), self.device, self.dtype))
        return found

    def losses(self, x: Tensor, rng: Rng) -> Tensor:
        """Return the mean entropies `[P, m]` in nats of minibatches, with gradients to coefficients `x [P, d]`.

        The plain way through `torch.func.functional_call`; solvers use `runner`, which gives the same numbers.
        """
        merged = self.vectors.merge(self.coefficients(x))
        batches = self.batches(rng)
        return torch.stack([self._functional(row, batches) for row in merged]).to(x.dtype)

    def _functional(self, row: Tensor, batches: list[Inputs]) -> Tensor:
        from paretokit.problems.merging._runner import entropy

        named = self.vectors.named(row)
        module, heads = self.runner.module, self.runner.heads
        out = []
        for inputs, head in zip(batches, heads, strict=True):
            features = _Called(module, named, self.forward)(inputs)
            out.append(entropy(features if head is None else head(features)))
        return torch.stack(out)

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        rows, work = [], 0
        for coefficients in self.coefficients(x):
            self._load(coefficients)
            values = []
            for number, t in enumerate(self.tasks):
                data = t.validation or (t.unlabeled, None)
                values.append(self._measure(number, *data))
                work += count(data[0])
            rows.append(torch.tensor(values, dtype=self.dtype, device=self.device))
        each = torch.full((len(x),), work / max(len(x), 1), dtype=torch.float64, device=self.device)
        return Evaluation(torch.stack(rows), work=each)

    def _assess(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        if not self.held_out:
            return self._evaluate(x, Rng.from_seed(0)).values, {}
        rows = []
        for coefficients in self.coefficients(x):
            self._load(coefficients)
            values = [self._measure(k, *t.test) for k, t in enumerate(self.tasks) if t.test is not None]
            rows.append(torch.tensor(values, dtype=self.dtype, device=self.device))
        return torch.stack(rows), {}

    @torch.no_grad()
    def _load(self, coefficients: Tensor) -> None:
        runner = self.runner
        runner.load(self.vectors.merged(coefficients.unsqueeze(0))[0])
        if self.batch_norm == "estimate":
            estimate_batch_norm(runner, [t.unlabeled for t in self.tasks], self.device, self.dtype)

    @torch.no_grad()
    def _measure(self, number: int, inputs: Inputs, labels: Tensor | None) -> float:
        """Return accuracy, loss or entropy of the loaded weights on a task's data."""
        runner, head, total = self.runner, self.runner.heads[number], 0.0
        for begin in range(0, count(inputs), CHUNK):
            rows = slice(begin, begin + CHUNK)
            features = runner.forward(runner.module, _at(rows_of(inputs, rows), self.device, self.dtype))
            logits = features if head is None else head(features)
            log_p = torch.log_softmax(logits.double(), -1)
            if labels is None:
                total += float(-(log_p.exp() * log_p).sum())
            elif self.tasks[number].metric == "accuracy":
                total += float((logits.argmax(-1) == labels[rows].to(logits.device)).sum())
            else:
                total += float(-log_p.gather(-1, labels[rows].to(logits.device).unsqueeze(-1)).sum())
        return total / count(inputs)

    def decode(self, x: Tensor) -> nn.Module:
        """Return the merged module of one decision row `[L * K]`, in evaluation mode; heads are not part of it."""
        self._load(self.coefficients(x.to(self.device, self.dtype))[0])
        merged = copy.deepcopy(self.architecture)
        own = merged.state_dict()
        with torch.no_grad():
            for name, tensor in self.runner.module.state_dict().items():
                own[name].copy_(tensor)
        return merged.eval().requires_grad_()

    def save(self, x: Tensor, folder: str | Path) -> None:
        """Write the merged model as `save_pretrained` does: ``model.safetensors``, ``config.json`` where known."""
        from paretokit.problems.merging._saving import save_pretrained

        save_pretrained(self.decode(x), folder)

    def with_vectors(self, vectors: TaskVectors, *, variant: Mapping[str, Any] | None = None) -> ModelMerging:
        """Return the same tasks over other task vectors (TIES, DARE, a closed form); fronts stay comparable.

        Args:
            vectors: Over the same base; as many as they are.
            variant: How `as_variant` makes them again, where it can; fronts then find their vectors when loaded.
        """
        twin = copy.copy(self)
        twin.__dict__.pop("runner", None)
        twin.vectors = vectors
        twin.space = Box(*self.bounds, dim=vectors.n_layers * vectors.n_tasks)
        twin._mark, twin._variant = "", variant
        twin._origin = self.original
        return twin

    @property
    def original(self) -> TaskVectors:
        """The task vectors of the checkpoints, whatever the view's are."""
        return self.vectors if self._origin is None else self._origin

    def variant(self) -> dict[str, Any] | None:
        """Return how the task vectors were made of the checkpoints' own; None for those themselves."""
        return None if self._variant is None else dict(self._variant)

    def as_variant(self, variant: Mapping[str, Any] | None) -> ModelMerging:
        """Return the same tasks over task vectors made as a variant says, e.g. ``{"method": "ties", "trim": 0.2}``.

        Raises:
            InputError: If the method is unknown.
        """
        if variant is None or (self._variant is not None and dict(variant) == dict(self._variant)):
            return self
        from paretokit.problems.merging._directions import directions

        return self.with_vectors(directions(self, variant), variant=dict(variant))

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> ModelMerging:
        """Return a copy that computes on `device` in `dtype`."""
        twin = super().to(device, dtype)
        twin.__dict__.pop("runner", None)
        vectors = self.vectors.to(twin.device)
        if dtype is not None:
            vectors = vectors.based(dtype)
        twin.vectors = vectors
        if self._origin is not None:
            origin = self._origin.to(twin.device)
            twin._origin = origin if dtype is None else origin.based(dtype)
        return twin

    def fingerprint(self) -> str:
        """Return a hash of the contract and of the weights."""
        if not self._mark:
            digest = hashlib.blake2b(super().fingerprint().encode(), digest_size=8)
            base = self.vectors.base.double()
            digest.update(repr((float(base.sum()), float(base.square().sum()))).encode())
            for k in range(self.vectors.n_tasks):
                digest.update(repr(float(self.vectors.deltas[k].double().square().sum())).encode())
            self._mark = digest.hexdigest()
        return self._mark

    def _try_heads(self) -> None:
        """Refuse heads and data that do not fit, before anything is computed from them."""
        for k, t in enumerate(self.tasks):
            few = _at(rows_of(t.unlabeled, slice(0, 1)), self.device, self.dtype)
            try:
                with torch.no_grad():
                    features = self.forward(self.runner.module, few)
                    head = self.runner.heads[k]
                    logits = features if head is None else head(features)
            except (RuntimeError, TypeError, ValueError) as error:
                check.fail(f"tasks[{t.name!r}]", "fit the model", str(error).splitlines()[0], "inputs, then head")
            for data in (t.validation, t.test):
                if data is not None and len(data[1]):
                    most = int(data[1].max())
                    rule = f"have labels below {logits.shape[-1]}, the head's classes"
                    check.that(most < logits.shape[-1], f"tasks[{t.name!r}]", rule, most)


class _Called:
    """A module called with other tensors."""

    def __init__(self, module: nn.Module, named: Mapping[str, Tensor], forward: Callable[..., Tensor]) -> None:
        self.module, self.named, self.forward = module, dict(named), forward

    def __call__(self, inputs: Inputs) -> Tensor:
        """Return what the module answers under those tensors."""
        wrapped = _Wrapped(self.module, self.forward)
        named = {f"module.{k}": v for k, v in self.named.items()}
        answer: Tensor = torch.func.functional_call(wrapped, named, (inputs,))
        return answer


class _Wrapped(nn.Module):
    def __init__(self, module: nn.Module, forward: Callable[..., Tensor]) -> None:
        super().__init__()
        self.module, self.called = module, forward

    def forward(self, inputs: Inputs) -> Tensor:
        return self.called(self.module, inputs)


def estimate_batch_norm(runner: Runner, inputs: list[Inputs], device: torch.device, dtype: torch.dtype) -> None:
    """Set all running statistics of the loaded weights to those of unlabeled data, tasks mixed evenly."""
    norms = [m for m in runner.module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    kept = [m.momentum for m in norms]
    for m in norms:
        m.reset_running_stats()
        m.momentum = None  # a cumulative mean
        m.train()
    few = min(count(i) for i in inputs)
    for begin in range(0, few, 32):
        runner.logits([_at(rows_of(i, slice(begin, begin + 32)), device, dtype) for i in inputs])
    for m, momentum in zip(norms, kept, strict=True):
        m.momentum = momentum
        m.eval()


def _objective(task: Task) -> Objective:
    if task.validation is None:
        return Objective(f"entropy of {task.name}", "min", "nats")
    if task.metric == "accuracy":
        return Objective(f"accuracy on {task.name}", "max")
    return Objective(f"loss on {task.name}", "min", "nats")


def _at(inputs: Inputs, device: torch.device, dtype: torch.dtype) -> Inputs:
    from paretokit.problems.merging._tasks import parts, rebuilt

    moved = [t.to(device, dtype) if t.is_floating_point() else t.to(device) for t in parts(inputs)]
    return rebuilt(inputs, moved)
