"""pymoo beside paretokit: our problems as pymoo sees them, and its algorithms with the sizes of ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from pymoo.algorithms.moo import moead, nsga2, nsga3, sms
from pymoo.core.problem import Problem as PymooProblem

from paretokit import solvers
from paretokit.core import Problem, Rng, to_min
from paretokit.solvers.evolutionary._directions import directions_of

SOLVERS = ("NSGA2", "NSGA3", "MOEAD", "SMSEMOA")


def peer(problem: Problem, solver: str) -> Any:
    """Return pymoo's algorithm at our population size, defaults otherwise."""
    if solver == "NSGA3":
        return nsga3.NSGA3(ref_dirs=lattice(problem))
    if solver == "MOEAD":
        return moead.MOEAD(ref_dirs=lattice(problem))
    return nsga2.NSGA2(pop_size=100) if solver == "NSGA2" else sms.SMSEMOA(pop_size=100)


def lattice(problem: Problem) -> np.ndarray:
    """Return the reference directions that NSGA-III and MOEA/D use by default."""
    return directions_of(None, None, problem.n_objectives).numpy()


def size(problem: Problem, solver: str) -> int:
    """Return the population size of a solver on a problem: 100, or one solution a direction."""
    return len(lattice(problem)) if solver in ("NSGA3", "MOEAD") else 100


def ours(solver: str) -> Any:
    """Return our solver, defaults throughout."""
    return getattr(solvers, solver)()


class Wrapped(PymooProblem):
    """A real-valued paretokit problem as pymoo sees it, everything minimized.

    It calls the formula without the checks of `evaluate`, which would add a tenth to pymoo's MOEA/D: that one asks for
    a row at a time.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.rng = Rng.from_seed(0)
        super().__init__(
            n_var=problem.space.dim,
            n_obj=problem.n_objectives,
            n_ieq_constr=problem.n_constraints,
            xl=problem.space.lower.numpy(),
            xu=problem.space.upper.numpy(),
        )

    def _evaluate(self, x: np.ndarray, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        rows = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float64))
        evaluation = self.problem._evaluate(rows, self.rng)
        out["F"] = to_min(evaluation.values, self.problem.objectives).numpy()
        if evaluation.violations is not None:
            out["G"] = evaluation.violations.numpy()


def population(problem: Problem, solver: str, seed: int, generations: int) -> torch.Tensor:
    """Return the feasible values of pymoo's final population, in the user's senses."""
    from pymoo.optimize import minimize

    algorithm = peer(problem, solver)
    result = minimize(Wrapped(problem), algorithm, ("n_gen", generations), seed=seed, verbose=False)
    values = torch.from_numpy(result.pop.get("F").astype(np.float64))
    if problem.n_constraints:
        values = values[torch.from_numpy(result.pop.get("CV")[:, 0] <= 0)]
    return to_min(values, problem.objectives)
