"""A user's network and losses as a problem: the decision are the weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from paretokit.core import Evaluation, Objective, Problem, Rng
from paretokit.core import _check as check
from paretokit.core._parameters import Parameters
from paretokit.nn import perceptron

Loss = Callable[[Any, Any], Tensor]
"""From a network's outputs and the targets of a batch to their mean loss."""
Tensors = Tensor | tuple[Tensor, ...]
Data = tuple[Tensors, Tensors] | Iterable[tuple[Any, Any]]
CHUNK = 4096
"""Examples that are measured at once."""
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


class MultiTask(Problem):
    r"""One network with several losses of one batch, to be minimized by its weights.

    .. math:: \min_\theta \bigl(l_1(f_\theta(u), y), \dots, l_m(f_\theta(u), y)\bigr)

    A decision holds all parameters and buffers of the network, so that every generic solver runs on it; `losses` gives
    minibatch losses of many networks in one program, with gradients to all of them.

    Args:
        module: The network: inputs to outputs, which may be a tensor, or a tuple or mapping of them. It is copied, and
            run in evaluation mode: no dropout, and normalization by the statistics that it brings.
        losses: Functions of outputs and targets that return the batch's mean loss, a number; each by itself or with a
            name, in pure torch operations (they run under `torch.func.vmap` where networks are stacked).
        data: Inputs and targets, `[n, ...]` each, or tuples of such; or batches of them, e.g. a data loader.
        validation: Likewise, what `evaluate` measures; the training data unless given.
        test: Likewise, what `assess` measures; the validation data unless given.
        batch_size: Examples of a minibatch, drawn with replacement, the same for all networks.
        bound: Parameters are decided within [-bound, bound].
        heads: Names of submodules that serve one loss each. Rules of gradients (MGDA, EPO, ...) then weigh the other
            parameters, which are shared, and heads follow their own losses; unless given, all parameters are weighed.
        stacked: Whether many networks run as one program, else one after the other; unless given, all but convolutions
            on a CPU, which are faster alone.

    Raises:
        InputError: If there are fewer than two losses, two have one name, data is empty, or a loss gives no number.
        ShapeError: If inputs and targets are not equally many.

    Work is counted in examples through the network.
    """

    space: Parameters
    unit = "examples"

    def __init__(
        self,
        module: nn.Module,
        losses: Sequence[Loss | tuple[str, Loss]],
        data: Data,
        *,
        validation: Data | None = None,
        test: Data | None = None,
        batch_size: int = 64,
        bound: float = 10.0,
        heads: Sequence[str] = (),
        stacked: bool | None = None,
    ) -> None:
        check.at_least(1, batch_size=batch_size)
        named = [_loss(k, given) for k, given in enumerate(losses)]
        check.that(len(named) >= 2, "losses", "be at least two", len(named))
        names = [name for name, _ in named]
        check.that(len(set(names)) == len(names), "losses", "have different names", names)
        self.objectives = tuple(Objective(name) for name in names)
        self.functions = tuple(function for _, function in named)
        self.data = gathered(data, "data")
        self.validation = self.data if validation is None else gathered(validation, "validation")
        self.test = self.validation if test is None else gathered(test, "test")
        self.held_out = test is not None
        self.batch_size, self.stacked = batch_size, stacked
        self.space = Parameters(module, bound=bound)
        self.module = self.space.module(self.space.flatten(_tensors(module))).eval()
        for parameter in self.module.parameters():
            parameter.requires_grad = False
        self.mlp = perceptron(self.module)
        self.dtype = next(module.parameters()).dtype
        self.loss_work = float(batch_size)
        self.shared = self._trunk(tuple(heads)) if heads else None
        self._try()

    @property
    def name(self) -> str:
        """What tables and titles call the problem."""
        return self.id or f"{type(self).__name__} of {type(self.module).__name__}"

    def losses(self, x: Tensor, rng: Rng) -> Tensor:
        """Return the losses `[P, m]` of networks `x [P, d]` on one minibatch, with gradients to x."""
        n = count(self.data[0])
        rows = rng.child("batch").integers(n, min(self.batch_size, n))
        return self._losses(x, *(self._placed(picked(part, rows)) for part in self.data))

    def _losses(self, x: Tensor, inputs: Any, targets: Any) -> Tensor:
        def of_one(row: Tensor) -> Tensor:
            outputs = torch.func.functional_call(self.module, self._named(row), inputs)
            return torch.stack([function(outputs, targets) for function in self.functions])

        def of_outputs(outputs: Tensor) -> Tensor:
            return torch.stack([function(outputs, targets) for function in self.functions])

        stacked = self.stacked
        if stacked is not False and self.mlp is not None and isinstance(inputs, Tensor) and inputs.ndim == 2:
            outputs = self.mlp(x, inputs.expand(len(x), *inputs.shape))
            plain: Tensor = torch.func.vmap(of_outputs)(outputs)
            return plain
        if stacked is None:
            stacked = x.device.type != "cpu" or not any(isinstance(m, CONVOLUTIONS) for m in self.module.modules())
        found: Tensor = torch.func.vmap(of_one)(x) if stacked else torch.stack([of_one(row) for row in x.unbind()])
        return found

    def _named(self, row: Tensor) -> dict[str, Tensor]:
        """Return a row as tensors by name, buffers without a graph; one split, so that one gradient comes back."""
        parts = row.split([s.end - s.begin for s in self.space.slices])
        found = {}
        for s, part in zip(self.space.slices, parts, strict=True):
            held = part if s.begin < self.space.n_parameters else part.detach()
            found[s.name] = held.reshape(s.shape).to(row.dtype if s.dtype.is_floating_point else s.dtype)
        return found

    def _measured(self, x: Tensor, data: tuple[Tensors, Tensors]) -> Tensor:
        n, total = count(data[0]), torch.zeros(len(x), len(self.objectives), dtype=x.dtype, device=x.device)
        for begin in range(0, n, CHUNK):
            rows = torch.arange(begin, min(begin + CHUNK, n))
            parts = (self._placed(picked(part, rows)) for part in data)
            total = total + self._losses(x, *parts) * (len(rows) / n)
        return total

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        with torch.no_grad():
            values = self._measured(x, self.validation)
        work = torch.full((len(x),), float(count(self.validation[0])), dtype=torch.float64, device=x.device)
        return Evaluation(values, work=work)

    def _assess(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        with torch.no_grad():
            return self._measured(x, self.test), {}

    def decode(self, x: Tensor) -> nn.Module:
        """Return the network of one decision row `[d]`, in evaluation mode."""
        due = self.space.dim
        check.shape(tuple(x.shape) == (due,), "x", f"be one row of {due} weights", f"shape {tuple(x.shape)}")
        return self.space.module(x).eval()

    def fingerprint(self) -> str:
        """Return a hash of the network's shapes, the losses' code, and all data."""
        if self.options() is not None:
            return super().fingerprint()
        digest = hashlib.blake2b(super().fingerprint().encode(), digest_size=8)
        for data in (self.data, self.validation, self.test):
            for part in (*_parts(data[0]), *_parts(data[1])):
                digest.update(str((part.dtype, tuple(part.shape))).encode())
                digest.update(part.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def _code(self) -> tuple[Any, ...]:
        return (*self.functions, type(self.module).forward)

    def _trunk(self, heads: tuple[str, ...]) -> Tensor:
        """Return which columns belong to no head, `[d]`."""
        for head in heads:
            check.known(head, [name for name, _ in self.module.named_modules() if name], kind="head")
        shared = torch.ones(self.space.dim, dtype=torch.bool)
        for s in self.space.slices:
            shared[s.begin : s.end] = not s.name.startswith(tuple(f"{head}." for head in heads))
        check.that(bool(shared[: self.space.n_parameters].any()), "heads", "leave parameters to share", list(heads))
        return shared

    def _placed(self, part: Any) -> Any:
        placed = tuple(
            p.to(self.device, self.dtype) if p.is_floating_point() else p.to(self.device) for p in _parts(part)
        )
        return placed if isinstance(part, tuple) else placed[0]

    def _try(self) -> None:
        """Ask for the losses of one example, so that what does not fit is named at once."""
        inputs, targets = (self._placed(picked(part, torch.arange(1))) for part in self.data)
        row = self.space.flatten(_tensors(self.module)).to(self.dtype)
        outputs = torch.func.functional_call(self.module, self._named(row), inputs)
        for objective, function in zip(self.objectives, self.functions, strict=True):
            value = function(outputs, targets)
            got = f"{objective.name!r} with {_shown(value)}"
            check.that(isinstance(value, Tensor) and value.ndim == 0, "losses", "return one number a batch", got)


def _shown(value: object) -> str:
    return f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def _loss(k: int, given: Loss | tuple[str, Loss]) -> tuple[str, Loss]:
    name, function = given if isinstance(given, tuple) else (getattr(given, "__name__", f"loss{k + 1}"), given)
    check.that(callable(function), "losses", "be functions, or names with functions", type(function).__name__)
    return (f"loss{k + 1}" if name == "<lambda>" else str(name)), function


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _parts(part: Tensors) -> tuple[Tensor, ...]:
    return part if isinstance(part, tuple) else (part,)


def count(part: Tensors) -> int:
    """Return the number of examples."""
    return len(_parts(part)[0])


def picked(part: Tensors, rows: Tensor) -> Tensors:
    """Return some examples."""
    found = tuple(p[rows.to(p.device)] for p in _parts(part))
    return found if isinstance(part, tuple) else found[0]


def gathered(data: Data, name: str) -> tuple[Tensors, Tensors]:
    """Return inputs and targets of all batches together.

    Raises:
        InputError: If there are none, or something else than inputs and targets.
        ShapeError: If they are not equally many.
    """
    whole = isinstance(data, tuple) and len(data) == 2 and all(_is_tensors(part) for part in data)
    batches: list[Any] = [data] if whole else list(data)
    check.that(len(batches) > 0, name, "hold at least one batch", 0)
    for batch in batches:
        pair = isinstance(batch, tuple | list) and len(batch) == 2
        fits = pair and all(_is_tensors(tuple(p) if isinstance(p, list) else p) for p in batch)
        check.that(fits, name, "be inputs and targets, or batches of them", type(batch).__name__)
    inputs, targets = (_joined([batch[k] for batch in batches]) for k in (0, 1))
    sizes = [len(p) for p in (*_parts(inputs), *_parts(targets))]
    check.shape(len(set(sizes)) == 1, name, "have equally many inputs and targets", sizes)
    check.that(sizes[0] > 0, name, "hold at least one example", 0)
    return inputs, targets


def _is_tensors(part: object) -> bool:
    if isinstance(part, tuple):
        return len(part) > 0 and all(isinstance(p, Tensor) and p.ndim > 0 for p in part)
    return isinstance(part, Tensor) and part.ndim > 0


def _joined(parts: list[Any]) -> Tensors:
    if isinstance(parts[0], Tensor):
        return torch.cat(parts)
    return tuple(torch.cat([p[k] for p in parts]) for k in range(len(parts[0])))
