"""``paretokit completion``: a script that completes commands, options and names without starting Python.

Ids of problems, names of solvers and indicators are written into the script, so that a press of the key costs nothing;
write it again after an update.
"""

from __future__ import annotations

import argparse
import importlib
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from paretokit.cli._commands import build_parser

FILES = "<files>"
"""Stands for the names of files."""

BY_METAVAR = {"DIR": FILES, "FILE": FILES, "FRONT": FILES, "TARGET": FILES, "OUT": FILES}


@dataclass(frozen=True)
class Option:
    """One option of a command.

    Attributes:
        flags: Its spellings.
        help: What it means.
        values: Words that may follow it; `FILES` for files, none where anything may; None where nothing follows.
    """

    flags: tuple[str, ...]
    help: str
    values: tuple[str, ...] | None


@dataclass(frozen=True)
class Command:
    """A command, or a command of a command.

    Attributes:
        path: Its words, "" for the program itself.
        help: What it does.
        options: Its options.
        places: The words that each of its arguments may be, the last for all further ones where `more`.
        more: Whether the last argument may be repeated.
        children: Its commands.
    """

    path: str
    help: str
    options: tuple[Option, ...]
    places: tuple[tuple[str, ...], ...]
    more: bool
    children: tuple[str, ...]


def solver_names() -> tuple[str, ...]:
    """Return the names that `solvers.make` takes; none is made for it."""
    from paretokit.solvers._registry import _TABLES, NATIVE

    libraries = {library: importlib.import_module(path).ALGORITHMS for library, path in _TABLES.items()}
    return (*sorted(NATIVE), *(f"{library}.{name}" for library, table in libraries.items() for name in table))


def names() -> dict[str, tuple[str, ...]]:
    """Return the words of each metavar."""
    from paretokit import indicators
    from paretokit.cli._demo_panels import panels
    from paretokit.problems._registry import PROBLEMS
    from paretokit.problems.merging import SUITES
    from paretokit.problems.morl._table import OTHERS

    problems = (*PROBLEMS.names(), *OTHERS, *SUITES)
    solvers = solver_names()
    functions = tuple(name for name in indicators.__all__ if callable(getattr(indicators, name)))
    return {
        "PROBLEM": problems,
        "SOLVER": solvers,
        "ID": (*problems, *solvers, *functions),
        "INDICATOR": tuple(indicators.score_names()),
        "PANEL": tuple(panel.name for panel in panels()),
        **{metavar: (words,) for metavar, words in BY_METAVAR.items()},
    }


