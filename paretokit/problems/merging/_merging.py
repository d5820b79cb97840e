"""Model merging as a problem: decisions are coefficients of task vectors, objectives what the merged model can do."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, final, runtime_checkable

import torch
from torch import Tensor, nn

from paretokit.core import Box, Evaluation, EvaluationProtocol, Objective, Problem, Rng, Scoring
from paretokit.core import _check as check
from paretokit.problems.merging._assembly import Layers, assembled
from paretokit.problems.merging._bounds import checked_bounds
from paretokit.problems.merging._checkpoints import Checkpoint
from paretokit.problems.merging._contents import Contents
from paretokit.problems.merging._mark import mark
from paretokit.problems.merging._module import batch_norms, batch_statistics, with_tensors
from paretokit.problems.merging._runner import Forward, Runner, plain_forward
from paretokit.problems.merging._tasks import Inputs, Task, count, parts, rebuilt, rows_of
from paretokit.problems.merging._vectors import Storage, TaskVectors

CHUNK = 512  # examples that are run together when accuracies are measured


@runtime_checkable
class Chosen(Protocol):
    """What knows the problem that it is a solution of."""

    def decode(self) -> Any:
        """Return the merged module."""
        ...


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
    _options: Mapping[str, Any] | None = None

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
        several = isinstance(tasks, Sequence) and all(isinstance(t, Task) for t in tasks)
        check.that(several, "tasks", "be a list of tasks", tasks)
        check.at_least(1, tasks=len(tasks))
        check.whole(1, batch_size=batch_size)
        check.that(callable(forward), "forward", "be a function of the module and its inputs", repr(forward))
        bounds = checked_bounds(bounds)
        names = [t.name for t in tasks]
        check.that(len(set(names)) == len(names), "tasks", "have different names", names)
        found = assembled(
            pretrained, finetuned, architecture, layers=layers, storage=storage, batch_norm=batch_norm, frozen=frozen
        )
        self.architecture, self.vectors, self.fixed, self.notes = found
        self.dtype = self.vectors.base.dtype
        self.tasks, self.batch_norm, self.batch_size = tuple(tasks), batch_norm, batch_size
        self.loss_work = float(sum(min(batch_size, count(t.unlabeled)) for t in self.tasks))
        self.forward, self.bounds = forward, bounds
        self.objectives = tuple(_objective(t) for t in self.tasks)
        self.held_out = all(t.test is not None for t in self.tasks)
        if all(o.maximize for o in self.objectives):
            m = len(self.tasks)
            scoring = Scoring(reference_point=(0.0,) * m, ideal=(1.0,) * m, nadir=(0.0,) * m)
            self.protocol = EvaluationProtocol(scoring=scoring)
        self.space = Box(*bounds, dim=self.vectors.n_layers * self.vectors.n_tasks)
        self.contents = Contents(self.tasks, self.fixed, batch_norm)
        folder = pretrained if isinstance(pretrained, str | Path) else ""
        self._config = Path(folder) / "config.json" if folder and Path(folder, "config.json").exists() else None
        self._try_heads()

    @cached_property
    def runner(self) -> Runner:
        """The network, run from flat rows; made when it is first asked for."""
        return Runner(
            self.architecture,
            self.vectors,
            fixed=self.fixed,
            tasks=self.tasks,
            forward=self.forward,
            batch_norm=self.batch_norm,
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the runner: copies of its module's weights would no longer be views of its row."""
        return {name: value for name, value in self.__dict__.items() if name != "runner"}

    def __copy__(self) -> ModelMerging:
        """Return a twin with the same runner."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin

    def __repr__(self) -> str:
        return super().__repr__() if self.id else f"<{self.describe()}>"

    def describe(self) -> str:
        """Return one line for tables and error messages: what is merged, by which coefficients, and for what."""
        (layers, vectors), (low, high), n = self.n_coefficients, self.bounds, len(self.vectors.parts)
        merged = f"{vectors} task vector{'s' * (vectors != 1)} over {n} tensors, {self.vectors.size:,} weights"
        senses = ", ".join(f"{o.sense} {o.label}" for o in self.objectives)
        return f"{self.name}: {merged}; {layers} x {vectors} coefficients in [{low:g}, {high:g}]; {senses}"

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

        The plain way through `torch.func.functional_call`; solvers use `runner.weighted`, which gives the same numbers.
        Where BatchNorm is estimated, a minibatch is normalized by itself, all tasks together.
        """
        rows = self.vectors.merge(self.coefficients(x))
        return self.runner.stacked(rows, self.batches(rng)).to(x.dtype)

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        rows, work = [], 0
        for coefficients in self.coefficients(x):
            work += self._load(coefficients)
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
    def _load(self, coefficients: Tensor) -> int:
        """Put weights into the network, and return how many examples that took."""
        self.vectors.merged(coefficients.unsqueeze(0), out=self.runner.row.unsqueeze(0))
        return self.runner.estimate([t.unlabeled for t in self.tasks], lambda i: _at(i, self.device, self.dtype))

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
        """Return the merged module of one decision row `[L * K]`, in evaluation mode; heads are not part of it.

        Its tensors have the architecture's types and devices (the CPU for an architecture on the meta device).
        """
        due = self.space.dim
        fits = isinstance(x, Tensor) and tuple(x.shape) == (due,)
        got = f"shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        check.shape(fits, "x", f"be one row of {due} coefficients", got)
        self._load(self.coefficients(self._checked(x))[0])
        own, new = self.architecture.state_dict(), {}
        for name, tensor in self.runner.module.state_dict().items():
            device = torch.device("cpu") if own[name].is_meta else own[name].device
            new[name] = tensor.detach().to(device, own[name].dtype, copy=True)
        merged = with_tensors(self.architecture, new, torch.clone)
        for norm in batch_norms(merged):
            assert norm.running_var is not None
            norm.running_var.clamp_(min=0)
        return merged.requires_grad_()

    def save(self, x: Tensor | Chosen, path: str | Path) -> None:
        """Write the merged model as `save_pretrained` does: ``model.safetensors``, ``config.json`` where known.

        Args:
            x: A decision of this problem, or a solution or choice of any front on it or on a view of it, such as those
                of solvers that merge other task vectors.
            path: A folder, or a ``.safetensors`` file, which gets the tensors alone. Tied ones are written once.

        Raises:
            CheckpointError: If the disk cannot take it.
        """
        from paretokit.problems.merging._saving import save_module

        check.that(isinstance(path, str | Path), "path", "be a folder or a .safetensors file", repr(path))
        module = x.decode() if isinstance(x, Chosen) else self.decode(x)
        save_module(module, path, config=self._config)

    def with_vectors(self, vectors: TaskVectors, *, variant: Mapping[str, Any] | None = None) -> ModelMerging:
        """Return the same tasks over other task vectors (TIES, DARE, a closed form); fronts stay comparable.

        Args:
            vectors: Over the same base; as many as they are.
            variant: How `as_variant` makes them again, where it can; fronts then find their vectors when loaded.

        Raises:
            InputError: If the vectors are for other tensors.
        """
        same = vectors.size == self.vectors.size
        check.that(same, "vectors", f"be over {self.vectors.size} weights", vectors.size, "another model's?")
        twin = copy.copy(self)
        twin.__dict__.pop("runner", None)
        twin.vectors = vectors
        twin.space = Box(*self.bounds, dim=vectors.n_layers * vectors.n_tasks)
        twin._variant, twin._origin = variant, self.original
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

    def named(self, id: str, options: Mapping[str, Any]) -> ModelMerging:  # noqa: A002 - the contract's word
        """Return the problem under a registered id, whose options rebuild it."""
        twin = copy.copy(self)
        twin.id, twin._options = id, dict(options)
        return twin

    def options(self) -> Mapping[str, Any] | None:
        """Return the options of a registered suite; None where checkpoints were handed over."""
        return self._options if self.id else None

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> ModelMerging:
        """Return a copy that computes on `device` in `dtype`."""
        twin = super().to(device, dtype)
        twin.__dict__.pop("runner", None)

        def moved(vectors: TaskVectors) -> TaskVectors:
            placed = vectors if device is None else vectors.to(twin.device)
            return placed if dtype is None else placed.based(dtype)

        twin.vectors = moved(self.vectors)
        twin._origin = None if self._origin is None else moved(self._origin)
        return twin

    def fingerprint(self) -> str:
        """Return a hash of the contract, the weights, the heads and the data."""
        return mark(super().fingerprint() + self.vectors.mark + self.contents.mark)

    def _code(self) -> tuple[Any, ...]:
        return (type(self)._evaluate, self.forward)

    def _try_heads(self) -> None:
        """Refuse heads and data that do not fit, before anything is computed from them."""
        for k, t in enumerate(self.tasks):
            own = f"tasks[{t.name!r}]"
            logits = self._tried(own, k, t.unlabeled)
            for split, data in (("validation", t.validation), ("test", t.test)):
                if data is not None:
                    self._tried(f"{own}.{split}", k, data[0])
            for split, data in (("validation", t.validation), ("test", t.test)):
                if data is not None:
                    low, high = int(data[1].min()), int(data[1].max())
                    rule = f"have labels in 0 … {logits.shape[1] - 1}, the head's classes"
                    check.that(low >= 0 and high < logits.shape[1], f"{own}.{split}", rule, low if low < 0 else high)

    def _tried(self, own: str, number: int, inputs: Inputs) -> Tensor:
        """Return the logits of the first examples of a task's data."""
        few, runner = _at(rows_of(inputs, slice(0, 2)), self.device, self.dtype), self.runner
        try:
            with torch.no_grad(), batch_statistics(runner.norms):
                features = self.forward(runner.module, few)
                head = runner.heads[number]
                logits: Tensor = features if head is None else head(features)
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            check.fail(own, "fit the model", str(error).splitlines()[0], "its inputs, then its head")
        n = count(few)
        fits = isinstance(logits, Tensor) and logits.ndim == 2 and len(logits) == n and logits.shape[1] > 1
        got = list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        check.that(fits, own, f"have logits of shape [{n}, two classes or more] for {n} examples", got)
        return logits


def _objective(task: Task) -> Objective:
    if task.validation is None:
        return Objective(f"entropy of {task.name}", "min", "nats")
    if task.metric == "accuracy":
        return Objective(f"accuracy on {task.name}", "max")
    return Objective(f"loss on {task.name}", "min", "nats")


def _at(inputs: Inputs, device: torch.device, dtype: torch.dtype) -> Inputs:
    moved = [t.to(device, dtype) if t.is_floating_point() else t.to(device) for t in parts(inputs)]
    return rebuilt(inputs, moved)
