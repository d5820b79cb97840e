"""What a problem and a solver agree on: mutually non-dominated decisions and their values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.core._dominance import non_dominated
from paretokit.core._errors import ParetoError
from paretokit.core._evaluation import Evaluation
from paretokit.core._io import Array, tensor_of
from paretokit.core._objective import Objective, Sense, maximize_of, objectives_of, to_min
from paretokit.core._problem import Problem
from paretokit.core._protocol import EvaluationProtocol, Scoring, same_measurement

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from paretokit.decision import Choice


@dataclass(frozen=True, repr=False)
class Solution:
    """One row of a front.

    Attributes:
        x: The decision `[d]`, or None where the front came without decisions.
        values: Its objective values `[m]`, in the user's senses.
        index: Its row in the front.
        front: The front it belongs to.
    """

    x: Tensor | None
    values: Tensor
    index: int
    front: Front = field(repr=False)

    def decode(self) -> Any:
        """Return what the user deploys: a vector, a policy, a merged module, a sequence, a molecule.

        Raises:
            ParetoError: If the front has no decisions, or its problem could not be rebuilt on loading.
        """
        if self.x is None:
            raise ParetoError("this front holds values only, so there is no decision to decode")
        if self.front.problem is None:
            raise ParetoError("the problem is not in memory; pass `problem=` when loading, then decode")
        return self.front.problem.decode(self.x)

    def __repr__(self) -> str:
        problem = self.front.problem
        shown = None if self.x is None or problem is None else problem.describe_decisions(self.x.unsqueeze(0))
        if shown is not None:
            decision = [f"design={shown[0]!r}"]
        else:
            decision = [] if self.x is None else [f"x={_short(self.x)}"]
        pairs = zip(self.front.objectives, self.values.tolist(), strict=True)
        return f"Solution({', '.join([*decision, *(f'{o.name}={v:.6g}' for o, v in pairs), f'index={self.index}'])})"

    def __getitem__(self, objective: str) -> float:
        names = [o.name for o in self.front.objectives]
        check.known(objective, names, kind="objective")
        return float(self.values[names.index(objective)])


@dataclass(frozen=True, eq=False)
class Front:
    """Mutually non-dominated points without duplicates, in the user's own senses.

    Attributes:
        values: Objective values `[n, m]`.
        x: Decisions `[n, d]`, or None for a front of values.
        objectives: One each.
        protocol: How values were measured (fixed) and are scored (replaceable).
        stderr: Standard errors of the values `[n, m]`, where they are estimates.
        info: Further columns by name, `[n, ...]`: preference, member, cost.
        problem: The problem that `decode` asks, where in memory.
    """

    values: Tensor
    x: Tensor | None
    objectives: tuple[Objective, ...]
    protocol: EvaluationProtocol = EvaluationProtocol()
    stderr: Tensor | None = None
    info: Mapping[str, Tensor] = field(default_factory=dict)
    problem: Problem | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        problem: Problem,
        x: Tensor,
        evaluation: Evaluation,
        *,
        info: Mapping[str, Tensor] | None = None,
    ) -> Front:
        """Return the feasible, finite, non-dominated, distinct rows of evaluated decisions `x [n, d]`."""
        rows = x.detach()
        feasible = evaluation.total_violation <= 0
        keep = feasible.nonzero().flatten()
        values = evaluation.values.detach()[keep]
        best = non_dominated(values, maximize=maximize_of(problem.objectives), keep_duplicates=False)
        keep = keep[best]
        return cls(
            values=evaluation.values.detach()[keep],
            x=rows[keep],
            objectives=problem.objectives,
            protocol=problem.protocol,
            stderr=None if evaluation.stderr is None else evaluation.stderr[keep],
            info={name: column[keep] for name, column in (info or {}).items()},
            problem=problem,
        )

    @classmethod
    def from_values(
        cls,
        values: Array,
        *,
        objectives: Sequence[Objective | str] | None = None,
        senses: Sequence[Sense] | None = None,
        x: Array | None = None,
        scoring: Scoring | None = None,
    ) -> Front:
        """Return the front among points that come from elsewhere.

        Args:
            values: Points `[n, m]`, or a data frame whose columns are named like the objectives. Dominated, duplicate
                and non-finite rows are dropped; `info["row"]` says which rows are left.
            objectives: `Objective`s or names; f1, f2, … by default.
            senses: "min" or "max" an objective; "min" by default.
            x: Decisions `[n, d]` that belong to the points.
            scoring: Reference point, ideal and nadir.
        """
        columns = [str(c) for c in getattr(values, "columns", ())]
        if columns:  # a data frame: by name where names are given, else its own names
            objectives = columns if objectives is None else objectives
            wanted = [o.name if isinstance(o, Objective) else o for o in objectives]
            for name in wanted:
                check.known(name, columns, kind="column")
            frame: Any = values
            values = frame[wanted].to_numpy(dtype="float64")
        points = tensor_of(values)
        points = points if points.dtype.is_floating_point else points.to(torch.float64)
        check.shape(points.ndim == 2, "values", "have shape [n, m]", tuple(points.shape))
        named = objectives_of(points.shape[1] if objectives is None else list(objectives), senses)
        check.shape(
            len(named) == points.shape[1], "objectives", f"have {points.shape[1]} entries, one per column", len(named)
        )
        rows = None if x is None else tensor_of(x, "x")
        if rows is not None:
            check.shape(rows.ndim == 2 and len(rows) == len(points), "x", f"have {len(points)} rows", tuple(rows.shape))
        keep = non_dominated(points, maximize=maximize_of(named), keep_duplicates=False)
        protocol = EvaluationProtocol() if scoring is None else EvaluationProtocol(scoring=scoring)
        info = {"row": torch.as_tensor(keep).nonzero().flatten()}
        return cls(points[keep], None if rows is None else rows[keep], named, protocol, info=info)

    @classmethod
    def from_csv(
        cls,
        path: str | Path | IO[str],
        *,
        objectives: Sequence[Objective | str] | None = None,
        senses: Sequence[Sense] | None = None,
        decisions: Sequence[str] = (),
    ) -> Front:
        """Return the front among the rows of a CSV file with a header line.

        Args:
            path: The file, or an open one.
            objectives: Columns that hold objective values, by name or as `Objective`s of that name; by default all
                columns that are not `decisions`.
            senses: "min" or "max" an objective.
            decisions: Columns that hold decisions.

        Raises:
            UnknownNameError: If a column is not in the file; the nearest are offered.
            InputError: If a cell is not a number; the message names column and line.
        """
        import pandas as pd

        frame = pd.read_csv(path)
        given = [c for c in frame.columns if c not in decisions] if objectives is None else list(objectives)
        names = [o.name if isinstance(o, Objective) else str(o) for o in given]
        for name in (*names, *decisions):
            check.known(name, [str(c) for c in frame.columns], kind="column")
            numbers = pd.to_numeric(frame[name], errors="coerce")
            for line in frame.index[numbers.isna() & frame[name].notna()][:1]:
                check.fail(
                    str(name),
                    "hold numbers only",
                    f"{frame[name][line]!r} in line {int(line) + 2}",
                    "name the columns to read with `objectives=`",
                )
        x = frame[list(decisions)].to_numpy(dtype="float64") if decisions else None
        return cls.from_values(frame[names].to_numpy(dtype="float64"), objectives=given, senses=senses, x=x)

    def __len__(self) -> int:
        return self.values.shape[0]

    def __getitem__(self, index: int) -> Solution:
        if not -len(self) <= index < len(self):
            raise IndexError(check.message("index", f"be below {len(self)}, the size of the front", index))
        row = index % len(self)
        return Solution(None if self.x is None else self.x[row], self.values[row], row, self)

    def __iter__(self) -> Iterator[Solution]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        name = "" if self.problem is None else f" of {self.problem.name}"
        if not len(self):
            return f"Front{name}: empty"
        others = len(self) - int(non_dominated(self.values, maximize=self.maximize, keep_duplicates=False).sum())
        mixed = f", {others} of them dominated by others or equal to them" if others else ""
        lines = [f"Front{name}: {len(self)} point{'s' if len(self) > 1 else ''}{mixed}"]
        for i, objective in enumerate(self.objectives):
            low, high = float(self.values[:, i].min()), float(self.values[:, i].max())
            lines.append(f"  {objective.sense} {objective.label}: {low:.6g} … {high:.6g}")
        return "\n".join(lines)

    @property
    def maximize(self) -> tuple[bool, ...]:
        """One bool an objective, as the indicators take it."""
        return maximize_of(self.objectives)

    @property
    def min_values(self) -> Tensor:
        """Values with maximized objectives negated, `[n, m]`."""
        return to_min(self.values, self.objectives)

    def select(self, rows: Tensor) -> Front:
        """Return the front of the given rows (indices or mask)."""
        return replace(
            self,
            values=self.values[rows],
            x=None if self.x is None else self.x[rows],
            stderr=None if self.stderr is None else self.stderr[rows],
            info={name: column[rows] for name, column in self.info.items()},
        )

    def merge(self, *others: Front) -> Front:
        """Return the front of the union; all must have the same objectives and measurement.

        Decisions are kept where all fronts have decisions of the same width (fronts on different views do not).
        """
        fronts = (self, *others)
        for other in others:
            check.that(
                other.objectives == self.objectives,
                "others",
                f"have the objectives {[o.name for o in self.objectives]}",
                [o.name for o in other.objectives],
            )
            same_measurement(self.protocol, other.protocol)

        def joined(parts: list[Tensor | None]) -> Tensor | None:
            present = [p for p in parts if p is not None]
            alike = len(present) == len(parts) and len({p.shape[1:] for p in present}) == 1
            return torch.cat(present) if alike else None

        shared = [name for name in self.info if all(name in f.info for f in fronts)]
        union = replace(
            self,
            values=torch.cat([f.values for f in fronts]),
            x=joined([f.x for f in fronts]),
            stderr=joined([f.stderr for f in fronts]),
            info={name: torch.cat([f.info[name] for f in fronts]) for name in shared},
        )
        return union.select(non_dominated(union.values, maximize=self.maximize, keep_duplicates=False))

    def with_scoring(self, scoring: Scoring) -> Front:
        """Return the same points under another scoring (free: values are kept)."""
        return replace(self, protocol=self.protocol.scored(scoring))

    def to_frame(self) -> pd.DataFrame:
        """Return a pandas frame: one row a point; objectives by name, then decisions x1, x2, …, then info.

        Designs (words, molecules) come first as text, in the column "design", unless an objective has that name.
        """
        import pandas as pd

        shown = None if self.x is None or self.problem is None else self.problem.describe_decisions(self.x)
        columns: dict[str, Any] = {} if shown is None else {"design": shown}
        columns |= {o.name: self.values[:, i].cpu().numpy() for i, o in enumerate(self.objectives)}
        if self.x is not None:
            columns |= {f"x{i + 1}": self.x[:, i].cpu().numpy() for i in range(self.x.shape[1])}
        for name, column in self.info.items():
            flat = column.reshape(len(self), math.prod(column.shape[1:])).cpu().numpy()
            columns |= {name if flat.shape[1] == 1 else f"{name}{i + 1}": flat[:, i] for i in range(flat.shape[1])}
        return pd.DataFrame(columns)

    def scores(self, scoring: Scoring | None = None) -> dict[str, float]:
        """Return the standard indicators of this front (see `paretokit.indicators.scores`)."""
        from paretokit.indicators import scores

        return scores(self, scoring)

    def pick(
        self,
        preference: Sequence[float] | Tensor | None = None,
        *,
        rule: str = "tchebycheff",
        aspiration: Sequence[float] | Tensor | None = None,
    ) -> Choice:
        """Return one solution by decision making (see `paretokit.decision.pick`)."""
        from paretokit.decision import pick

        return pick(self, preference, rule=rule, aspiration=aspiration)

    def plot(self, *, kind: str = "auto", ax: Axes | None = None) -> Axes:
        """Draw the front and return the axes (see `paretokit.plots.plot`)."""
        from paretokit.plots import plot

        return plot(self, kind=kind, ax=ax)

    def save(self, path: str | Path) -> None:
        """Write the front to a folder as safetensors and JSON (see `paretokit.run.save_front`)."""
        from paretokit.run import save_front

        save_front(self, path)

    @staticmethod
    def load(path: str | Path, problem: Problem | None = None) -> Front:
        """Return a saved front; its problem is rebuilt from its recipe unless given."""
        from paretokit.run import load_front

        return load_front(path, problem)


def _short(row: Tensor) -> str:
    """Return a decision row's first entries."""
    shown = ", ".join(f"{v:.6g}" for v in row[:8].tolist())
    return f"[{shown}{', …' if len(row) > 8 else ''}]"
