"""The floor of the house: objectives, spaces, problems, fronts, the solvers' contract, randomness, checks.

Imports nothing from the floors above.
"""

from paretokit.core._dominance import non_dominated, pareto_rank, total_violation
from paretokit.core._errors import (
    CheckpointError,
    EvaluationError,
    InputError,
    MissingPackageError,
    ParetoError,
    ParetoWarning,
    ProtocolError,
    ShapeError,
    UnknownNameError,
    UnsupportedProblemError,
)
from paretokit.core._evaluation import Evaluation
from paretokit.core._front import Front, Solution
from paretokit.core._objective import Objective, Sense, maximize_of, objectives_of, to_min, to_min_or_inf
from paretokit.core._parameters import Parameters
from paretokit.core._problem import Problem
from paretokit.core._protocol import EvaluationProtocol, Measurement, Scoring, same_measurement
from paretokit.core._registry import Registry, option_names
from paretokit.core._relations import crowding_distance, dominates, epsilon_non_dominated
from paretokit.core._rng import Lanes, Rng
from paretokit.core._search import Choice, LogRange, Range, SearchSpace
from paretokit.core._serial import transient
from paretokit.core._solver import AskTell, Conditioned, Cost, Sampler, Solver, StackedSolver
from paretokit.core._space import Binary, Box, Categorical, Integers, Mixed, Sequences, Space
from paretokit.core._view import View

__all__ = [
    "AskTell",
    "Binary",
    "Box",
    "Categorical",
    "CheckpointError",
    "Choice",
    "Conditioned",
    "Cost",
    "Evaluation",
    "EvaluationError",
    "EvaluationProtocol",
    "Front",
    "InputError",
    "Integers",
    "Lanes",
    "LogRange",
    "Measurement",
    "MissingPackageError",
    "Mixed",
    "Objective",
    "Parameters",
    "ParetoError",
    "ParetoWarning",
    "Problem",
    "ProtocolError",
    "Range",
    "Registry",
    "Rng",
    "Sampler",
    "Scoring",
    "SearchSpace",
    "Sense",
    "Sequences",
    "ShapeError",
    "Solution",
    "Solver",
    "Space",
    "StackedSolver",
    "UnknownNameError",
    "UnsupportedProblemError",
    "View",
    "crowding_distance",
    "dominates",
    "epsilon_non_dominated",
    "maximize_of",
    "non_dominated",
    "objectives_of",
    "option_names",
    "pareto_rank",
    "same_measurement",
    "to_min",
    "to_min_or_inf",
    "total_violation",
    "transient",
]
