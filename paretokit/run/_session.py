"""Ask and tell: evaluations that happen outside Python, or at a pace of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from paretokit.core import AskTell, Evaluation, ParetoError, Problem, Rng, Solver
from paretokit.core import _check as check
from paretokit.core._io import Array, tensor_of
from paretokit.core._solver import askable
from paretokit.run._archive import EvaluationLog
from paretokit.run._checkpoint import Checkpoint, CheckpointFolder, RunRecord, identity
from paretokit.run._history import History
from paretokit.run._loop import Loop
from paretokit.run._result import Result
from paretokit.run._solve import check_call


class Session:
    """A run whose evaluations are told: ``x = session.ask()``, evaluate anywhere, ``session.tell(values)``.

    Args:
        problem: Says objectives, space and constraints; `problems.external(...)` makes one without a function.
        solver: Any solver with `ask` and `tell`.
        seed: As in `solve`; a session that is told what `problem.evaluate` answers equals `solve` bit for bit.
        checkpoint: Folder that is written after every `tell`, and resumed from.

    Raises:
        ParetoError: If the solver cannot be asked.
    """

    def __init__(
        self,
        problem: Problem,
        solver: Solver[Any],
        *,
        seed: int = 0,
        checkpoint: str | Path | None = None,
    ) -> None:
        check_call(problem, solver, None, (seed,))
        solver.check(problem)
        if not isinstance(solver, AskTell):
            others = askable(problem)
            hint = f" ({', '.join(others)} can be asked)" if others else ""
            raise ParetoError(f"{solver.name} evaluates by itself and cannot be asked; use `solve`{hint}")
        self._solver: Any = solver
        self.problem = problem
        self._loop = Loop(problem, solver, None, (seed,))
        who = identity(problem, solver, (seed,))
        self._folder = None if checkpoint is None else CheckpointFolder(Checkpoint(checkpoint), who, solver)
        saved = self._folder.read() if self._folder else None
        self._record = saved[1] if saved else RunRecord(History(), EvaluationLog(1, problem.objectives))
        rng = Rng.from_seed(seed).child("solver")
        self._state = solver.restore(problem, saved[0]) if saved else solver.init(problem, rng)
        self._shape: torch.Size | None = None

    def ask(self) -> Tensor:
        """Return the decisions `[n, d]` to evaluate next; asking again returns the same ones."""
        x: Tensor = self._solver.ask(self.problem, self._state)
        self._shape = x.shape
        return x.reshape(-1, x.shape[-1]).clone()

    def tell(self, values: Array, violations: Array | None = None) -> None:
        """Take the values `[n, m]` (and violations `[n, k]`) of the asked decisions; NaN marks a failed row.

        Raises:
            ParetoError: If nothing was asked.
            ShapeError: If the rows do not match what was asked.
        """
        if self._shape is None:
            raise ParetoError("`tell` needs decisions that were asked; call `ask` first")
        n, m, k = self._shape[:-1].numel(), self.problem.n_objectives, self.problem.n_constraints
        told = tensor_of(values).to(self.problem.dtype)
        check.shape(tuple(told.shape) == (n, m), "values", f"have shape {(n, m)}", tuple(told.shape))
        broken = None if violations is None else tensor_of(violations, "violations").to(self.problem.dtype)
        found = None if broken is None else tuple(broken.shape)
        due = (n, k) if k else None
        check.shape(found == due, "violations", f"have shape {due}" if due else "be omitted", found)
        evaluation = Evaluation(told, broken).reshape(*self._shape[:-1])
        self._record.log.evaluated(self._solver.ask(self.problem, self._state), evaluation)
        self._state = self._solver.tell(self.problem, self._state, evaluation)
        self._shape = None
        record = self._record
        record.log.step_ended()
        record.iterations += 1
        snapshot = self._loop._snapshot(self.problem, self._state) if record.history.due() else None
        record.history.record(self._solver.cost(self._state), 0.0, {}, snapshot)
        if self._folder:
            self._folder.write(self._state, record)

    def result(self) -> Result:
        """Return what was found so far."""
        return self._loop._results(self.problem, self._state, self._record, "stopped", "")[0]
