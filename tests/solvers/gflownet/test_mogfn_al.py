"""Active learning of words: exponents, counts, edits, and more hypervolume than random words of as many calls."""

import sys

import pytest
import torch

import paretokit as pk
from paretokit.core import InputError, MissingPackageError, Objective, Rng, UnsupportedProblemError
from paretokit.indicators import hypervolume
from paretokit.problems.design import CompositionalDesign, Ehrlich, NGrams
from paretokit.solvers.gflownet import MOGFNAL, MLPPolicy
from paretokit.solvers.gflownet._edit_round import Round, fitted, one_hot, reference
from paretokit.solvers.gflownet._word_pool import active, distinct_front, keys, legal, novel, random_words, worst_rank

TINY = {
    "policy": MLPPolicy(hidden=(16,)),
    "n_initial": 12,
    "n_active": 4,
    "n_proposals": 6,
    "updates": 3,
    "batch_size": 8,
    "samples": 16,
    "fit_iterations": 10,
    "max_edits": 3,
}


def bigrams(low=6, high=9):
    return NGrams(ngrams=("AC", "CA"), min_length=low, max_length=high, divisor=4, alphabet="ACGT")


class Watched(CompositionalDesign):
    """A design that writes down every word that it scores; words with a forbidden letter fail."""

    def __init__(self, inner, forbidden=None):
        self.inner, self.forbidden = inner, forbidden
        self.environment, self.space, self.objectives = inner.environment, inner.space, inner.objectives
        self.protocol = inner.protocol
        self.calls = []

    def _score(self, x):
        self.calls.append(x)
        values = self.inner._score(x)
        if self.forbidden is None:
            return values
        return torch.where((x == self.forbidden).any(1, keepdim=True), torch.nan, values)


def run(problem, *, rounds=3, seed=0, initial=None, **options):
    solver = MOGFNAL(**{**TINY, "rounds": rounds, **options})
    return pk.solve(problem, solver, budget=pk.Budget(iterations=50), seed=seed, initial=initial, progress=False)


def test_exponent_falls_to_its_floor_and_never_below():
    solver = MOGFNAL(beta=32, beta_decay=2, beta_floor=2)
    exponents = [solver.exponent(r) for r in range(64)]
    assert exponents[:16] == [32.0 - 2 * r for r in range(15)] + [2.0]
    assert min(exponents) == 2
    assert exponents == sorted(exponents, reverse=True)


def test_oracle_calls_are_those_counted_and_no_word_is_scored_twice():
    problem = Watched(bigrams())
    result = run(problem)
    scored = torch.cat(problem.calls[: len(result.history)])  # `assess` measures the front again afterwards
    assert result.cost.evaluations == result.cost.work == len(scored) == len(result.state.x) == 12 + 3 * 4
    assert len(set(keys(scored))) == len(scored)
    assert torch.equal(scored, result.state.x)
    assert result.cost.gradient_steps == 3 * 3
    assert result.status == "finished"


def test_surrogate_calls_are_reported():
    result = run(bigrams(), rounds=2)
    assert result.state.surrogate_calls == 2 * (3 * 8 + 4 * 6)
    assert result.history["surrogate calls"].tolist() == [0, 48, 96]


def test_every_proposal_is_an_edit_of_a_word_scored_before():
    result = run(bigrams(), rounds=4, n_proposals=40, max_edits=2)
    x = result.state.x
    for begin in range(12, len(x), 4):
        for word in x[begin : begin + 4]:
            apart = (x[:begin] != word).sum(1) + 100 * ((x[:begin] == 4) != (word == 4)).any(1)
            assert 1 <= apart.min() <= 2


def test_initial_words_begin_the_pool_once_each():
    problem = bigrams()
    words = problem.encode(["ACACAC", "GGGGGGG", "ACACAC"])
    result = run(problem, rounds=1, initial=words)
    assert torch.equal(result.state.x[:2], words[:2])
    assert len(result.state.x) == 2 + 4


