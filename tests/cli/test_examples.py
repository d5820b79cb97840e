"""Every example that help shows is run, in the order in which it is shown."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from paretokit import indicators
from paretokit.cli import _commands, _warm, main
from paretokit.cli._commands import HOOKS, build_parser
from paretokit.cli._score import NEEDS

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"
COMMANDS = ("list", "show", "score", "plot", "check", "new", "doctor", "warm", "completion")


def examples():
    parser = build_parser()
    (action,) = (a for a in parser._actions if isinstance(a.choices, dict))
    return {name: child.examples for name, child in action.choices.items()}


def follow(lines):
    for line in lines:
        program, *argv = shlex.split(line)
        assert program == "paretokit"
        assert main(argv) == 0, line


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which the examples of `solve` have been followed, which others read."""
    made = tmp_path_factory.mktemp("examples")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        follow(examples()["solve"])
    return made


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_of_help_run(command, folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(folder)
    if command == "warm":  # one kernel instead of all, which takes minutes where none is compiled
        one = [kernel for kernel in _warm.kernels() if kernel.name.endswith("_sorting_kernels")]
        monkeypatch.setattr(_warm, "kernels", lambda objectives=(): one)
    assert examples()[command]
    follow(examples()[command])
    out = capsys.readouterr()
    assert out.out or command == "warm"
    assert "Traceback" not in out.err


@pytest.mark.slow
def test_commands_of_the_page_run(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) > 10
    follow(lines)


def test_the_page_tells_every_command_and_what_indicators_need():
    text = PAGE.read_text("utf-8")
    assert all(f"`{name}`" in text for name in (*examples(), *HOOKS))
    assert all(f"`{name}`" in text for name in indicators.score_names())
    told = {name: line for line in text.splitlines() for name in NEEDS if line.startswith("|") and f"`{name}`" in line}
    assert all(f"--{option}" in told[name] for name, options in NEEDS.items() for option in options)


@pytest.mark.slow
def test_examples_of_the_demo_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    follow(examples()["demo"])
    assert (tmp_path / "demo" / "report.html").exists()


def test_no_command_is_without_an_example():
    told = examples()
    assert set(told) >= {*COMMANDS, "demo", "solve"}
    assert all(told[name] for name in told if name not in HOOKS)


def test_commands_of_other_modules_are_found_by_their_hook(monkeypatch, capsys):
    hooks = {"absent": "a command whose module is not there", "list": "one that is there but not wanted"}
    monkeypatch.setattr(_commands, "HOOKS", hooks)
    monkeypatch.setattr(_commands, "_list", lambda commands: None)
    _commands.build_parser("solve").print_help()
    out = capsys.readouterr().out
    assert "one that is there but not wanted" in out
    assert "absent" not in out
    with pytest.raises(AttributeError, match="add_list"):
        _commands.build_parser("list")
