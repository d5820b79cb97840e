"""Run a parsed command; what the library refuses becomes one line."""

from __future__ import annotations

import argparse
import importlib
import sys

from paretokit.cli._parser import USER_ERROR
from paretokit.core import ParetoError

HOMES = {"check": "_conformance"}
"""Modules of commands that are not called like them."""


def execute(args: argparse.Namespace) -> int:
    """Return the command's exit code; 2 where it was given something wrong."""
    home = HOMES.get(args.command, f"_{args.command}")
    try:
        code: int = importlib.import_module(f"paretokit.cli.{home}").run(args)
    except BrokenPipeError:
        raise
    except (ParetoError, OSError) as error:
        print(f"paretokit: {' '.join(str(error).split())}", file=sys.stderr)
        return USER_ERROR
    return code