def test_one_initial_word_suffices():
    result = run(bigrams(), rounds=2, initial=bigrams().encode(["GGGGGG"]))
    assert len(result.state.x) == 1 + 4 + 4  # all edits begin with words of the pool


def test_failed_words_are_counted_and_learned_nothing_from():
    problem = Watched(bigrams(), forbidden=3)
    result = run(problem)
    assert torch.isnan(result.state.values).any()
    assert len(result.state.x) == 12 + 3 * 4
    assert torch.isfinite(result.front.values).all()
    assert len(set(keys(result.state.x))) == len(result.state.x)


def test_minimized_objectives_are_learned_too():
    def letters(word):
        return word.count("A") / 8, word.count("C") / 8

    design = CompositionalDesign.sequences(
        "ACG",
        [Objective("a", "min"), Objective("c", "max")],
        letters,
        min_length=8,
        max_length=8,
        ideal=(0, 1),
        nadir=(1, 0),
    )
    result = run(design, rounds=6, n_initial=16, updates=20, batch_size=16, n_proposals=20)
    assert result.front.values[:, 1].max() > result.state.values[:16, 1].max()
    assert result.front.values[:, 0].min() <= result.state.values[:16, 0].min()


def test_all_words_seen_ends_the_run():
    problem = NGrams(ngrams=("AC", "CA"), min_length=2, max_length=2, divisor=1, alphabet="AC")
    result = run(problem, rounds=20, n_initial=3, n_proposals=10)
    assert len(result.state.x) == 4
    assert result.status == "finished"


def test_words_that_the_design_cannot_write_are_never_scored():
    problem = Ehrlich(length=8, n_motifs=1, motif_length=3, alphabet="ACGT")
    watched = Watched(problem)
    result = run(watched, rounds=3, n_proposals=30)
    assert legal(problem, result.state.x).all()
    x = random_words(problem, 500, Rng.from_seed(0))
    follows = problem.allowed[x[:, :-1].long(), x[:, 1:].long()].all(1)
    assert follows.all()
    anything = problem.space.sample(500, Rng.from_seed(1))
    follows = problem.allowed[anything[:, :-1].long(), anything[:, 1:].long()].all(1)
    assert torch.equal(legal(problem, anything), follows)
    assert 0 < follows.sum() < 500


def test_random_words_have_uniform_lengths_and_may_end_early():
    ladder = ((False, True, False), (False, False, True), (False, False, False))
    design = CompositionalDesign.sequences("abc", 2, lambda w: (1, 1), max_length=5, allowed=ladder)
    words = {design.decode(x) for x in random_words(design, 400, Rng.from_seed(0))}
    assert words == {"a", "b", "c", "ab", "bc", "abc"}
    plain = bigrams(2, 5)
    lengths = (random_words(plain, 4000, Rng.from_seed(0)) < 4).sum(1)
    shares = torch.bincount(lengths, minlength=6)[2:] / 4000
    assert ((shares - 0.25).abs() < 0.03).all()  # 4 standard deviations


def test_the_trained_sampler_prefers_what_the_acquisition_does():
    """Trajectory balance learns p(x | x_0) in proportion to the reward on one short word, by counting."""
    problem = NGrams(ngrams=("AC", "CA"), min_length=3, max_length=3, divisor=2, alphabet="AC")
    solver = MOGFNAL(policy=MLPPolicy(hidden=(64,)), batch_size=64, min_edits=1, max_edits=3, learning_rate=3e-3)
    state = solver.init(problem, Rng.from_seed(0))

    def worth(x):
        return (x * torch.tensor([0.5, 0.25, 0.125])).sum(1).double()  # a made-up log acquisition

    now = Round(problem, solver.engine(problem), torch.zeros(1, 3).double(), worth, 2.0, Rng.from_seed(1))
    for k in range(400):
        solver._update(now, state, k)
    x = now.environment.decisions(now.rolled(state.row[0], torch.zeros(20_000, 3).double(), rng=Rng.from_seed(2)).last)
    found = torch.bincount((x @ torch.tensor([4.0, 2.0, 1.0]).double()).long(), minlength=8)[1:] / 20_000
    rows = torch.cartesian_prod(*[torch.arange(2.0)] * 3)[1:]
    target = torch.softmax(2.0 * worth(rows), 0)
    assert (found - target).abs().sum() < 0.06


