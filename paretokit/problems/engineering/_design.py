"""What engineering problems share: named variables with units, index columns for tables, summed violations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import torch
from torch import Tensor

from paretokit.core import Box, Evaluation, EvaluationProtocol, Integers, Mixed, Objective, Problem, Scoring, Space
from paretokit.core import _check as check
from paretokit.problems.engineering._scoring import EXTREMES

VIOLATION = Objective("constraint violation", "min")


@dataclass(frozen=True)
class Variable:
    """One quantity that the engineer chooses.

    Attributes:
        name: What tables call it.
        lower: Lower bound of the quantity, or of the number of steps where there is a `step`.
        upper: Upper bound, likewise.
        unit: Physical unit, or an empty string.
        whole: Whether only whole numbers are allowed.
        step: What one whole number stands for: a quantity that comes in multiples of it.
        values: The table that the quantity comes from; the decision column then holds the index of its entry.
    """

    name: str
    lower: float
    upper: float
    unit: str = ""
    whole: bool = False
    step: float = 1.0
    values: tuple[float, ...] = ()

    @classmethod
    def table(cls, name: str, values: Sequence[float], unit: str = "") -> Variable:
        """Return a quantity that takes one of the increasing `values`."""
        return cls(name, values[0], values[-1], unit, values=tuple(values))

    @property
    def label(self) -> str:
        """Name and unit as axes show them."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name

    @property
    def space(self) -> Space:
        """The decision column."""
        if self.values:
            return Integers(0, len(self.values) - 1, dim=1)
        return Integers(self.lower, self.upper, dim=1) if self.whole else Box(self.lower, self.upper, dim=1)

    def physical(self, column: Tensor) -> Tensor:
        """Return the quantity for decision entries `[...]`."""
        if not self.values:
            return column * self.step if self.step != 1.0 else column
        table = torch.tensor(self.values, dtype=column.dtype, device=column.device)
        return table[column.detach().round().long()]


def space_of(variables: Sequence[Variable]) -> Space:
    """Return a `Box` where all variables are real, otherwise a `Mixed` space with one part a variable."""
    if any(v.whole or v.values for v in variables):
        return Mixed({v.name: v.space for v in variables})
    return Box([v.lower for v in variables], [v.upper for v in variables])


def protocol_of(id: str) -> EvaluationProtocol:  # noqa: A002 - the contract's word
    """Return the scoring of a problem: ideal and nadir of its front, reference point a tenth of the range beyond."""
    if id not in EXTREMES:
        return EvaluationProtocol()
    ideal, nadir = EXTREMES[id]
    beyond = tuple(high + 0.1 * (high - low) for low, high in zip(ideal, nadir, strict=True))
    return EvaluationProtocol(scoring=Scoring(reference_point=beyond, ideal=ideal, nadir=nadir))


def penalized(values: Sequence[Tensor], slack: Sequence[Tensor]) -> Evaluation:
    """Return values `[n, m]` whose last column sums the constraints' shortfalls below zero, as the RE suite does."""
    shortfall = torch.stack(list(slack), -1).neg().clamp_min(0).sum(-1)
    return Evaluation(torch.stack([*values, shortfall], -1))


def constrained(values: Sequence[Tensor], slack: Sequence[Tensor]) -> Evaluation:
    """Return values `[n, m]` and one violation a constraint, as the CRE suite does."""
    return Evaluation(torch.stack(list(values), -1), torch.stack(list(slack), -1).neg())


class EngineeringProblem(Problem):
    """A design problem with named variables. Subclass, give `objectives`, `variables`, and write `_evaluate`.

    Attributes:
        variables: What the engineer chooses, one `Variable` a column.
    """

    variables: tuple[Variable, ...]

    def columns(self, x: Tensor) -> list[Tensor]:
        """Return the physical quantities `[n]` of decisions `x [n, d]`, one a variable."""
        return [v.physical(c) for v, c in zip(self.variables, x.unbind(-1), strict=True)]

    def decode(self, x: Tensor) -> dict[str, float]:
        """Return the physical design of one decision row `x [d]`, by variable name."""
        rows = self._checked(torch.as_tensor(x))
        return {v.name: c.item() for v, c in zip(self.variables, self.columns(rows), strict=True)}

    def pareto_front(self, n: int | None = None) -> Tensor | None:
        """Return at most n points of the stored front `[n, m]`, all for None, or None where none is stored.

        Points are ordered farthest first, so that the first n are spread over the whole front.
        """
        stored = self._stored("values")
        if stored is None or n is None:
            return stored
        check.at_least(1, n=n)
        return stored[:n]

    def pareto_set(self, n: int | None = None) -> Tensor | None:
        """Return the decisions `[n, d]` behind `pareto_front(n)`, row by row."""
        stored = self._stored("x")
        return stored if stored is None or n is None else stored[:n]

    def _stored(self, name: str) -> Tensor | None:
        from safetensors.torch import load

        if self.front_kind == "unknown":
            return None
        file = resources.files("paretokit.problems.engineering") / "data" / f"{self.id}.safetensors"
        return load(file.read_bytes())[name].to(device=self.device, dtype=self.dtype)
