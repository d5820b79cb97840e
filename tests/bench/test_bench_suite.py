"""Suites: what a YAML text means, and one line for every mistake in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from paretokit.bench._suite import load_suite, parse_suite
from paretokit.core import InputError, ParetoError, ProtocolError, UnknownNameError, UnsupportedProblemError

PLAIN = """\
name: trial
seeds: 4
budget: {evaluations: 2e2}
problems: [zdt1-v1, {name: three, problem: dtlz2-v1, options: {n_objectives: 3}}]
solvers:
  - {solver: NSGA2, options: {pop_size: 20}}
  - {name: peer, solver: pymoo.NSGA2, options: {pop_size: 20}}
small: {seeds: 2, problems: [three], budget: {evaluations: 40}}
"""

SUITES = Path(__file__).parents[2] / "benchmarks" / "suites"


def planned(text):
    suite = parse_suite(text)
    suite.cells()
    return suite.shrunk()


def test_solvers_that_stack_have_one_cell_and_others_one_a_seed():
    cells = parse_suite(PLAIN).cells()
    assert len(cells) == 2 * (1 + 4)
    assert sorted(len(c.seeds) for c in cells if c.solver.name == "NSGA2") == [4, 4]
    assert {c.seeds for c in cells if c.solver.name == "peer"} == {(0,), (1,), (2,), (3,)}
    assert cells[0].limits().evaluations == 200


def test_groups_split_seeds():
    cells = parse_suite(f"{PLAIN}group: 3\n").cells()
    assert [c.seeds for c in cells[:2]] == [(0, 1, 2), (3,)]


def test_the_small_form_keeps_what_it_names():
    suite = parse_suite(PLAIN).shrunk()
    cells = suite.cells()
    assert suite.name == "trial-small"
    assert {c.problem.name for c in cells} == {"three"}
    assert {s for c in cells for s in c.seeds} == {0, 1}
    assert cells[0].limits().evaluations == 40


def test_hashes_differ_where_content_does_and_nowhere_else():
    base = [c.digest for c in parse_suite(PLAIN).cells()]
    assert base == [c.digest for c in parse_suite(PLAIN.replace("name: trial", "name: other")).cells()]
    assert len(set(base)) == len(base)
    for old, new in (
        ("evaluations: 2e2", "evaluations: 300"),
        ("pop_size: 20", "pop_size: 24"),
        ("seeds: 4", "seeds: [4, 5, 6, 7]"),
        ("name: trial", "name: trial\nthreads: 2"),
    ):
        assert not set(base) & {c.digest for c in parse_suite(PLAIN.replace(old, new)).cells()}


def test_grids_have_budgets_of_their_own():
    text = (
        "name: two\nseeds: 1\ngrids:\n"
        "  - {problems: [zdt1-v1], solvers: [NSGA2], budget: {evaluations: 100}}\n"
        "  - {problems: [zdt2-v1], solvers: [NSGA3], budget: {iterations: 2}}\n"
    )
    assert [c.name for c in parse_suite(text).cells()] == ["NSGA2 on zdt1-v1, seed 0", "NSGA3 on zdt2-v1, seed 0"]


def test_modules_beside_the_suite_are_found(tmp_path):
    (tmp_path / "lab_own_parts.py").write_text(
        "import paretokit as pk\n\n\ndef Mine():\n    return pk.problems.ZDT1(n_variables=4)\n\n\n"
        "search = pk.solvers.RandomSearch(pop_size=8)\nthree = 3\n"
    )
    text = "name: own\nseeds: 1\nbudget: {evaluations: 16}\n"
    text += "problems: ['lab_own_parts:Mine']\nsolvers: ['lab_own_parts:search']\n"
    (tmp_path / "suite.yaml").write_text(text)
    (cell,) = load_suite(tmp_path / "suite.yaml").cells()
    assert cell.digest
    for bad, line in (
        ("lab_own_parts:Mime", "`problem` must be importable; got 'lab_own_parts:Mime' (did you mean 'Mine'?)"),
        ("lab_no_parts:Mine", "`problem` must be importable; got 'lab_no_parts:Mine' (No module named"),
        ("lab_own_parts:three", "`problem` must be a class, a function or an instance; got 'lab_own_parts:three'"),
        ("lab_own_parts:search", "`problem` must be a class"),
    ):
        (tmp_path / "suite.yaml").write_text(text.replace("lab_own_parts:Mine", bad))
        with pytest.raises(InputError) as caught:
            load_suite(tmp_path / "suite.yaml").cells()
        assert str(caught.value).startswith(line)


@pytest.mark.parametrize(
    ("old", "new", "error", "line"),
    [
        ("seeds: 4", "seeds: [4", InputError, "`suite` must be YAML; got "),
        ("seeds: 4", "seeds: many", InputError, "`seeds` must be a valid list; got 'many' (suite, line 2)"),
        ("seeds: 4", "seeds: []", InputError, "`seeds` must be at least 1; got 0 (suite, line 2)"),
        ("seeds: 4", "seeds: [1, 1]", InputError, "`seeds` must be distinct; got [1, 1] (suite, line 2)"),
        (
            "seeds: 4",
            "seeds: 4\nseeds: 5",
            InputError,
            "`suite` must give every key once; got 'seeds' in line 2 and line 3",
        ),
        ("seeds: 4", "sedes: 4", UnknownNameError, "`key` must be a known name; got 'sedes' (did you mean 'seeds' "),
        ("seeds: 4", "seeds: 4\nthreads: 0", InputError, "`threads` must be at least 1; got 0 (suite, line 3)"),
        (
            "seeds: 4",
            "seeds: 4\nindicators: [hypervolme]",
            UnknownNameError,
            "`indicator` must be a known name; got 'hypervolme'",
        ),
        (
            "{solver: NSGA2,",
            "{solvr: NSGA2,",
            InputError,
            "`solvers.0.solver` must be given; got nothing (suite, line 6)",
        ),
        ("problems: [zdt1-v1,", "problems: [3,", InputError, "`problems.0` must be a valid dictionary"),
        ("name: trial\n", "", InputError, "`name` must be given; got nothing (suite, line 1)"),
        ("zdt1-v1", "zdt11-v1", UnknownNameError, "`problem` must be a known name; got 'zdt11-v1' (did you mean "),
        (
            "solver: NSGA2",
            "solver: NSGA22",
            UnknownNameError,
            "`solver` must be a known name; got 'NSGA22' (did you mean ",
        ),
        (
            "{pop_size: 20}}\n  - {name",
            "{pop: 20}}\n  - {name",
            UnknownNameError,
            "NSGA2 has no option 'pop'; did you mean 'pop_size'?",
        ),
        (
            "{evaluations: 2e2}",
            "{evaluation: 2e2}",
            UnknownNameError,
            "budget has no option 'evaluation'; did you mean 'evaluations'",
        ),
        ("{evaluations: 2e2}", "{}", InputError, "`budget` must be given, since NSGA2 never ends by itself; got None"),
        (
            "name: peer, solver: pymoo.NSGA2",
            "solver: NSGA2",
            InputError,
            "`cells` must have names of their own; got two of 'NSGA2' on 'zdt1-v1'",
        ),
        (
            "name: peer, solver: pymoo.NSGA2, options: {pop_size: 20}",
            "solver: MORLD",
            UnsupportedProblemError,
            "MORLD solves ",
        ),
        ("[three]", "[four]", UnknownNameError, "`problem` must be a known name; got 'four'"),
    ],
)
def test_every_mistake_is_one_line(old, new, error, line):
    assert old in PLAIN
    with pytest.raises(error) as caught:
        planned(PLAIN.replace(old, new))
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_a_suite_that_mixes_protocols_is_refused():
    text = (
        "name: mixed\nseeds: 1\nbudget: {iterations: 1}\ngrids:\n"
        "  - {problems: [{name: a, problem: deep-sea-treasure-v0}], solvers: [RandomSearch]}\n"
        "  - {problems: [{name: a, problem: deep-sea-treasure-v0, options: {discount: 0.5}}], solvers: [NSGA2]}\n"
    )
    with pytest.raises(ProtocolError, match="the suite mixes protocols on 'a': .*discount: .* against 0.5"):
        parse_suite(text).cells()


def test_one_name_for_two_problems_is_refused():
    text = (
        "name: mixed\nseeds: 1\nbudget: {iterations: 1}\ngrids:\n"
        "  - {problems: [{name: a, problem: zdt1-v1}], solvers: [RandomSearch]}\n"
        "  - {problems: [{name: a, problem: zdt2-v1}], solvers: [NSGA2]}\n"
    )
    with pytest.raises(InputError, match="`problems` must differ in name where they differ"):
        parse_suite(text).cells()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("- a\n- b\n", "`suite` must hold keys and values; got list (such as `name: mine`)"),
        ("name: a\nsolvers: [NSGA2]\n", "`problems` must be given; got nothing (suite; or `grids`"),
        (
            "name: a\nproblems: [zdt1-v1]\ngrids: []\n",
            "`suite` must have grids, or problems and solvers; got `grids` beside",
        ),
        ("name: a\ngrids: []\n", "`grids` must be at least 1; got 0 (suite, line 2)"),
    ],
)
def test_texts_that_are_no_suite(text, line):
    with pytest.raises(ParetoError) as caught:
        parse_suite(text)
    assert str(caught.value).startswith(line)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="`suite` must be a readable YAML file; got .*none.yaml"):
        load_suite(tmp_path / "none.yaml")


QUICK = ("design", "evolutionary", "learning", "morl")
TRAINED = ("everything", "merging")  # which make networks to merge, unless the user's cache has them


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in TRAINED)])
def test_every_suite_names_solvers_that_take_its_problems(name):
    suite = load_suite(SUITES / f"{name}.yaml")
    assert suite.name == name
    cells = suite.cells()  # refuses what does not fit
    assert len({cell.digest for cell in cells}) == len(cells) > 0


def test_no_suite_is_left_out():
    assert {file.stem for file in SUITES.glob("*.yaml")} == {*QUICK, *TRAINED}
