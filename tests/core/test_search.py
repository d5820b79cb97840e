"""Ranges of hyper-parameters: their ends, their scales, and a line for each mistake."""

from __future__ import annotations

import math

import pytest

from paretokit.core import Choice, InputError, LogRange, Range


def test_whole_ends_make_whole_numbers_equally_likely():
    drawn = [Range(2, 5).draw(i / 1000) for i in range(1000)]
    assert [drawn.count(v) for v in (2, 3, 4, 5)] == [250, 250, 250, 250]
    assert all(isinstance(v, int) for v in drawn)


def test_equal_factors_are_equally_likely_on_a_logarithmic_scale():
    drawn = [LogRange(1e-4, 1e-1).draw(i / 900) for i in range(900)]
    decades = [math.floor(math.log10(v) + 1e-9) for v in drawn]
    assert [decades.count(d) for d in (-4, -3, -2)] == [300, 300, 300]
    whole = [LogRange(1, 100).draw(i / 999) for i in range(1000)]
    assert min(whole) == 1
    assert max(whole) == 100
    assert all(isinstance(v, int) for v in whole)


def test_a_range_holds_what_it_draws_and_nothing_else():
    assert Range(2, 5).holds(3)
    assert not Range(2, 5).holds(3.0)
    assert not Range(2, 5).holds(value=True)
    assert Range(0.0, 1.0).holds(1)
    assert not Range(0.0, 1.0).holds(None)
    assert not Range(0.0, 1.0).holds(1.1)
    assert Choice((None, "a", 2)).holds(None)
    assert not Choice((2, 3)).holds(2.0)


def test_choices_beyond_plain_values_are_told_by_json():
    choice = Choice(({"name": "CAGrad", "c": 0.5}, "EPO", (1, 2)))
    assert choice.labels == ('{"c": 0.5, "name": "CAGrad"}', "EPO", "[1, 2]")
    assert choice.draw(0.1) == {"name": "CAGrad", "c": 0.5}


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: Range(3, 3), "`range` must have its low end below its high end; got (3, 3)"),
        (lambda: Range(0.0, math.inf), "`range` must have finite ends; got (0.0, inf)"),
        (lambda: Range("a", 3), "`low` must be a number; got 'a'"),
        (lambda: LogRange(0.0, 1.0), "`low` must be positive on a logarithmic scale; got 0.0"),
        (lambda: Choice("ab"), "`options` must be a list of values; got 'ab' (('a', 'b'))"),
        (lambda: Choice(()), "`options` must be at least 1; got 0"),
        (lambda: Choice((1, True)), "`options` must be distinct; got [1, True]"),
        (lambda: Choice((object,)), "`options` must be texts, numbers, None, or lists and mappings of these; got"),
    ],
)
def test_bad_ranges(make, line):
    with pytest.raises(InputError) as error:
        make()
    assert str(error.value).startswith(line)
