"""One network for a front: answers to preferences against closed forms and known fronts."""

import json

import pytest
import torch

import paretokit as pk
from paretokit.core import Box, Evaluation, InputError, Problem, Rng, UnsupportedProblemError, objectives_of
from paretokit.indicators import igd_plus


class Two(Problem):
    """Half squared distances to two points; a weighted sum's optimum is their weighted mean."""

    objectives = objectives_of(2)
    space = Box(-2.0, 2.0, dim=3)
    centers = torch.tensor([[1.0, 0.0, 0.5], [-1.0, 2.0, 0.5]], dtype=torch.float64)

    def _evaluate(self, x, rng):
        return Evaluation((x.unsqueeze(1) - self.centers.to(x)).square().sum(-1) / 2)


def trained(problem, **options):
    return pk.solve(problem, pk.solvers.ParetoSetModel(**options), seed=0, progress=False)


def test_answers_are_the_weighted_means_of_bowls():
    result = trained(Two(), aggregator="Linear", hidden=(32,), steps=600, learning_rate=0.01)
    for p in ([0.2, 0.8], [0.5, 0.5], [0.9, 0.1]):
        due = torch.tensor(p, dtype=torch.float64) @ Two.centers
        torch.testing.assert_close(result.at(p).x[0], due, rtol=0, atol=0.08)  # x2 = 2 lies on the bound at p = (0, 1)


@pytest.mark.parametrize("rule", ["Tchebycheff", "EPO"])
def test_a_known_front_is_reached_and_read_off(rule):
    problem = pk.problems.make("zdt2-v1", n_variables=10)
    result = trained(problem, aggregator=rule, steps=500, learning_rate=0.01)
    assert igd_plus(result.front.values, problem.pareto_front(500)) < 0.02
    values = result.at([0.3, 0.7]).values[0]
    torch.testing.assert_close(0.3 * values[0], 0.7 * values[1], rtol=0.1, atol=0)


def test_answers_lie_in_the_space_and_repeat():
    result = trained(Two(), steps=20)
    x = result.at([0.4, 0.6], n=8).x
    assert Two.space.contains(x).all()
    solver, state = result.solver, result.state
    w = torch.tensor([0.4, 0.6], dtype=torch.float64)
    rows = [solver.answer(Two(), state, w, n=5, rng=Rng.from_seed(s)) for s in (0, 0, 1)]
    assert torch.equal(rows[0], rows[1])
    assert torch.equal(rows[0][0], rows[2][0])
    assert not torch.equal(rows[0][1], rows[2][1])


def test_the_first_initial_row_is_where_answers_begin():
    solver = pk.solvers.ParetoSetModel(hidden=(8,))
    start = torch.tensor([[1.0, -1.0, 0.25]], dtype=torch.float64)
    state = solver.init(Two(), Rng.from_seed(0), initial=start)
    found = solver.decisions(Two(), state, torch.tensor([[0.5, 0.5]], dtype=torch.float64))
    torch.testing.assert_close(found, start, rtol=0, atol=0.3)


def test_configurations_survive_json():
    solver = pk.solvers.ParetoSetModel(aggregator={"name": "SmoothTchebycheff", "mu": 0.05}, hidden=(8, 4))
    assert pk.solvers.make("ParetoSetModel", **json.loads(json.dumps(solver.config()))) == solver


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"aggregator": "MGDA"}, "`aggregator` must read preferences; got MGDA"),
        ({"hidden": (0,)}, "`hidden` must be at least 1; got 0"),
        ({"batch_size": 0}, "`batch_size` must be at least 1; got 0"),
        ({"learning_rate": -1.0}, "`learning_rate` must be positive"),
        ({"spread": 2.0}, r"`spread` must lie in \[0, 1\]; got 2.0"),
        ({"preferences": [[0.5, 0.6]]}, "`preferences` must be rows on the simplex"),
    ],
)
def test_bad_options_are_named(options, line):
    with pytest.raises(InputError, match=line):
        pk.solvers.ParetoSetModel(**options)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"preferences": [[0.2, 0.3, 0.5]]}, "its preferences have 3 entries, the problem has 2 objectives"),
        ({"normalized": True}, "protocol has no ideal and nadir to normalize by"),
    ],
)
def test_problems_that_do_not_fit_are_refused(options, line):
    with pytest.raises(UnsupportedProblemError, match=line):
        trained(Two(), **options)


def test_broken_losses_and_still_objectives_are_named():
    class Broken(Two):
        def losses(self, x, rng):
            return super().losses(x, rng) * torch.nan

    class Still(Two):
        def losses(self, x, rng):
            return super().losses(x, rng) * torch.tensor([1.0, 0.0])

    with pytest.raises(InputError, match="`losses` must be finite for some preference"):
        trained(Broken())
    with pytest.raises(InputError, match="`losses` must depend on the variables.*got 'f2'"):
        trained(Still())


def test_bad_preferences_of_answers_are_named():
    result = trained(Two(), steps=2)
    with pytest.raises(InputError, match="`preference` must"):
        result.at([0.5, 0.6])
