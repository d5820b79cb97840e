"""``paretokit tune``: ranges as a command line writes them, what it writes, and a line for each mistake."""

from __future__ import annotations

import json

import pytest

from paretokit.cli import main
from paretokit.cli._tune import parse_ranges
from paretokit.core import Choice, InputError, LogRange, Range
from paretokit.tuning import Tuning

CALL = ("tune", "zdt1-v1", "NSGA2", "--problem-option", "n_variables=4", "--option", "pop_size=8")


def test_ranges_are_intervals_or_choices():
    space = parse_ranges(["lr=1e-4:1e-2:log", "n=2:8", "rule=a,b", "flag=True,False"])
    assert space == {
        "lr": LogRange(1e-4, 1e-2),
        "n": Range(2, 8),
        "rule": Choice(("a", "b")),
        "flag": Choice((True, False)),
    }
    assert parse_ranges([]) is None


@pytest.mark.parametrize(
    ("pairs", "line"),
    [
        (["lr"], "`range` must look like name=low:high or name=a,b; got 'lr'"),
        (["lr=1:2:lin"], "`range` must look like low:high or low:high:log; got '1:2:lin'"),
        (["n=1:2", "n=1:3"], "`range` must be given once; got 'n'"),
        (["n=a:b"], "`low` must be a number; got 'a'"),
    ],
)
def test_bad_ranges(pairs, line):
    with pytest.raises(InputError) as error:
        parse_ranges(pairs)
    assert str(error.value).startswith(line)


def test_it_writes_what_it_found_and_goes_on(capsys, tmp_path):
    call = [*CALL, "--evaluations", "40", "--seeds", "1", "--test-seeds", "2", "--out", str(tmp_path / "out"), "--json"]
    assert main([*call, "--trials", "2"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["trials"] == 2
    assert facts["report"][0]["seeds"] == 2
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert names == {"report.csv", "trials.csv", "tuning.json", "tuning.sqlite3"}
    first = Tuning.load(tmp_path / "out" / "tuning.json")
    assert main([*call, "--trials", "3"]) == 0
    second = Tuning.load(tmp_path / "out" / "tuning.json")
    assert second.records[:2] == first.records


def test_a_budget_is_asked_for(capsys):
    assert main(list(CALL)) == 2
    assert capsys.readouterr().err == (
        "paretokit: `budget` must be given; got None (--evaluations, --iterations or --work, of each run)\n"
    )
