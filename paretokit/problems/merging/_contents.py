"""What a merging problem holds beside task vectors, and the mark that tells two such problems apart."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from torch import Tensor

from paretokit.problems.merging._mark import mark
from paretokit.problems.merging._tasks import Task, parts


class Contents:
    """Tasks, tensors that are not merged, and BatchNorm's rule; marked once, however many views share them."""

    def __init__(self, tasks: tuple[Task, ...], fixed: Mapping[str, Tensor], batch_norm: str) -> None:
        self._tasks, self._fixed, self._batch_norm = tasks, fixed, batch_norm

    @cached_property
    def mark(self) -> str:
        """A mark of data, heads, and tensors that are not merged."""
        tensors = list(self._fixed.values())
        for t in self._tasks:
            for data in (t.validation, t.test):
                tensors += [] if data is None else [*parts(data[0]), data[1]]
            tensors += [*parts(t.unlabeled), *([] if t.head is None else t.head.state_dict().values())]
        names = [(t.name, t.metric, t.validation is None, t.test is None) for t in self._tasks]
        return mark(repr((names, list(self._fixed), self._batch_norm)), *tensors)
