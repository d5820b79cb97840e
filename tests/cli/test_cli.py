"""The command line: what it prints, what it writes, and one line for every mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import paretokit as pk
from paretokit.cli import main
from paretokit.cli._options import as_json, parse_numbers, parse_options
from paretokit.cli._text import number, table


def run(capsys, *argv):
    code = main([str(part) for part in argv])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_package_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "paretokit", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"paretokit {pk.__version__}\n"


def test_commas_make_a_list():
    assert parse_options(["objectives=currin, shubert"]) == {"objectives": ["currin", "shubert"]}
    assert parse_options(["alphabet='A,C'"]) == {"alphabet": "A,C"}
    assert parse_options(["sizes=3,4"]) == {"sizes": (3, 4)}


def test_a_run_that_takes_the_place_of_another_says_so(capsys, tmp_path):
    argv = ("solve", "hypergrid-v1", "NSGA2", "--evaluations", "100", "--out", tmp_path / "runs")
    argv += ("--problem-option", "objectives=currin,shubert", "--problem-option", "side=5")
    _, out, _ = run(capsys, *argv)
    assert "in place of" not in out
    assert "IGD+         " in out
    assert "(to the exact front)" in out
    _, out, _ = run(capsys, *argv)
    assert out.rstrip().endswith("in place of an earlier run")


def test_version_and_help(capsys):
    assert run(capsys, "--version") == (0, f"paretokit {pk.__version__}\n", "")
    code, out, _ = run(capsys)
    assert code == 0
    assert all(command in out for command in ("demo", "list", "solve", "doctor", "warm"))


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["frobnicate"], ["unknown COMMAND 'frobnicate'"]),
        (["solv", "a", "b"], ["did you mean 'solve'"]),
        (["list", "problem"], ["did you mean 'problems'"]),
        (["list"], ["WHAT"]),
        (["solve", "dtlz2-v1"], ["SOLVER"]),
        (["solve", "dtlz22-v1", "NSGA2"], ["`problem` must be a known name", "dtlz2-v1"]),
        (["solve", "zdt1-v1", "NSGA4"], ["`solver` must be a known name", "NSGA2"]),
        (["solve", "zdt1-v1", "NSGA2", "--option", "popsize=4"], ["no option 'popsize'", "pop_size"]),
        (["solve", "zdt1-v1", "NSGA2", "--option", "pop_size"], ["`option` must look like name=value"]),
        (["solve", "zdt1-v1", "NSGA2", "--option", "pop_size=1"], ["`pop_size` must"]),
        (["solve", "zdt1-v1", "NSGA2", "--problem-option", "variables=3"], ["no option 'variables'"]),
        (["solve", "zdt1-v1", "NSGA2", "--evaluations", "0"], ["`evaluations` must be positive; got 0"]),
        (["solve", "zdt1-v1", "NSGA2", "--evaluations", "many"], ["invalid int value"]),
        (["solve", "zdt1-v1", "NSGA2", "--preference", "a,b"], ["`preference` must be numbers"]),
        (["solve", "cre23-v1", "pygmo.nsga2", "--evaluations", "40"], ["pygmo.nsga2 cannot solve cre23-v1"]),
        (["demo", "--only", "dtlz3"], ["`panel` must be a known name", "dtlz2"]),
        (["solve", "zdt1-v1", "NSGA2", "--evaluatoins", "3"], ["no option '--evaluatoins'", "'--evaluations'"]),
        (["solve", "zdt1-v1", "NSGA2", "--eval", "3"], ["no option '--eval'", "'--evaluations'"]),
        (["solve", "zdt1-v1", "NSGA2", "MOEAD"], ["takes no further argument 'MOEAD'"]),
        (["solve", "zdt1-v1", "NSGA2", "--seconds", "0"], ["`seconds` must be positive; got 0"]),
        (["solve", "zdt1-v1", "no_module:Solver"], ["`target` must name a module that can be imported"]),
        (["completion", "fsh"], ["unknown SHELL 'fsh'", "did you mean 'fish'"]),
        (["demo", "--seconds", "0"], ["`seconds` must be positive"]),
        (["warm", "--objectives", "1"], ["`objectives` must lie between 2 and 20; got 1"]),
    ],
)
def test_a_mistake_is_one_line_and_code_2(capsys, tmp_path, monkeypatch, argv, words):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *argv)
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err
    for word in words:
        assert word in err


def test_a_folder_that_cannot_be_written_is_one_line(capsys, tmp_path):
    (tmp_path / "file").write_text("in the way")
    code, _, err = run(capsys, "solve", "zdt1-v1", "NSGA2", "--out", tmp_path / "file" / "below")
    assert code == 2
    assert err.startswith("paretokit: ")
    assert err.count("\n") == 1


def test_solve_writes_result_table_and_picture(capsys, tmp_path):
    out = tmp_path / "run"
    argv = ["solve", "re21-v1", "NSGA2", "--evaluations", 400, "--seed", 3, "--option", "pop_size=20"]
    code, text, err = run(capsys, *argv, "--preference", "0.5,0.5", "--out", out)
    assert (code, err) == (0, "")
    assert "NSGA2 on re21-v1: 20 points (budget, seed 3)" in text
    assert "joint displacement" in text
    assert "bar 1 section" in text
    assert (out / "front.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    loaded = pk.Result.load(out / "result")
    again = pk.solve(
        pk.problems.make("re21-v1"), pk.solvers.NSGA2(pop_size=20), budget=pk.Budget(evaluations=400), seed=3
    )
    assert torch.equal(loaded.front.values, again.front.values)
    names = ["structural volume", "joint displacement"]
    from_csv = pk.Front.from_csv(out / "front.csv", objectives=names, decisions=["x1", "x2", "x3", "x4"])
    assert torch.allclose(from_csv.values, again.front.values, rtol=1e-12)


def test_solve_passes_problem_options_and_draws_many_objectives(capsys, tmp_path):
    argv = ["solve", "dtlz2-v1", "NSGA3", "--evaluations", 300, "--problem-option", "n_objectives=4"]
    code, text, _ = run(capsys, *argv, "--out", tmp_path)
    assert code == 0
    assert "NSGA3 on dtlz2-v1" in text
    assert (tmp_path / "front.png").stat().st_size > 10_000
    assert pk.Result.load(tmp_path / "result").front.values.shape[1] == 4


def test_solve_resumes_from_a_checkpoint(capsys, tmp_path):
    argv = ["solve", "zdt1-v1", "NSGA2", "--option", "pop_size=20", "--checkpoint", tmp_path / "kept"]
    assert run(capsys, *argv, "--evaluations", 200, "--out", tmp_path / "a")[0] == 0
    assert run(capsys, *argv, "--evaluations", 400, "--out", tmp_path / "b")[0] == 0
    whole = pk.solve(
        pk.problems.make("zdt1-v1"), pk.solvers.NSGA2(pop_size=20), budget=pk.Budget(evaluations=400), seed=0
    )
    assert torch.equal(pk.Result.load(tmp_path / "b" / "result").front.values, whole.front.values)


def test_list_shows_every_name(capsys):
    _, problems, _ = run(capsys, "list", "problems")
    listed = [line.split()[0] for line in problems.splitlines()[2:]]
    assert listed == pk.problems.list()
    _, solvers, _ = run(capsys, "list", "solvers")
    assert all(f"\n{name} " in solvers for name in pk.solvers.list().names())
    assert "excluded" in solvers
    _, indicators, _ = run(capsys, "list", "indicators")
    assert "hypervolume " in indicators
    assert "igd_plus " in indicators


def test_a_reader_that_goes_away_is_no_error():
    command = f"{sys.executable} -m paretokit.cli list indicators | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.startswith("indicator")
    assert done.returncode == 0


def test_options_are_literals_or_text():
    pairs = ["pop_size=50", "eta=15.0", "rule=pbi", "partitions=(3, 2)", "both=True", "empty="]
    wanted = {"pop_size": 50, "eta": 15.0, "rule": "pbi", "partitions": (3, 2), "both": True, "empty": ""}
    assert parse_options(pairs) == wanted
    with pytest.raises(pk.InputError, match="`option` must be given once; got 'a'"):
        parse_options(["a=1", "a=2"])
    with pytest.raises(pk.InputError, match="name=value"):
        parse_options(["two words=1"])
    assert parse_numbers("0.25, 0.75", "preference") == [0.25, 0.75]


def test_json_holds_no_number_that_parsers_refuse():
    assert json.loads(as_json({"a": [float("nan"), float("inf"), 1.5], "b": (True, None), "c": torch.float64})) == {
        "a": [None, None, 1.5],
        "b": [True, None],
        "c": "torch.float64",
    }


def test_solve_prints_json_and_takes_other_limits(capsys, tmp_path):
    argv = ["solve", "re21-v1", "NSGA2", "--option", "pop_size=10", "--iterations", 3, "--out", tmp_path]
    code, out, err = run(capsys, *argv, "--preference", "1,0", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    wanted = pk.solve(
        pk.problems.make("re21-v1"), pk.solvers.NSGA2(pop_size=10), budget=pk.Budget(iterations=3), seed=0
    )
    assert told["scores"] == wanted.scores
    assert told["cost"]["evaluations"] == 30
    assert told["choice"]["values"]["structural volume"] == float(wanted.front.values[:, 0].min())
    assert all(Path(file).exists() for file in told["written"])


def test_help_and_version_import_no_torch():
    for argv in ([], ["--version"], ["solve", "--help"]):
        code = f"import sys; from paretokit.cli import main; main({argv!r}); sys.exit('torch' in sys.modules)"
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


def test_every_command_has_help_with_examples_and_codes_are_told(capsys):
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert "exit codes:" in out
    assert all(f"\n  {number}  " in out for number in (0, 1, 2, 130))
    for name in ("demo", "list", "show", "solve", "score", "plot", "check", "new", "doctor", "warm", "completion"):
        code, out, _ = run(capsys, name, "--help")
        assert code == 0
        assert "examples:\n  paretokit " in out


def test_interrupting_is_one_line_and_code_130(capsys, monkeypatch):
    def stop(args):
        raise KeyboardInterrupt

    monkeypatch.setattr("paretokit.cli._list.run", stop)
    assert run(capsys, "list", "indicators") == (130, "", "paretokit: interrupted\n")


def test_a_failed_run_is_code_1(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    text = """
import torch
import paretokit as pk

class Nothing(pk.Problem):
    objectives = (pk.Objective("a"), pk.Objective("b"))
    space = pk.Box(0.0, 1.0, dim=2)

    def _evaluate(self, x, rng):
        return pk.Evaluation(torch.full_like(x, torch.nan))
"""
    (tmp_path / "nothing_works.py").write_text(text)
    code, out, _ = run(capsys, "solve", "nothing_works:Nothing", "NSGA2", "--evaluations", 200, "--json")
    assert code == 1
    assert json.loads(out)["status"] == "failed"
    assert json.loads(out)["points"] == 0


def test_tables_are_padded_and_numbers_short():
    text = table(["name", "n"], [["a", "1"], ["longer", "100"]], right=[False, True])
    assert text.splitlines() == ["name      n", "──────  ───", "a         1", "longer  100"]
    assert [number(v) for v in (None, float("nan"), 0.123456, 1234567.0)] == ["–", "–", "0.1235", "1.235e+06"]
