"""Learning tasks one after the other: one network, as many objectives as tasks."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol, Self

import torch
from torch import Tensor, nn

from paretokit.core import (
    Evaluation,
    EvaluationProtocol,
    Objective,
    ParetoError,
    Problem,
    Rng,
    Scoring,
    Sense,
    ShapeError,
)
from paretokit.core import _check as check
from paretokit.core._parameters import Parameters
from paretokit.core._problem import Observer
from paretokit.problems.continual._stacked import Stacked
from paretokit.problems.continual._task import Examples, Given, StreamTask, task_of

Scenario = Literal["domain", "task"]
Metric = Literal["accuracy", "loss"]
MEMBERS = 64
"""Networks that are measured at once."""
EXAMPLES = 4096
"""Examples that are measured at once."""


class Readable(Protocol):
    """What hands out the training data of a task."""

    def __getitem__(self, k: int, /) -> Examples:
        """Return inputs and labels of task k."""
        ...


class Training:
    """The training data of all tasks: reading entry k is what hands out the data of task k."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    def __getitem__(self, k: int) -> Examples:
        return self._tasks[k].train


class Tasks:
    """The tasks of a stream, made when first asked for, with the frozen backbone's features in place of inputs."""

    def __init__(self, given: Sequence[Given], names: Sequence[str], backbone: nn.Module | None) -> None:
        self._given, self.names, self._backbone = list(given), list(names), backbone
        self._made: dict[int, StreamTask] = {}
        self._shape: torch.Size | None = None
        for k, one in enumerate(given):  # what is there is looked at; what has to be made waits
            if not callable(one) or isinstance(one, StreamTask):
                self[k]

    def __len__(self) -> int:
        return len(self._given)

    def __iter__(self) -> Iterator[StreamTask]:
        return (self[k] for k in range(len(self)))

    def __getitem__(self, k: int) -> StreamTask:
        if k not in self._made:
            made = task_of(self._given[k], k, self.names[k])
            shape = made.train[0].shape[1:]
            due = shape if self._shape is None else self._shape
            hint = "all domains of a stream have the same features"
            rule = f"have inputs of shape {list(due)}, as the tasks before"
            check.shape(shape == due, f"tasks[{k}].train", rule, list(shape), hint)
            self._shape = due
            self._made[k] = made if self._backbone is None else self._seen(made)
        return self._made[k]

    def _seen(self, made: StreamTask) -> StreamTask:
        assert self._backbone is not None
        parts = []
        with torch.no_grad():
            for inputs, labels in (made.train, made.validation, made.test or made.validation):
                parts.append((torch.cat([self._backbone(x) for x in inputs.split(EXAMPLES)]), labels))
        return StreamTask(made.name, *parts)


