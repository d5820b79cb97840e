"""The command line: ``paretokit demo | solve | list | doctor | warm``."""

from paretokit.cli._main import main

__all__ = ["main"]