def _values(action: argparse.Action, words: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    if action.choices is not None:
        return tuple(str(choice) for choice in action.choices)
    metavar = str(action.metavar or action.dest).upper()
    return words.get(metavar) or ((FILES,) if action.type is Path else ())


def commands(
    parser: argparse.ArgumentParser, words: Mapping[str, tuple[str, ...]], path: str = ""
) -> Iterator[Command]:
    """Yield a parser's command and all below it."""
    options, places, children, more = [], [], {}, False
    lines: dict[str, str] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            children = dict(action.choices)
            lines = {str(choice.dest): str(choice.help or "") for choice in action._choices_actions}
        elif action.option_strings:
            values = None if action.nargs == 0 else _values(action, words)
            options.append(Option(tuple(action.option_strings), str(action.help or ""), values))
        else:
            places.append(_values(action, words))
            more = action.nargs in ("+", "*")
    yield Command(path, parser.description or "", tuple(options), tuple(places), more, tuple(children))
    for name, child in children.items():
        child.description = lines.get(name) or child.description
        yield from commands(child, words, f"{path} {name}".strip())


def _patterns(keys: Iterable[str]) -> str:
    return "|".join(shlex.quote(key) for key in keys)


def _walk(found: Iterable[Command]) -> tuple[str, str]:
    """Return the shell patterns of words that enter a command, and of options that a value follows."""
    every = list(found)
    enter = _patterns(f"{c.path}|{child}" for c in every for child in c.children)
    takes = _patterns(f"{c.path}|{flag}" for c in every for o in c.options if o.values is not None for flag in o.flags)
    return enter, takes


def _cases(found: Iterable[Command]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what follows, by command and option or by command and number of the argument."""
    for c in found:
        for option in c.options:
            if option.values:
                yield _patterns(f"{c.path}|{flag}" for flag in option.flags), option.values
    for c in found:
        if c.children:
            yield _patterns([f"{c.path}|0"]), c.children
        for i, values in enumerate(c.places):
            again = c.more and i == len(c.places) - 1
            yield (shlex.quote(f"{c.path}|") + "*" if again else _patterns([f"{c.path}|{i}"])), values


def _flags(found: Iterable[Command]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for c in found:
        yield shlex.quote(c.path), tuple(flag for o in c.options for flag in o.flags)


POSIX = """_paretokit_words() {{
    local at="" skip="" word n=0
    for word in "$@"; do
        if [[ -n $skip ]]; then skip=""; continue; fi
        case "$at|$word" in
            {enter}) at="${{at:+$at }}$word"; n=0 ;;
            {takes}) skip="$word" ;;
            *"|-"*) ;;
            *) n=$((n + 1)) ;;
        esac
    done
    if [[ -z $skip && $cur == -* ]]; then
        case "$at" in
{flags}
        esac
        return
    fi
    case "$at|${{skip:-$n}}" in
{cases}
    esac
}}
"""

BASH = """# Tab completion of paretokit for bash.
{posix}
_paretokit() {{
    local cur="${{COMP_WORDS[COMP_CWORD]}}" words
    words="$(_paretokit_words "${{COMP_WORDS[@]:1:COMP_CWORD-1}}")"
    COMPREPLY=()
    if [[ $words == "{files}" ]]; then
        compopt -o default 2>/dev/null
        return
    fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -F _paretokit paretokit
"""

ZSH = """#compdef paretokit
# Tab completion of paretokit for zsh.
{posix}
_paretokit() {{
    local cur="${{words[CURRENT]}}" found
    found="$(_paretokit_words "${{(@)words[2,CURRENT-1]}}")"
    if [[ $found == "{files}" ]]; then
        _files
    elif [[ -n $found ]]; then
        compadd -- ${{=found}}
    fi
}}
if [[ $funcstack[1] == _paretokit ]]; then
    _paretokit "$@"
else
    compdef _paretokit paretokit
fi
"""

FISH = """# Tab completion of paretokit for fish.
function __paretokit_at
    set -l at ""
    set -l skip ""
    set -l n 0
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if test -n "$skip"
            set skip ""
            continue
        end
        switch "$at|$word"
            case {enter}
                set at (string trim -- "$at $word")
                set n 0
            case {takes}
                set skip $word
            case '*|-*'
            case '*'
                set n (math $n + 1)
        end
    end
    switch $argv[2]
        case options
            test "$at" = "$argv[1]"
        case '*'
            string match -q -- "$argv[2]" $n; and test "$at" = "$argv[1]"
    end
end
complete -c paretokit -f
{lines}
"""


def _posix(found: list[Command]) -> str:
    enter, takes = _walk(found)
    line = "            {}) echo {} ;;"
    flags = "\n".join(line.format(key, shlex.quote(" ".join(words))) for key, words in _flags(found))
    cases = "\n".join(line.format(key, shlex.quote(" ".join(words)))[4:] for key, words in _cases(found))
    return POSIX.format(enter=enter, takes=takes, flags=flags, cases=cases)


def _fish(found: list[Command]) -> str:
    def quoted(text: str) -> str:
        return "'" + " ".join(text.split()).replace("\\", "\\\\").replace("'", "\\'") + "'"

    def line(path: str, what: str, rest: str) -> str:
        return f"complete -c paretokit -n {quoted(f'__paretokit_at {quoted(path)} {quoted(what)}')} {rest}"

    def words(values: tuple[str, ...]) -> str:
        return "-F" if FILES in values else f"-a {quoted(' '.join(values))}"

    helps = {c.path: c.help for c in found}
    lines = []
    for c in found:
        below = {child: quoted(helps[f"{c.path} {child}".strip()]) for child in c.children}
        lines += [line(c.path, "0", f"-a {child} -d {text}") for child, text in below.items()]
        for option in c.options:
            flags = " ".join(f"-l {f[2:]}" if f.startswith("--") else f"-s {f[1:]}" for f in option.flags)
            after = "" if option.values is None else f" -r {words(option.values)}" if option.values else " -x"
            lines.append(line(c.path, "options", f"{flags}{after} -d {quoted(option.help)}"))
        for i, values in enumerate(c.places):
            again = c.more and i == len(c.places) - 1
            lines.append(line(c.path, "*" if again else str(i), words(values)))
    enter = [quoted(f"{c.path}|{child}") for c in found for child in c.children]
    takes = [quoted(f"{c.path}|{f}") for c in found for o in c.options if o.values is not None for f in o.flags]
    return FISH.format(enter=" ".join(enter), takes=" ".join(takes), lines="\n".join(lines))


def script(shell: str) -> str:
    """Return the completion script of a shell: "bash", "fish" or "zsh"."""
    found = list(commands(build_parser(), names()))
    if shell == "fish":
        return _fish(found)
    return {"bash": BASH, "zsh": ZSH}[shell].format(posix=_posix(found), files=FILES)


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    print(script(args.shell), end="")
    return 0
