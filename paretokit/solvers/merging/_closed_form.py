"""What merges without a search have in common: task vectors, coefficients, one evaluation a step."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from paretokit.core import Cost, Evaluation, Front, Problem, Rng, Solver
from paretokit.core import _check as check
from paretokit.core._serial import transient
from paretokit.problems.merging import ModelMerging, TaskVectors
from paretokit.solvers.merging._inside import check_inside, outside


def merging_of(problem: Problem) -> ModelMerging:
    """Return the problem as what it was checked to be."""
    assert isinstance(problem, ModelMerging)
    return problem


def scales_of(name: str, scale: object) -> tuple[float, ...]:
    """Return a scale, or several, as a tuple of finite numbers.

    Raises:
        InputError: If there is none, or one is no finite number.
    """
    given = tuple(scale) if isinstance(scale, (list, tuple)) else (scale,)
    check.that(len(given) > 0, name, "be a number or several", given)
    for value in given:
        known = isinstance(value, (int, float)) and torch.isfinite(torch.tensor(float(value)))
        check.that(bool(known), name, "be a finite number or several", value)
    return tuple(float(v) for v in given)


@dataclass
class ClosedFormState:
    """What a closed form has measured.

    Attributes:
        rng: The run's key.
        x: Measured decisions `[n, d]` of the view.
        values: Their values `[n, m]`.
        work: Examples that went through networks, a backward pass as two.
        vectors: The view's task vectors; None where they are the problem's own.
    """

    rng: Rng
    x: Tensor
    values: Tensor
    work: float = 0.0
    vectors: TaskVectors | None = transient()  # noqa: RUF009 - a field


@dataclass(frozen=True, kw_only=True)
class ClosedForm(Solver[ClosedFormState]):
    """A merge that is computed, not searched: a step measures one scale, and the run ends after the last one.

    Subclasses give `scales` and, where they merge other task vectors than the problem's own, `variant`.
    """

    solves: ClassVar[type[Problem]] = ModelMerging
    state_type: ClassVar[type] = ClosedFormState

    @property
    def finishes(self) -> bool:
        """Whether the run ends by itself."""
        return True

    @abstractmethod
    def scales(self, problem: ModelMerging) -> tuple[float, ...]:
        """Return the numbers by which all task vectors are multiplied, one a step."""

    def variant(self, problem: ModelMerging, rng: Rng) -> dict[str, Any] | None:
        """Return how the merged task vectors are made (see `ModelMerging.as_variant`); None for the problem's own."""
        return None

    def making(self, problem: ModelMerging) -> float:
        """Return the examples through networks that making the task vectors costs, a backward pass as two."""
        return 0.0

    def check(self, problem: Problem) -> None:
        """Raise unless the problem can be solved: `InputError` for a scale outside its bounds."""
        if isinstance(problem, ModelMerging):
            setting = "scale" if "scale" in self.config() else None
            check_inside(problem, self.scales(problem), setting=setting, solver=self.name)
        super().check(problem)

    def unsupported(self, problem: Problem) -> str | None:
        """Tell whether a scale lies outside the problem's bounds."""
        if not isinstance(problem, ModelMerging):
            return "it merges models"
        return "its coefficients lie outside the problem's bounds" if outside(problem, self.scales(problem)) else None

    def init(self, problem: Problem, rng: Rng, *, initial: Tensor | None = None) -> ClosedFormState:
        """Return the state before anything was merged.

        Raises:
            InputError: If `initial` is given.
        """
        own = merging_of(problem)
        check.that(initial is None, "initial", "be left out", "rows", "a closed form starts from nothing")
        empty = torch.zeros(0, 0, dtype=own.dtype, device=own.device)
        state = ClosedFormState(rng, empty, empty.new_zeros(0, own.n_objectives))
        return self.restore(problem, state)

    def restore(self, problem: Problem, state: ClosedFormState) -> ClosedFormState:
        """Return the state with the task vectors made again."""
        own = merging_of(problem)
        variant = self.variant(own, state.rng)
        state.vectors = None if variant is None else own.as_variant(variant).vectors
        return state

    def step(self, problem: Problem, state: ClosedFormState) -> ClosedFormState:
        """Return the state after one merge was measured."""
        view = self._view(merging_of(problem), state)
        row = torch.full((1, view.space.dim), self.scales(view)[len(state.x)], dtype=view.dtype, device=view.device)
        found = view.evaluate(row)
        state.work += found.total_work + (0.0 if len(state.x) else self.making(view))
        state.x = torch.cat([state.x, row]) if len(state.x) else row
        state.values = torch.cat([state.values, found.values])
        return state

    def front(self, problem: Problem, state: ClosedFormState) -> Front:
        """Return the non-dominated merges, on the view whose task vectors they merge."""
        view = self._view(merging_of(problem), state)
        x = state.x if len(state.x) else state.x.new_zeros(0, view.space.dim)
        return Front.of(view, x, Evaluation(state.values), info={"scale": x[:, 0]})

    def cost(self, state: ClosedFormState) -> Cost:
        """Return the merges measured, and all examples that went through networks."""
        return Cost(evaluations=len(state.x), work=state.work)

    def done(self, state: ClosedFormState) -> bool:
        """Tell whether every scale was measured."""
        return len(state.x) >= self.count

    @property
    def count(self) -> int:
        """Number of merges that are measured."""
        return 1

    def _view(self, problem: ModelMerging, state: ClosedFormState) -> ModelMerging:
        if state.vectors is None:
            return problem
        return problem.with_vectors(state.vectors, variant=self.variant(problem, state.rng))
