"""Hyper-parameters of solvers, tuned on some seeds and tested on others."""

from paretokit.tuning._tune import tune
from paretokit.tuning._tuning import Tested, Trial, Tuning

__all__ = ["Tested", "Trial", "Tuning", "tune"]
