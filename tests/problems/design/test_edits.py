"""Words that are edited: which can be reached, each place once, and with which backward policy."""

import itertools
import math

import pytest
import torch

from paretokit.core import InputError, Objective, Rng, Sequences
from paretokit.problems.design import CompositionalDesign, States
from paretokit.problems.design._edits import EditEnvironment
from paretokit.problems.design._environment import NOTHING
from paretokit.solvers.gflownet._mlp_policy import MLPPolicy
from paretokit.solvers.gflownet._sampler import retrace, sample
from paretokit.solvers.gflownet._scores import scores
from paretokit.testing import check_design


class Edited(CompositionalDesign):
    """How often a word has each of its first two letters."""

    objectives = (Objective("a", "max"), Objective("b", "max"))

    def __init__(self, **options):
        self.environment = EditEnvironment(**options)
        self.space = Sequences("abcd"[: options["n_letters"]], 1, options["max_length"])

    def _score(self, x):
        return torch.stack([(x == a).sum(1) for a in range(2)], 1).to(x.dtype)


@pytest.mark.parametrize(
    ("low", "high", "word", "length"),
    [
        (0, 1, (1, 0, 2), 5),
        (1, 1, (2,), 1),
        (0, 3, (1, 0, 2), 3),
        (2, 3, (1, 0, 2), 5),
        (3, 3, (1, 0, 2), 3),
        (1, 4, (2, 0), 2),
    ],
)
def test_edits_keep_the_contract_of_designs(low, high, word, length):
    check_design(Edited(n_letters=3, max_length=length, word=word, min_edits=low, max_edits=high), n=16)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (1, 2), (2, 2), (1, 3), (3, 3), (0, 9), (4, 9)])
def test_the_words_within_so_many_edits_are_reached_and_no_other(low, high):
    word = (1, 0, 2)
    env = EditEnvironment(n_letters=3, max_length=4, word=word, min_edits=low, max_edits=high)
    states = States.of(env, 10_000)
    rows = states.rows[states.terminal]
    found = sorted(tuple(row) for row in env.decisions(rows).to(torch.int64).tolist())
    apart = {(*w, 3): sum(a != b for a, b in zip(w, word, strict=True)) for w in itertools.product(range(3), repeat=3)}
    enough = min(low, len(word))  # every place is edited: the stop is legal
    assert found == sorted(w for w, edits in apart.items() if enough <= edits <= high)
    assert torch.equal(env.finished(env.decisions(rows)), rows)


def test_a_state_of_k_edits_has_k_parents_at_its_level():
    env = EditEnvironment(n_letters=3, max_length=4, word=(0, 1, 2, 1), min_edits=0, max_edits=4)
    states = States.of(env, 10_000)
    parents = (states.parents != NOTHING).sum(1)
    edits = env.edited(states.rows).sum(1)
    stopped = (states.rows[:, -1] == 1) & (edits < 4)
    assert torch.equal(parents[~stopped], edits[~stopped])
    assert (parents[stopped] == 1).all()
    level = torch.bucketize(torch.arange(len(states)), torch.tensor(states.levels[1:]), right=True)
    assert torch.equal(level, edits + stopped)


def test_uniform_backward_policy_is_one_over_the_edits():
    env = EditEnvironment(n_letters=4, max_length=6, min_edits=2, max_edits=4)
    model = MLPPolicy(hidden=(8,)).bind(env, condition_dim=0, backward=False)
    row = model.initial(Rng.from_seed(0))
    begin = env.beginning(Sequences("abcd", 1, 6).sample(200, Rng.from_seed(1)))
    paths = sample(model, row, None, n=200, rng=Rng.from_seed(2), start=begin)
    edits = env.edited(paths.last).sum(1)
    expected = torch.tensor([-math.lgamma(k + 1) for k in edits.tolist()])
    torch.testing.assert_close(scores(model, row, paths).backward.sum(0), expected)
    assert set(edits.tolist()) >= {1, 2, 3, 4}  # words of one letter have one edit


