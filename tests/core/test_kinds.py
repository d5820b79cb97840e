"""Options of another kind than their annotation says are refused with one line, wherever they belong."""

import dataclasses

import numpy as np
import pytest

import paretokit as pk
from paretokit.core import InputError
from paretokit.core import _check as check
from paretokit.core._kinds import kinds_of
from paretokit.solvers import gflownet
from paretokit.solvers._registry import SOLVERS


@pytest.mark.parametrize("name", SOLVERS.names())
def test_every_option_of_every_native_solver_is_checked(name):
    found = SOLVERS.get(name)
    kinds = kinds_of(found)
    for field in dataclasses.fields(found):
        if not field.init:
            continue
        assert field.name in kinds
        strange = object()
        with pytest.raises(InputError, match=f"`{field.name}` must be .*; got <object object"):
            found(**{field.name: strange})


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"batch_size": 1.5}, "`batch_size` must be a whole number; got 1.5"),
        ({"iterations": 2.5}, "`iterations` must be a whole number or None; got 2.5"),
        ({"iterations": True}, "`iterations` must be a whole number or None; got True"),
        ({"learning_rate": "1e-3"}, "`learning_rate` must be a number; got '1e-3'"),
        ({"learning_rate": True}, "`learning_rate` must be a number; got True"),
        ({"lowest": float("nan")}, "`lowest` must be a number; got nan"),
        ({"lowest": 10}, "`lowest` must be negative; got 10 (it bounds β log R, which is 0 at the ideal)"),
        ({"ema": 1.0}, "`ema` must lie in [0, 1); got 1.0 (at 1 the first network samples for ever)"),
        ({"anneal": "no"}, "`anneal` must be True or False; got 'no'"),
        ({"overlap": "maybe"}, "`overlap` must be True or False; got 'maybe'"),
        ({"replay": True}, "`replay` must be a Replay, a mapping or None; got True"),
        ({"replay": {"share": "all"}}, "`share` must be a number; got 'all'"),
        ({"criterion": 3}, "`criterion` must be a Criterion, a mapping or text; got 3"),
        ({"preferences": [0.5, 0.5]}, "`preferences` must be a Preferences or a mapping; got [0.5, 0.5]"),
        ({"temperature": "high"}, "`temperature` must be a Temperature, a mapping or a number; got 'high'"),
        ({"temperature": (1, 64)}, "`temperature` must be a Temperature, a mapping or a number; got (1, 64)"),
        ({"policy": {"kind": "mlp", "hidden": 3}}, "`hidden` must be a list of whole numbers; got 3"),
        ({"policy": {"kind": "mlp", "hidden": [3.5]}}, "`hidden` must be a list of whole numbers; got [3.5]"),
        (
            {"backward": "unifrom"},
            "`backward` must be one of ['uniform', 'learned']; got 'unifrom' (did you mean 'uniform'?)",
        ),
    ],
)
def test_messages(options, line):
    with pytest.raises(InputError) as caught:
        pk.solvers.MOGFN(**options)
    assert str(caught.value) == line


def test_numbers_of_numpy_and_lists_for_tuples_are_as_good():
    assert pk.solvers.NSGA2(pop_size=np.int64(8), mutation_var_prob=np.float32(0.5)).pop_size == 8
    assert gflownet.MLPPolicy(hidden=[8, 8]).hidden == (8, 8)
    assert pk.solvers.MOGFN(clip=float("inf"), learning_rate=1).clip == float("inf")


def test_long_values_are_cut():
    with pytest.raises(InputError, match=r"`pop_size` must be a whole number; got 'x{56}\.\.\.$"):
        pk.solvers.NSGA2(pop_size="x" * 100)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: check.whole(1, n=1.5), "`n` must be a whole number; got 1.5"),
        (lambda: check.whole(1, n=True), "`n` must be a whole number; got True"),
        (lambda: check.whole(1, n=0), "`n` must be at least 1; got 0"),
        (lambda: check.at_least(1, n="4"), "`n` must be a number; got '4'"),
        (lambda: check.positive(rate=None), "`rate` must be a number; got None"),
        (lambda: check.probability(share=[1]), "`share` must be a number; got [1]"),
    ],
)
def test_numbers_are_told_from_other_things(call, line):
    with pytest.raises(InputError) as caught:
        call()
    assert str(caught.value) == line


