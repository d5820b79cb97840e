"""Solvers of merging are tried on the small problem of the problem's own tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "problems" / "merging"))
