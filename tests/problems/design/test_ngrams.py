"""N-grams: counts against strings, fronts against all words and against the published table's optima."""

import itertools

import moocore
import numpy as np
import pytest
import torch

import paretokit as pk
from paretokit.core import InputError, Rng
from paretokit.indicators import hypervolume, r2
from paretokit.problems import NGrams


def occurrences(word, gram):
    return sum(word.startswith(gram, i) for i in range(len(word)))


@pytest.mark.parametrize("ngrams", [("AA", "AAA", "B"), ("ABA", "BAB", "AAB"), ("AB", "BA")])
def test_counts_are_those_of_strings(ngrams):
    problem = NGrams(ngrams=ngrams, alphabet="ABC", min_length=3, max_length=12, divisor=7)
    x = problem.space.sample(300, Rng.from_seed(0))
    words = problem.space.words(x)
    expected = [[occurrences(word, gram) / 7 for gram in ngrams] for word in words]
    assert torch.equal(problem.evaluate(x).values, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize(
    ("alphabet", "ngrams", "length"),
    [
        ("ABC", ("AB", "BA"), 7),
        ("ABC", ("AA", "AAB", "C"), 7),
        ("AB", ("ABA", "BB", "A"), 9),
        ("AB", ("A", "B"), 6),
        ("ABCD", ("AB", "BC", "CD", "DA"), 6),
        ("AB", ("AAB",), 7),
    ],
)
def test_the_front_is_that_of_all_words(alphabet, ngrams, length):
    words = ("".join(w) for n in (length - 1, length) for w in itertools.product(alphabet, repeat=n))
    points = np.unique([[occurrences(word, gram) for gram in ngrams] for word in words], axis=0).astype(float)
    best = points[moocore.is_nondominated(-points)] if len(ngrams) > 1 else points[-1:]
    problem = NGrams(ngrams=ngrams, alphabet=alphabet, min_length=length - 1, max_length=length, divisor=length)
    assert torch.equal(problem.pareto_front(), torch.from_numpy(best / length))


# Front size, hypervolume and R2 (50 grid values an axis, 20 for four objectives), computed independently of this code.
TABLE = [
    (("AV", "VC"), 36, 18, 13, 0.62963, 1.1391),
    (("AV", "VC", "CA"), 36, 18, 21, 0.40929, 6.9821),
    (("A", "V"), 18, 18, 19, 0.47222, 1.4458),
    (("A", "V", "C"), 18, 18, 190, 0.13992, 9.3019),
    (("A", "V", "C"), 36, 36, 703, 0.15303, 9.1782),
    (("A", "V", "C", "W"), 18, 18, 1330, 0.02915, 10.9476),
]


@pytest.mark.parametrize(("ngrams", "length", "divisor", "size", "volume", "shortfall"), TABLE)
def test_the_published_tasks_have_their_optima(ngrams, length, divisor, size, volume, shortfall):
    problem = NGrams(ngrams=ngrams, min_length=length - 4, max_length=length, divisor=divisor)
    front = problem.pareto_front()
    assert problem.front_kind == "exact"
    assert len(front) == size
    assert float(hypervolume(front, [0.0] * len(ngrams), maximize=True)) == pytest.approx(volume, abs=5e-6)
    assert float(r2(front, convention="mogfn-pc", maximize=True)) == pytest.approx(shortfall, abs=5e-5)


def test_the_shortest_length_does_not_change_the_front():
    fronts = [NGrams(min_length=n).pareto_front() for n in (1, 33, 36)]
    assert torch.equal(fronts[0], fronts[1])
    assert torch.equal(fronts[0], fronts[2])


def test_the_default_is_the_task_of_three_bigrams():
    problem = NGrams()
    assert (problem.ngrams, problem.divisor) == (("AV", "VC", "CA"), 18)
    assert (problem.space.min_length, problem.space.max_length, problem.environment.n_actions) == (32, 36, 21)
    assert pk.problems.make("ngrams-v1").fingerprint() == problem.fingerprint()
    word = "AVC" * 12
    assert problem.evaluate(problem.encode([word])).values.tolist() == [[12 / 18, 12 / 18, 11 / 18]]
    assert len(problem.pareto_front(5)) == 5


def test_many_vectors_of_counts_leave_the_front_unknown():
    problem = NGrams(ngrams=tuple("ACDEF"), min_length=30)
    assert problem.front_kind == "unknown"
    assert problem.pareto_front() is None


def test_a_bigram_that_cannot_occur_is_refused():
    with pytest.raises(
        InputError,
        match=r"`ngrams` must use letters of 'ACDEFGHIKLMNPQRSTVWY' only; got 'AB' \('B' is none, so the obj",
    ):
        NGrams(ngrams=("AV", "VC", "CA", "AB"))
    assert len(NGrams(ngrams=("AV", "VC", "CA", "AW")).pareto_front()) > 21


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ngrams": ()}, "`ngrams` must be at least 1; got 0"),
        ({"ngrams": ("AV", "AV")}, r"`ngrams` must be different; got \['AV', 'AV'\]"),
        ({"ngrams": ("",)}, "`ngrams` must have 1 to 36 letters; got ''"),
        ({"ngrams": ("A" * 37,)}, "`ngrams` must have 1 to 36 letters; got 'AAA"),
        ({"divisor": 0}, "`divisor` must be positive; got 0"),
        ({"min_length": 40}, "`max_length` must be at least min_length = 40; got 36"),
        ({"alphabet": "AVCA"}, "`alphabet` must hold different letters"),
    ],
)
def test_bad_options_get_one_line(options, message):
    with pytest.raises(InputError, match=message):
        NGrams(**options)
