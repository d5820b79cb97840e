"""The contract of a problem: what is traded off over which decisions, measured how."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import types
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.core._errors import ParetoError
from paretokit.core._evaluation import Evaluation
from paretokit.core._io import Array, tensor_of
from paretokit.core._objective import Objective, to_min
from paretokit.core._protocol import EvaluationProtocol
from paretokit.core._rng import Lanes, Rng
from paretokit.core._space import Space


class Observer(Protocol):
    """Whoever watches a problem's evaluations: a run that counts and logs them."""

    def evaluated(self, x: Tensor, evaluation: Evaluation) -> None:
        """Take note of decisions `x [..., n, d]` and what came out."""


def code_mark(function: Any) -> str:
    """Return a mark of a Python function's code, nested functions included; its name where it has no code.

    Data that the function reads from elsewhere is not part of it.
    """
    code = getattr(function, "__code__", function)
    if not isinstance(code, types.CodeType):
        return str(getattr(function, "__qualname__", type(function).__qualname__))
    constants = [code_mark(c) if isinstance(c, types.CodeType) else repr(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {constants}"


def _field_mark(value: Any) -> Any:
    """Return a field of a user's problem as JSON: numbers and texts themselves, tensors and arrays by their bytes."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(k): _field_mark(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_field_mark(v) for v in value]
    held = value.detach().cpu().reshape(-1).view(torch.uint8).numpy() if isinstance(value, Tensor) else value
    if hasattr(held, "tobytes"):
        return hashlib.blake2b(held.tobytes(), digest_size=8).hexdigest()
    return code_mark(value)


class Problem(ABC):
    """What is traded off. Subclass, give `objectives` and `space`, and write `_evaluate`.

    Class or instance attributes:
        objectives: One `Objective` each.
        space: The decisions.
        n_constraints: Number k of inequality constraints; a violation at most 0 is feasible.
        unit: Unit of `Cost.work`.
        loss_work: What one row of `losses` takes in that unit, forward only.
        shared: Which columns all losses share, bool `[d]`, or None for all. Rules of gradients weigh these; each other
            column, of a loss's own head, follows its loss.
        protocol: How values are measured, and default scoring (reference point, ideal, nadir).
        id: Versioned id where the problem is registered, else "".
        front_kind: "exact", "exact convex coverage set" (all points that some linear preference wants) or
            "approximate" where `pareto_front` answers, else "unknown".
        dtype, device: Where values are computed; change them with `to`.
        deterministic: Whether equal decisions always give equal values.
        light: Whether an evaluation is a short formula, so that for a usual batch torch's threads cost more than they
            give.
        held_out: Whether `assess` measures on data that `evaluate` never sees.

    >>> class Bowls(Problem):
    ...     objectives = (Objective("left"), Objective("right"))
    ...     space = Box(-2.0, 2.0, dim=2)
    ...     def _evaluate(self, x, rng):
    ...         return Evaluation(torch.stack([((x - 1) ** 2).sum(-1), ((x + 1) ** 2).sum(-1)], -1))
    """

    objectives: tuple[Objective, ...]
    space: Space
    n_constraints: int = 0
    unit: str = "evaluations"
    loss_work: float = 1.0
    shared: Tensor | None = None
    protocol: EvaluationProtocol = EvaluationProtocol()
    id: str = ""
    front_kind: str = "unknown"
    dtype: torch.dtype = torch.float64
    device: torch.device = torch.device("cpu")
    deterministic: bool = True
    light: bool = False
    held_out: bool = False
    _observer: Observer | None = None
    _solving: bool = False

    def __post_init__(self) -> None:
        """Refuse options of another kind than their annotation says, where the problem is a dataclass."""
        check.fields(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.describe()}>"

    @property
    def n_objectives(self) -> int:
        """Number m of objectives."""
        return len(self.objectives)

    @property
    def name(self) -> str:
        """What tables and titles call the problem."""
        return self.id or type(self).__name__

    @abstractmethod
    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        """Return the evaluation of checked rows `x [n, d]`; draw from `rng` where values are noisy."""

    def evaluate(self, x: Array, rng: Rng | Lanes | None = None) -> Evaluation:
        """Return values and violations of decisions on the selection split.

        Args:
            x: Decisions `[..., n, d]` (or one row `[d]`, answered with values `[m]`).
            rng: Source of the noise, where the problem has any; `Lanes` give each member of `x [P, n, d]` its own.

        Raises:
            ShapeError: If the rows do not have d columns.
            InputError: If a row lies outside the space, or `_evaluate` answers with wrong shapes.
        """
        x = tensor_of(x, "x")
        rows = self._checked(x)
        if isinstance(rng, Lanes) and self.deterministic:
            rng = None
        if not len(rows):
            empty = rows.new_empty(*x.shape[:-1], self.n_objectives)
            return Evaluation(empty, rows.new_empty(*x.shape[:-1], self.n_constraints) if self.n_constraints else None)
        if isinstance(rng, Lanes):
            members = zip(rows.chunk(len(rng)), rng.rngs, strict=True)
            out = Evaluation.cat([self._answer(self._evaluate(own, lane), own.shape[0]) for own, lane in members])
        else:
            out = self._answer(self._evaluate(rows, rng or Rng.from_seed(0)), rows.shape[0])
        out = out.reshape(*x.shape[:-1])
        if self._observer is not None:
            self._observer.evaluated(x, out)
        return out

    def assess(self, x: Array) -> tuple[Tensor, dict[str, Tensor]]:
        """Return held-out values `[n, m]` of decisions and extra columns; never reachable by a solver.

        Deterministic problems without a held-out split measure the same again.
        """
        self.refuse_solving("assess")
        return self._assess(self._checked(tensor_of(x, "x")))

    def _assess(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return self._answer(self._evaluate(x, Rng.from_seed(0).child("held-out")), x.shape[0]).values, {}

    def losses(self, x: Tensor, rng: Rng) -> Tensor:
        """Return surrogate losses `[P, m]` of rows `x [P, d]`, to be minimized, with gradients to x."""
        return to_min(self._evaluate(x, rng).values, self.objectives)

    def pareto_front(self, n: int | None = None) -> Tensor | None:
        """Return n points `[n, m]` of the true front, all known points for None, or None where it is unknown."""
        return None

    def decode(self, x: Tensor) -> Any:
        """Return what the user deploys for one decision row `x [d]`; the row itself unless overridden."""
        return x

    def describe_decisions(self, x: Tensor) -> list[str] | None:
        """Return how tables show decision rows `x [n, d]`, a line each; None where their numbers say it all."""
        return None

    def describe(self) -> str:
        """Return one line for tables and error messages."""
        senses = ", ".join(f"{o.sense} {o.label}" for o in self.objectives)
        return f"{self.name}: {self.space.dim} variables, {self.n_constraints} constraints; {senses}"

    def view(self, space: Space, lift: Callable[[Tensor], Tensor], *, name: str = "") -> Problem:
        """Return the same problem over other decisions: u of `space` means ``lift(u)`` here (see `View`)."""
        from paretokit.core._view import View

        return View(self, space, lift, name=name)

    def fixing(self, columns: dict[int, float]) -> Problem:
        """Return the view in which some columns keep a value and only the others are decided."""
        from paretokit.core._view import fixed

        return fixed(self, columns)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Self:
        """Return a copy that computes on `device` in `dtype`."""
        twin = copy.copy(self)
        if device is not None:
            object.__setattr__(twin, "device", torch.device(device))
        if dtype is not None:
            check.that(dtype.is_floating_point, "dtype", "be a floating-point type", dtype)
            object.__setattr__(twin, "dtype", dtype)
        return twin

    def observed(self, observer: Observer | None) -> Self:
        """Return the handle that a solver gets: evaluations are reported, held-out data is out of reach."""
        twin = copy.copy(self)
        object.__setattr__(twin, "_observer", observer)
        object.__setattr__(twin, "_solving", True)
        return twin

    def refuse_solving(self, method: str) -> None:
        """Raise unless this is the user's own problem rather than a solver's handle."""
        if self._solving:
            raise ParetoError(f"`{method}` must not be called by a solver; it measures on held-out data")

    def options(self) -> Mapping[str, Any] | None:
        """Return constructor options as JSON-able data, or None where the problem cannot be rebuilt from them."""
        instance: Any = self
        if not self.id or not dataclasses.is_dataclass(instance):
            return None
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(instance) if f.init}

    def recipe(self) -> dict[str, Any] | None:
        """Return id, options, dtype: what `problems.make` needs to rebuild the problem; None where it cannot."""
        options = self.options()
        if options is None:
            return None
        return {"id": self.id, "options": dict(options), "dtype": str(self.dtype).removeprefix("torch.")}

    def fingerprint(self) -> str:
        """Return a hash of everything that makes two problems the same one: a checkpoint's identity."""
        content: dict[str, Any] = {
            "id": self.id or f"{type(self).__module__}.{type(self).__qualname__}",
            "options": self.options(),
            "objectives": [dataclasses.astuple(o) for o in self.objectives],
            "space": self.space.describe(),
            "n_constraints": self.n_constraints,
            "measurement": dataclasses.asdict(self.protocol.measurement),
            "dtype": str(self.dtype),
        }
        if self.options() is None:  # a user's own: what it computes is in its code
            content["code"] = [code_mark(part) for part in self._code()]
            content["fields"] = {
                name: _field_mark(getattr(self, name)) for name in getattr(self, "__dataclass_fields__", ())
            }
        return hashlib.blake2b(json.dumps(content, sort_keys=True, default=str).encode(), digest_size=8).hexdigest()

    def variant(self) -> dict[str, Any] | None:
        """Return, JSON-able, what tells this problem from others of equal measurements on which fronts may stand."""
        return None

    def as_variant(self, variant: Mapping[str, Any] | None) -> Problem:
        """Return the problem of equal measurements that a variant describes; the problem itself unless overridden."""
        return self

    def _code(self) -> tuple[Any, ...]:
        """Return the functions whose code is part of the fingerprint of a problem that has no recipe."""
        return (type(self)._evaluate,)

    def _checked(self, x: Tensor) -> Tensor:
        d = self.space.dim
        check.shape(
            x.ndim >= 1 and x.shape[-1] == d, "x", f"have {d} columns, one per variable", f"shape {tuple(x.shape)}"
        )
        rows = x.reshape(-1, d).to(device=self.device, dtype=self.dtype)
        if self.space.contains_all(rows):
            return rows
        inside = self.space.contains(rows)
        if not bool(inside.all()):
            first = int((~inside).nonzero()[0])
            check.fail(
                "x",
                "lie in the space",
                f"row {first} = {[round(v, 6) for v in rows[first].tolist()[:8]]}",
                "`problem.space.project(x)` moves it inside",
            )
        return rows

    def _answer(self, out: Evaluation, n: int) -> Evaluation:
        name = f"{type(self).__name__}._evaluate"
        check.that(isinstance(out, Evaluation), name, "return an Evaluation", type(out).__name__)
        m, k = self.n_objectives, self.n_constraints
        check.shape(
            tuple(out.values.shape) == (n, m), name, f"return values of shape {(n, m)}", tuple(out.values.shape)
        )
        got = None if out.violations is None else tuple(out.violations.shape)
        check.shape(
            (k == 0 and got is None) or got == (n, k),
            name,
            f"return violations of shape {(n, k)}" if k else "return no violations (n_constraints is 0)",
            got,
        )
        return out
