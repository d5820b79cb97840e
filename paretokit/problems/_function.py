"""A user's own function as a problem: batched or row by row, here, in processes, or outside Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, final

import numpy as np
import torch
from torch import Tensor

from paretokit.core import Evaluation, Objective, ParetoError, Rng, Space, objectives_of
from paretokit.core import _check as check
from paretokit.problems._named import NamedProblem, function_name
from paretokit.problems._workers import Crew, Outcome

OnError = Literal["raise", "fail"]


def _tensor(values: Any, like: Tensor) -> Tensor:
    if isinstance(values, Tensor):
        return values.to(device=like.device, dtype=like.dtype)
    if isinstance(values, (list, tuple)) and any(isinstance(v, Tensor) for v in values):
        return torch.stack([torch.as_tensor(v).to(device=like.device, dtype=like.dtype) for v in values])
    return torch.as_tensor(np.asarray(values, dtype=np.float64)).to(device=like.device, dtype=like.dtype)


@final
class FunctionProblem(NamedProblem):
    """What `from_function` returns."""

    def __init__(
        self,
        f: Callable[[Tensor], Any],
        *,
        objectives: Sequence[Objective],
        space: Space,
        n_constraints: int,
        elementwise: bool,
        crew: Crew | None,
        on_error: OnError,
        name: str,
    ) -> None:
        super().__init__(objectives=objectives, space=space, n_constraints=n_constraints, name=name)
        self._f, self._elementwise, self._crew = f, elementwise, crew
        self._caught: tuple[type[Exception], ...] = (Exception,) if on_error == "fail" else ()

    def close(self) -> None:
        """End the worker processes, where there are any; the next evaluation starts new ones."""
        if self._crew is not None:
            self._crew.close()

    def _code(self) -> tuple[Any, ...]:
        return (self._f,)

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        if not self._elementwise:
            return self._batch(x)
        rows = list(x.unbind(0))
        if self._crew is None:
            outcomes = [self._here(row) for row in rows]
        else:
            outcomes = self._crew.map([row.detach().cpu() for row in rows])
        return Evaluation.cat([self._row(outcome, x) for outcome in outcomes]) if rows else self._failed(x)

    def _here(self, row: Tensor) -> Outcome:
        try:
            return Outcome(self._f(row))
        except self._caught as error:
            return Outcome(error=error)

    def _row(self, outcome: Outcome, x: Tensor) -> Evaluation:
        if outcome.error is not None and not self._caught:
            raise outcome.error
        if outcome.error is not None or outcome.late:
            return self._failed(x[:1])
        return self._read(outcome.value, x[:1], "a row")

    def _batch(self, x: Tensor) -> Evaluation:
        try:
            out = self._f(x)
        except self._caught:
            if x.shape[0] == 1:
                return self._failed(x)
            return Evaluation.cat([self._batch(row[None]) for row in x.unbind(0)])
        return self._read(out, x, f"{x.shape[0]} rows")

    def _failed(self, x: Tensor) -> Evaluation:
        k = self.n_constraints
        return Evaluation(
            x.new_full((len(x), self.n_objectives), torch.nan), x.new_full((len(x), k), torch.nan) if k else None
        )

    def _read(self, out: Any, x: Tensor, what: str) -> Evaluation:
        if self.n_constraints:
            is_pair = isinstance(out, (tuple, list)) and len(out) == 2
            check.that(is_pair, "f", "return (values, violations), as n_constraints is set", type(out).__name__)
            return Evaluation(
                self._shaped(out[0], x, self.n_objectives, what), self._shaped(out[1], x, self.n_constraints, what)
            )
        return Evaluation(self._shaped(out, x, self.n_objectives, what))

    def _shaped(self, out: Any, x: Tensor, columns: int, what: str) -> Tensor:
        values = _tensor(out, x)
        shape = (columns,) if self._elementwise else (x.shape[0], columns)
        hint = "" if self._elementwise else "does it take one row? then pass elementwise=True"
        check.shape(tuple(values.shape) == shape, "f", f"return shape {shape} for {what}", tuple(values.shape), hint)
        return values.reshape(x.shape[0], columns)


@final
class ExternalProblem(NamedProblem):
    """What `external` returns."""

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        raise ParetoError(
            f"problem {self.name!r} is evaluated outside Python; ask the solver for decisions with `solver.ask`, "
            f"measure them, and answer with `solver.tell`"
        )


def from_function(
    f: Callable[[Tensor], Any],
    *,
    objectives: int | Sequence[Objective | str],
    space: Space,
    n_constraints: int = 0,
    elementwise: bool = False,
    workers: int = 1,
    timeout: float | None = None,
    on_error: OnError = "raise",
    name: str = "",
) -> FunctionProblem:
    """Return a problem that measures decisions with a function of one's own.

    Args:
        f: Takes rows `[n, d]` and returns values `[n, m]`, as a tensor, an array or nested sequences; with constraints,
            the pair of values and violations `[n, k]`, a violation at most 0 being feasible. A row that is not finite
            is a failed candidate.
        objectives: Their number (all minimized), names, or `Objective`s with sense and unit.
        space: The decisions.
        n_constraints: Number k of inequality constraints.
        elementwise: Whether f takes one row `[d]` and returns its m values (and k violations) instead.
        workers: Number of processes that evaluate rows at the same time; f is sent to them by value, and gradients
            do not come back. Needs `elementwise`.
        timeout: Seconds that one row may take; its process is then killed and the row has failed. Rows are evaluated
            in processes wherever there is a limit, so it needs `elementwise` too.
        on_error: "raise" passes an exception of f on (`solve` saves first, then raises `EvaluationError`); "fail"
            makes the row a failed candidate. In a batch, the rows are then tried one by one.
        name: What tables call the problem; the function's name where empty, "function" for a lambda.

    Raises:
        InputError: If an option breaks its rule, or, at evaluation, if f returns a wrong shape.

    Cost: without processes, that of f. A process starts in a second or two, once; a row costs 0.1 ms on top.

    >>> bowls = from_function(lambda x: torch.stack([(x**2).sum(-1), ((x - 1) ** 2).sum(-1)], -1),
    ...                       objectives=2, space=Box(-2.0, 2.0, dim=3))
    """
    check.that(callable(f), "f", "be callable", type(f).__name__)
    _check_shared(space, n_constraints)
    check.whole(1, workers=workers)
    check.one_of(("raise", "fail"), on_error=on_error)
    if timeout is not None:
        check.positive(timeout=timeout)
    apart = workers > 1 or timeout is not None
    hint = "write f for one row; `workers` and `timeout` count rows"
    check.that(
        elementwise or not apart, "elementwise", "be True where rows are evaluated in processes", elementwise, hint
    )
    return FunctionProblem(
        f,
        objectives=objectives_of(objectives),
        space=space,
        n_constraints=n_constraints,
        elementwise=elementwise,
        crew=Crew(f, workers, timeout) if apart else None,
        on_error=on_error,
        name=name or function_name(f),
    )


def external(
    *, objectives: int | Sequence[Objective | str], space: Space, n_constraints: int = 0, name: str = "external"
) -> ExternalProblem:
    """Return a problem whose decisions are measured outside Python, through a solver's `ask` and `tell`.

    Objectives are minimized unless an `Objective` says "max" (`CompositionalDesign.sequences` maximizes).

    Args:
        objectives: Their number or names (all minimized), or `Objective`s with sense and unit.
        space: The decisions.
        n_constraints: Number of inequality constraints; a violation at most 0 is feasible.
        name: What tables call the problem.
    """
    _check_shared(space, n_constraints)
    return ExternalProblem(objectives=objectives_of(objectives), space=space, n_constraints=n_constraints, name=name)


def _check_shared(space: Space, n_constraints: int) -> None:
    check.that(isinstance(space, Space), "space", "be a Space", type(space).__name__, "e.g. Box(0.0, 1.0, dim=3)")
    check.whole(0, n_constraints=n_constraints)
