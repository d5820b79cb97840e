"""Words that grow at their end: every word once, lengths and transitions kept."""

import itertools

import pytest
import torch

from paretokit.core import InputError, Rng, Sequences, ShapeError
from paretokit.problems.design import AppendEnvironment, States
from paretokit.problems.design._environment import NOTHING

FORBIDDEN = ((True, True, False), (False, True, True), (True, False, True))


def words(v, low, high, allowed=None, first=None):
    """All words, told one by one."""
    for length in range(low, high + 1):
        for word in itertools.product(range(v), repeat=length):
            if first is not None and not first[word[0]]:
                continue
            if allowed is None or all(allowed[a][b] for a, b in itertools.pairwise(word)):
                yield word


@pytest.mark.parametrize(("low", "high"), [(1, 1), (1, 4), (2, 4), (4, 4)])
@pytest.mark.parametrize("allowed", [None, FORBIDDEN])
@pytest.mark.parametrize("first", [None, (True, False, True)])
def test_every_word_is_reached_once_and_no_other(low, high, allowed, first):
    env = AppendEnvironment(n_letters=3, min_length=low, max_length=high, allowed=allowed, first=first)
    states = States.of(env, 10_000)
    rows = states.rows[states.terminal]
    found = [tuple(t for t in row if t < 3) for row in env.decisions(rows).to(torch.int64).tolist()]
    assert sorted(found) == sorted(words(3, low, high, allowed, first))
    assert Sequences("abc", low, high).contains(env.decisions(rows)).all()
    assert torch.equal(env.finished(env.decisions(rows)), rows)
    assert ((states.parents != NOTHING).sum(-1)[1:] == 1).all()


def test_the_longest_words_take_no_stop_and_shorter_ones_do():
    env = AppendEnvironment(n_letters=2, min_length=2, max_length=3)
    state = env.start(1)
    assert env.mask(state).tolist() == [[True, True, False]]
    for letter, legal in ((1, [True, True, False]), (0, [True, True, True]), (1, [False, False, False])):
        state = env.step(state, torch.tensor([letter]))
        assert env.mask(state).tolist() == [legal]
    assert state.tolist() == [[1, 0, 1, 3, 1]]
    assert env.done(state).all()
    stopped = env.step(env.back(state, torch.tensor([0])), torch.tensor([2]))
    assert stopped.tolist() == [[1, 0, 2, 2, 1]]
    assert env.redoing(stopped, torch.tensor([0])).tolist() == [2]
    assert env.redoing(state, torch.tensor([0])).tolist() == [1]


def test_observations_are_letters_and_length():
    env = AppendEnvironment(n_letters=2, min_length=1, max_length=3)
    states = torch.tensor([[1, 0, 2, 2, 0], [2, 2, 2, 0, 0]])
    expected = [[0, 1, 1, 0, 0, 0, 2 / 3], [0] * 7]
    assert torch.equal(env.observe(states), torch.tensor(expected))


def test_uniform_policy_ends_in_the_words_with_probability_one():
    env = AppendEnvironment(n_letters=3, min_length=2, max_length=4, allowed=FORBIDDEN)
    states = States.of(env, 10_000)
    legal = (states.children != NOTHING).to(torch.float64)
    ends = states.terminal_distribution((legal / legal.sum(-1, keepdim=True).clamp_min(1)).log())
    assert ends.sum().item() == pytest.approx(1, abs=1e-12)


def test_words_that_transitions_end_early_shorten_the_longest_trajectory():
    ladder = ((False, True, False), (False, False, True), (False, False, False))
    env = AppendEnvironment(n_letters=3, min_length=1, max_length=9, allowed=ladder)
    assert env.max_steps == 4
    assert len(States.of(env, 1000).levels) - 2 == 4


def test_equal_environments_are_equal_and_tables_may_be_lists():
    one, two = (AppendEnvironment(n_letters=2, min_length=1, max_length=2, allowed=a) for a in ([[1, 1]] * 2, None))
    assert one != two
    assert one == AppendEnvironment(n_letters=2, min_length=1, max_length=2, allowed=torch.ones(2, 2).tolist())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_length": 1}, InputError, r"`max_length` must be at least min_length = 2; got 1 \(are the lengths"),
        ({"min_length": 0}, InputError, "`min_length` must be at least 1; got 0"),
        ({"n_letters": 0}, InputError, "`n_letters` must be at least 1; got 0"),
        ({"allowed": [[True]]}, ShapeError, r"`allowed` must have shape \(2, 2\), .*; got \(1, 1\)"),
        ({"first": [True]}, ShapeError, "`first` must have 2 entries, one a letter; got 1"),
        ({"first": [False, False]}, InputError, r"`first` must allow at least one letter; .*every action would be"),
        (
            {"allowed": [[True, True], [False, False]]},
            InputError,
            "`allowed` must leave a next letter to every word shorter than min_length = 2; got none after letter 1 at",
        ),
    ],
)
def test_bad_options_get_one_line(options, error, message):
    with pytest.raises(error, match=message):
        AppendEnvironment(**{"n_letters": 2, "min_length": 2, "max_length": 3, **options})


def test_a_letter_without_successor_is_fine_where_words_may_stop():
    env = AppendEnvironment(n_letters=2, min_length=1, max_length=3, allowed=[[True, True], [False, False]])
    after = env.step(env.start(1), torch.tensor([1]))
    assert env.mask(after).tolist() == [[False, False, True]]


def test_samples_of_the_space_can_be_taken_apart_to_the_empty_word():
    env, space = AppendEnvironment(n_letters=4, min_length=3, max_length=7), Sequences("ACGT", 3, 7)
    x = space.sample(50, Rng.from_seed(0))
    states = env.finished(x)
    assert torch.equal(env.decisions(states), x)
    for _ in range(env.max_steps):
        states = env.back(states, torch.where(env.backward_mask(states)[:, 0], 0, NOTHING))
    assert torch.equal(states, env.start(50))