def test_trajectories_edit_each_place_once_keep_the_length_and_begin_where_they_are_told():
    env = EditEnvironment(n_letters=3, max_length=8, min_edits=1, max_edits=5)
    model = MLPPolicy(hidden=(8,)).bind(env, condition_dim=0, backward=False)
    words = Sequences("abc", 1, 8).sample(300, Rng.from_seed(3))
    row = model.initial(Rng.from_seed(0))
    paths = sample(model, row, None, n=300, rng=Rng.from_seed(4), epsilon=0.5, start=env.beginning(words))
    assert env.done(paths.last).all()
    assert torch.equal(env.original(paths.last), words.to(torch.int64))
    places = torch.where((paths.actions != NOTHING) & (paths.actions != env.stop), paths.actions // 3, -1)
    for column in places.T.tolist():
        made = [p for p in column if p >= 0]
        assert len(set(made)) == len(made) <= 5
    x = env.decisions(paths.last)
    assert torch.equal(x == env.pad, words == env.pad)
    assert ((x != words).sum(1) == (places >= 0).sum(0)).all()
    assert ((x != words).sum(1) >= 1).all()


def test_ways_back_from_a_word_lead_to_the_one_that_it_came_from():
    env = EditEnvironment(n_letters=3, max_length=5, min_edits=1, max_edits=3)
    model = MLPPolicy(hidden=(8,)).bind(env, condition_dim=0, backward=False)
    row = model.initial(Rng.from_seed(0))
    words = env.beginning(Sequences("abc", 2, 5).sample(64, Rng.from_seed(5)))
    last = sample(model, row, None, n=64, rng=Rng.from_seed(6), start=words).last
    back = retrace(model, row, None, finished=last, rng=Rng.from_seed(7))
    assert torch.equal(back.states[0], words)
    assert torch.equal(back.last, last)


def test_masks_close_the_letter_that_stands_edited_places_and_padding():
    env = EditEnvironment(n_letters=2, max_length=3, min_edits=1, max_edits=2)
    state = env.beginning(torch.tensor([[0.0, 1.0, 2.0]]))
    assert env.mask(state).tolist() == [[False, True, True, False, False, False, False]]
    state = env.step(state, torch.tensor([1]))
    assert env.mask(state).tolist() == [[False, False, True, False, False, False, True]]
    assert env.observe(state).tolist() == [[0, 1, 0, 1, 0, 0, 1, 0, 0, 0.5]]
    full = env.step(state, torch.tensor([2]))
    assert env.done(full).all()
    assert not env.mask(full).any()
    assert env.backward_mask(full).tolist() == [[True, True, False, False]]
    stopped = env.step(state, torch.tensor([env.stop]))
    assert env.backward_mask(stopped).tolist() == [[False, False, False, True]]
    assert torch.equal(env.back(stopped, torch.tensor([3])), state)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_letters": 1}, "`n_letters` must be at least 2; got 1"),
        ({"max_length": 0}, "`max_length` must be at least 1; got 0"),
        ({"max_edits": 0, "min_edits": 0}, "`max_edits` must be at least 1; got 0"),
        (
            {"min_edits": 4, "max_edits": 3},
            "`min_edits` must lie in 0 … max_edits = 3; got 4 (are the numbers the wrong way round?)",
        ),
        ({"min_edits": -1}, "`min_edits` must lie in 0 … max_edits = 6; got -1"),
        ({"word": (0,) * 6}, "`word` must have at most max_length = 5 letters; got 6"),
        ({"word": (0, 3)}, "`word` must hold letters 0 … 2; got [0, 3]"),
    ],
)
def test_bad_options_are_told(options, message):
    with pytest.raises(InputError) as caught:
        EditEnvironment(**{"n_letters": 3, "max_length": 5, **options})
    assert message in str(caught.value)
