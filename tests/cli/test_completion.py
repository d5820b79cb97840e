"""Tab completion in the shells themselves: bash always, zsh and fish where they are installed."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from paretokit.cli import main
from paretokit.cli._commands import SHELLS
from paretokit.cli._completion import commands, names
from paretokit.cli._parser import Parser

HARNESS = {
    "bash": """source ./script
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { echo FILES; }; _paretokit; printf '%s\\n' "${COMPREPLY[@]}"
""",
    "zsh": """compdef() { :; }; _files() { print FILES; }
compadd() { shift; local word; for word in "$@"; do [[ $word == $words[CURRENT]* ]] && print -r -- $word; done; true; }
source ./script; words=("$@"); CURRENT=$#; _paretokit
""",
    "fish": """source ./script; complete -C "$argv" | string replace -r '\\t.*' ''
""",
}

ASKED = [
    ("", {"demo", "list", "show", "solve", "score", "plot", "check", "new", "doctor", "warm", "completion"}, False),
    ("so", {"solve"}, False),
    ("list so", {"solvers"}, False),
    ("list problems --front ", {"exact", "convex", "approximate", "unknown"}, True),
    ("solve zdt", {f"zdt{i}-v1" for i in range(1, 7)}, False),
    ("solve zdt1-v1 NSG", {"NSGA2", "NSGA3"}, True),
    ("solve --seed 3 zdt1-v1 pymoo.RV", {"pymoo.RVEA"}, True),
    ("solve zdt1-v1 NSGA2 --ev", {"--evaluations"}, True),
    ("score a.csv --indicator igd", {"igd", "igd_plus"}, True),
    ("plot a.csv --kind ra", {"radar"}, True),
    ("show hypervolume_a", {"hypervolume_approx"}, False),
    ("demo --only dtlz", {"dtlz2"}, True),
]


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """A folder of each shell with its script and a harness that completes the last of some words."""
    from paretokit.cli._completion import script

    made = {}
    for shell in SHELLS:
        made[shell] = tmp_path_factory.mktemp(shell)
        (made[shell] / "script").write_text(script(shell))
        (made[shell] / "ask").write_text(HARNESS[shell])
    return made


def complete(shell, folder, text):
    words = [f"paretokit {text}"] if shell == "fish" else ["paretokit", *text.split(" ")]
    plain = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [shell, *plain, "ask", *words], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    return {line for line in done.stdout.splitlines() if line}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("text", "wanted", "exact"), ASKED, ids=[text or "nothing" for text, _, _ in ASKED])
def test_words_are_completed(scripts, shell, text, wanted, exact):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    found = complete(shell, scripts[shell], text) - {"ask", "script"}  # fish offers files behind an option's value
    assert wanted <= found
    assert not exact or found == wanted


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("text", ["plot ", "plot a.csv ", "solve --out ", "score a.csv --reference-set ", "check "])
def test_files_are_completed(scripts, shell, text):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    assert {"script", "FILES"} & complete(shell, scripts[shell], text)


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_are_printed_and_parsed(capsys, scripts, shell):
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == (scripts[shell] / "script").read_text()
    if shutil.which(shell):
        subprocess.run([shell, "-n", "script"], cwd=scripts[shell], capture_output=True, check=True)


def test_commands_below_commands_are_told():
    parser = Parser(prog="paretokit")
    below = parser.add_subparsers(parser_class=Parser)
    bench = below.add_parser("bench", help="many runs").add_subparsers(parser_class=Parser)
    run = bench.add_parser("run", help="run a suite")
    run.add_argument("suite", metavar="FILE")
    run.add_argument("--backend", choices=("loky", "dask"))
    found = {command.path: command for command in commands(parser, names())}
    assert found[""].children == ("bench",)
    assert found["bench"].children == ("run",)
    assert found["bench"].help == "many runs"
    assert found["bench run"].places == (("<files>",),)
    assert found["bench run"].options[-1].values == ("loky", "dask")
