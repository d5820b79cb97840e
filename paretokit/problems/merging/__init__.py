"""Model merging: checkpoints of one architecture in, merged models out.

pk.problems.ModelMerging(pretrained=encoder, finetuned=[a, b], tasks=[...])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from paretokit.core import _check as check

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


def __getattr__(name: str) -> Any:
    """Import a name when it is first used."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    hint = check.nearest(name, _HOMES)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}" + (f"; {hint}" if hint else ""))
