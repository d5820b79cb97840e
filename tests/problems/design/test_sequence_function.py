"""A user's own function of words: scored once each, and every mistake shown with its word."""

import functools
import threading

import pytest
import torch

import paretokit as pk
from paretokit.core import EvaluationError, InputError, Objective, Rng, ShapeError
from paretokit.problems import CompositionalDesign
from paretokit.testing import check_design, check_problem


def counts(word):
    return word.count("A"), word.count("B") / 2


def batched(words):
    return [counts(word) for word in words]


def design(function=counts, **options):
    return CompositionalDesign.sequences("ABC", ["a", "b"], function, **{"max_length": 5, "min_length": 2, **options})


def test_values_are_the_function_s_in_all_three_ways_of_calling():
    ways = [design(), design(batched, batch=True), design(lambda words: torch.tensor(batched(words)), batch=True)]
    x = ways[0].space.sample(40, Rng.from_seed(0))
    expected = torch.tensor([counts(word) for word in ways[0].space.words(x)], dtype=torch.float64)
    for problem in ways:
        assert torch.equal(problem.evaluate(x).values, expected)


@pytest.mark.slow
def test_workers_give_the_same_values():
    plain, crew = design(), design(workers=2)
    x = plain.space.sample(20, Rng.from_seed(0))
    assert torch.equal(crew.evaluate(x).values, plain.evaluate(x).values)


def test_each_word_is_scored_once_in_a_call():
    seen = []

    def noting(word):
        seen.append(word)
        return counts(word)

    problem = design(noting)
    x = problem.encode(["AB", "CCA", "AB", "AB", "CCA"])
    assert problem.evaluate(x).values.tolist() == [[1, 0.5], [1, 0], [1, 0.5], [1, 0.5], [1, 0]]
    assert seen == ["AB", "CCA"]


def test_words_are_decoded_and_encoded():
    problem = design()
    assert problem.decode(problem.encode(["ABCA"])[0]) == "ABCA"
    assert problem.describe_object(problem.encode(["AB"])[0]) == "AB"
    assert torch.equal(problem.encode("ABCA"), problem.encode(["ABCA"]))
    long = CompositionalDesign.sequences(["Ala", "Gly"], 2, lambda w: (len(w), 1), max_length=2)
    assert long.decode(torch.tensor([1.0, 0.0])) == "GlyAla"
    assert long.encode([["Gly", "Ala"]]).tolist() == [[1.0, 0.0]]
    with pytest.raises(
        InputError, match=r"`words` must be lists of letters; got 'GlyAla' \(a letter is longer than one"
    ):
        long.encode(["GlyAla"])


def test_objectives_are_maximized_unless_they_say_otherwise():
    assert [o.sense for o in design().objectives] == ["max", "max"]
    problem = CompositionalDesign.sequences(
        "AB",
        [Objective("cost", "min"), "gain"],
        lambda w: (len(w), -1.0),
        max_length=4,
        ideal=(0, 1),
        nadir=(8, -3),
    )
    values = problem.evaluate(problem.encode(["AABB"])).values
    assert values.tolist() == [[4, -1]]
    assert problem.gains(values).tolist() == [[0.5, 0.5]]
    check_problem(problem)


def test_transitions_and_beginnings_are_kept():
    allowed = torch.tensor([[False, True, False], [False, False, True], [True, False, False]])
    problem = design(allowed=allowed, first=torch.tensor([True, False, False]), min_length=1)
    states = problem.states()
    words = problem.space.words(problem.environment.decisions(states.rows[states.terminal]))
    assert sorted(words) == ["A", "AB", "ABC", "ABCA", "ABCAB"]
    check_design(problem)


def test_kits():
    check_design(design())
    check_problem(design())


def test_fingerprints_tell_functions_apart():
    assert design().fingerprint() == design().fingerprint()
    assert design().fingerprint() != design(lambda word: (word.count("B"), 1)).fingerprint()
    assert design(name="mine").name == "mine"
    assert design().name == "counts"
    assert design(functools.partial(counts)).name == "partial"