def test_log_z_depends_on_the_word_and_moves_with_the_best():
    env = MOGFNAL().environment(bigrams())
    assert one_hot(env, torch.tensor([[1.0, 4, 4, 4, 4, 4, 4, 4, 4]])).nonzero().tolist() == [[0, 1]]


def test_active_words_are_the_front_first_then_by_rank():
    values = torch.tensor([[0, 0], [1, 0], [0, 1], [1, 0], [0.5, 0.5], [0.2, 0.2]], dtype=torch.float64)
    assert distinct_front(values).tolist() == [1, 2, 4]
    assert worst_rank(values).tolist() == [4, 4, 4, 4, 2, 3]
    rows = active(values, 4, spread=1.0, rng=Rng.from_seed(0))
    assert set(rows[:3].tolist()) == {1, 2, 4}
    assert len(set(rows.tolist())) == 4
    assert set(active(values, 9, spread=1.0, rng=Rng.from_seed(0)).tolist()) == set(range(6))
    few = {tuple(sorted(active(values, 2, spread=1.0, rng=Rng.from_seed(s)).tolist())) for s in range(40)}
    assert few == {(1, 2), (1, 4), (2, 4)}


def test_ranks_weigh_the_draw():
    values = torch.tensor([[3.0], [2.0], [2.0], [1.0]], dtype=torch.float64)
    drawn = torch.stack([active(values, 2, spread=1.0, rng=Rng.from_seed(s)) for s in range(3000)])[:, 1]
    shares = torch.bincount(drawn, minlength=4) / 3000
    expected = torch.tensor([0, 1 / 2, 1 / 2, 1 / 3]) / (4 / 3)
    assert ((shares - expected).abs() < 0.04).all()  # 4 standard deviations


def test_fitted_words_are_half_the_best():
    values = torch.arange(20.0, dtype=torch.float64).unsqueeze(1)
    rows = fitted(values, 8, Rng.from_seed(0))
    assert len(set(rows.tolist())) == 8
    assert set(rows.tolist()) >= {16, 17, 18, 19}
    assert fitted(values, 20, Rng.from_seed(0)).tolist() == list(range(20))


def test_reference_is_the_problems_or_the_fronts_moved_away():
    values = torch.tensor([[0.0, 1.0], [1.0, 0.5], [0.5, 0.5]], dtype=torch.float64)
    torch.testing.assert_close(reference(bigrams(), values), torch.tensor([-0.1, -0.05], dtype=torch.float64))
    free = Watched(bigrams())
    free.protocol = pk.EvaluationProtocol()
    torch.testing.assert_close(reference(free, values), torch.tensor([-0.1, 0.45], dtype=torch.float64))


def test_novel_words_are_the_first_of_equal_ones():
    x = torch.tensor([[1.0, 2], [0, 1], [1, 2], [2, 2], [1, 1]])
    assert novel(x, {(0, 1)}, 2).tolist() == [0, 3]
    assert novel(x, set(), 9).tolist() == [0, 1, 3, 4]


def test_global_generators_and_compilers_are_left_alone():
    state = torch.random.get_rng_state()
    run(bigrams(), rounds=1)
    assert torch.equal(state, torch.random.get_rng_state())
    logei = sys.modules["botorch.acquisition.multi_objective.logei"]
    assert not getattr(logei, "_load_attempted", False)


