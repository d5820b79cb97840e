"""Closed forms that look at each task's unlabeled data."""

from __future__ import annotations

from dataclasses import dataclass

from paretokit.core import Problem
from paretokit.problems.merging import ModelMerging
from paretokit.solvers.merging._closed_form import ClosedForm, merging_of


@dataclass(frozen=True, kw_only=True)
class DataForm(ClosedForm):
    """A closed form that needs each task's unlabeled data, and gives one direction with coefficient 1."""

    def scales(self, problem: ModelMerging) -> tuple[float, ...]:
        """Return 1: the direction leads to the merged weights."""
        return (1.0,)

    def unsupported(self, problem: Problem) -> str | None:
        """Tell whether each fine-tuning has a task."""
        reason = super().unsupported(problem)
        if reason:
            return reason
        own = merging_of(problem)
        k, m = own.original.n_tasks, len(own.tasks)
        return None if k == m else f"it needs one task a fine-tuning, and there are {m} for {k}"
