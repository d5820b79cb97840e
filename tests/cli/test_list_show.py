"""`list` filters, `show` tells what there is to know; both as text and as JSON."""

from __future__ import annotations

import json

import pytest

import paretokit as pk
from paretokit.cli import main


def run(capsys, *argv):
    code = main([str(part) for part in argv])
    out, err = capsys.readouterr()
    return code, out, err


def told(capsys, *argv):
    code, out, err = run(capsys, *argv, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_problems_are_filtered(capsys):
    found = told(capsys, "list", "problems", "--match", "DTLZ", "--objectives", 3, "--front", "exact")
    assert {row["id"] for row in found} >= {"dtlz1-v1", "dtlz2-v1"}
    assert all("dtlz" in row["id"] and len(row["objectives"]) == 3 and row["front"] == "exact" for row in found)
    constrained = told(capsys, "list", "problems", "--match", "dtlz", "--constrained")
    assert constrained
    assert all(row["constraints"] > 0 for row in constrained)
    found = told(capsys, "list", "problems", "--match", "treasure", "--world", "morl", "--front", "convex")
    assert [row["id"] for row in found] == [i for i in pk.problems.list() if "treasure" in i and row_kind(i)]
    assert run(capsys, "list", "problems", "--match", "zdt", "--objectives", 9) == (0, "no problems match\n", "")


def row_kind(name):
    return pk.problems.make(name).front_kind == "exact convex coverage set"


def test_a_problem_without_its_package_is_told_and_left_out(capsys, monkeypatch):
    from paretokit.problems import _registry

    make = _registry.make

    def lacking(name):
        if name == "zdt2-v1":
            raise pk.MissingPackageError("package 'x' is needed here")
        return make(name)

    monkeypatch.setattr(_registry, "make", lacking)
    code, out, _ = run(capsys, "list", "problems", "--match", "zdt")
    assert code == 0
    assert "zdt2-v1 is left out: package 'x' is needed here" in out
    assert "zdt1-v1  " in out


def test_solvers_are_filtered(capsys):
    assert [row["name"] for row in told(capsys, "list", "solvers", "--match", "nsga2", "--source", "pymoo")] == [
        "pymoo.NSGA2",
        "pymoo.RNSGA2",
        "pymoo.DNSGA2",
        "pymoo.PINSGA2",
    ]
    found = told(capsys, "list", "solvers", "--for", "re21-v1")
    assert {row["name"] for row in found} == set(pk.solvers.fitting(pk.problems.make("re21-v1")))


def test_indicators_tell_their_claim(capsys):
    (found,) = told(capsys, "list", "indicators", "--match", "igd_plus")
    assert found == {"name": "igd_plus", "claim": found["claim"]}
    assert found["claim"].endswith(".")


def test_show_a_problem(capsys):
    facts = told(capsys, "show", "dtlz2-v1", "--option", "n_objectives=4")
    made = pk.problems.make("dtlz2-v1", n_objectives=4)
    assert [o["name"] for o in facts["objectives"]] == [o.name for o in made.objectives]
    assert facts["space"] == {"kind": "Box", "variables": 13, "columns": ["real"], "lower": 0.0, "upper": 1.0}
    assert facts["scoring"]["reference_point"] == list(made.protocol.scoring.reference_point)
    assert {o["name"] for o in facts["options"]} == {"n_objectives", "n_variables"}
    assert all(o["means"] for o in facts["options"])
    assert "NSGA3" in facts["solvers"]
    code, out, _ = run(capsys, "show", "re21-v1")
    assert code == 0
    assert out.startswith("re21-v1 (problem)\n  Four-bar truss")
    assert "min structural volume [cm³]" in out


def test_show_a_solver(capsys):
    facts = told(capsys, "show", "NSGA2")
    assert {o["name"]: o["default"] for o in facts["options"]} == pk.solvers.NSGA2().config()
    assert (facts["solves"], facts["resume"], facts["constraints"]) == ("Problem", "exact", True)
    facts = told(capsys, "show", "CMORL")
    assert facts["solves"] == "MORL"
    facts = told(capsys, "show", "pymoo.RVEA")
    assert {o["name"] for o in facts["options"] if o["required"]} == {"n_max_gen"}
    _, out, _ = run(capsys, "show", "NSGA2")
    assert "pop_size" in out
    assert "Number n of solutions kept" in out


def test_show_an_indicator(capsys):
    facts = told(capsys, "show", "hypervolume")
    assert facts["larger_is_better"]
    assert facts["scored"]
    assert [o["name"] for o in facts["options"]] == ["values", "reference_point", "maximize", "mask"]
    _, out, _ = run(capsys, "show", "hypervolume")
    assert "Zitzler and Thiele" in out


def test_a_suite_of_merging_is_shown_without_training_it(capsys, monkeypatch):
    monkeypatch.setattr(pk.problems, "make", None)
    facts = told(capsys, "show", "merging-mlp-v1")
    assert facts["claim"]
    assert "encoder" not in {o["name"] for o in facts["options"]}


@pytest.mark.parametrize("name", pk.solvers.NATIVE)
def test_every_solver_can_be_shown_and_says_what_its_options_mean(capsys, name):
    facts = told(capsys, "show", name)
    assert facts["claim"].endswith((".", ":"))
    assert not [o["name"] for o in facts["options"] if not o["means"]]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["show", "zdt11-v1"], ["`id` must be a known name; got 'zdt11-v1'", "'zdt1-v1'"]),
        (["show", "NSGA4"], ["'NSGA2'"]),
        (["show", "hypervolum"], ["'hypervolume'"]),
        (["show", "pymoo.NSGA4"], ["'pymoo.NSGA2'"]),
        (["show", "NSGA2", "--option", "popsize=3"], ["no option 'popsize'", "pop_size"]),
        (["show", "hypervolume", "--option", "mask=3"], ["`option` must be left out for an indicator"]),
        (["list", "problems", "--source", "pymoo"], ["`--source` must be left out", "it filters solvers"]),
        (["list", "solvers", "--constrained"], ["`--constrained` must be left out", "it filters problems"]),
        (["list", "indicators", "--for", "zdt1-v1"], ["`--for` must be left out", "it filters solvers"]),
        (["list", "problems", "--world", "molr"], ["`world` must be a known name; got 'molr'", "'morl'"]),
        (["list", "problems", "--front", "exakt"], ["unknown KIND 'exakt'", "'exact'"]),
        (["list", "solvers", "--for", "zdt11-v1"], ["`problem` must be a known name", "'zdt1-v1'"]),
    ],
)
def test_a_mistake_is_one_line_and_code_2(capsys, argv, words):
    code, out, err = run(capsys, *argv)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    for word in words:
        assert word in err
