"""Networks with several losses: against torch's own modules and gradients, and curves with a front in closed form."""

import math

import pytest
import torch
from torch import nn

import paretokit as pk
from paretokit.core import InputError, ParetoError, Rng, ShapeError, UnknownNameError
from paretokit.indicators import igd_plus
from paretokit.problems import MultiTask
from paretokit.testing import check_problem


class Heads(nn.Module):
    """A trunk with two heads, a buffer, and dropout that has to be silent."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Dropout(0.5), nn.BatchNorm1d(5))
        self.left, self.right = nn.Linear(5, 1), nn.Linear(5, 4)

    def forward(self, x):
        h = self.trunk(x)
        return {"left": self.left(h), "right": self.right(h)}


def left(outputs, targets):
    return nn.functional.mse_loss(outputs["left"], targets[0])


def right(outputs, targets):
    return nn.functional.cross_entropy(outputs["right"], targets[1])


def examples(n, seed=0):
    rng = Rng.from_seed(seed)
    x = rng.child("x").normal(n, 3)
    return x.float(), (x.sum(1, keepdim=True).float(), rng.child("y").integers(4, n))


def module():
    torch.manual_seed(0)
    return Heads()


def problem(**options):
    return MultiTask(module(), [left, ("right one", right)], examples(40), **{"batch_size": 8, **options})


def test_losses_and_gradients_are_those_of_separate_modules():
    made = problem()
    x = made.space.sample(3, Rng.from_seed(1), dtype=torch.float32).requires_grad_()
    values = made.losses(x, Rng.from_seed(2))
    rows = Rng.from_seed(2).child("batch").integers(40, 8)
    inputs, targets = examples(40)
    each = torch.stack([torch.autograd.grad(values[:, k].sum(), x, retain_graph=True)[0] for k in range(2)], 1)
    for p in range(3):
        alone = made.space.module(x[p]).eval()
        outputs = alone(inputs[rows])
        for k, function in enumerate((left, right)):
            value = function(outputs, tuple(t[rows] for t in targets))
            torch.testing.assert_close(values[p, k], value)
            alone.zero_grad()
            value.backward(retain_graph=True)
            slopes = torch.cat(
                [torch.zeros(q.numel()) if q.grad is None else q.grad.reshape(-1) for q in alone.parameters()]
            )
            torch.testing.assert_close(each[p, k, : made.space.n_parameters], slopes, rtol=1e-4, atol=1e-6)


def test_networks_one_after_the_other_give_the_same_numbers():
    a, b = problem(stacked=True), problem(stacked=False)
    x = a.space.sample(3, Rng.from_seed(1), dtype=torch.float32).requires_grad_()
    first, second = (made.losses(x, Rng.from_seed(2)) for made in (a, b))
    torch.testing.assert_close(first, second)
    slopes = [torch.autograd.grad(values[:, 1].sum(), x)[0] for values in (first, second)]
    torch.testing.assert_close(*slopes, rtol=1e-4, atol=1e-6)


def test_values_are_means_over_validation_and_test_data(monkeypatch):
    monkeypatch.setattr("paretokit.problems.multitask._multitask.CHUNK", 7)
    made = problem(validation=examples(30, 1), test=examples(20, 2))
    x = made.space.sample(2, Rng.from_seed(1), dtype=torch.float32)
    alone = made.decode(x[1])
    assert not alone.training
    for values, data in ((made.evaluate(x).values, examples(30, 1)), (made.assess(x)[0], examples(20, 2))):
        outputs = alone(data[0])
        torch.testing.assert_close(values[1], torch.stack([left(outputs, data[1]), right(outputs, data[1])]))
    assert made.evaluate(x).total_work == 60
    assert made.loss_work == 8
    with pytest.raises(ParetoError, match="must not be called by a solver"):
        made.observed(None).assess(x)


def test_batches_and_loaders_are_gathered():
    inputs, targets = examples(40)
    loader = [(inputs[k : k + 16], tuple(t[k : k + 16] for t in targets)) for k in (0, 16, 32)]
    whole, parts = problem(), MultiTask(module(), [left, ("right one", right)], loader, batch_size=8)
    assert torch.equal(whole.data[0], parts.data[0])
    assert all(torch.equal(a, b) for a, b in zip(whole.data[1], parts.data[1], strict=True))
    assert whole.fingerprint() == parts.fingerprint()
    sets = torch.utils.data.TensorDataset(inputs, inputs.sum(1, keepdim=True))
    net, both = nn.Linear(3, 1), (nn.functional.mse_loss, nn.functional.l1_loss)
    loaded = MultiTask(net, both, torch.utils.data.DataLoader(sets, batch_size=16))
    assert torch.equal(loaded.data[0], inputs)
    assert [o.name for o in loaded.objectives] == ["mse_loss", "l1_loss"]


def test_fingerprints_tell_data_and_losses_apart():
    same, other = problem(), problem(validation=examples(40, 9))
    assert problem().fingerprint() == same.fingerprint() != other.fingerprint()
    assert problem().name == "MultiTask of Heads"


def test_normalization_and_dropout_stay_out_of_it():
    made = problem()
    x = made.space.sample(2, Rng.from_seed(1), dtype=torch.float32)
    assert torch.equal(made.losses(x, Rng.from_seed(0)), made.losses(x, Rng.from_seed(0)))
    before = {name: t.clone() for name, t in made.module.state_dict().items()}
    made.losses(x, Rng.from_seed(0))
    assert all(torch.equal(t, before[name]) for name, t in made.module.state_dict().items())


@pytest.mark.parametrize("rule", ["EPO", "MGDA", "Tchebycheff"])
def test_buffers_stay_and_networks_learn(rule):
    made = problem()
    solver = pk.solvers.GradientDescent(aggregator=rule, preferences=4, steps=60, learning_rate=0.02)
    start = made.space.sample(4, Rng.from_seed(0).child("seed", 0), dtype=torch.float32)
    result = pk.solve(made, solver, seed=0, initial=start, progress=False)
    buffers = slice(made.space.n_parameters, None)
    assert torch.equal(result.state.x[:, buffers], start[:, buffers])
    assert (result.state.values.sum(1) < made.evaluate(start).values.sum(1)).all()
    assert isinstance(result.front.pick(preference=[0.5, 0.5]).decode(), Heads)
    passes = 1 if rule == "Tchebycheff" else 2
    assert result.cost.work == 61 * 4 * 8 * (1 + 2 * passes) + 2 * 4 * 40


def test_curves_keep_the_contract():
    check_problem(pk.problems.TwoCurves(hidden=4, n_points=8))


def test_networks_come_near_the_mixtures_of_curves():
    curves = pk.problems.make("multitask-curves-v1")
    solver = pk.solvers.GradientDescent(aggregator="Linear", preferences=6, steps=250, learning_rate=0.02)
    result = pk.solve(curves, solver, seed=0, progress=False)
    due = curves.pareto_front(500)
    assert igd_plus(result.front.values, due) < 0.12
    root = (result.front.values / curves.distance).sqrt().sum(1)
    assert (root >= 1 - 1e-9).all()  # sqrt(l1) + sqrt(l2) >= sqrt(D) is the triangle inequality
    assert math.isclose(curves.distance, float((due[0] - due[-1]).abs()[0]), rel_tol=1e-12)


def test_rules_weigh_what_is_shared_and_heads_follow_their_losses():
    made = problem(heads=("left", "right"))
    x = made.space.sample(1, Rng.from_seed(1), dtype=torch.float32)
    solver = pk.solvers.GradientDescent(
        aggregator="MGDA", preferences=1, optimizer="sgd", decay="none", learning_rate=0.1, steps=5
    )
    state = solver.step(made, solver.init(made, Rng.from_seed(0), initial=x))
    at = x.clone().requires_grad_()
    values = made.losses(at, Rng.from_seed(0).child("step", 0).child("losses"))
    j = torch.stack([torch.autograd.grad(values[:, k].sum(), at, retain_graph=True)[0][0] for k in range(2)]).double()
    trunk = made.shared
    assert int((~trunk).sum()) == 6 + 24
    d = pk.solvers.gradient.MGDA().direction(j[:, trunk])
    moved = (x - state.x)[0].double() / 0.1
    torch.testing.assert_close(moved[trunk], d, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(moved[~trunk], j[:, ~trunk].sum(0), rtol=1e-4, atol=1e-6)


LINE = nn.Linear(3, 1)


def square(outputs, targets):
    return (outputs - targets).square().mean()


@pytest.mark.parametrize(
    ("build", "error", "line"),
    [
        (lambda: MultiTask(LINE, [square], examples(4)), InputError, "`losses` must be at least two; got 1"),
        (
            lambda: MultiTask(LINE, [square, square], (torch.ones(4, 3), torch.ones(4, 1))),
            InputError,
            "`losses` must have different names",
        ),
        (
            lambda: MultiTask(LINE, [square, 3], (torch.ones(4, 3), torch.ones(4, 1))),
            InputError,
            "`losses` must be functions, or names with functions; got int",
        ),
        (
            lambda: MultiTask(
                LINE, [square, ("each", lambda o, t: (o - t).abs())], (torch.ones(4, 3), torch.ones(4, 1))
            ),
            InputError,
            r"`losses` must return one number a batch; got 'each' with shape \(1, 1\)",
        ),
        (
            lambda: MultiTask(LINE, [square, ("f", lambda o, t: 0.0)], (torch.ones(4, 3), torch.ones(4, 1))),
            InputError,
            "`losses` must return one number a batch; got 'f' with float",
        ),
        (
            lambda: MultiTask(LINE, [square, left], (torch.ones(4, 3), torch.ones(5, 1))),
            ShapeError,
            r"`data` must have equally many inputs and targets; got \[4, 5\]",
        ),
        (lambda: MultiTask(LINE, [square, left], []), InputError, "`data` must hold at least one batch; got 0"),
        (
            lambda: MultiTask(LINE, [square, left], (torch.ones(0, 3), torch.ones(0, 1))),
            InputError,
            "`data` must hold at least one example",
        ),
        (
            lambda: MultiTask(LINE, [square, left], [torch.ones(4, 3)]),
            InputError,
            "`data` must be inputs and targets, or batches of them; got Tensor",
        ),
        (
            lambda: problem(validation=[torch.ones(4, 3)]),
            InputError,
            "`validation` must be inputs and targets",
        ),
        (lambda: problem(heads=("up",)), UnknownNameError, "`head` must be a known name; got 'up'"),
        (
            lambda: problem(heads=("left", "right", "trunk")),
            InputError,
            "`heads` must leave parameters to share",
        ),
        (lambda: problem(batch_size=0), InputError, "`batch_size` must be at least 1; got 0"),
        (lambda: pk.problems.TwoCurves(hidden=0), InputError, "`hidden` must be at least 1; got 0"),
        (lambda: pk.problems.TwoCurves(n_points=1), InputError, "`n_points` must be at least 2; got 1"),
    ],
)
def test_bad_input_is_named(build, error, line):
    with pytest.raises(error, match=line):
        build()


def test_a_loss_that_no_parameter_influences_is_named():
    made = MultiTask(LINE, [square, ("still", lambda o, t: t.square().mean())], (torch.ones(4, 3), torch.ones(4, 1)))
    with pytest.raises(InputError, match="`losses` must depend on the variables.*got 'still'"):
        pk.solve(made, pk.solvers.GradientDescent(preferences=3, steps=2), seed=0, progress=False)


def test_rows_of_another_length_are_named():
    with pytest.raises(ShapeError, match="`x` must be one row of"):
        problem().decode(torch.ones(3))
