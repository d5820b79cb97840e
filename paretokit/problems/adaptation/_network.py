"""A network in two parts, features and classifier, and many of them at once as rows of weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name
from torch.nn.modules.batchnorm import _BatchNorm

from paretokit.core import _check as check
from paretokit.core._parameters import Parameters, Slice

Outputs = tuple[Tensor, ...]
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


class Classifier(nn.Module):
    """Features and a classifier of them: inputs to logits.

    Args:
        features: Inputs `[n, ...]` to features `[n, q]`.
        classifier: Features to logits `[n, K]`.
    """

    def __init__(self, features: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.features, self.classifier = features, classifier

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits `[n, K]`."""
        logits: Tensor = self.classifier(self.features(inputs))
        return logits


def perceptron(inputs: int, classes: int, *, hidden: tuple[int, ...] = (64, 64)) -> Classifier:
    """Return a perceptron whose last hidden layer, normalized over the batch, is the feature."""
    layers: list[nn.Module] = [nn.Flatten()]
    for fan_in, fan_out in zip((inputs, *hidden[:-1]), hidden, strict=True):
        layers += [nn.Linear(fan_in, fan_out), nn.BatchNorm1d(fan_out), nn.ReLU()]
    return Classifier(nn.Sequential(*layers), nn.Linear(hidden[-1], classes))


