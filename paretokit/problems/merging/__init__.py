"""Model merging: checkpoints of one architecture in, merged models out.

pk.problems.ModelMerging(pretrained=encoder, finetuned=[a, b], tasks=[...])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paretokit.core._lazy import lazy_names

if TYPE_CHECKING:
    from paretokit.problems.merging._merging import ModelMerging
    from paretokit.problems.merging._streaming import merge_checkpoints
    from paretokit.problems.merging._suite import SuiteCheckpoints, suite, suite_checkpoints, suite_tasks
    from paretokit.problems.merging._suite_views import corrupted
    from paretokit.problems.merging._tasks import Task
    from paretokit.problems.merging._vectors import TaskVectors

__all__ = [
    "ModelMerging",
    "SuiteCheckpoints",
    "Task",
    "TaskVectors",
    "corrupted",
    "merge_checkpoints",
    "suite",
    "suite_checkpoints",
    "suite_tasks",
]

_HOMES = {
    "ModelMerging": "_merging",
    "SuiteCheckpoints": "_suite",
    "Task": "_tasks",
    "TaskVectors": "_vectors",
    "corrupted": "_suite_views",
    "merge_checkpoints": "_streaming",
    "suite": "_suite",
    "suite_checkpoints": "_suite",
    "suite_tasks": "_suite",
}

SUITES: dict[str, str] = {"merging-cnn-v1": "cnn", "merging-mlp-v1": "mlp", "merging-vit-v1": "vit"}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
