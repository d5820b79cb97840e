import subprocess
import sys

import pytest
from foreign_problems import Curve, run

from paretokit import solvers
from paretokit.core import InputError, Solver, UnknownNameError
from paretokit.solvers._registry import NATIVE
from paretokit.solvers.evolutionary._pygmo import ALGORITHMS as PYGMO
from paretokit.solvers.evolutionary._pymoo_table import ALGORITHMS as PYMOO
from paretokit.solvers.evolutionary._pymoo_table import EXCLUDED


@pytest.fixture(scope="module")
def table():
    return solvers.list()


def test_the_table_holds_every_solver_and_the_excluded(table):
    expected = {*NATIVE, *(f"pymoo.{n}" for n in PYMOO), *(f"pygmo.{n}" for n in PYGMO)}
    assert set(table.names()) == expected
    assert len(table.names()) == len(expected)
    assert {r.name for r in table if r.excluded} == {f"pymoo.{n}" for n in EXCLUDED}


def test_the_table_says_what_each_can_do(table):
    by_name = {record.name: record for record in table}
    nsga3, moead = by_name["pymoo.NSGA3"], by_name["pymoo.MOEAD"]
    assert (nsga3.source, nsga3.constraints, nsga3.mixed, nsga3.resume) == ("pymoo", True, "yes", "exact")
    assert (moead.constraints, moead.mixed) == (False, "yes")
    assert by_name["pymoo.GDE3"].mixed == by_name["pygmo.nsga2"].mixed == "integers"
    assert by_name["pygmo.moead"].mixed == "no"
    assert not any(by_name[f"pygmo.{n}"].constraints for n in PYGMO)
    assert by_name["NSGA2"].source == "paretokit"
    assert by_name["NSGA2"].constraints
    assert all(r.resume == "exact" for r in table if not r.excluded)
    assert {r.solves for r in table if r.source != "paretokit"} == {"Problem"}
    morld = by_name["MORLD"]
    assert (morld.solves, morld.constraints, morld.mixed, morld.resume) == ("MORL", False, "no", "exact")


def test_the_table_prints_one_line_a_solver_and_the_reasons(table):
    lines = repr(table).splitlines()
    assert lines[0].split() == ["name", "source", "solves", "constraints", "mixed", "resume"]
    assert len(lines) == len(table) + 5
    assert "pymoo.PINSGA2: it is interactive: it asks a person to rank solutions while it runs" in lines
    assert max(map(len, lines)) <= 120
    at = lines[0].find("solves")
    offered = [record for record in table if not record.excluded]
    assert all(line[at:].startswith(f"{r.solves} ") for line, r in zip(lines[2:], offered, strict=False))


def test_make_returns_what_the_config_of_a_solver_says():
    for solver in (
        solvers.pymoo("NSGA3", partitions=6, crossover={"name": "SBX", "eta": 3}),
        solvers.pygmo("nspso", pop_size=60),
        solvers.NSGA2(),
    ):
        twin = solvers.make(solver.name, **solver.config())
        assert twin == solver
        assert isinstance(twin, Solver)


@pytest.mark.parametrize("name", sorted(NATIVE))
def test_native_solvers_are_attributes_of_the_package(name):
    made = solvers.make(name)
    assert type(made) is getattr(solvers, name)
    problem = Curve()
    if not isinstance(problem, made.solves):  # one world's only
        return
    state = run(made, problem, 2)
    assert len(made.front(problem, state)) >= 1


@pytest.mark.parametrize(
    ("make", "error", "line"),
    [
        (lambda: solvers.make("NSGA4"), UnknownNameError, "`solver` must be a known name; got 'NSGA4' .did you mean"),
        (lambda: solvers.make("qqqq"), UnknownNameError, "got 'qqqq' ..solvers.list... shows all"),
        (lambda: solvers.make("pymoo.NSGA4"), UnknownNameError, "`pymoo algorithm` must be a known name; got 'NSGA4'"),
        (lambda: solvers.make("pygmo.nsga4"), UnknownNameError, "`pygmo algorithm` must be a known name"),
        (lambda: solvers.make("pymoo.KGB"), InputError, "dynamic problems"),
        (lambda: solvers.make("NSGA2", nonsense=1), UnknownNameError, "NSGA2 has no option 'nonsense'"),
        (lambda: solvers.make("pymoo.SMSEMOA", pop_sise=1), UnknownNameError, "did you mean 'pop_size'"),
    ],
)
def test_unknown_names_get_the_nearest(make, error, line):
    with pytest.raises(error, match=line):
        make()


def test_an_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'NSGA9'"):
        solvers.NSGA9


@pytest.mark.parametrize("name", solvers.morl.__all__)
def test_parts_of_a_worlds_solvers_are_pointed_to(name):
    with pytest.raises(AttributeError, match=rf"has no attribute '{name}'; .*`pk\.solvers\.morl\.{name}`"):
        getattr(solvers, name)


def test_all_public_names_exist_and_are_sorted():
    assert all(getattr(solvers, name) is not None for name in solvers.__all__)
    assert len(set(solvers.__all__)) == len(solvers.__all__)


def test_importing_the_room_imports_neither_library():
    code = "import sys, paretokit.solvers; print([m for m in ('pymoo', 'pygmo', 'numba') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