class ContinualLearning(Problem):
    r"""A network that learns a stream of tasks; objective k is its performance on task k.

    .. math:: \max_\theta \bigl(\mathrm{acc}_1(f_\theta), \dots, \mathrm{acc}_N(f_\theta)\bigr)

    Solvers of this world see training data only through `task`, which a solver's handle answers in the stream's order
    and never twice. A decision holds all parameters of the network, so every generic solver runs on the problem too;
    `losses` are minibatch cross-entropies of all tasks at once, so that descending them is *joint training*, the upper
    end that no continual learner may see.

    Args:
        tasks: One `StreamTask`, or training, validation and test examples, or a function that makes either, each. Made
            ones are kept; functions are called when their task is first needed.
        network: From inputs (of the backbone: features) to class scores `[n, C]`, in pure torch operations. It is
            copied, and run in evaluation mode.
        scenario: "domain": all tasks share the classes and the scores ("shared head"). "task": task k has its own
            classes, whose scores are columns of their own, task after task (a head each, chosen by the task's number).
        classes: Number of classes of each task, for "task"; that of its labels unless given.
        backbone: A frozen module before the network. It sees each example once, and `decode` puts it in front.
        names: Of the tasks.
        metric: "accuracy" to be maximized or "loss", the mean cross-entropy in nats, to be minimized.
        batch_size: Examples a task of a minibatch of `losses`.
        bound: Parameters are decided within [-bound, bound].

    Raises:
        InputError: If there are fewer than two tasks, one is empty or has one class, or labels have no score.
        ShapeError: If domains differ in features, or the network does not fit.

    Work is counted in examples through the network.
    """

    space: Parameters
    unit = "examples"
    held_out = True

    def __init__(
        self,
        tasks: Sequence[Given],
        network: nn.Module,
        *,
        scenario: Scenario = "domain",
        classes: Sequence[int] = (),
        backbone: nn.Module | None = None,
        names: Sequence[str] = (),
        metric: Metric = "accuracy",
        batch_size: int = 32,
        bound: float = 10.0,
    ) -> None:
        check.arguments(ContinualLearning.__init__, locals())
        hint = "a stream of one has nothing to trade off"
        check.that(len(tasks) > 1, "tasks", "be at least two", len(tasks), hint)
        check.at_least(1, batch_size=batch_size)
        known = [getattr(given, "name", "") for given in tasks]
        named = list(names) or [name or f"task {k + 1}" for k, name in enumerate(known)]
        check.that(len(named) == len(tasks), "names", f"be {len(tasks)}, one a task", len(named))
        check.that(len(set(named)) == len(named), "names", "be different", named)
        self.backbone = None if backbone is None else copy.deepcopy(backbone).eval().requires_grad_(requires_grad=False)
        self.tasks = Tasks(tasks, named, self.backbone)
        self.training: Readable = Training(self.tasks)
        self.scenario, self.metric, self.batch_size = scenario, metric, batch_size
        sense: Sense = "max" if metric == "accuracy" else "min"
        self.objectives = tuple(Objective(f"{metric} on {name}", sense) for name in named)
        if metric == "accuracy":
            m = len(named)
            scoring = Scoring(reference_point=(0.0,) * m, ideal=(1.0,) * m, nadir=(0.0,) * m)
            self.protocol = EvaluationProtocol(scoring=scoring)
        self.space = Parameters(network, bound=bound)
        self.stacked = Stacked(self.space, network)
        self.dtype = next(network.parameters()).dtype
        self.loss_work = float(batch_size * len(named))
        self.columns = self._heads(tuple(classes))
        self._asked: list[int] | None = None

    @property
    def name(self) -> str:
        """What tables and titles call the problem."""
        return self.id or f"{type(self).__name__} of {len(self.tasks)} tasks"

    @property
    def names(self) -> list[str]:
        """The tasks' names."""
        return self.tasks.names

    def task(self, i: int) -> Examples:
        """Return the training examples of task i; a solver asks for each once, in the stream's order.

        A resumed run begins with the task that it had been in.

        Raises:
            InputError: If there is no such task.
            ParetoError: If a solver asks out of order, or again.
        """
        check.whole(0, i=i)
        check.that(i < len(self.tasks), "i", f"be below {len(self.tasks)}, the number of tasks", i)
        if self._asked is not None:
            due = self._asked[-1] + 1 if self._asked else i
            if i != due:
                raise ParetoError(f"tasks come in order and never twice: task {i} was asked for where {due} was due")
            self._asked.append(i)
        inputs, labels = self.training[i]
        return inputs.to(self.device, self.dtype), labels.to(self.device)

    def observed(self, observer: Observer | None) -> Self:
        """Return the handle that a solver gets: it hands out tasks in order, once each."""
        twin = super().observed(observer)
        twin._asked = []
        return twin

    def cross_entropy(self, x: Tensor, inputs: Tensor, labels: Tensor, *, task: int) -> Tensor:
        """Return the mean cross-entropies `[P]` in nats of networks `x [P, d]`, with gradients to x.

        Args:
            x: Networks.
            inputs: Shared by all `[B, ...]`, or one batch each `[P, B, ...]`.
            labels: `[B]` or `[P, B]`.
            task: Which task they are of: its head is read.
        """
        scores = self.scores(x, inputs, task=task, own=labels.ndim == 2)
        target = labels.expand(scores.shape[:2])
        chosen = torch.log_softmax(scores, -1).gather(-1, target.unsqueeze(-1)).squeeze(-1)
        return -chosen.mean(-1)

    def scores(self, x: Tensor, inputs: Tensor, *, task: int = 0, own: bool = False) -> Tensor:
        """Return class scores `[P, B, C]` of networks `x [P, d]` in the head of a task; `own`: a batch a network."""
        begin, end = self.columns[task]
        found = self.stacked(x, inputs, own=own)
        return found if found.shape[-1] == end - begin else found[..., begin:end]

    def predict(self, x: Tensor, inputs: Tensor, *, task: int = 0) -> Tensor:
        """Return class probabilities `[n, B, C]` of networks `x [n, d]` for inputs as the backbone takes them.

        Over the networks of one preference, their mean is the Bayesian prediction, their spread its uncertainty.
        """
        with torch.no_grad():
            seen = inputs if self.backbone is None else self.backbone(inputs)
            seen = seen.to(self.device, self.dtype)
            return torch.softmax(self.scores(x.to(self.device, self.dtype), seen, task=task), -1)

    def losses(self, x: Tensor, rng: Rng) -> Tensor:
        """Return cross-entropies `[P, m]` of networks `x [P, d]` on a minibatch of every task: joint training."""
        found = []
        for k in range(len(self.tasks)):
            inputs, labels = self.training[k]
            rows = rng.child("batch", k).integers(len(labels), min(self.batch_size, len(labels)))
            batch = inputs[rows].to(self.device, self.dtype), labels[rows].to(self.device)
            found.append(self.cross_entropy(x, *batch, task=k))
        return torch.stack(found, -1)

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        data = [task.validation for task in self.tasks]
        work = torch.full((len(x),), float(sum(len(labels) for _, labels in data)), dtype=torch.float64)
        return Evaluation(self._measured(x, data), work=work.to(x.device))

    def _assess(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return self._measured(x, [task.test or task.validation for task in self.tasks]), {}

    def _measured(self, x: Tensor, data: Sequence[Examples]) -> Tensor:
        values = torch.zeros(len(x), len(data), dtype=x.dtype, device=x.device)
        with torch.no_grad():
            for k, (inputs, labels) in enumerate(data):
                for part, begin in zip(inputs.split(EXAMPLES), range(0, len(labels), EXAMPLES), strict=True):
                    seen = part.to(self.device, self.dtype)
                    target = labels[begin : begin + EXAMPLES].to(self.device)
                    for rows, out in zip(x.split(MEMBERS), values.split(MEMBERS), strict=True):
                        out[:, k] += self._summed(rows, seen, target, k)
        return values / torch.tensor([float(len(labels)) for _, labels in data]).to(x)

    def _summed(self, x: Tensor, inputs: Tensor, labels: Tensor, task: int) -> Tensor:
        scores = self.scores(x, inputs, task=task)
        if self.metric == "loss":
            chosen = torch.log_softmax(scores, -1).gather(-1, labels.expand(scores.shape[:2]).unsqueeze(-1))
            return -chosen.sum((-1, -2))
        return (scores.argmax(-1) == labels).sum(-1).to(x.dtype)

    def decode(self, x: Tensor) -> nn.Module:
        """Return the network of one decision row `[d]`, behind the backbone where there is one, in evaluation mode."""
        due = self.space.dim
        check.shape(tuple(x.shape) == (due,), "x", f"be one row of {due} weights", f"shape {tuple(x.shape)}")
        own = self.space.module(x)
        return (own if self.backbone is None else nn.Sequential(copy.deepcopy(self.backbone), own)).eval()

    def fingerprint(self) -> str:
        """Return a hash of the network's shapes, the backbone's weights, and all data."""
        if self.options() is not None:
            return super().fingerprint()
        seed = f"{super().fingerprint()} {self.scenario} {self.metric} {self.columns}"
        digest = hashlib.blake2b(seed.encode(), digest_size=8)
        for task in self.tasks:
            for inputs, labels in (task.train, task.validation, task.test or task.validation):
                for part in (inputs, labels):
                    digest.update(f"{part.dtype} {tuple(part.shape)}".encode())
                    digest.update(part.cpu().contiguous().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def _code(self) -> tuple[Any, ...]:
        return (type(self.stacked.module).forward,)

    def _heads(self, classes: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
        """Return the columns of scores that belong to each task; the first task's examples are tried."""
        inputs, _ = self.tasks[0].train
        row = self.stacked.start
        try:
            with torch.no_grad():
                found = self.stacked(row.to(self.dtype).unsqueeze(0), inputs[:2].to(self.dtype))
        except RuntimeError as error:
            line = str(error).strip().partition("\n")[0]
            hint = f"inputs of the first task have shape {list(inputs.shape[1:])}"
            raise ShapeError(check.message("network", "take the tasks' inputs", line, hint)) from error
        fits = found.ndim == 3 and found.shape[1] == len(inputs[:2])
        check.shape(fits, "network", "give scores [n, classes]", list(found.shape[1:]))
        width, n = found.shape[-1], len(self.tasks)
        if self.scenario == "domain":
            check.that(not classes, "classes", "be left out where all tasks share them", list(classes))
            counts, columns = [width] * n, ((0, width),) * n
        else:
            counts = list(classes) or [int(t.train[1].max()) + 1 for t in self.tasks]
            check.that(len(counts) == n, "classes", f"be {n} numbers, one a task", len(counts))
            ends = [sum(counts[: k + 1]) for k in range(n)]
            check.shape(ends[-1] == width, "network", f"give {ends[-1]} scores, a head a task", width)
            columns = tuple((end - count, end) for end, count in zip(ends, counts, strict=True))
        for k in range(n):
            if k in self.tasks._made:
                most = max(int(part[1].max()) for part in (self.tasks[k].train, self.tasks[k].validation))
                check.that(most < counts[k], f"tasks[{k}]", f"have labels below {counts[k]}, the scores", most)
        return columns