def test_a_list_that_was_meant_is_shown():
    with pytest.raises(pk.core.UnknownNameError, match=r'got "?\'currin, ?shubert\'.*several are a list: \["currin"'):
        pk.problems.HyperGrid(objectives="currin,shubert")


def test_rooms_list_their_names_and_problems_say_what_they_are():
    assert dir(gflownet) == sorted(gflownet.__all__)
    assert "GFlowNet" in dir(gflownet)
    words = pk.problems.CompositionalDesign.sequences("AB", 1, lambda w: 1.0, max_length=3)
    assert words.name == "function"
    assert repr(words) == "<SequenceFunction function: 3 variables, 0 constraints; max f1>"


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: pk.problems.Ehrlich(span="wide"), "`span` must be a whole number or None; got 'wide'"),
        (lambda: pk.problems.HyperGrid(edge_stops="no"), "`edge_stops` must be True or False; got 'no'"),
        (lambda: pk.problems.HyperGrid(side=8.5), "`side` must be a whole number; got 8.5"),
        (lambda: pk.problems.NGrams(ngrams=3), "`ngrams` must be a list of text; got 3"),
        (lambda: pk.problems.make("nas-cell-v1", seed="a"), "`seed` must be a whole number; got 'a'"),
        (lambda: pk.problems.make("c1dtlz3-v1", radius="a"), "`radius` must be a number or None; got 'a'"),
        (lambda: pk.problems.make("re91-v1", uncertain="a"), "`uncertain` must be True or False; got 'a'"),
        (lambda: pk.problems.MORL("four-room-v0", discount="a"), "`discount` must be a number or None; got 'a'"),
        (lambda: pk.problems.MORL("four-room-v0", policy="mlp"), "`policy` must be an Architecture; got 'mlp'"),
    ],
)
def test_problems_check_theirs(call, line):
    with pytest.raises(InputError) as caught:
        call()
    assert str(caught.value) == line


ZDT1, SEARCH, ONE_STEP = pk.problems.ZDT1(), pk.solvers.NSGA2(pop_size=4), pk.Budget(iterations=1)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: pk.Budget(evaluations=1.5), "`evaluations` must be a whole number or None; got 1.5"),
        (lambda: pk.Budget(target=3), "`target` must be a mapping or None; got 3"),
        (lambda: pk.Session(ZDT1, "NSGA2"), "`solver` must be a Solver; got str (see `pk.solvers.list()`)"),
        (
            lambda: pk.solve_many(ZDT1, SEARCH, seeds=1.5, budget=ONE_STEP),
            "`seeds` must be their number, or whole numbers; got 1.5",
        ),
        (
            lambda: pk.compare(ZDT1, [SEARCH], seeds=1.5, budget=ONE_STEP),
            "`seeds` must be their number, or whole numbers; got 1.5",
        ),
        (
            lambda: pk.problems.external(objectives={"a", "b"}, space=pk.Box(0.0, 1.0, dim=1)),
            "`objectives` must be their number, or a list of names or `Objective`s; got ",
        ),
        (lambda: pk.core.Front.from_values([[1.0, 2.0]]).pick(rule=3), "`rule` must be a name; got 3"),
    ],
)
def test_runs_and_fronts_check_theirs(call, line):
    with pytest.raises(InputError) as caught:
        call()
    assert str(caught.value).startswith(line)


def test_a_name_alone_is_one_objective():
    assert [o.name for o in pk.problems.external(objectives="ab", space=pk.Box(0.0, 1.0, dim=1)).objectives] == ["ab"]


def test_records_of_code_without_a_module_are_checked_too():
    space = {"__name__": "nowhere"}
    exec("from dataclasses import dataclass\n@dataclass\nclass Own:\n    n: int = 1", space)  # as notebooks' tools do
    check.fields(space["Own"](2))
    with pytest.raises(InputError, match="`n` must be a whole number; got 'text'"):
        check.fields(space["Own"]("text"))