def test_evolution_runs_on_words():
    result = pk.solve(design(), pk.solvers.NSGA2(pop_size=20), budget=pk.Budget(evaluations=400))
    assert result.front.values.max(0).values.tolist() == [5, 2.5]


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda w: "text", ShapeError, r"`function` must return 2 values, one an objective; got 'text' for 'AB'"),
        (
            lambda w: (1.0, [2.0]),
            ShapeError,
            r"`function` must return 2 values, one an objective; got \(1.0, \[2.0\]\)",
        ),
        (lambda w: (1.0, float("nan")), InputError, r"`function` must return finite values; got \[1.0, nan\] for 'AB'"),
        (lambda w: (1.0, float("inf")), InputError, r"`function` must return finite values; got \[1.0, inf\] for 'AB'"),
        (lambda w: (1.0, -2.0), InputError, r"must return no negative value; got \[1.0, -2.0\] for 'AB' \(shift them"),
        (lambda w: (1, 2, 3), ShapeError, r"must return 2 values, one an objective; got \(1, 2, 3\) for 'AB'"),
        (lambda w: 1.0, ShapeError, "must return 2 values, one an objective; got 1.0 for 'AB'"),
        (lambda w: list(range(90)), ShapeError, r"got \[0, 1, 2, .*\.\.\. for 'AB'"),
    ],
)
def test_bad_values_get_one_line_that_shows_the_word(function, error, message):
    problem = design(function)
    with pytest.raises(error, match=message):
        problem.evaluate(problem.encode(["AB"]))


def test_a_batch_of_the_wrong_length_gets_one_line():
    problem = design(lambda words: [(1.0, 1.0)], batch=True)
    with pytest.raises(ShapeError, match="`function` must return one row a word, 2 of them; got 1 rows"):
        problem.evaluate(problem.encode(["AB", "BA"]))


@pytest.mark.parametrize("options", [{}, {"workers": 2}])
def test_an_error_of_the_function_is_shown_with_its_word(options):
    def broken(word):
        raise ZeroDivisionError("no C")

    problem = design(broken, **options)
    with pytest.raises(EvaluationError, match="the function raised ZeroDivisionError for 'AB': no C") as caught:
        problem.evaluate(problem.encode(["AB"]))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_one_objective_may_come_as_a_number():
    for options in (
        {"function": lambda w: w.count("A")},
        {"function": lambda ws: [w.count("A") for w in ws], "batch": True},
    ):
        problem = CompositionalDesign.sequences("AB", 1, max_length=3, **options)
        assert problem.evaluate(problem.encode(["A", "AA"])).values.tolist() == [[1], [2]]


def picky(word):
    if word.startswith("B"):
        raise ValueError(word)
    return (float("nan"), 1) if word.startswith("C") else counts(word)


@pytest.mark.parametrize("batch", [False, True])
def test_failed_words_count_but_teach_nothing(batch):
    function = (lambda words: [picky(word) for word in words]) if batch else picky
    problem = design(function, on_error="fail", batch=batch)
    values = problem.evaluate(problem.encode(["AB", "BA", "CA"])).values
    assert values[0].tolist() == [1, 0.5]
    assert values[1:].isnan().all()
    for solver in (pk.solvers.OPGFN(batch_size=8, n_samples=8), pk.solvers.MOReinforce(batch_size=8, n_samples=2)):
        result = pk.solve(problem, solver, budget=pk.Budget(iterations=3), progress=False)
        assert result.cost.evaluations == 24 + 2 * len(result.state.x)
        assert result.front.values.isfinite().all()
        assert result.archive.values.isfinite().all()
        assert torch.isfinite(result.state.row).all()


def test_failing_is_no_excuse_for_another_number_of_values():
    problem = design(lambda word: 1, on_error="fail")
    with pytest.raises(ShapeError, match="must return 2 values"):
        problem.evaluate(problem.encode(["AB"]))


class Below(pk.problems.design.CompositionalDesign):
    """One objective falls below zero."""

    objectives = (Objective("up", "max"), Objective("down", "max"))
    space, environment = design().space, design().environment

    def _score(self, x):
        return torch.stack([x[:, 0], -x[:, 0] - 1], -1)


