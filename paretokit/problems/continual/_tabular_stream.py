"""A stream of tables: one medical question, other patients each time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch

from paretokit.core import _check as check
from paretokit.problems.continual._continual import Metric, Scenario
from paretokit.problems.continual._stream import ReadyStream, Sizes, shuffled
from paretokit.problems.continual._task import StreamTask

SHARES = Sizes(60, 15, 25)  # of the rows, in percent
SHIFTED = 4  # mean smoothness, which says little of the diagnosis


@final
class TabularStream(ReadyStream):
    """Malignant or benign? Patients of the Wisconsin breast cancer table, in groups of rising smoothness of the cells.

    The label is shared, the features' distribution shifts. Features are standardized by the first group's training
    rows, since later ones are not known yet, and clipped to ± 6.

    Args:
        n_tasks: Groups of equal size.
        hidden: Widths of the network's hidden layers; none is logistic regression.
        scenario: "domain": one head. "task": a head a group.
        metric: "accuracy" or "loss".
        seed: Of which rows are for training (60 %), validation (15 %) and test.

    Source: the table is scikit-learn's copy of Street, Wolberg and Mangasarian (1993), UCI repository.
    """

    id = "continual-tabular-v1"

    def __init__(
        self,
        *,
        n_tasks: int = 4,
        hidden: Sequence[int] = (),
        scenario: Scenario = "domain",
        metric: Metric = "accuracy",
        seed: int = 0,
    ) -> None:
        rng = self._store(locals())
        check.that(2 <= n_tasks <= 8, "n_tasks", "lie in 2 … 8", n_tasks)
        check.package("sklearn", extra="merging")
        table = check.package("sklearn.datasets", extra="merging").load_breast_cancer()
        rows = torch.tensor(table.data, dtype=torch.float64)
        labels = torch.tensor(table.target, dtype=torch.int64)
        groups = torch.argsort(rows[:, SHIFTED], stable=True).tensor_split(n_tasks)
        cut = [SHARES.parts(shuffled((rows[g], labels[g]), rng.child("order", k))) for k, g in enumerate(groups)]
        first = cut[0][0][0]
        mean, std = first.mean(0), first.std(0)
        tasks = []
        for k, parts in enumerate(cut):
            scaled = [(((x - mean) / std).clamp(-6, 6).to(torch.float32), y) for x, y in parts]
            tasks.append(StreamTask(f"smoothness {k + 1} of {n_tasks}", *scaled))
        self._build(tasks, n_classes=2, backbone=None, width=rows.shape[1])
