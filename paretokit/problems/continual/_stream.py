"""What the ready streams have in common: made from a seed, known by an id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.problems.continual._continual import ContinualLearning, Metric, Scenario
from paretokit.problems.continual._networks import perceptron_of
from paretokit.problems.continual._task import Examples, StreamTask


@dataclass(frozen=True)
class Sizes:
    """How many examples of each class a task has.

    Attributes:
        train, validation, test: A class.
    """

    train: int
    validation: int
    test: int

    @property
    def total(self) -> int:
        """All together."""
        return self.train + self.validation + self.test

    def parts(self, examples: Examples) -> tuple[Examples, Examples, Examples]:
        """Return examples cut into three, in shares of the sizes."""
        inputs, labels = examples
        n = len(labels)
        first, second = round(n * self.train / self.total), round(n * (self.train + self.validation) / self.total)
        cuts = (slice(0, first), slice(first, second), slice(second, n))
        train, validation, test = ((inputs[cut], labels[cut]) for cut in cuts)
        return train, validation, test


class ReadyStream(ContinualLearning):
    """A stream that is rebuilt from its options: a subclass stores them as attributes, then calls `_build`."""

    seed: int
    hidden: tuple[int, ...]
    scenario: Scenario
    metric: Metric

    def _build(self, tasks: Sequence[StreamTask], *, n_classes: int, backbone: nn.Module | None, width: int) -> None:
        """Become the problem of some tasks whose networks see `width` numbers."""
        heads = len(tasks) if self.scenario == "task" else 1
        super().__init__(
            tasks,
            perceptron_of((width, *self.hidden, n_classes * heads)),
            scenario=self.scenario,
            classes=(n_classes,) * len(tasks) if self.scenario == "task" else (),
            backbone=backbone,
            metric=self.metric,
        )

    def _store(self, given: Mapping[str, Any]) -> Rng:
        """Keep the constructor's options, and return the stream's key."""
        check.arguments(type(self).__init__, given)
        kept = {name: value for name, value in given.items() if name not in ("self", "__class__")}
        kept["hidden"] = tuple(int(width) for width in kept["hidden"])
        for name, value in kept.items():
            setattr(self, name, value)
        self._given = {**kept, "hidden": list(kept["hidden"])}
        return Rng.from_seed(self.seed).child(self.id)

    def options(self) -> Mapping[str, Any]:
        """Return the constructor's options."""
        return dict(self._given)


def shuffled(examples: Examples, rng: Rng) -> Examples:
    """Return examples in a random order."""
    order = rng.permutation(len(examples[1]))
    return examples[0][order], examples[1][order]
