"""A few examples of each task that was learned."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from paretokit.core import Rng


@dataclass
class Memory:
    """What a learner may keep.

    Attributes:
        inputs: A tensor `[n, ...]` for each task learned.
        labels: Their labels `[n]`.
    """

    inputs: list[Tensor]
    labels: list[Tensor]

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def empty(cls) -> Memory:
        """Return the memory before the first task."""
        return cls([], [])

    def keep(self, data: tuple[Tensor, Tensor], n: int, rng: Rng) -> None:
        """Keep n examples of a task, chosen at random."""
        inputs, labels = data
        chosen = rng.permutation(len(labels))[:n].to(inputs.device)
        self.inputs.append(inputs[chosen])
        self.labels.append(labels[chosen])

    def some(self, k: int, n: int, rng: Rng) -> tuple[Tensor, Tensor]:
        """Return at most n examples of task k: all, or some at random."""
        inputs, labels = self.inputs[k], self.labels[k]
        if len(labels) <= n:
            return inputs, labels
        chosen = rng.permutation(len(labels))[:n].to(inputs.device)
        return inputs[chosen], labels[chosen]

    def mixed(self, n: int, rng: Rng) -> list[tuple[int, Tensor, Tensor]]:
        """Return n examples of all tasks together, drawn with replacement, by task (those that were drawn)."""
        sizes = torch.tensor([len(labels) for labels in self.labels])
        ends = sizes.cumsum(0)
        places = rng.integers(int(ends[-1]), n)
        found = []
        for k, (inputs, labels) in enumerate(zip(self.inputs, self.labels, strict=True)):
            begin = int(ends[k] - sizes[k])
            own = places[(places >= begin) & (places < int(ends[k]))] - begin
            if len(own):
                found.append((k, inputs[own.to(inputs.device)], labels[own.to(inputs.device)]))
        return found
