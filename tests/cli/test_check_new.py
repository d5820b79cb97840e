"""`new` writes what `check` passes; `check` names the broken rule of a user's own code, and the line that raised."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from paretokit import testing
from paretokit.cli import main
from paretokit.cli._conformance import rules_of
from paretokit.cli._new import names_of

OWN = '''
from dataclasses import dataclass

import torch

import paretokit as pk


@dataclass(frozen=True, kw_only=True)
class Good(pk.Problem):
    n: int = 2
    objectives = (pk.Objective("a"), pk.Objective("b", "max"))

    @property
    def space(self):
        return pk.Box(0.0, 1.0, dim=self.n)

    def _evaluate(self, x, rng):
        return pk.Evaluation(torch.stack([x.sum(-1), x.square().sum(-1)], -1))


class Batched(Good):
    """Its values depend on the batch."""

    def _evaluate(self, x, rng):
        return pk.Evaluation(torch.stack([x.sum(-1), x.sum(-1) - x.mean()], -1))


class Broken(Good):
    def _evaluate(self, x, rng):
        return 1 / 0


class Demanding(Good):
    def __init__(self, n):
        raise RuntimeError("no size fits")


class Unfinished(pk.Problem):
    objectives = (pk.Objective("a"), pk.Objective("b"))


instance = Good(n=3)
number = 3


def extent(values, *, maximize=False, mask=None):
    """Best first objective."""
    import numpy as np

    array = not isinstance(values, torch.Tensor)
    rows = torch.as_tensor(values)
    low = -rows[..., 0] if maximize is True else rows[..., 0]
    low = torch.where(torch.isnan(low), torch.inf, low)
    low = low if mask is None else torch.where(mask, low, torch.inf)
    best = low.amin(-1)
    return np.asarray(best) if array else best


def wrong_extent(values, *, maximize=False, mask=None):
    return torch.as_tensor(values)[..., 0].amin(-1)
'''


@pytest.fixture
def own(tmp_path, monkeypatch, request):
    """A folder with a module of a name of its own, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    name = f"own_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(OWN)
    yield name
    sys.modules.pop(name, None)


def run(capsys, *argv):
    code = main([str(part) for part in argv])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_new_problem_passes_at_once_and_solves(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    code, out, _ = run(capsys, "new", "problem", "FreshCan")
    assert code == 0
    assert out.startswith("wrote fresh_can.py\n")
    code, out, err = run(capsys, "check", "fresh_can:FreshCan")
    assert (code, err) == (0, "")
    assert out.startswith("fresh_can:FreshCan (problem): ok\n")
    assert "\n  values of a row do not depend on its batch\n" in out
    code, out, _ = run(capsys, "solve", "fresh_can:FreshCan", "NSGA2", "--evaluations", 300, "--json")
    assert code == 0
    assert 0 < json.loads(out)["scores"]["r2"] < 1
    code, out, _ = run(capsys, "show", "fresh_can:FreshCan", "--json")
    assert json.loads(out)["constraints"] == 1
    done = subprocess.run([sys.executable, "fresh_can.py"], capture_output=True, text=True, check=True)
    assert "NSGA2 on FreshCan" in done.stdout
    assert "radius [cm]" in done.stdout


def test_a_new_problem_is_well_formed_and_overwrites_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "steel_bridge.py"
    assert run(capsys, "new", "problem", "steel-bridge")[0] == 0
    assert "class SteelBridge(pk.Problem):" in file.read_text()
    assert "paretokit check steel_bridge:SteelBridge" in file.read_text()
    assert "@" not in file.read_text().replace("@dataclass", "")
    ruff = [sys.executable, "-m", "ruff", "format", "--check", "--line-length", "120", "--isolated", str(file)]
    subprocess.run(ruff, capture_output=True, check=True)
    file.write_text("mine")
    code, out, err = run(capsys, "new", "problem", "steel-bridge")
    assert (code, out) == (2, "")
    assert "`out` must not be there yet; got 'steel_bridge.py' (nothing is overwritten" in err
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["new", "problem", "3d"], ["`name` must be a name of letters"]),
        (["new", "problem", "a b!"], ["`name` must be a name of letters"]),
        (["new", "problem", "None"], ["`name` must be a name of letters"]),
        (["new", "problm", "Can"], ["unknown WHAT 'problm'", "'problem'"]),
        (["new", "problem", "Can", "--out", "can.txt"], ["`out` must be a Python module; got 'can.txt'"]),
        (["new", "problem", "Can", "--out", "none/can.py"], ["No such file or directory"]),
        (["check", "OWN"], ["`target` must look like module:Name"]),
        (["check", "OWN:Goood"], ["`name` must be a known name; got 'Goood'", "'Good'"]),
        (["check", "OWNX:Good"], ["`target` must name a module that can be imported", "OWN"]),
        (["check", "none.py:Good"], ["`target` must name a file that is there; got 'none.py'"]),
        (["check", "syntax.py:Good"], ["syntax.py could not be imported: SyntaxError", "(syntax.py, line 1)"]),
        (["check", "lacking:Good"], ["lacking could not be imported: ModuleNotFoundError", "(lacking.py, line 1)"]),
        (["check", "raising:Good"], ["raising could not be imported: ValueError: no (raising.py, line 2)"]),
        (["check", "OWN:Good", "--option", "m=3"], ["has no option 'm'; it takes: n"]),
        (["check", "OWN:Good", "--option", "n=no"], ["`n` must be a whole number; got 'no'"]),
        (["check", "OWN:instance", "--option", "n=3"], ["`option` must be left out for what is no class"]),
        (["check", "OWN:Demanding", "--option", "n=3"], ["could not be made: RuntimeError: no size fits"]),
        (["check", "OWN:Unfinished"], ["must define _evaluate"]),
        (["check", "OWN:number"], ["`target` must be a problem, a solver, an environment or a function; got int"]),
        (["check", "OWN:Good", "--problem", "zdt1-v1"], ["`problem` must be left out for what is no solver"]),
        (["check", "paretokit.solvers:CMORL"], ["`problem` must be given", "CMORL solves MORL problems only"]),
        (["solve", "OWN:number", "NSGA2"], ["`problem` must be a Problem; got int"]),
        (["solve", "OWN:Good", "OWN:Good"], ["`solver` must be a Solver; got Good"]),
    ],
    ids=lambda part: " ".join(part)[:50],
)
def test_a_mistake_is_one_line_and_code_2(capsys, own, tmp_path, argv, words):
    (tmp_path / "syntax.py").write_text("def (\n")
    (tmp_path / "lacking.py").write_text("import no_such_module_here\n")
    (tmp_path / "raising.py").write_text("\nraise ValueError('no')\n")
    code, out, err = run(capsys, *(part.replace("OWN", own) for part in argv))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    for word in words:
        assert word.replace("OWN", own) in err


