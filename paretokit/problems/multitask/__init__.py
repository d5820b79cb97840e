"""Multi-task learning: one network, several losses, and what they trade off.

pk.problems.MultiTask(module, [("left", loss_a), ("right", loss_b)], (inputs, targets))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paretokit.core._lazy import lazy_names

if TYPE_CHECKING:
    from paretokit.problems.multitask._multitask import MultiTask
    from paretokit.problems.multitask._two_curves import TwoCurves

__all__ = ["MultiTask", "TwoCurves"]

_HOMES = {"MultiTask": "_multitask", "TwoCurves": "_two_curves"}

MULTITASK: dict[str, str] = {"multitask-curves-v1": "paretokit.problems.multitask._two_curves:TwoCurves"}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