def convolutional(classes: int, *, channels: tuple[int, int] = (16, 32), width: int = 64) -> Classifier:
    """Return a network for images `[1, 16, 16]`: two convolutions with pooling, and a normalized feature."""
    first, second = channels
    features = nn.Sequential(
        *(nn.Conv2d(1, first, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(first, second, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(second * 16, width), nn.BatchNorm1d(width), nn.ReLU()),
    )
    return Classifier(features, nn.Linear(width, classes))


def unseeded(build: Callable[[], Classifier]) -> Classifier:
    """Return a network built without a look at the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return build()


@dataclass(frozen=True)
class NormLayer:
    """Where a normalization over batches keeps its numbers.

    Attributes:
        weight, bias: Columns of its scale and shift among the parameters.
        mean, variance: Columns of its running statistics among the buffers.
        eps: Added to the variance.
    """

    weight: slice
    bias: slice
    mean: slice
    variance: slice
    eps: float


class _OverBatch(nn.Module):
    """Normalizes by the batch and remembers its statistics, under the names of the layer that it stands for."""

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps
        for name, tensor in norm.named_buffers():
            self.register_buffer(name, tensor)
        self.seen: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalized batch."""
        over = [0, *range(2, x.ndim)]
        variance, mean = torch.var_mean(x.detach(), over)
        self.seen = (mean, variance)
        return F.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)


class StackedClassifier:
    """P networks of one architecture: ``net(rows [P, D], buffers [P, b], x [n, ...]) -> (features, logits)``.

    Outside of training, modules are in evaluation mode. In training, normalizations over batches take the batch's
    statistics and move their running ones in `buffers`; all else, dropout too, stays in evaluation mode.

    Args:
        module: The architecture.
        space: Its weights as rows.
        training: Whether normalizations look at the batch.
        stacked: Whether all members run as one program, else one after the other; unless given, all but convolutions on
            a CPU.
    """

    def __init__(
        self, module: Classifier, space: Parameters, *, training: bool = False, stacked: bool | None = None
    ) -> None:
        self.module = copy.deepcopy(module).eval()
        for parameter in self.module.parameters():
            parameter.requires_grad = False
        self.space, self.stacked, self.training = space, stacked, training
        self._norms = [(name, part) for name, part in self.module.named_modules() if isinstance(part, _BatchNorm)]
        self._watched = [(name, _OverBatch(part)) for name, part in self._norms if training]
        for name, part in self._watched:
            place, _, own = name.rpartition(".")
            setattr(self.module.get_submodule(place), own, part)
        self.n_features = sum(p.numel() for p in module.features.parameters())
        self._convolves = any(isinstance(m, CONVOLUTIONS) for m in module.modules())

    def __call__(self, rows: Tensor, buffers: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return features `[P, n, q]` and logits `[P, n, K]`, with gradients to rows."""
        stacked = self.stacked
        if stacked is None:
            stacked = rows.device.type != "cpu" or not self._convolves
        named = self._named(rows, buffers)
        if stacked and len(rows) > 1:
            found = torch.func.vmap(self._one, in_dims=(0, None))(named, inputs)
        else:
            each = [self._one({k: t[p] for k, t in named.items()}, inputs) for p in range(len(rows))]
            found = tuple(torch.stack(parts) for parts in zip(*each, strict=True))
        if self.training:
            self._track(buffers, found[2:])
        return found[0], found[1]

    def _track(self, buffers: Tensor, seen: tuple[Tensor, ...]) -> None:
        """Move running statistics `[P, b]` in place toward the batch's."""
        n = self.space.n_parameters
        place = {s.name: slice(s.begin - n, s.end - n) for s in self.space.slices}
        for (name, norm), mean, variance in zip(self._norms, seen[::2], seen[1::2], strict=True):
            share = 0.1 if norm.momentum is None else norm.momentum
            if norm.track_running_stats:
                buffers[:, place[f"{name}.running_mean"]].lerp_(mean, share)
                buffers[:, place[f"{name}.running_var"]].lerp_(variance, share)

    def _one(self, named: dict[str, Tensor], inputs: Tensor) -> Outputs:
        """Return features, logits, and the batch's means and variances where normalizations look at it."""
        parts: dict[str, dict[str, Tensor]] = {"features": {}, "classifier": {}}
        for name, tensor in named.items():
            part, _, own = name.partition(".")
            parts[part][own] = tensor
        features = torch.func.functional_call(self.module.features, parts["features"], inputs)
        logits = torch.func.functional_call(self.module.classifier, parts["classifier"], features)
        return (features, logits, *(t for _, norm in self._watched for t in norm.seen or ()))

    def _named(self, rows: Tensor, buffers: Tensor) -> dict[str, Tensor]:
        """Return tensors `[P, *shape]` by name."""
        n = self.space.n_parameters
        own = self.space.slices
        parameters = [s for s in own if s.begin < n]
        named = {
            s.name: part.reshape(len(rows), *s.shape)
            for s, part in zip(parameters, rows.split([s.end - s.begin for s in parameters], -1), strict=True)
        }
        for s in own[len(parameters) :]:
            held = buffers[:, s.begin - n : s.end - n].view(len(rows), *s.shape)
            named[s.name] = held if s.dtype.is_floating_point else held.to(s.dtype)
        return named

    def norms(self) -> list[NormLayer]:
        """Return the normalizations over batches that keep running statistics.

        Raises:
            InputError: If one has no scale and shift, into which its statistics could go.
        """
        place: dict[str, Slice] = {s.name: s for s in self.space.slices}
        n, found = self.space.n_parameters, []
        for name, part in self._norms:
            if not part.track_running_stats:
                continue
            check.that(part.affine, "network", "have scale and shift in its BatchNorm layers", f"none in {name!r}")
            weight, bias, mean, variance = (
                slice(place[f"{name}.{key}"].begin - shift, place[f"{name}.{key}"].end - shift)
                for key, shift in (("weight", 0), ("bias", 0), ("running_mean", n), ("running_var", n))
            )
            found.append(NormLayer(weight, bias, mean, variance, part.eps))
        return found

    def folded(self, rows: Tensor, buffers: Tensor, template: Tensor) -> Tensor:
        r"""Return parameters `[P, D]` that do with the template's running statistics what `rows` do with `buffers`.

        .. math:: \gamma' = \gamma \sqrt{\frac{v_0 + \epsilon}{v + \epsilon}}, \qquad
                  \beta' = \beta - \gamma \frac{\mu - \mu_0}{\sqrt{v + \epsilon}}

        Decisions of a space keep its buffers, so trained statistics go into scales and shifts.

        Args:
            rows: Parameters.
            buffers: Their running statistics `[P, b]`.
            template: The space's own `[b]`.
        """
        out = rows.clone()
        for norm in self.norms():
            root = (buffers[:, norm.variance] + norm.eps).sqrt()
            scale = rows[:, norm.weight]
            out[:, norm.weight] = scale * (template[norm.variance] + norm.eps).sqrt() / root
            out[:, norm.bias] = rows[:, norm.bias] - scale * (buffers[:, norm.mean] - template[norm.mean]) / root
        return out
