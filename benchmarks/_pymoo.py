"""pymoo beside paretokit: our problems as pymoo sees them, and its algorithms with the sizes of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pymoo.algorithms.moo.moead import MOEAD as PymooMOEAD
from pymoo.algorithms.moo.nsga2 import NSGA2 as PymooNSGA2
from pymoo.algorithms.moo.nsga3 import NSGA3 as PymooNSGA3
from pymoo.algorithms.moo.sms import SMSEMOA as PymooSMSEMOA
from pymoo.core.problem import Problem as PymooProblem

from paretokit import solvers
from paretokit.core import Problem, to_min
from paretokit.solvers.evolutionary._directions import directions_of

PEERS: dict[str, Callable[[Problem, int], Any]] = {
    "NSGA2": lambda problem, n: PymooNSGA2(pop_size=n),
    "NSGA3": lambda problem, n: PymooNSGA3(ref_dirs=lattice(problem), pop_size=n),
    "MOEAD": lambda problem, n: PymooMOEAD(ref_dirs=lattice(problem)),
    "SMSEMOA": lambda problem, n: PymooSMSEMOA(pop_size=n),
}


def lattice(problem: Problem) -> np.ndarray:
    """Return the reference directions that NSGA-III and MOEA/D use by default."""
    return directions_of(None, None, problem.n_objectives).numpy()


def size(problem: Problem, solver: str) -> int:
    """Return the population size of a solver on a problem: 100, or one solution a direction."""
    return len(lattice(problem)) if solver in ("NSGA3", "MOEAD") else 100


def ours(problem: Problem, solver: str, n: int) -> Any:
    """Return our solver at that size, defaults otherwise."""
    options = {"NSGA3": {}, "MOEAD": {}}.get(solver, {"pop_size": n})
    return getattr(solvers, solver)(**options)


class Wrapped(PymooProblem):
    """A real-valued paretokit problem as pymoo sees it, everything minimized."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(
            n_var=problem.space.dim,
            n_obj=problem.n_objectives,
            n_ieq_constr=problem.n_constraints,
            xl=problem.space.lower.numpy(),
            xu=problem.space.upper.numpy(),
        )

    def _evaluate(self, x: np.ndarray, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        evaluation = self.problem.evaluate(torch.from_numpy(np.ascontiguousarray(x, dtype=np.float64)))
        out["F"] = to_min(evaluation.values, self.problem.objectives).numpy()
        if evaluation.violations is not None:
            out["G"] = evaluation.violations.numpy()


def population(problem: Problem, solver: str, seed: int, generations: int) -> torch.Tensor:
    """Return the feasible values of pymoo's final population, in the user's senses."""
    from pymoo.optimize import minimize

    algorithm = PEERS[solver](problem, size(problem, solver))
    result = minimize(Wrapped(problem), algorithm, ("n_gen", generations), seed=seed, verbose=False)
    values = torch.from_numpy(result.pop.get("F").astype(np.float64))
    if problem.n_constraints:
        values = values[torch.from_numpy(result.pop.get("CV")[:, 0] <= 0)]
    return to_min(values, problem.objectives)
