"""The table from problem ids to classes; nothing is imported until an id is made."""

from __future__ import annotations

from collections.abc import Mapping

from paretokit.core import Registry
from paretokit.problems.engineering import ENGINEERING
from paretokit.problems.synthetic import SYNTHETIC


def merged(*tables: Mapping[str, str]) -> dict[str, str]:
    """Return all tables in one."""
    return {key: path for table in tables for key, path in table.items()}


PROBLEMS = Registry("problem", merged(SYNTHETIC, ENGINEERING))
