"""Views and parameters: other decisions, the same problem; a row is a whole module."""

import pytest
import torch
from torch import nn

import paretokit as pk
from paretokit.core import Rng
from paretokit.testing import check_problem


def test_a_view_keeps_the_contract_and_measures_the_same():
    base = pk.problems.make("dtlz2-v1", n_objectives=2)
    view = base.view(
        pk.Box(0.0, 1.0, dim=2), lambda u: torch.cat([u[..., :1], u[..., 1:].expand(*u.shape[:-1], 10)], -1)
    )
    check_problem(view)
    u = view.space.sample(7, Rng.from_seed(0))
    assert torch.equal(view.evaluate(u).values, base.evaluate(view.lifted(u)).values)
    assert torch.equal(view.decode(u[0]), view.lifted(u)[0])
    merged = pk.Front.of(view, u, view.evaluate(u)).merge(
        pk.Front.of(base, view.lifted(u), base.evaluate(view.lifted(u)))
    )
    assert len(merged) >= 1


def test_fixing_columns_leaves_the_others():
    base = pk.problems.make("zdt1-v1", n_variables=5)
    view = base.fixing({2: 0.0, 4: 0.25})
    check_problem(view)
    assert view.lifted(torch.tensor([[0.1, 0.2, 0.3]])).tolist() == [[*map(pytest.approx, (0.1, 0.2, 0.0, 0.3, 0.25))]]
    result = pk.solve(view, pk.solvers.NSGA2(pop_size=20), budget=pk.Budget(iterations=3))
    assert result.front[0].decode().shape == (5,)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda p: p.fixing({9: 0.0}), "`columns` must lie in 0 … 4; got 9"),
        (lambda p: p.fixing({0: 3.0}), r"`columns` must keep column 0 within \[0, 1\]; got 3.0"),
        (lambda p: p.fixing({}), "`columns` must name at least one"),
        (lambda p: p.view(pk.Box(0, 1, dim=2), lambda u: u).evaluate([[0.1, 0.2]]), "`lift` must return rows of sh"),
    ],
)  # fmt: skip
def test_mistakes_get_one_line(call, line):
    with pytest.raises(pk.InputError, match=line):
        call(pk.problems.make("zdt1-v1", n_variables=5))


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).eval()


def test_a_row_is_a_whole_module():
    module = network()
    module[1].running_mean += 0.5
    space = pk.Parameters(module)
    row = space.flatten(module.state_dict())
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    assert torch.equal(space.module(row)(x), module(x))
    called = torch.func.functional_call(
        module, {k: v.to(module[0].weight.dtype) for k, v in space.unflatten(row).items()}, x
    )
    assert torch.allclose(called, module(x))
    assert space.n_parameters == sum(p.numel() for p in module.parameters()) < space.dim


def test_samples_are_the_modules_own_initialization_and_buffers_stay():
    space = pk.Parameters(network())
    state = torch.get_rng_state()
    x = space.sample(50, Rng.from_seed(0))
    assert torch.equal(state, torch.get_rng_state())
    assert space.contains(x).all()
    assert torch.equal(x, space.sample(50, Rng.from_seed(0)))
    assert torch.equal(x[:, space.n_parameters :], space.lower[space.n_parameters :].expand(50, -1))
    weights = space.unflatten(x)["0.weight"]
    assert float(weights.abs().max()) <= 3**-0.5
    assert float(weights.std()) == pytest.approx(3**-0.5 / 3**0.5, rel=0.1)


def test_a_generic_solver_varies_parameters_only():
    space = pk.Parameters(network())
    inputs = torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    class Fit(pk.Problem):
        objectives = (pk.Objective("fit"), pk.Objective("size"))

        def __init__(self):
            self.space = space

        def _evaluate(self, x, rng):
            weights = space.unflatten(x)["0.weight"].to(x.dtype)
            out = torch.einsum("ni,pki->pnk", inputs.to(x.dtype), weights).sum(-1)
            return pk.Evaluation(torch.stack([(out - 1).square().mean(-1), x.square().sum(-1)], -1))

    result = pk.solve(Fit(), pk.solvers.NSGA2(pop_size=20), budget=pk.Budget(iterations=5))
    assert torch.equal(
        result.front.x[:, space.n_parameters :], space.lower[space.n_parameters :].expand(len(result.front), -1)
    )


def test_reference_point_inside_the_front_gets_a_line():
    front = pk.Front.from_values([[0.0, 1.0], [1.0, 0.0]])
    with pytest.warns(pk.ParetoWarning, match=r"`reference_point` must be worse than every .*2 of 2 points do not lie"):
        scores = front.scores(pk.Scoring(reference_point=(0.5, 0.5)))
    assert scores["hypervolume"] == 0.0
