"""What every command's parser shares: one-line errors with the nearest names, and examples in its help.

It imports nothing of the package, so that `paretokit --help` answers at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction["Parser"]

USER_ERROR = 2


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, with the nearest names where a choice or an option is unknown.

    Args:
        examples: Command lines that its help shows; a test runs each of them.
        settings: What `argparse.ArgumentParser` takes.
    """

    def __init__(self, *, examples: Sequence[str] = (), **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        settings.setdefault("allow_abbrev", False)
        if examples:
            settings["epilog"] = "\n".join(["examples:", *(f"  {line}" for line in examples)])
        super().__init__(**settings)
        self.examples = tuple(examples)
        self.set_defaults(leaf=self)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return the namespace; what is left over is an error of the command that was called."""
        found, rest = self.parse_known_args(args, namespace)
        if rest:
            found.leaf.unexpected(rest)
        return found

    def unexpected(self, rest: Sequence[str]) -> NoReturn:
        """Exit with the first argument that no one takes, and the nearest option."""
        first = next((word for word in rest if word.startswith("-")), rest[0])
        name = first.partition("=")[0]
        if not first.startswith("-"):
            self.error(f"takes no further argument {first!r}")
        options = [s for action in self._actions for s in action.option_strings if s.startswith("--")]
        hint = _nearest(name, options)
        self.error(f"no option {name!r}" + (f"; {hint}" if hint else ""))

    def error(self, message: str) -> NoReturn:
        """Write the message as one line and exit with code 2."""
        print(f"{self.prog}: {message} (see `{self.prog} --help`)", file=sys.stderr)
        raise SystemExit(USER_ERROR)

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            choices = [str(c) for c in action.choices]
            hint = _nearest(str(value), choices) or f"one of {', '.join(choices)}"
            raise argparse.ArgumentError(None, f"unknown {action.metavar or action.dest} {value!r}; {hint}")


def add_command(commands: Commands, name: str, *, help: str, examples: Sequence[str]) -> Parser:  # noqa: A002 - argparse's word
    """Return the parser of a new command, whose help ends with examples."""
    made = commands.add_parser(name, help=help, description=f"{help[:1].upper()}{help[1:]}.", examples=examples)
    assert isinstance(made, Parser)
    return made


def _nearest(name: str, choices: Sequence[str]) -> str:
    from paretokit.core import _check as check

    return check.nearest(name, choices)
