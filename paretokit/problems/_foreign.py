"""Problems of pymoo and pygmo as ours."""

from __future__ import annotations

from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from paretokit.core import Box, Categorical, Evaluation, Integers, Mixed, Rng, Space, objectives_of
from paretokit.core import _check as check
from paretokit.problems._named import NamedProblem


class ForeignProblem(NamedProblem):
    """A problem of another library, evaluated by it in float64 on the CPU; all objectives are minimized."""

    def __init__(self, foreign: Any, *, m: int, space: Space, n_constraints: int, name: str) -> None:
        super().__init__(objectives=objectives_of(m), space=space, n_constraints=n_constraints, name=name)
        self._foreign = foreign

    def _own(self, values: Any) -> Tensor:
        return torch.as_tensor(np.asarray(values, dtype=np.float64)).to(device=self.device, dtype=self.dtype)


def _box(lower: Any, upper: Any, name: str) -> Box:
    low, high = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
    finite = bool(np.isfinite(low).all() and np.isfinite(high).all())
    check.that(finite, name, "have finite bounds", [low.tolist(), high.tolist()])
    return Box(torch.from_numpy(low.copy()), torch.from_numpy(high.copy()))


def _rows(x: Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
    return x.detach().cpu().to(torch.float64).numpy()


@final
class PymooProblem(ForeignProblem):
    """What `from_pymoo` returns."""

    def __init__(self, foreign: Any, *, m: int, space: Space, n_constraints: int, name: str, tolerance: float) -> None:
        super().__init__(foreign, m=m, space=space, n_constraints=n_constraints, name=name)
        self._tolerance = tolerance

    def decode(self, x: Tensor) -> Any:
        """Return what pymoo takes: a row of its type, or a dict of named values."""
        return self._foreign_rows(x[None])[0]

    def _foreign_rows(self, x: Tensor) -> Any:
        rows = _rows(x)
        if isinstance(self.space, Mixed) and isinstance(getattr(self._foreign, "vars", None), dict):
            names = list(self._foreign.vars.items())
            return np.array(
                [{k: _value(v, c) for (k, v), c in zip(names, row, strict=True)} for row in rows], dtype=object
            )
        return rows if self.space.is_real else rows.astype(self._foreign.vtype or np.int64)

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        n, m = x.shape[0], self.n_objectives
        out = self._foreign.evaluate(self._foreign_rows(x), return_values_of=["F", "G", "H"], return_as_dictionary=True)
        values = self._own(out["F"]).reshape(n, m)
        if not self.n_constraints:
            return Evaluation(values)
        inequality = self._own(out["G"]).reshape(n, -1)
        equality = self._own(out["H"]).reshape(n, -1).abs() - self._tolerance
        return Evaluation(values, torch.cat([inequality, equality], -1))


def _value(variable: Any, column: float) -> Any:
    """Return the value that a pymoo variable has where our column holds `column`."""
    from pymoo.core.variable import Binary, Choice, Integer

    if isinstance(variable, Choice):
        return list(variable.options)[int(column)]
    if isinstance(variable, Binary):
        return bool(column)
    return int(column) if isinstance(variable, Integer) else float(column)


def _pymoo_space(p: Any) -> Space:
    from pymoo.core.variable import Binary, Choice, Integer, Real

    if isinstance(getattr(p, "vars", None), dict):
        parts: dict[str, Space] = {}
        for name, variable in p.vars.items():
            if isinstance(variable, Choice):
                parts[str(name)] = Categorical(max(len(variable.options), 2))
            elif isinstance(variable, Binary):
                parts[str(name)] = Categorical(2)
            elif isinstance(variable, Integer):
                parts[str(name)] = Integers(float(variable.lb), float(variable.ub), dim=1)
            elif isinstance(variable, Real):
                parts[str(name)] = _box([variable.lb], [variable.ub], "p")
            else:
                check.fail("p", "have real, integer, binary or choice variables", f"{name}: {type(variable).__name__}")
        return Mixed(parts)
    if p.vtype is bool:
        return Categorical(2, p.n_var)
    check.that(p.xl is not None and p.xu is not None, "p", "have bounds xl and xu", None)
    box = _box(p.xl, p.xu, "p")
    return Integers(box.lower, box.upper) if p.vtype in (int, np.int64, np.int32) else box


def from_pymoo(p: Any, *, tolerance: float = 1e-4, name: str = "") -> PymooProblem:
    """Return a static pymoo problem as ours: real, integer, binary, mixed; vectorized or elementwise.

    Violations are pymoo's G, then ``|H| - tolerance``. Values that it leaves NaN are failed candidates. Its Pareto
    front is not asked for: pymoo downloads some. `decode` gives the row that pymoo takes.

    Args:
        p: A `pymoo.core.problem.Problem`, or a name for pymoo's `get_problem`.
        tolerance: By how much an equality constraint may be missed.
        name: What tables call the problem; pymoo's class name where empty.

    Raises:
        UnknownNameError: If pymoo has no problem of that name.
        InputError: If p is no static problem of pymoo, or has no finite bounds.
    """
    check.package("pymoo", extra="all")
    from pymoo.core.problem import Problem as Foreign
    from pymoo.problems.dyn import DynamicProblem

    check.at_least(0, tolerance=tolerance)
    if isinstance(p, str):
        p = _pymoo_by_name(p)
    check.that(
        isinstance(p, Foreign), "p", "be a problem of pymoo or its name", type(p).__name__, "an instance, not a class"
    )
    check.that(not isinstance(p, DynamicProblem), "p", "be static", type(p).__name__, "its values change with time")
    return PymooProblem(
        p,
        m=int(p.n_obj),
        space=_pymoo_space(p),
        n_constraints=int(p.n_ieq_constr) + int(p.n_eq_constr),
        name=name or type(p).__name__,
        tolerance=tolerance,
    )


def _pymoo_by_name(name: str) -> Any:
    import inspect
    import re

    from pymoo.problems import get_problem

    known = set(re.findall(r'^ +"([^"]+)": \w+,$', inspect.getsource(get_problem), re.M))
    if known and not name.lower().startswith("bbob-"):
        check.known(name.lower(), known, kind="pymoo problem")
    return get_problem(name)


@final
class PygmoProblem(ForeignProblem):
    """What `from_pygmo` returns."""

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        m, equalities, p = self.n_objectives, int(self._foreign.get_nec()), self._foreign
        if not self.deterministic:
            p.set_seed(rng.seed32)
        rows = _rows(x)
        fitness = np.array([p.fitness(row) for row in rows]).reshape(len(rows), -1)
        values = self._own(fitness[:, :m])
        if not self.n_constraints:
            return Evaluation(values)
        tolerances = self._own(p.c_tol).reshape(-1)
        constraints = self._own(fitness[:, m:])
        constraints = torch.cat([constraints[:, :equalities].abs(), constraints[:, equalities:]], -1)
        return Evaluation(values, constraints - tolerances)


def from_pygmo(p: Any, *, name: str = "") -> PygmoProblem:
    """Return a pygmo problem with at least two objectives as ours.

    Violations are ``|h| - c_tol`` of its equality constraints, then ``g - c_tol`` of its inequality constraints, by
    the problem's own tolerances. Its integer part becomes integer columns. A stochastic problem is seeded anew for
    each evaluation.

    Args:
        p: A `pygmo.problem`, or a user-defined problem that pygmo accepts.
        name: What tables call the problem; pygmo's name where empty.

    Raises:
        InputError: If pygmo refuses p, or it has fewer than two objectives or infinite bounds.
    """
    pg = check.package("pygmo", extra="all")
    if not isinstance(p, pg.problem):
        try:
            p = pg.problem(p)
        except (TypeError, ValueError, NotImplementedError, AttributeError) as error:
            check.fail("p", "be a pygmo problem", f"{type(p).__name__}: {str(error).strip().splitlines()[-1]}")
    m = int(p.get_nobj())
    check.at_least(2, n_objectives=m)
    lower, upper = p.get_bounds()
    box, whole = _box(lower, upper, "p"), int(p.get_nix())
    real = box.dim - whole
    space: Space = box
    if whole:
        integers = Integers(box.lower[real:], box.upper[real:])
        space = Mixed({"real": Box(box.lower[:real], box.upper[:real]), "whole": integers}) if real else integers
    out = PygmoProblem(p, m=m, space=space, n_constraints=int(p.get_nc()), name=name or str(p.get_name()))
    out.deterministic = not p.is_stochastic()
    return out
