"""Parse the command line and hand it to the command; every mistake is one line on stderr and exit code 2."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from paretokit.cli._commands import build_parser

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 found a fault, 2 wrong input, 130 interrupted."""
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        parser = build_parser(next((word for word in words if not word.startswith("-")), ""))
        args = parser.parse_args(words)
        if args.command is None:
            parser.print_help()
            return 0
        from paretokit.cli._execute import execute

        code = execute(args)
        sys.stdout.flush()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except KeyboardInterrupt:
        print("paretokit: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has gone; the interpreter must not complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code
