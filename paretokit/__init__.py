"""Multi-objective optimization and Pareto analysis on PyTorch.

A `Problem` says what is traded off, a `Solver` searches it, a `Front` is what they agree on, and the indicators say
how good it is:

    import paretokit as pk

    problem = pk.problems.DTLZ2(n_objectives=3)
    result = pk.solve(problem, pk.solvers.NSGA3(), budget=pk.Budget(evaluations=20_000), seed=0)
    choice = result.front.pick(preference=[0.2, 0.3, 0.5])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from paretokit._version import __version__

if TYPE_CHECKING:
    from paretokit import decision, indicators, plots, problems, scalarization, solvers, testing
    from paretokit.bench import compare
    from paretokit.core import (
        Binary,
        Box,
        Categorical,
        CheckpointError,
        Choice,
        Evaluation,
        EvaluationError,
        EvaluationProtocol,
        Front,
        InputError,
        Integers,
        LogRange,
        Measurement,
        MissingPackageError,
        Mixed,
        Objective,
        Parameters,
        ParetoError,
        ParetoWarning,
        Problem,
        ProtocolError,
        Range,
        Rng,
        Scoring,
        Sequences,
        ShapeError,
        Solver,
        UnknownNameError,
        UnsupportedProblemError,
        View,
    )
    from paretokit.run import Archive, Budget, Checkpoint, Moment, Result, Session, solve, solve_many
    from paretokit.tuning import tune

_ROOMS = ("decision", "indicators", "plots", "problems", "scalarization", "solvers", "testing")
_INNER = ("bench", "core", "nn", "run", "tuning")
_RUN = ("Archive", "Budget", "Checkpoint", "Moment", "Result", "Session", "solve", "solve_many")

__all__ = [
    "Archive",
    "Binary",
    "Box",
    "Budget",
    "Categorical",
    "Checkpoint",
    "CheckpointError",
    "Choice",
    "Evaluation",
    "EvaluationError",
    "EvaluationProtocol",
    "Front",
    "InputError",
    "Integers",
    "LogRange",
    "Measurement",
    "MissingPackageError",
    "Mixed",
    "Moment",
    "Objective",
    "Parameters",
    "ParetoError",
    "ParetoWarning",
    "Problem",
    "ProtocolError",
    "Range",
    "Result",
    "Rng",
    "Scoring",
    "Sequences",
    "Session",
    "ShapeError",
    "Solver",
    "UnknownNameError",
    "UnsupportedProblemError",
    "View",
    "__version__",
    "compare",
    "decision",
    "indicators",
    "plots",
    "problems",
    "scalarization",
    "solve",
    "solve_many",
    "solvers",
    "testing",
    "tune",
]


def __getattr__(name: str) -> Any:
    """Import a room when it is first entered, and a name's room when it is first used.

    So `paretokit --help` answers without torch.
    """
    if name in _ROOMS or name in _INNER:
        return importlib.import_module(f"paretokit.{name}")
    if name not in __all__:
        raise AttributeError(f"module 'paretokit' has no attribute {name!r}")
    room = {"compare": "bench", "tune": "tuning"}.get(name) or ("run" if name in _RUN else "core")
    return getattr(importlib.import_module(f"paretokit.{room}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