def test_classes_instances_and_files_are_checked(capsys, own, tmp_path):
    for target in (f"{own}:Good", f"{own}:instance", f"{own}.py:Good", f"{tmp_path / own}.py:Good"):
        assert run(capsys, "check", target)[0] == 0
    assert run(capsys, "check", f"{own}:Good", "--option", "n=5")[0] == 0
    assert run(capsys, "check", f"{own}:extent")[0] == 0


def test_a_broken_rule_is_named_with_code_1(capsys, own):
    code, out, err = run(capsys, "check", f"{own}:Batched")
    assert (code, err) == (1, "")
    assert out.startswith(f"{own}:Batched (problem): FAULT\n")
    assert "check_problem: FAULT: Batched: a row's values do not depend on its batch" in out
    code, out, _ = run(capsys, "check", f"{own}:wrong_extent", "--json")
    told = json.loads(out)
    assert code == 1
    assert not told["holds"]
    assert told["kits"][0]["fault"].startswith("wrong_extent: ")


def test_an_error_of_users_code_is_told_with_its_line(capsys, own, tmp_path):
    code, out, _ = run(capsys, "check", f"{own}:Broken")
    line = 1 + (tmp_path / f"{own}.py").read_text().splitlines().index("        return 1 / 0")
    assert code == 1
    assert f"check_problem: FAULT: ZeroDivisionError: division by zero ({own}.py, line {line})" in out


def test_solvers_environments_and_designs_have_their_kits(capsys):
    code, out, _ = run(capsys, "check", "paretokit.solvers:NSGA2", "--option", "pop_size=8", "--json")
    assert code == 0
    assert [kit["kit"] for kit in json.loads(out)["kits"]] == ["check_solver"]
    code, out, _ = run(capsys, "check", "paretokit.problems:HyperGrid", "--option", "side=5", "--json")
    assert code == 0
    assert [kit["kit"] for kit in json.loads(out)["kits"]] == ["check_problem", "check_design"]
    code, out, _ = run(capsys, "check", "paretokit.problems.morl._deep_sea_treasure:DeepSeaTreasure", "--json")
    assert code == 0
    assert json.loads(out)["kind"] == "environment"


@pytest.mark.parametrize("name", testing.__all__)
def test_every_kit_says_what_it_checks(name):
    rules = rules_of(getattr(testing, name))
    assert len(rules) >= 4
    assert all("\n" not in rule and rule for rule in rules)


def test_names_of_classes_and_modules():
    assert names_of("Bridge") == ("Bridge", "bridge")
    assert names_of("SteelBridge2") == ("SteelBridge2", "steel_bridge2")
    assert names_of("steel_bridge") == ("SteelBridge", "steel_bridge")
    assert names_of("Class") == ("Class", "class_problem")
