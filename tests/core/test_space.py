"""Spaces: samples and projections lie inside, bounds are checked, parts stay side by side."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import paretokit as pk
from paretokit.core import Rng

SPACES = {
    "box": pk.Box([-1.0, 0.0], [1.0, 5.0]),
    "integers": pk.Integers(-3, 4, dim=3),
    "binary": pk.Binary(5),
    "categorical": pk.Categorical([2, 3, 4]),
    "sequences": pk.Sequences("ACGT", 2, 6),
    "mixed": pk.Mixed(
        {"r": pk.Box(0.0, 2.0), "k": pk.Integers(1, 9), "c": pk.Categorical(3), "w": pk.Sequences("ab", 1, 3)}
    ),
}


@pytest.mark.parametrize("name", SPACES)
@given(seed=st.integers(0, 1000))
def test_samples_and_projections_lie_inside(name, seed):
    space = SPACES[name]
    x = space.sample(20, Rng.from_seed(seed))
    assert x.shape == (20, space.dim)
    far = 20 * Rng.from_seed(seed).normal(20, space.dim)
    for rows in (
        space.project(x),
        space.project(far),
        space.project(space.from_unit(Rng.from_seed(seed).uniform(20, space.dim))),
    ):
        assert space.contains(rows).all()
        assert torch.equal(space.project(rows), rows)
    assert not space.contains(space.upper + 1)


def test_whole_columns_get_equal_shares():
    x = SPACES["integers"].sample(80_000, Rng.from_seed(0))
    counts = torch.bincount((x.flatten() + 3).long())
    assert len(counts) == 8
    assert float((counts / counts.sum() - 1 / 8).abs().max()) < 0.005


def test_words_and_pads():
    space = SPACES["sequences"]
    rows = torch.tensor([[0, 1, 2, 3, 4, 4], [3, 3, 4, 4, 4, 4], [0, 1, 4, 0, 4, 4]], dtype=torch.float64)
    assert space.words(rows) == ["ACGT", "TT", "ACA"]
    assert space.contains(rows).tolist() == [True, True, False]
    assert space.words(space.project(rows)) == ["ACGT", "TT", "AC"]
    lengths = {len(w) for w in space.words(space.sample(200, Rng.from_seed(1)))}
    assert lengths == {2, 3, 4, 5, 6}


def test_mixed_parts_come_back_by_name():
    space = SPACES["mixed"]
    x = space.sample(4, Rng.from_seed(0))
    parts = space.split(x)
    assert list(parts) == ["r", "k", "c", "w"]
    assert torch.equal(torch.cat(list(parts.values()), -1), x)
    assert space.kinds.tolist() == [0, 1, 2, 2, 2, 2]
    assert not space.is_real


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (
            lambda: pk.Box([1, 2], [0, 3]),
            r"`lower` must not lie above `upper`; got lower\[0\] = 1 above upper\[0\] = 0 \(are the bounds",
        ),
        (lambda: pk.Box([1, 2], [0, 3, 4]), "`lower` must be a number or have 3 entries"),
        (lambda: pk.Box(0, float("inf"), dim=2), "`upper` must be finite"),
        (lambda: pk.Box(0, 1, dim=0), "`dim` must be at least 1; got 0"),
        (lambda: pk.Integers(0.5, 2, dim=1), "`lower` must be whole"),
        (lambda: pk.Categorical(1), "`sizes` must be at least 2; got 1"),
        (lambda: pk.Sequences("", 1, 2), "`alphabet` must be at least 1; got 0"),
        (lambda: pk.Sequences("ab", 3, 2), "`max_length` must be at least 3; got 2"),
        (lambda: pk.Mixed({}), "`parts` must be at least 1; got 0"),
    ],
)
def test_mistakes_get_one_line(make, line):
    with pytest.raises(pk.InputError, match=line):
        make()


@pytest.mark.parametrize("name", SPACES)
def test_containing_all_is_containing_each(name):
    space = SPACES[name]
    x = space.project(space.sample(9, Rng.from_seed(0)))
    cube = pk.Box(0.0, 1.0, dim=space.dim)
    for s, rows in ((space, x), (cube, Rng.from_seed(1).uniform(9, space.dim))):
        assert s.contains_all(rows)
        assert s.contains_all(rows[:0])
        for bad in (s.upper[0] + 1, s.lower[0] - 1, torch.nan, torch.inf):
            broken = rows.clone()
            broken[4, 0] = bad
            assert not s.contains_all(broken)
