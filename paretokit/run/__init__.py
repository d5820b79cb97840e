"""Running solvers: budgets, the one loop, history, checkpoints, results."""

from paretokit.run._archive import Archive
from paretokit.run._budget import Budget
from paretokit.run._checkpoint import Checkpoint
from paretokit.run._loop import Callback, Moment
from paretokit.run._result import Result
from paretokit.run._session import Session
from paretokit.run._solve import solve, solve_many
from paretokit.run._storage import load_front, save_front

__all__ = [
    "Archive",
    "Budget",
    "Callback",
    "Checkpoint",
    "Moment",
    "Result",
    "Session",
    "load_front",
    "save_front",
    "solve",
    "solve_many",
]
