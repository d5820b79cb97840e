"""Unsupervised domain adaptation as a problem: the decision are a network's weights, target labels only score."""

from __future__ import annotations

import hashlib
import math
from typing import Any, Self

import torch
from torch import Tensor, nn

from paretokit.core import Evaluation, EvaluationProtocol, Objective, Problem, Rng, Scoring, ShapeError
from paretokit.core import _check as check
from paretokit.core._parameters import Parameters
from paretokit.core._problem import Observer
from paretokit.problems.adaptation._data import Labeled, Unlabeled, labeled, parted, unlabeled
from paretokit.problems.adaptation._labels import TargetLabels
from paretokit.problems.adaptation._measures import discrepancy, mutual_information
from paretokit.problems.adaptation._network import Classifier, StackedClassifier

ACCURACY = "target accuracy"
CHUNK = 2048
"""Examples that are measured at once."""


class DomainAdaptation(Problem):
    r"""A classifier for a domain without labels, learned from one with labels; three objectives, to be minimized.

    .. math:: l_S = -\overline{\log p(y \mid x)}, \qquad
              l_D = \text{MMD}^2\Bigl(\tfrac{f(x)}{\|f(x)\|}, \tfrac{f(x')}{\|f(x')\|}\Bigr), \qquad
              l_T = -\bigl(H(\overline{p(\cdot \mid x')}) - \overline{H(p(\cdot \mid x'))}\bigr)

    for source examples (x, y), target examples x', features f and predictions p: the source cross-entropy, the
    discrepancy of features (`discrepancy`), and minus the mutual information of target inputs and predictions, all in
    nats but the second, which lies in [0, 2]. `evaluate` measures source validation data and held-out target inputs;
    `assess` measures source test data and all target inputs, and adds the target accuracy, for which alone target
    labels are read. A solver's handle does not hold them.

    Args:
        source: Inputs `[n, ...]` and classes `[n]`, or batches of them, e.g. a data loader.
        target: Inputs `[k, ...]`, or inputs and classes (for scoring only), or batches of either.
        network: A module with parts `features` and `classifier`, or a pair of modules; inputs to features `[n, q]` to
            logits `[n, K]`. It is copied, and run in evaluation mode: no dropout, and normalization by the statistics
            that it brings; solvers of adaptation normalize by the batch while they train.
        validation: Source data that `evaluate` measures; a tenth of the source unless given.
        test: Source data that `assess` measures; another tenth of the source unless given.
        held_share: Share of the target inputs that is held out: `evaluate` measures them, and methods steer by them.
        batch_size: Examples of each domain in a minibatch of `losses`, drawn with replacement.
        bound: Parameters are decided within [-bound, bound].
        split_seed: Of the splits.
        stacked: Whether many networks train as one program, else one after the other; unless given, all but
            convolutions on a CPU, which are faster alone.

    Raises:
        InputError: If the source has no labels or one class only, inputs are not finite, or labels exceed the logits.
        ShapeError: If the domains' inputs differ in shape, or the network does not take them.

    Work is counted in examples through the network.
    """

    space: Parameters
    unit = "examples"
    held_out = True
    objectives = (
        Objective("source cross-entropy", unit="nats"),
        Objective("feature discrepancy"),
        Objective("minus target information", unit="nats"),
    )

    def __init__(
        self,
        source: Labeled,
        target: Unlabeled,
        network: nn.Module | tuple[nn.Module, nn.Module],
        *,
        validation: Labeled | None = None,
        test: Labeled | None = None,
        held_share: float = 0.1,
        batch_size: int = 32,
        bound: float = 100.0,
        split_seed: int = 0,
        stacked: bool | None = None,
    ) -> None:
        check.at_least(2, batch_size=batch_size)
        check.that(0 < held_share < 1, "held_share", "lie in (0, 1)", held_share)
        x, y = labeled(source, "source")
        target_x, target_y = unlabeled(target, "target")
        hint = "both domains need inputs of one kind"
        fits = x.shape[1:] == target_x.shape[1:]
        check.shape(fits, "target", f"have inputs of shape {list(x.shape[1:])}", list(target_x.shape[1:]), hint)
        check.that(len(y.unique()) > 1, "source", "have at least two classes", len(y.unique()))
        shares = [0.1 for given in (validation, test) if given is None]
        parts = parted(len(x), tuple(shares), Rng.from_seed(split_seed).child("source"))
        rest = iter(parts[1:])
        self.source = (x[parts[0]], y[parts[0]])
        given = [labeled(d, n) if d is not None else None for d, n in ((validation, "validation"), (test, "test"))]
        self.validation, self.test = (
            d or (x[at], y[at]) for d, at in zip(given, self._picked(given, rest), strict=True)
        )
        kept, held = parted(len(target_x), (held_share,), Rng.from_seed(split_seed).child("target"))
        self.target, self.held_target, self._all_target = target_x[kept], target_x[held], target_x
        self._labels = None if target_y is None else TargetLabels(target_y)
        self.batch_size, self.stacked = batch_size, stacked
        self.module = parts_of(network)
        self.space = Parameters(self.module, bound=bound)
        self._nets: dict[tuple[bool, bool | None], StackedClassifier] = {}
        self.dtype = next(self.module.parameters()).dtype
        self.loss_work = 2.0 * batch_size
        self.n_features, self.n_classes = self._widths()
        most = max(int(d[1].max()) for d in (self.source, self.validation, self.test))
        check.that(most < self.n_classes, "source", f"have classes below the {self.n_classes} logits", most)
        self.protocol = _protocol(self.n_classes)

    @staticmethod
    def _picked(given: list[Any], rest: Any) -> list[Tensor]:
        return [next(rest) if d is None else torch.empty(0, dtype=torch.int64) for d in given]

    @property
    def name(self) -> str:
        """What tables and titles call the problem."""
        return self.id or f"{type(self).__name__} of {len(self.source[0])} and {len(self._all_target)} examples"

    @property
    def has_target_labels(self) -> bool:
        """Whether `assess` can tell the target accuracy; never where a solver looks."""
        return self._labels is not None

    @property
    def template(self) -> Tensor:
        """The buffers `[b]` that every decision holds."""
        return self.space.lower[self.space.n_parameters :].to(self.device, self.dtype)

    def network(self, *, training: bool = False) -> StackedClassifier:
        """Return the architecture for many rows of weights at once."""
        return self._net(training=training, stacked=self.stacked)

    def _net(self, *, training: bool, stacked: bool | None) -> StackedClassifier:
        key = (training, stacked)
        if key not in self._nets:
            self._nets[key] = StackedClassifier(self.module, self.space, training=training, stacked=stacked)
        return self._nets[key]

    def placed(self, part: Tensor) -> Tensor:
        """Return data where the problem computes."""
        return part.to(self.device, self.dtype) if part.is_floating_point() else part.to(self.device)

    def losses(self, x: Tensor, rng: Rng) -> Tensor:
        """Return the three losses `[P, 3]` of rows `x [P, d]` on one minibatch, with gradients to x."""
        at, to = self.batch(rng, self.batch_size)
        inputs = torch.cat([self.placed(self.source[0][at]), self.placed(self.target[to])])
        features, logits = self._outputs(x, inputs, stacked=self.stacked)
        n = len(at)
        return self._measured(
            (features[:, :n], logits[:, :n], self.placed(self.source[1][at])), (features[:, n:], logits[:, n:])
        )

    def batch(self, rng: Rng, size: int) -> tuple[Tensor, Tensor]:
        """Return row numbers of a minibatch of the source and of one of the target, drawn with replacement."""
        return (
            rng.child("source").integers(len(self.source[0]), size),
            rng.child("target").integers(len(self.target), size),
        )

    def _outputs(self, x: Tensor, inputs: Tensor, *, stacked: bool | None) -> tuple[Tensor, Tensor]:
        net = self._net(training=False, stacked=stacked)
        n = self.space.n_parameters
        return net(x[:, :n], x[:, n:].detach(), inputs)

    def _measured(self, source: tuple[Tensor, Tensor, Tensor], target: tuple[Tensor, Tensor]) -> Tensor:
        (features, logits, labels), (others, guesses) = source, target
        chosen = logits.log_softmax(-1).gather(-1, labels.expand(len(logits), -1).unsqueeze(-1)).squeeze(-1)
        return torch.stack(
            [-chosen.mean(-1), discrepancy(features, others), -mutual_information(guesses.softmax(-1))], -1
        )

    def _whole(self, row: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and logits of one row for all inputs, each with the row's axis in front."""
        parts = [self._outputs(row, self.placed(part), stacked=False) for part in inputs.split(CHUNK)]
        return torch.cat([p[0] for p in parts], 1), torch.cat([p[1] for p in parts], 1)

    def _values(self, x: Tensor, source: tuple[Tensor, Tensor], target: Tensor) -> tuple[Tensor, Tensor]:
        """Return objectives `[n, 3]`, a row at a time, and predicted target classes `[n, k]`."""
        values, predicted = [x.new_empty(0, 3)], [torch.empty(0, len(target), dtype=torch.int64, device=x.device)]
        with torch.no_grad():
            for row in x.split(1):
                others, guesses = self._whole(row, target)
                own = (*self._whole(row, source[0]), self.placed(source[1]))
                values.append(self._measured(own, (others, guesses)))
                predicted.append(guesses.argmax(-1))
        return torch.cat(values), torch.cat(predicted)

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        values, _ = self._values(x, self.validation, self.held_target)
        examples = float(len(self.validation[0]) + len(self.held_target))
        return Evaluation(values, work=torch.full((len(x),), examples, dtype=torch.float64, device=x.device))

    def _assess(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        values, predicted = self._values(x, self.test, self._all_target)
        return values, {} if self._labels is None else {ACCURACY: self._labels.accuracy(predicted)}

    def target_accuracy(self, x: Tensor) -> Tensor:
        """Return the accuracy on all target examples `[n]` of decisions `[n, d]`; never reachable by a solver.

        Raises:
            InputError: If the target came without labels.
        """
        found = self.assess(x)[1]
        check.that(ACCURACY in found, "target", "have labels to be scored by", "inputs only")
        return found[ACCURACY]

    def observed(self, observer: Observer | None) -> Self:
        """Return the handle that a solver gets: without target labels."""
        twin = super().observed(observer)
        twin._labels = None
        return twin

    def decode(self, x: Tensor) -> Classifier:
        """Return the network of one decision row `[d]`, in evaluation mode."""
        due = self.space.dim
        check.shape(tuple(x.shape) == (due,), "x", f"be one row of {due} weights", f"shape {tuple(x.shape)}")
        made = self.space.module(x).eval()
        assert isinstance(made, Classifier)
        return made

    def fingerprint(self) -> str:
        """Return a hash of the network's shapes and of all data."""
        if self.options() is not None:
            return super().fingerprint()
        digest = hashlib.blake2b(super().fingerprint().encode(), digest_size=8)
        for part in (*self.source, *self.validation, *self.test, self._all_target, self.held_target):
            digest.update(str((part.dtype, tuple(part.shape))).encode())
            digest.update(part.cpu().contiguous().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def _code(self) -> tuple[Any, ...]:
        return (type(self.module.features).forward, type(self.module.classifier).forward)

    def _widths(self) -> tuple[int, int]:
        """Return the numbers of features and of classes, from two examples."""
        row = self.space.flatten({**dict(self.module.named_parameters()), **dict(self.module.named_buffers())})
        example = self.placed(self.source[0][:2])
        try:
            with torch.no_grad():
                features, logits = self._outputs(row.to(self.dtype).unsqueeze(0), example, stacked=False)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise ShapeError(
                check.message("network", f"take inputs of shape {list(example.shape[1:])}", reason)
            ) from error
        flat = features.ndim == 3 and logits.ndim == 3
        shapes = f"{list(features.shape[1:])} and {list(logits.shape[1:])}"
        check.shape(flat, "network", "give features [n, q] and logits [n, K]", shapes)
        check.that(logits.shape[-1] > 1, "network", "give at least two logits", logits.shape[-1])
        return features.shape[-1], logits.shape[-1]


def parts_of(network: nn.Module | tuple[nn.Module, nn.Module]) -> Classifier:
    """Return a network as features and classifier.

    Raises:
        InputError: If it does not say which is which.
    """
    if isinstance(network, Classifier):
        return network
    pair = (
        network if isinstance(network, tuple) else tuple(getattr(network, k, None) for k in ("features", "classifier"))
    )
    fits = len(pair) == 2 and all(isinstance(part, nn.Module) for part in pair)
    hint = "or hand over the pair (features, classifier)"
    check.that(fits, "network", "have modules `features` and `classifier`", type(network).__name__, hint)
    return Classifier(*pair)


def _protocol(classes: int) -> EvaluationProtocol:
    """Return a scoring in which guessing has the nadir."""
    most = math.log(classes)
    return EvaluationProtocol(
        scoring=Scoring(reference_point=(2 * most, 1.0, 0.0), ideal=(0.0, 0.0, -most), nadir=(most, 1.0, 0.0))
    )
