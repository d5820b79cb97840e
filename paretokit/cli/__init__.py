"""The command line: ``paretokit demo | list | show | solve | score | plot | bench | tune | check | new | doctor``.

Importing it imports no torch: `paretokit --help` and tab completion answer at once.
"""

from paretokit.cli._main import main

__all__ = ["main"]
