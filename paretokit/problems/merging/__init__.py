"""Model merging: checkpoints of one architecture in, merged models out.

pk.problems.ModelMerging(pretrained=encoder, finetuned=[a, b], tasks=[...])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paretokit.core._lazy import lazy_names

if TYPE_CHECKING:
    from paretokit.problems.merging._merging import ModelMerging
    from paretokit.problems.merging._streaming import merge_checkpoints
    from paretokit.problems.merging._tasks import Task
    from paretokit.problems.merging._vectors import TaskVectors

__all__ = ["ModelMerging", "Task", "TaskVectors", "merge_checkpoints"]

_HOMES = {
    "ModelMerging": "_merging",
    "Task": "_tasks",
    "TaskVectors": "_vectors",
    "merge_checkpoints": "_streaming",
}

__getattr__ = lazy_names(__name__, _HOMES)
