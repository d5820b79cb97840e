"""The same problem seen through other decisions: a view changes space and decode, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.core._evaluation import Evaluation
from paretokit.core._problem import Problem
from paretokit.core._rng import Rng
from paretokit.core._space import Space

Lift = Callable[[Tensor], Tensor]


@final
class View(Problem):
    """A problem on another space: a decision u means the base's decision ``lift(u)``.

    Objectives, constraints, protocol and data are the base's, so fronts on a view compare with fronts on the base.

    Args:
        base: The problem that is looked at.
        space: Where the view's decisions live.
        lift: Maps rows `[n, d_view]` to rows `[n, d_base]` of the base's space.
        name: What tables call the view.

    Raises:
        ShapeError: If `lift` answers with rows of another width.
    """

    def __init__(self, base: Problem, space: Space, lift: Lift, *, name: str = "") -> None:
        self.base, self.space, self.lift = base, space, lift
        self._name = name or f"view of {base.name}"
        self.objectives, self.n_constraints, self.protocol = base.objectives, base.n_constraints, base.protocol
        self.unit, self.deterministic, self.held_out = base.unit, base.deterministic, base.held_out
        self.light, self.front_kind, self.loss_work = base.light, "unknown", base.loss_work
        self.device, self.dtype = base.device, base.dtype

    @property
    def name(self) -> str:
        """What tables and titles call the view."""
        return self._name

    def lifted(self, x: Tensor) -> Tensor:
        """Return the base's decisions `[n, d_base]` of rows `[n, d_view]`."""
        rows = self.lift(x)
        due = (*x.shape[:-1], self.base.space.dim)
        check.shape(tuple(rows.shape) == due, "lift", f"return rows of shape {due}", tuple(rows.shape))
        return rows

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return self.base.to(self.device, self.dtype).evaluate(self.lifted(x), rng)

    def _assess(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return self.base.to(self.device, self.dtype).assess(self.lifted(x))

    def losses(self, x: Tensor, rng: Rng) -> Tensor:
        """Return the base's losses at the lifted rows."""
        return self.base.to(self.device, self.dtype).losses(self.lifted(x), rng)

    def decode(self, x: Tensor) -> Any:
        """Return what the base deploys for the lifted row."""
        return self.base.decode(self.lifted(x.unsqueeze(0)).squeeze(0))

    def describe_decisions(self, x: Tensor) -> list[str] | None:
        """Return how the base's tables show the lifted rows."""
        return self.base.describe_decisions(self.lifted(x))

    def fingerprint(self) -> str:
        """Return a hash of the view and of its base."""
        return f"{super().fingerprint()}-{self.base.fingerprint()}"


def fixed(base: Problem, columns: dict[int, float]) -> View:
    """Return the view in which some columns of a real problem keep a value and only the others are decided.

    Args:
        base: A problem over a `Box`.
        columns: Value by column number.

    Raises:
        InputError: If a column does not exist, or its value lies outside the bounds.
    """
    from paretokit.core._space import Box

    d = base.space.dim
    check.that(isinstance(base.space, Box), "base", "have a Box as its space", type(base.space).__name__)
    check.that(0 < len(columns) < d, "columns", f"name at least one and at most {d - 1} columns", sorted(columns))
    for column, value in columns.items():
        check.that(0 <= column < d, "columns", f"lie in 0 … {d - 1}", column)
        low, high = float(base.space.lower[column]), float(base.space.upper[column])
        check.that(low <= value <= high, "columns", f"keep column {column} within [{low:g}, {high:g}]", value)
    free = torch.tensor([i for i in range(d) if i not in columns])
    kept = torch.tensor(sorted(columns))
    values = torch.tensor([columns[int(i)] for i in kept], dtype=torch.float64)

    def lift(x: Tensor) -> Tensor:
        order = torch.argsort(torch.cat([free, kept])).to(x.device)
        return torch.cat([x, values.to(x).expand(*x.shape[:-1], -1)], -1)[..., order]

    name = f"{base.name} with {', '.join(f'x{i + 1} = {v:g}' for i, v in sorted(columns.items()))}"
    return View(base, Box(base.space.lower[free], base.space.upper[free]), lift, name=name)
