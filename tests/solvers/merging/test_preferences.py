"""Exact Pareto weights against known answers, and fronts of merged models by preference."""

import math

import pytest
import torch
from small_merging import small

import paretokit as pk
from paretokit.core import InputError, Rng, ShapeError, UnsupportedProblemError
from paretokit.indicators import simplex_lattice
from paretokit.solvers.merging._exact_pareto import exact_pareto_weights
from paretokit.solvers.merging._preference_merging import lattice
from paretokit.testing import check_solver

ONES = torch.full((2,), 0.5, dtype=torch.float64)


def weights(rows, losses, preference):
    j = torch.tensor(rows, dtype=torch.float64)
    return exact_pareto_weights(j @ j.T, torch.tensor(losses, dtype=torch.float64), preference)


def test_the_loss_above_its_share_takes_all_weight():
    assert torch.equal(weights([[1.0, 0.0], [-1.0, 1.0]], [1.0, 3.0], ONES), torch.tensor([0.0, 1.0]).double())


def test_on_the_ray_no_loss_rises_and_their_sum_falls_most():
    j = torch.tensor([[1.0, 0.0], [-1.0, 1.0]], dtype=torch.float64)
    w = weights(j.tolist(), [2.0, 2.0], ONES)
    # 1'Cw = w_2 for these gradients, and (Cw)_1 = w_1 - w_2 >= 0 bounds it by a half.
    torch.testing.assert_close(w, ONES)
    assert (j @ (j.T @ w) >= -1e-12).all()


def test_a_batch_is_its_rows():
    j = Rng.from_seed(0).normal(5, 3, 7)
    values, r = Rng.from_seed(1).uniform(5, 3) + 0.1, simplex_lattice(3, 2)[:5]
    together = exact_pareto_weights(j @ j.mT, values, r)
    for k in range(5):
        assert torch.equal(together[k], exact_pareto_weights(j[k] @ j[k].T, values[k], r[k]))
    torch.testing.assert_close(together.sum(-1), torch.ones(5, dtype=torch.float64))


def test_vanishing_and_broken_gradients_fall_back_to_the_preference():
    r = torch.tensor([0.25, 0.75], dtype=torch.float64)
    for c in (torch.zeros(2, 2).double(), torch.full((2, 2), math.nan).double()):
        torch.testing.assert_close(exact_pareto_weights(c, torch.ones(2).double(), r), r)


def test_wrong_shapes_are_named():
    with pytest.raises(ShapeError, match=r"`gramian` must have shape \[\*batch, m, m\]"):
        exact_pareto_weights(torch.eye(3), torch.ones(2), torch.ones(2))


def test_exact_pareto_search_reaches_every_ray_of_a_concave_front():
    n = 20
    center = torch.full((n,), n**-0.5, dtype=torch.float64)
    r = torch.tensor([[w, 1 - w] for w in (0.2, 0.35, 0.5, 0.65, 0.8)], dtype=torch.float64)
    x = 0.3 * Rng.from_seed(0).normal(len(r), n)

    def both(x):
        return torch.stack([1 - torch.exp(-(x - s * center).square().sum(-1)) for s in (1, -1)], -1)

    for _ in range(150):
        x.requires_grad_()
        values = both(x)
        j = torch.stack([torch.autograd.grad(v.sum(), x, retain_graph=True)[0] for v in values.unbind(1)], 1)
        w = exact_pareto_weights(j @ j.mT, values, r)
        x = (x - 0.15 * torch.einsum("pm,pmn->pn", w, j)).detach()
    values = both(x)
    ray = r * values
    torch.testing.assert_close(ray[:, 0], ray[:, 1], rtol=0.05, atol=0)
    # The front: points between the two centers, at t * center with t in [-1, 1].
    along = x @ center
    torch.testing.assert_close(x, along.unsqueeze(1) * center, rtol=0, atol=0.02)


