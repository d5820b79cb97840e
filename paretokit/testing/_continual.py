"""`check_continual`: what every continual learner keeps."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

from torch import Tensor

from paretokit.core import ParetoError, Solver
from paretokit.problems.continual import ContinualLearning
from paretokit.run import Budget, Checkpoint, solve
from paretokit.testing._require import refused, require


class _Recorded:
    """Training data that notes whose was read."""

    def __init__(self, data: Any) -> None:
        self._data, self.read = data, list[int]()

    def __getitem__(self, k: int) -> tuple[Tensor, Tensor]:
        self.read.append(k)
        found: tuple[Tensor, Tensor] = self._data[k]
        return found


def recorded(problem: ContinualLearning) -> tuple[ContinualLearning, list[int]]:
    """Return a copy of a stream, and the list in which it notes whose training data is read, whichever way."""
    twin = copy.copy(problem)
    notes = _Recorded(problem.training)
    twin.training = notes
    return twin, notes.read


def check_continual(solver: Solver[Any], problem: ContinualLearning, *, seed: int = 0) -> None:
    """Raise unless a solver sees a stream as it comes: each task's training data once, in order.

    Checked: a whole run reads the training data of tasks 0, 1, … and nothing else; a run that was stopped within a
    task and resumed reads that task's again, once, and goes on; nothing of a task is read before the ones before it
    are over; the handle refuses what is out of order.

    Args:
        solver: The solver, sized for a quick run; it has to end by itself.
        problem: A short stream.
        seed: Of the runs.

    Raises:
        AssertionError: Naming the broken rule.
    """
    name, n = solver.name, len(problem.tasks)
    handle = problem.observed(None)
    handle.task(1)
    with refused(ParetoError, f"{name}: a solver's handle refuses to hand out a task twice"):
        handle.task(1)
    with refused(ParetoError, f"{name}: and an earlier one"):
        handle.task(0)
    twin, read = recorded(problem)
    whole = solve(twin, solver, seed=seed, progress=False)
    require(whole.status == "finished", f"{name}: a run ends by itself after the last task")
    require(read == list(range(n)), f"{name}: reads training data in order, once each; read {read}")
    steps = len(whole.trace)
    with tempfile.TemporaryDirectory() as folder:
        place = Checkpoint(Path(folder) / "run", seconds=0.0)
        twin, read = recorded(problem)
        half = Budget(iterations=max(1, steps // 2))
        solve(twin, solver, seed=seed, budget=half, checkpoint=place, progress=False)
        require(read == list(range(len(read))), f"{name}: half a run reads the first tasks; read {read}")
        require(len(read) < n, f"{name}: half a run has not read the last task; read {read}")
        last = len(read) - 1
        twin, read = recorded(problem)
        solve(twin, solver, seed=seed, checkpoint=place, progress=False)
        due = (list(range(last, n)), list(range(last + 1, n)))
        require(read in due, f"{name}: a resumed run reads its task and those to come; read {read}")