def test_negative_values_without_a_scale_are_named_where_they_would_become_rewards():
    line = "`down` must have no negative value; got -[123] \\(rewards are powers of it: shift it, or let"
    with pytest.raises(InputError, match=line):
        pk.solve(Below(), pk.solvers.OPGFN(batch_size=4), budget=pk.Budget(iterations=1), progress=False)
    with pytest.raises(InputError, match=line):
        check_design(Below())
    assert pk.solve(Below(), pk.solvers.NSGA2(pop_size=4), budget=pk.Budget(evaluations=8), progress=False).front
    assert design().gains(torch.tensor([[-1e-12, float("nan")]])).nan_to_num(7).tolist() == [[0, 7]]


@pytest.mark.parametrize(
    ("alphabet", "options", "message"),
    [
        ("", {}, "`alphabet` must have at least one letter; got ''"),
        ("ABA", {}, "`alphabet` must hold different letters; got 'ABA' with 'A' twice"),
        (["A", ""], {}, "`alphabet` must hold non-empty strings"),
        ("AB", {"min_length": 4, "max_length": 3}, r"`max_length` must be at least min_length = 4; got 3 \(are the le"),
        ("AB", {"min_length": 0}, "`min_length` must be at least 1; got 0"),
        ("AB", {"first": [0, 0]}, "`first` must allow at least one letter"),
        ("AB", {"allowed": [[0, 0], [0, 0]]}, "`allowed` must leave a next letter to every word shorter than"),
        (
            {"A", "B"},
            {},
            r"`alphabet` must be a sequence of letters; got set \(a string, or a list of strings: the order",
        ),
        (4, {}, "`alphabet` must be a sequence of letters; got 4"),
        ("AB", {"max_length": 4.5}, "`max_length` must be a whole number; got 4.5"),
        ("AB", {"max_length": "4"}, "`max_length` must be a whole number; got '4'"),
        ("AB", {"on_error": "skip"}, r"`on_error` must be one of \['raise', 'fail'\]; got 'skip'"),
        ("AB", {"workers": 0}, "`workers` must be at least 1; got 0"),
        ("AB", {"workers": 2, "batch": True}, "`workers` must be 1 where batch is True; got 2"),
        ("AB", {"objectives": []}, "`objectives` must be at least 1; got 0"),
        ("AB", {"objectives": ["a", "a"]}, r"`objectives` must have different names; got \['a', 'a'\]"),
        (
            "AB",
            {"objectives": [Objective("a")]},
            r"`ideal` must be given where an objective is minimized; got None \(a;",
        ),
        ("AB", {"ideal": (1, 1)}, "`nadir` must be given together with `ideal`; got None"),
        ("AB", {"ideal": (1, 0), "nadir": (0, 0)}, "`ideal` must be better than `nadir` in every objective"),
        ("AB", {"function": 3}, "`function` must be callable; got int"),
    ],
)
def test_bad_options_get_one_line(alphabet, options, message):
    given = {"objectives": ["a", "b"], "function": counts, "max_length": 3, "min_length": 2, **options}
    objectives, function = given.pop("objectives"), given.pop("function")
    with pytest.raises(InputError, match=message):
        CompositionalDesign.sequences(alphabet, objectives, function, **given)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("A", "`words` must have 2 to 5 letters; got 'A'"),
        ("ABZ", "`words` must use letters of the alphabet 'ABC' only; got 'ABZ' with 'Z'"),
    ],
)
def test_words_that_do_not_fit_are_refused(word, message):
    with pytest.raises(InputError, match=message):
        design().encode([word])


def test_words_are_scored_beside_what_the_caller_does_next():
    called, ready = threading.Event(), threading.Event()

    def waits(word):
        called.set()
        assert ready.wait(30)
        return counts(word)

    problem = design(waits)
    pending = problem.submit(problem.encode(["AB"]))  # called on this thread, it would wait in vain
    assert called.wait(30)
    ready.set()
    assert torch.equal(pending.result().values, design().evaluate(problem.encode(["AB"])).values)


def test_a_function_that_fails_beside_raises_when_its_answer_is_asked_for():
    problem = design(lambda w: (1.0, float("nan")))
    pending = problem.submit(problem.encode(["AB"]))
    with pytest.raises(InputError, match="must return finite values"):
        pending.result()
