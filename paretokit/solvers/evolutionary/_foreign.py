"""What both adapters share: the log of a foreign run, evaluations in the minimizing sense, and refusals.

A foreign algorithm is a live object that cannot be saved. Its state here is the log of all rows that it asked for
and the answers that it got; `restore` plays them back to a fresh, equally seeded algorithm and insists that it asks
for the very same rows again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretokit.core import CheckpointError, Evaluation, Front, Problem, Rng, to_min, transient
from paretokit.core import _check as check

Floats = NDArray[np.float64]

FAILED = 1e20
"""The least that a foreign algorithm is told of a failed row, in objectives and violations: worse than all, finite."""


@dataclass
class ForeignLog:
    """Rows in the order in which they were evaluated.

    Attributes:
        x: Rows as the algorithm wrote them `[capacity, d]`, float64.
        out: Objectives to be minimized, then violations `[capacity, m + k]`.
        rows: How many are filled.
    """

    x: Tensor
    out: Tensor
    rows: int = 0

    @classmethod
    def empty(cls, problem: Problem) -> ForeignLog:
        """Return a log without rows."""
        width = problem.n_objectives + problem.n_constraints
        return cls(
            torch.zeros(256, problem.space.dim, dtype=torch.float64), torch.zeros(256, width, dtype=torch.float64)
        )

    def append(self, x: Floats, out: Floats) -> None:
        """Add rows, doubling the capacity when it is used up."""
        end = self.rows + len(x)
        while end > len(self.x):
            self.x = torch.cat([self.x, torch.zeros_like(self.x)])
            self.out = torch.cat([self.out, torch.zeros_like(self.out)])
        self.x[self.rows : end] = torch.from_numpy(np.ascontiguousarray(x))
        self.out[self.rows : end] = torch.from_numpy(np.ascontiguousarray(out))
        self.rows = end

    def truncate(self, rows: int) -> None:
        """Forget everything after the first `rows` rows."""
        self.x[rows:] = 0.0
        self.out[rows:] = 0.0
        self.rows = rows


@dataclass
class Replay:
    """Recorded answers, given out only for the recorded questions.

    Attributes:
        log: What was recorded.
        name: The algorithm, for the message.
        position: Rows given out so far.
    """

    log: ForeignLog
    name: str
    position: int = 0

    def __call__(self, x: Floats) -> Floats:
        """Return the recorded answers `[n, m + k]` of rows `x [n, d]`.

        Raises:
            CheckpointError: If the algorithm asks for other rows than those recorded.
        """
        end = self.position + len(x)
        recorded = self.log.x[self.position : end].numpy()
        if end > self.log.rows or not np.array_equal(recorded, x):
            raise CheckpointError(
                f"{self.name} does not replay: row {self.position} differs from the recorded one; "
                "was the checkpoint written with another version of the library?"
            )
        answers = self.log.out[self.position : end].numpy().copy()
        self.position = end
        return answers

    def finish(self) -> None:
        """Raise `CheckpointError` unless every recorded row was asked for."""
        if self.position != self.log.rows:
            raise CheckpointError(f"{self.name} does not replay: it stops at row {self.position} of {self.log.rows}")


@dataclass
class ForeignState:
    """State of a foreign run.

    Attributes:
        key: Key of the run's `Rng`.
        log: Everything that was evaluated.
        initial: Rows that seed the search, or None.
        steps: Steps taken.
        finished: Whether the algorithm has ended by itself.
        work: What the evaluations cost in the problem's unit.
        live: The foreign objects; rebuilt by replaying the log.
    """

    key: int
    log: ForeignLog
    initial: Tensor | None = None
    steps: int = 0
    finished: bool = False
    work: float = 0.0
    live: Any = transient()  # noqa: RUF009 - a field


def fresh(problem: Problem, rng: Rng, initial: Tensor | None) -> ForeignState:
    """Return the state before the first evaluation, the initial rows moved into the space."""
    rows = None
    if initial is not None:
        given = torch.as_tensor(initial)
        rule = f"have shape [n, {problem.space.dim}]"
        check.shape(given.ndim == 2 and given.shape[1] == problem.space.dim, "initial", rule, tuple(given.shape))
        rows = problem.space.project(given.to("cpu", torch.float64))
    return ForeignState(rng.key, ForeignLog.empty(problem), rows)


def evaluate(problem: Problem, x: Floats, state: ForeignState) -> Evaluation:
    """Return the evaluation of the decisions nearest to foreign rows, with noise drawn by their place in the log."""
    rows = problem.space.project(torch.from_numpy(np.array(x, dtype=np.float64)))
    out = problem.evaluate(rows, Rng(state.key).child("evaluate", state.log.rows))
    state.work += out.total_work
    return out


def answers(problem: Problem, evaluation: Evaluation, state: ForeignState) -> Floats:
    """Return objectives to be minimized, then violations `[n, m + k]`; failed rows hold `FAILED` or more throughout.

    Failed rows differ by a millionth each: some algorithms divide by the distances between distinct values.
    """
    columns = [to_min(evaluation.values.detach(), problem.objectives)]
    if evaluation.violations is not None:
        columns.append(evaluation.violations.detach())
    out: Floats = torch.cat([c.to("cpu", torch.float64) for c in columns], -1).clamp(-FAILED, FAILED / 2).numpy()
    failed = evaluation.failed.cpu().numpy()
    places = state.log.rows + np.flatnonzero(failed)
    out[failed] = FAILED * (1 + 1e-6 * places[:, None])
    return out


def front_of(problem: Problem, x: Floats, out: Floats) -> Front:
    """Return the front among foreign rows and their recorded answers."""
    m = problem.n_objectives
    rows = problem.space.project(torch.from_numpy(np.array(x, dtype=np.float64).reshape(-1, problem.space.dim)))
    table = torch.from_numpy(np.array(out, dtype=np.float64)).reshape(len(rows), m + problem.n_constraints)
    table = torch.where((table[:, :m] >= FAILED).any(-1, keepdim=True), torch.nan, table)
    table = table.to(problem.device, problem.dtype)
    evaluation = Evaluation(to_min(table[:, :m], problem.objectives), table[:, m:] if problem.n_constraints else None)
    return Front.of(problem, rows.to(problem.device, problem.dtype), evaluation)


@dataclass(frozen=True)
class Entry:
    """One foreign algorithm.

    Attributes:
        path: ``module:Class``.
        options: Options it takes.
        required: Those of them that have no default.
        constraints: Whether it handles constraints.
        kinds: Highest kind of column that it varies: 0 reals, 1 also integers, 2 also categories.
        defaults: Ours, where the library's own do not suit a run of single generations.
    """

    path: str
    options: tuple[str, ...]
    required: tuple[str, ...] = ()
    constraints: bool = True
    kinds: int = 2
    defaults: Mapping[str, Any] = field(default_factory=dict)


def entry_of(
    library: str, name: str, options: Mapping[str, Any], table: Mapping[str, Entry], excluded: Mapping[str, str]
) -> Entry:
    """Return the entry of an algorithm, or raise one line for an unknown name, an unknown or a missing option."""
    if name in excluded:
        check.fail("algorithm", f"be one of {library}'s static algorithms", repr(name), excluded[name])
    check.known(name, table, kind=f"{library} algorithm")
    entry = table[name]
    check.options(options, entry.options, owner=f"{library}'s {name}")
    for option in entry.required:
        check.that(option in options, option, f"be given to {library}'s {name}", "nothing", WHY[option])
    return entry


WHY = {
    "n_max_gen": "its schedule is stretched over this many generations, and no solver reads the budget",
    "ref_points": "one row of desired objective values, in the problem's own senses, for each region of interest",
    "pop_per_ref_point": "number of solutions kept near each reference point",
}


def refusal(problem: Problem, entry: Entry) -> str | None:
    """Return why an algorithm cannot solve a problem, or None."""
    if problem.n_objectives < 2:
        return "it needs at least two objectives"
    if problem.n_constraints and not entry.constraints:
        return "it handles no constraints"
    space = problem.space
    unordered = (space.kinds == 2) & (space.upper - space.lower > 1)
    if entry.kinds < 2 and bool(unordered.any()):
        return f"it knows no unordered categories, and column {int(unordered.nonzero()[0])} is one"
    if entry.kinds < 1 and bool(space.kinds.any()):
        return f"it varies real numbers only, and column {int(space.kinds.nonzero()[0])} is whole"
    return None


def plain(name: str, value: Any) -> Any:
    """Return an option as JSON-able data: arrays and tuples become lists.

    Raises:
        InputError: If the option is an object of another kind, which no checkpoint could hold.
    """
    if isinstance(value, Tensor | np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(name, item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(name, item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return check.fail(
        name,
        "be a number, string, list or dict",
        type(value).__name__,
        'an operator is written {"name": "SBX", "eta": 15}',
    )
