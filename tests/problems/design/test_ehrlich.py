"""Ehrlich functions: values told again on strings, and solutions that are reached by construction."""

import itertools
import math

import pytest
import torch

from paretokit.core import InputError, Rng
from paretokit.problems import Ehrlich
from paretokit.problems.design import States
from paretokit.problems.design._ehrlich import Motif


def plain(problem, word):
    """The values of a word, told again without tensors."""
    allowed, letters = problem.allowed.tolist(), [problem.alphabet.index(c) for c in word]
    if not all(allowed[a][b] for a, b in itertools.pairwise(letters)):
        return [0.0] * len(problem.motifs)
    values = []
    for group in problem.motifs:
        value = 1.0
        for motif in group:
            k, best = len(motif.letters), 0
            for begin in range(len(letters) - motif.offsets[-1]):
                there = sum(letters[begin + s] == a for a, s in zip(motif.letters, motif.offsets, strict=True))
                best = max(best, there)
            h = math.floor(best * problem.quantization / k) / problem.quantization
            value *= h * (1 + problem.epistasis * h * (h - 1))
        values.append(value)
    return values


def rollouts(problem, n):
    """Decisions of uniform legal trajectories."""
    env = problem.environment
    states, u = env.start(n), Rng.from_seed(1).uniform(env.max_steps, n)
    for step in range(env.max_steps):
        count = env.mask(states).cumsum(-1)
        states = env.step(states, (count <= (u[step] * count[:, -1]).floor().unsqueeze(1)).sum(-1))
    return env.decisions(states)


@pytest.mark.parametrize(
    "options",
    [
        {"n_objectives": 1, "n_motifs": 1, "length": 12, "alphabet": "ACGT", "motif_length": 3},
        {"n_objectives": 2, "n_motifs": 2, "length": 24, "alphabet": "ACDEFG", "motif_length": 3, "epistasis": 2.0},
        {"n_objectives": 3, "n_motifs": 1, "length": 18, "alphabet": "ACDEFG", "motif_length": 4, "quantization": 3},
        {"quantization": 2, "epistasis": 1.0},
    ],
)
def test_values_are_those_told_again_on_strings(options):
    problem = Ehrlich(seed=3, **options)
    x = torch.cat([rollouts(problem, 150), problem.space.sample(50, Rng.from_seed(0))])
    expected = [plain(problem, word) for word in problem.space.words(x)]
    torch.testing.assert_close(problem.evaluate(x).values, torch.tensor(expected, dtype=torch.float64))
    assert (problem.evaluate(x).values > 0).any()


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n_objectives": 3, "length": 24},
        {"n_objectives": 1, "n_motifs": 4, "epistasis": 3.0},
        {"alphabet": "ACGT", "length": 24, "motif_length": 3, "quantization": 2},
        {"alphabet": "AB", "length": 6, "n_objectives": 1, "n_motifs": 2, "motif_length": 2, "band": 2},
    ],
)
def test_all_objectives_reach_one_by_construction(seed, options):
    problem = Ehrlich(seed=seed, **options)
    x = problem.solution()
    assert problem.front_kind == "exact"
    assert problem.feasible(x[None]).all()
    assert torch.equal(problem.evaluate(x[None]).values, problem.pareto_front())
    assert (problem.pareto_front() == 1).all()


def test_the_solution_is_reached_by_legal_actions():
    problem = Ehrlich()
    env, state = problem.environment, problem.environment.start(1)
    for letter in problem.solution().to(torch.int64):
        assert env.mask(state)[0, letter]
        state = env.step(state, letter[None])
    assert env.done(state).all()


def test_words_too_short_for_all_motifs_still_solve_each_objective():
    problem = Ehrlich(length=12, n_objectives=2, n_motifs=2, motif_length=4, span=6)
    assert problem.front_kind == "unknown"
    assert problem.pareto_front() is None
    for objective in range(2):
        assert problem.evaluate(problem.solution(objective)).values[objective] == 1
    with pytest.raises(InputError, match=r"`length` must be at least \d+, the motifs' spans, .*; got 12 \(name one"):
        problem.solution()


def test_the_environment_writes_exactly_the_feasible_words():
    problem = Ehrlich(alphabet="ACGT", length=5, n_objectives=1, n_motifs=1, motif_length=2, band=2)
    states = States.of(problem.environment, 10_000)
    written = problem.environment.decisions(states.rows[states.terminal])
    every = torch.cartesian_prod(*[torch.arange(4, dtype=torch.float64)] * 5)
    feasible = every[problem.feasible(every)]
    assert sorted(written.tolist()) == feasible.tolist()
    assert len(feasible) == 4 * 2**4
    infeasible = every[~problem.feasible(every)]
    assert (problem.evaluate(infeasible).values == 0).all()


def test_motifs_differ_and_their_letters_may_follow_each_other():
    for seed in range(20):
        problem = Ehrlich(seed=seed, n_objectives=3, length=36)
        motifs = [motif for group in problem.motifs for motif in group]
        assert len({motif.letters for motif in motifs}) == 6
        for motif in motifs:
            assert len(set(motif.letters)) == 4
            assert motif.span <= problem.span == 6
            assert all(problem.allowed[a, b] for a, b in itertools.pairwise(motif.letters))


def test_motifs_are_spelled_with_their_gaps_filled():
    assert Motif((3, 1, 2), (0, 2, 5)).spelled() == [3, 3, 1, 1, 1, 2]


def test_every_option_changes_the_problem():
    base = Ehrlich()
    x = rollouts(base, 400)
    changed = [{"seed": 1}, {"epistasis": 1.0}, {"quantization": 2}, {"band": 10}, {"span": 4}, {"n_motifs": 1}]
    for options in changed:
        other = Ehrlich(**options)
        assert other.fingerprint() != base.fingerprint()
        assert not torch.equal(other.evaluate(x).values, base.evaluate(x).values)
    assert Ehrlich(seed=1).motifs == Ehrlich(seed=1).motifs


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 7}, r"`length` must be at least n_motifs \* motif_length = 8; got 7"),
        ({"n_objectives": 0}, "`n_objectives` must be at least 1; got 0"),
        ({"n_motifs": 0}, "`n_motifs` must be at least 1; got 0"),
        ({"motif_length": 1}, "`motif_length` must be at least 2; got 1"),
        ({"quantization": 5}, "`quantization` must lie in 1 … motif_length = 4; got 5"),
        ({"epistasis": 3.5}, r"`epistasis` must lie in \[0, 3\]; got 3.5"),
        ({"span": 3}, "`span` must lie in motif_length … length / n_motifs = 4 … 16; got 3"),
        ({"span": 17}, "`span` must lie in motif_length … length / n_motifs = 4 … 16; got 17"),
        ({"band": 21}, "`band` must lie in motif_length … letters = 4 … 20; got 21"),
        ({"alphabet": "ABC"}, "`band` must lie in motif_length … letters = 4 … 3; got 4"),
        (
            {"alphabet": "AB", "motif_length": 2, "n_objectives": 5, "n_motifs": 1},
            "`n_motifs` must leave different motifs to draw; got 5 of 2 letters",
        ),
        ({"alphabet": "ABCDD"}, "`alphabet` must hold different letters"),
    ],
)
def test_bad_options_get_one_line(options, message):
    with pytest.raises(InputError, match=message):
        Ehrlich(**options)


def test_an_unknown_objective_has_no_solution():
    with pytest.raises(InputError, match="`objective` must lie in 0 … 1; got 2"):
        Ehrlich().solution(2)