def test_designs_without_words_are_refused():
    with pytest.raises(
        UnsupportedProblemError, match="it edits words, rows of a Sequences space; this one is GridCells"
    ):
        MOGFNAL().check(pk.problems.make("hypergrid-v1"))
    with pytest.raises(UnsupportedProblemError, match="its alphabet has one letter, so there is nothing to edit"):
        MOGFNAL().check(CompositionalDesign.sequences("A", 2, lambda w: (1, 1), max_length=3))


def test_missing_botorch_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "botorch", None)
    with pytest.raises(MissingPackageError, match=r'package \'botorch\' is needed here; .* "paretokit\[bo\]"'):
        MOGFNAL().init(bigrams(), Rng.from_seed(0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": 1}, "`beta` must be at least beta_floor = 2.0; got 1 (it only falls, and never below the floor)"),
        ({"beta_floor": 0}, "`beta_floor` must be positive; got 0"),
        ({"beta_decay": -1}, "`beta_decay` must be at least 0; got -1"),
        ({"min_edits": 7}, "`min_edits` must lie in 0 … max_edits = 6; got 7"),
        ({"max_edits": 0}, "`max_edits` must be at least 1; got 0"),
        ({"n_active": 0}, "`n_active` must be at least 1; got 0"),
        ({"samples": 0}, "`samples` must be at least 1; got 0"),
        ({"spread": 0.0}, "`spread` must be positive; got 0.0"),
        ({"epsilon": 1.5}, "`epsilon` must lie in [0, 1]; got 1.5"),
        ({"lowest": 0.0}, "`lowest` must be negative; got 0.0"),
        ({"max_fitted": 1}, "`max_fitted` must be at least 2; got 1"),
        ({"rounds": 0}, "`rounds` must be at least 1; got 0"),
    ],
)
def test_bad_options_are_told(options, message):
    with pytest.raises(InputError) as caught:
        MOGFNAL(**options)
    assert message in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_more_hypervolume_than_random_words_of_as_many_oracle_calls(seed):
    problem = NGrams(ngrams=("AV", "VC", "CA"), min_length=8, max_length=12, divisor=6, alphabet="ACVGT")
    budget = pk.Budget(evaluations=112)
    options = {"n_initial": 64, "updates": 40, "batch_size": 32, "n_proposals": 20}
    learned = pk.solve(problem, MOGFNAL(**options), budget=budget, seed=seed, progress=False)
    drawn = pk.solve(problem, pk.solvers.RandomSearch(pop_size=16), budget=budget, seed=seed, progress=False)
    assert learned.cost.work == drawn.cost.work == 112

    def volume(front):
        point = torch.zeros(3, dtype=front.values.dtype)
        return float(hypervolume(front.values, point, maximize=True))

    assert volume(drawn.archive) * 2 < volume(learned.front)
    assert volume(learned.front) <= volume(pk.Front.from_values(problem.pareto_front(), senses=["max"] * 3))


def test_it_can_be_asked_and_told_as_a_laboratory_would(tmp_path):
    problem, solver = bigrams(), MOGFNAL(**TINY)
    whole = run(problem, rounds=2)
    session = pk.Session(problem, solver, seed=0, checkpoint=tmp_path)
    assert len(session.ask()) == 12
    for _ in range(3):
        x = session.ask()
        assert torch.equal(session.ask(), x)
        session.tell(problem.evaluate(x).values)
        session = pk.Session(problem, solver, seed=0, checkpoint=tmp_path)
    assert torch.equal(session.result().state.x, whole.state.x)
    assert session.result().cost == whole.cost
    assert torch.equal(session.result().archive.values, whole.archive.values)


def test_a_budget_that_the_first_pool_spends_is_said():
    with pytest.warns(pk.ParetoWarning, match=r"ended before MOGFNAL's first round: its first pool took 12 oracle"):
        result = pk.solve(bigrams(), MOGFNAL(**TINY), budget=pk.Budget(evaluations=5), progress=False)
    assert result.state.rounds == 0
