"""Conformance kits: public checks that our own tests run over the registries.

A new problem, solver, indicator or environment is tested by existing: `check_problem(MyProblem())`,
`check_solver(MySolver())`, `check_indicator(my_indicator)`, `check_environment(MyEnvironment())`. Each raises
`AssertionError` with one line that says which rule is broken.
"""

from paretokit.testing._continual import check_continual
from paretokit.testing._design import check_design
from paretokit.testing._environment import check_environment
from paretokit.testing._indicator import check_indicator
from paretokit.testing._problem import check_problem
from paretokit.testing._solver import check_solver

__all__ = ["check_continual", "check_design", "check_environment", "check_indicator", "check_problem", "check_solver"]