def test_many_tasks_are_asked_for_together():
    few, many = lattice(3, None), lattice(8, None)
    assert torch.equal(few, simplex_lattice(3, 5))
    assert many.shape == (17, 8)
    torch.testing.assert_close(many.sum(1), torch.ones(17, dtype=torch.float64))
    assert int((many > 0).all(1).sum()) == 9  # the center, and each task preferred while all others count
    torch.testing.assert_close(many[0], torch.full((8,), 1 / 8, dtype=torch.float64))
    assert torch.equal(lattice(8, 2), simplex_lattice(8, 2))


@pytest.mark.parametrize("objective", ["entropy", "validation"])
@pytest.mark.parametrize("weighting", ["linear", "tchebycheff", "epo"])
def test_every_weighting_as_a_solver(weighting, objective):
    solver = pk.solvers.PreferenceMerging(
        weighting=weighting, objective=objective, partitions=4, learning_rate=0.1, evaluate_every=2, steps=8
    )
    check_solver(solver, small(2), iterations=2)


@pytest.mark.parametrize("weighting", ["linear", "tchebycheff"])
def test_a_member_equals_its_run_alone(weighting):
    problem = small(2, storage="float64")
    lattice = simplex_lattice(2, 4).tolist()
    options = {"weighting": weighting, "learning_rate": 0.02}

    def rows(preferences):
        solver = pk.solvers.PreferenceMerging(preferences=preferences, **options)
        state = solver.init(problem, Rng.from_seed(0))
        for _ in range(20):
            state = solver.step(problem, state)
        return state.rows

    together = rows(lattice)
    for p in (0, 2, 4):
        torch.testing.assert_close(together[p : p + 1], rows([lattice[p]]), rtol=0, atol=1e-9)


def test_equal_weights_are_adamerging():
    problem = small(2, storage="float64")
    one = pk.solvers.PreferenceMerging(preferences=[[0.5, 0.5]], learning_rate=0.02)
    ada = pk.solvers.AdaMerging(learning_rate=0.02)
    a, b = one.init(problem, Rng.from_seed(0)), ada.init(problem, Rng.from_seed(0))
    for _ in range(20):
        a, b = one.step(problem, a), ada.step(problem, b)
    torch.testing.assert_close(a.rows, b.rows, rtol=0, atol=1e-6)  # Adam forgets the factor one half up to its eps


@pytest.mark.parametrize("weighting", ["linear", "tchebycheff", "epo"])
def test_preferences_order_the_losses(weighting):
    problem = small(2)
    solver = pk.solvers.PreferenceMerging(
        preferences=[[0.9, 0.1], [0.1, 0.9]], weighting=weighting, objective="validation", learning_rate=0.02
    )
    state = solver.init(problem, Rng.from_seed(0))
    for _ in range(60):
        state = solver.step(problem, state)
    batch_losses = state.losses
    assert batch_losses[0, 0] < batch_losses[1, 0]
    assert batch_losses[1, 1] < batch_losses[0, 1]


def test_the_work_of_exact_weights_is_one_backward_pass_a_task():
    problem = small(2)
    solvers = [pk.solvers.PreferenceMerging(weighting=w, steps=1, partitions=2) for w in ("linear", "epo")]
    work = [pk.solve(problem, s, seed=0, progress=False).cost.work for s in solvers]
    assert work[1] - work[0] == 3 * 32 * 2 * (2 - 1)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"weighting": "random"}, "`weighting` must be one of"),
        ({"partitions": 0}, "`partitions` must be at least 1"),
        ({"preferences": [[0.5, 0.6]]}, r"`preferences` must be rows on the simplex; got \[0.5, 0.6\]"),
        ({"preferences": []}, "`preferences` must be at least 1; got 0"),
        ({"preferences": [[0.5, 0.5]], "partitions": 3}, "`partitions` must be left out where preferences are given"),
    ],
)
def test_bad_options_are_named(options, line):
    with pytest.raises(InputError, match=line):
        pk.solvers.PreferenceMerging(**options)


def test_preferences_of_another_length_are_named():
    solver = pk.solvers.PreferenceMerging(preferences=[[0.5, 0.5]])
    with pytest.raises(UnsupportedProblemError, match="its preferences have 2 entries, the problem has 3 tasks"):
        pk.solve(small(), solver, seed=0, progress=False)
