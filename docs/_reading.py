"""What Sphinx reads: tutorials as pages, public names of a room, docstrings of plain text."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
NAMES = re.compile(r"<!-- names of ([\w.]+) -->")
BLOCKS = {
    "section": re.compile(
        "^(Args|Attributes|Cost|Deviations|Example|Examples|Note|Raises|References|Returns|Source|Sources|Warns|Yields):$"
    ),
    "directive": re.compile(r"^\.\. "),
    "table": re.compile("^=+ =+"),
    "item": re.compile(r"^([-*]|\d+\.) "),
}
ASIDE = re.compile(r"(``.+?``|`[^`]+`|^\s*\* )", re.MULTILINE | re.DOTALL)  # what escaping leaves alone
LINK = re.compile(r"\[([^\]]+)\]\(\.\./(?:docs/([\w-]+)\.md|(tutorials/\w+)\.py)\)")


def page(_app: Any, docname: str, source: list[str]) -> None:
    """Turn a tutorial into Markdown, fill in names of rooms, lead links out of docs/ to where they lie."""
    text = markdown(source[0]) if docname.startswith("tutorials/") else source[0]
    text = LINK.sub(lambda found: f"{{doc}}`{found[1].replace('`', '')} </{found[2] or found[3]}>`", text)
    source[0] = NAMES.sub(lambda found: names(found[1]), text)


def markdown(script: str) -> str:
    """Return a script in jupytext's percent format as Markdown: prose as it is, cells of code fenced."""
    pages = []
    for cell in re.split(r"^# %%", script, flags=re.MULTILINE)[1:]:
        head, _, body = cell.partition("\n")
        if "[markdown]" in head:
            pages.append(re.sub(r"^# ?", "", body.strip(), flags=re.MULTILINE))
        elif body.strip():
            pages.append(f"```python\n{body.strip()}\n```")
    return "\n\n".join(pages) + "\n"


def names(room: str) -> str:
    """Return directives that document the public names of a room, those aside that the room above it has."""
    module = importlib.import_module(room)
    above = room.rpartition(".")[0]
    known = set(importlib.import_module(above).__all__) if above not in ("", "paretokit") else set()
    lines = ["```{eval-rst}"]
    for name in module.__all__:
        found = getattr(module, name)
        if name in known or inspect.ismodule(found) or name.startswith("__"):
            continue
        kind = "class" if inspect.isclass(found) else "function" if callable(found) else "data"
        lines += [f".. auto{kind}:: {room}.{name}", *(["   :members:"] if kind == "class" else []), ""]
    return "\n".join([*lines, "```"])


def docstring(_app: Any, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Write plain text as reStructuredText, in place: prose is escaped, what is indented stands as it is."""
    lines[:] = restructured(lines)


def restructured(lines: list[str]) -> list[str]:
    """Return a docstring's lines with prose escaped and indented formulas and code as literal blocks.

    Google's sections (`Args:` and so on) keep their form: in them only prose is escaped. Directives stand as they are.
    """
    out: list[str] = []
    prose: list[str] = []  # lines of one paragraph: backquotes may span them
    block = "prose"  # what lines that are indented belong to
    for line in [*lines, ""]:
        if line.strip() and not line.startswith(" "):
            block = "table" if block == "table" else next((k for k, of in BLOCKS.items() if of.match(line)), "prose")
        elif line.strip() and block == "prose":
            out += [*escaped(prose), "", "::", ""]
            prose, block = [], "literal"
        if line.strip() and block in ("prose", "item", "section") and not BLOCKS["section"].match(line):
            prose.append(line)
        else:
            out += [*escaped(prose), line]
            prose, block = [], "prose" if block == "table" and not line.strip() else block
    return out


def escaped(lines: list[str]) -> list[str]:
    """Return lines with what reStructuredText would read as markup escaped, outside of backquotes."""
    parts = ASIDE.split("\n".join(lines))
    parts[::2] = [re.sub(r"([*|\\]|_(?=\W|$))", r"\\\1", part) for part in parts[::2]]
    parts[2::2] = [re.sub(r"^(?=\w)", r"\\ ", part) for part in parts[2::2]]  # the s of `Objective`s
    return "".join(parts).split("\n") if lines else []
