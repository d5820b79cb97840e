"""Declared search spaces make solvers; a caller's own reach into parts; unknown names get their nearest."""

from __future__ import annotations

import pytest

import paretokit as pk
from paretokit.core import Choice, InputError, LogRange, Range, Rng, UnknownNameError
from paretokit.tuning._space import configured, current, labels_of, space_of, values_of

DECLARED = (
    *("AdaMerging", "CMORL", "GradientDescent", "MOEAD", "MOGFN", "MORLD", "NSGA2", "NSGA3", "OPGFN"),
    *("PreferenceMerging", "SMSEMOA"),
)


@pytest.mark.parametrize("name", DECLARED)
def test_every_draw_from_a_declared_space_makes_a_solver(name):
    default = pk.solvers.make(name)
    space = space_of(default, None)
    assert space.keys() == default.search_space.keys()
    for draw in range(50):
        rng = Rng.from_seed(draw)
        values = {key: entry.draw(float(rng.child(key).uniform(1))) for key, entry in space.items()}
        assert all(space[key].holds(value) for key, value in values.items())
        made = configured(default, values)
        assert type(made) is type(default)
        for key, value in values.items():
            if key not in ("aggregator", "criterion"):  # which are made of their names
                assert current(made, key) == value
        assert values_of(space, labels_of(space, values)) == values


def test_every_declared_name_is_one_that_the_solver_takes():
    for name in pk.solvers.list():
        solver = pk.solvers.make(name.name) if not name.excluded and name.source == "paretokit" else None
        for key in getattr(solver, "search_space", {}):
            current(solver, key)


def test_what_a_part_does_not_have_is_left_out_of_the_declared_space():
    eupg = pk.solvers.MORLD(improver="EUPG")
    names = space_of(eupg, None)
    assert "improver.learning_rate" in names
    assert "improver.clip" not in names


def test_names_choose_from_the_declared_space():
    assert list(space_of(pk.solvers.NSGA2(), ["mutation_eta"])) == ["mutation_eta"]


def test_own_spaces_reach_into_parts_and_options():
    space = space_of(pk.solvers.CMORL(), {"ppo.max_grad_norm": Range(0.1, 1.0)})
    assert configured(pk.solvers.CMORL(), {"ppo.max_grad_norm": 0.7}).trainer.max_grad_norm == 0.7
    assert list(space) == ["ppo.max_grad_norm"]
    foreign = pk.solvers.pymoo("NSGA2", pop_size=40)
    assert configured(foreign, {"options.pop_size": 60}) == pk.solvers.pymoo("NSGA2", pop_size=60)
    assert list(space_of(foreign, {"options.pop_size": LogRange(20, 100)})) == ["options.pop_size"]


def test_a_value_outside_the_space_has_no_label():
    assert labels_of({"decay": Choice(("none", "linear"))}, {"decay": "cosine"}) is None
    assert labels_of({"n": Range(1, 3)}, {"n": None}) is None


@pytest.mark.parametrize(
    ("space", "error", "line"),
    [
        (
            {"popsize": Range(1, 9)},
            UnknownNameError,
            "`parameter` must be a known name; got 'popsize' (did you mean 'pop_s",
        ),
        (
            ["mutation"],
            UnknownNameError,
            "`parameter` must be a known name; got 'mutation' (did you mean 'mutation_eta'",
        ),
        ({"pop_size.x": Range(1, 9)}, UnknownNameError, "`parameter` must be a known name; got 'pop_size.x'"),
        ({}, InputError, "`space` must hold at least one hyper-parameter; got none (NSGA2 has"),
        ([], InputError, "`space` must hold at least one hyper-parameter; got none"),
        ({"pop_size": (1, 9)}, InputError, "`space['pop_size']` must be a Range, a LogRange or a Choice; got (1, 9)"),
        ("pop_size", InputError, "`space` must be a mapping, or names; got 'pop_size' (known: pop_size,"),
        ({3: Range(1, 9)}, InputError, "`space` must be keyed by names; got 3"),
    ],
)
def test_bad_spaces(space, error, line):
    with pytest.raises(error) as raised:
        space_of(pk.solvers.NSGA2(), space)
    assert str(raised.value).startswith(line)


def test_a_solver_without_a_space_asks_for_one():
    with pytest.raises(InputError, match=r"`space` must be given, since RandomSearch declares none; got None"):
        space_of(pk.solvers.RandomSearch(), None)
