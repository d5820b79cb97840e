"""Quadratic surrogates of what is quadratic, and the front of merges that they find."""

import pytest
import torch
from small_merging import small

import paretokit as pk
from paretokit.core import InputError, Objective, Rng, ShapeError, UnsupportedProblemError
from paretokit.solvers.merging._quadratic import Quadratic, features
from paretokit.testing import check_solver


def test_features_are_all_products_up_to_degree_two():
    assert features(torch.tensor([[2.0, 3.0]])).tolist() == [[1.0, 2.0, 3.0, 4.0, 6.0, 9.0]]


@pytest.mark.parametrize("sense", ["min", "max"])
def test_a_quadratic_behind_the_link_is_recovered(sense):
    c = Rng.from_seed(0).uniform(4000, 3)
    true = Rng.from_seed(1).normal(10, 2)
    linked = features(c) @ true * 0.3
    values = 1 - linked.sigmoid() if sense == "max" else linked.exp()
    surrogate = Quadratic.fit(c, values, [Objective("a", sense), Objective("b", sense)])
    expected = 1 - values if sense == "max" else values
    # The ridge of 1e-4 shrinks what the data hardly say; predictions stay within a hundredth.
    torch.testing.assert_close(surrogate.errors(c), expected, rtol=0.03, atol=0.01)


def test_failed_rows_are_left_out():
    c = Rng.from_seed(0).uniform(50, 2)
    values = torch.stack([(c - 0.3).square().sum(1), (c - 0.7).square().sum(1)], 1) + 0.1
    objectives = [Objective("a"), Objective("b")]
    broken = torch.cat([values, torch.full((1, 2), torch.nan)])
    a = Quadratic.fit(c, values, objectives).weights
    b = Quadratic.fit(torch.cat([c, c[:1]]), broken, objectives).weights
    assert torch.equal(a, b)


def test_the_search_finds_the_least_weighted_error():
    c = Rng.from_seed(0).uniform(2000, 2)
    # exp of squared distances to two points: the quadratics are exact, and equal weights meet half way.
    values = torch.stack([(c - 0.2).square().sum(1).exp(), (c - 0.8).square().sum(1).exp()], 1)
    surrogate = Quadratic.fit(c, values, [Objective("a"), Objective("b")])
    w = torch.tensor([[0.5, 0.5], [0.9, 0.1], [0.1, 0.9]], dtype=torch.float64)
    found = surrogate.best(w, c[:20], (0.0, 1.0))
    grid = torch.cartesian_prod(*[torch.linspace(0, 1, 101, dtype=torch.float64)] * 2)
    best = (w.unsqueeze(1) * surrogate.errors(grid)).amax(2).amin(1)
    assert ((w * surrogate.errors(found)).amax(1) <= best + 2e-3).all()
    torch.testing.assert_close(found[0], torch.full((2,), 0.5, dtype=torch.float64), rtol=0, atol=0.03)


def test_the_run_measures_the_design_then_what_is_promised():
    problem = small(2)
    result = pk.solve(problem, pk.solvers.SurrogateMerging(partitions=4), seed=0, progress=False)
    assert result.status == "finished"
    assert result.cost.evaluations == 12 + 5
    assert result.cost.work == 17 * sum(len(t.validation[1]) for t in problem.tasks)
    rows = result.front.x.view(-1, *problem.n_coefficients)
    assert (rows == rows[:, :1]).all()


def test_the_front_is_not_worse_than_each_closed_form_grid():
    problem = small(2)
    found = pk.solve(problem, pk.solvers.SurrogateMerging(), seed=0, progress=False).front
    grid = pk.solve(problem, pk.solvers.TaskArithmetic(scale=[i / 20 for i in range(21)]), seed=0, progress=False).front
    volumes = [float(pk.indicators.hypervolume(f.values, [0.0, 0.0], maximize=True)) for f in (found, grid)]
    assert volumes[0] >= volumes[1] - 0.01


def test_preferences_are_answered_after_loading(tmp_path):
    problem = small(2)
    result = pk.solve(problem, pk.solvers.SurrogateMerging(partitions=2), seed=0, progress=False)
    result.save(tmp_path / "run")
    again = pk.Result.load(tmp_path / "run", problem=problem)
    a, b = (r.at([0.7, 0.3], n=3) for r in (result, again))
    assert torch.equal(a.x, b.x)
    assert len(a.x) == 3


def test_as_a_solver():
    check_solver(pk.solvers.SurrogateMerging(batch_size=3, partitions=3), small(2), iterations=3)


def test_starting_rows_join_the_design():
    problem = small(2)
    row = torch.full((1, problem.space.dim), 0.45)
    state = pk.solvers.SurrogateMerging().init(problem, Rng.from_seed(0), initial=row)
    assert len(state.design) == 12
    torch.testing.assert_close(state.design[-1], torch.full((2,), 0.45))
    with pytest.raises(ShapeError, match=r"`initial` must have 12 columns"):
        pk.solvers.SurrogateMerging().init(problem, Rng.from_seed(0), initial=row[:, :3])


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"batch_size": 0}, "`batch_size` must be at least 1"),
        ({"evaluations": 0}, "`evaluations` must be at least 1"),
        ({"partitions": 0}, "`partitions` must be at least 1"),
        ({"region": (1.0, 0.0)}, "`region` must be two increasing numbers"),
    ],
)
def test_bad_options_are_named(options, line):
    with pytest.raises(InputError, match=line):
        pk.solvers.SurrogateMerging(**options)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"evaluations": 3}, "its 3 evaluations are fewer than 4"),
    ],
)
def test_what_does_not_fit_is_named(options, line):
    with pytest.raises(UnsupportedProblemError, match=line):
        pk.solve(small(2), pk.solvers.SurrogateMerging(**options), seed=0, progress=False)
