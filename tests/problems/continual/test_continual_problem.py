"""Streams of tasks: what is handed out when, what is measured, and what is refused."""

import pytest
import torch
from torch import nn

import paretokit as pk
from paretokit.core import InputError, ParetoError, Rng, ShapeError
from paretokit.problems import ContinualLearning
from paretokit.problems.continual import StreamTask
from paretokit.testing import check_problem
from tests.solvers.continual.streams import Normed, blobs, stream


def parts(angle, n=10, seed=0):
    rng = Rng.from_seed(seed)
    return tuple(blobs(angle, n, rng.child(part)) for part in ("train", "validation", "test"))


@pytest.mark.parametrize("options", [{}, {"hidden": (5,)}, {"scenario": "task"}])
def test_a_stream_keeps_the_contract(options):
    check_problem(stream(0.0, 0.8, 1.6, **options))


def test_a_network_with_buffers_keeps_the_contract_and_its_statistics():
    torch.manual_seed(0)
    problem = ContinualLearning([parts(0.0), parts(0.8)], Normed().double())
    check_problem(problem)
    assert problem.stacked.mlp is None
    x = problem.space.sample(3, Rng.from_seed(1)).to(problem.dtype)
    module = problem.decode(x[1])
    inputs = problem.tasks[0].test[0]
    with torch.no_grad():
        torch.testing.assert_close(problem.scores(x, inputs.double())[1], module(inputs.double()))


@pytest.mark.parametrize("hidden", [(), (5,), (4, 3)])
def test_values_are_those_of_the_decoded_network(hidden):
    problem = stream(0.0, 0.8, hidden=hidden)
    x = problem.space.sample(4, Rng.from_seed(2)).to(problem.dtype)
    values, held_out = problem.evaluate(x).values, problem.assess(x)[0]
    for p, row in enumerate(x):
        network = problem.decode(row)
        for k, task in enumerate(problem.tasks):
            for (inputs, labels), found in ((task.validation, values), (task.test, held_out)):
                right = (network(inputs).argmax(1) == labels).float().mean()
                assert float(found[p, k]) == pytest.approx(float(right), abs=1e-6)


def test_losses_are_torchs_cross_entropies_of_all_tasks_with_gradients():
    problem = stream(0.0, 0.8, metric="loss", n=8)
    problem.batch_size = 8
    x = problem.space.sample(2, Rng.from_seed(3)).to(problem.dtype).requires_grad_()
    found = problem.losses(x, Rng.from_seed(4))
    rows = Rng.from_seed(4).child("batch", 1).integers(8, 8)
    inputs, labels = (part[rows] for part in problem.tasks[1].train)
    due = nn.functional.cross_entropy(problem.decode(x[0].detach())(inputs), labels)
    assert float(found[0, 1].detach()) == pytest.approx(float(due.detach()), abs=1e-6)
    (slope,) = torch.autograd.grad(found.sum(), x)
    assert bool(slope.abs().sum(1).gt(0).all())
    validation = problem.tasks[0].validation
    mean = nn.functional.cross_entropy(problem.decode(x[0].detach())(validation[0]), validation[1])
    assert float(problem.evaluate(x.detach()).values[0, 0]) == pytest.approx(float(mean.detach()), abs=1e-6)
    assert [o.sense for o in problem.objectives] == ["min", "min"]


def test_joint_training_by_a_generic_solver_learns_all_tasks():
    problem = stream(0.0, 0.5)
    solver = pk.solvers.GradientDescent(aggregator="Linear", preferences=3, steps=60, learning_rate=0.1)
    result = pk.solve(problem, solver, seed=0, progress=False)
    assert float(result.held_out.mean(1).max()) > 0.85
    found = pk.solve(problem, pk.solvers.NSGA2(pop_size=8), budget=pk.Budget(iterations=3), progress=False)
    assert len(found.front)


def test_a_handle_hands_out_tasks_in_order_and_never_twice():
    problem = stream(0.0, 0.4, 0.8)
    assert torch.equal(problem.task(2)[0], problem.task(2)[0])  # users look where they like
    handle = problem.observed(None)
    assert torch.equal(handle.task(0)[1], problem.tasks[0].train[1])
    with pytest.raises(ParetoError, match="in order and never twice: task 0 was asked for where 1 was due"):
        handle.task(0)
    with pytest.raises(ParetoError, match="task 2 was asked for where 1 was due"):
        handle.task(2)
    handle.to(dtype=torch.float64).task(1)  # copies of a handle keep its place
    with pytest.raises(ParetoError, match="task 1 was asked for where 2 was due"):
        handle.task(1)
    assert problem.observed(None).task(1)[0].shape == (24, 2)  # a resumed run begins where it was
    with pytest.raises(InputError, match="`i` must be below 3, the number of tasks; got 3"):
        problem.task(3)


def test_tasks_that_have_to_be_made_are_made_when_needed_and_once():
    made = []

    def maker(k):
        def make():
            made.append(k)
            return parts(0.3 * k)

        return make

    problem = ContinualLearning([maker(k) for k in range(3)], nn.Linear(2, 2), names=["a", "b", "c"])
    assert made == [0]  # the network was tried on it
    problem.task(0)
    problem.task(1)
    assert made == [0, 1]
    problem.evaluate(problem.space.sample(1, Rng.from_seed(0)))
    assert made == [0, 1, 2]
    assert [o.name for o in problem.objectives] == ["accuracy on a", "accuracy on b", "accuracy on c"]


def test_a_backbone_sees_each_example_once_and_stands_before_decoded_networks():
    class Doubled(nn.Module):
        def __init__(self):
            super().__init__()
            self.seen = 0

        def forward(self, x):
            self.seen += len(x)
            return 2 * x

    problem = ContinualLearning([parts(0.0), parts(0.8)], nn.Linear(2, 2), backbone=Doubled())
    assert problem.backbone.seen == 60
    problem.evaluate(problem.space.sample(5, Rng.from_seed(0)))
    assert problem.backbone.seen == 60
    row = problem.space.sample(1, Rng.from_seed(1))[0]
    network, (inputs, labels) = problem.decode(row), parts(0.0)[2]
    right = (network(inputs).argmax(1) == labels).float().mean()
    assert float(problem.assess(row.unsqueeze(0))[0][0, 0]) == pytest.approx(float(right), abs=1e-6)
    shown = problem.predict(row.unsqueeze(0), inputs)
    torch.testing.assert_close(shown[0], torch.softmax(network(inputs), 1).detach())


def test_heads_of_tasks_are_columns_of_their_own():
    problem = stream(0.0, 0.8, scenario="task")
    assert problem.columns == ((0, 2), (2, 4))
    x = problem.space.sample(1, Rng.from_seed(0)).to(problem.dtype).requires_grad_()
    (inputs, labels), _ = problem.tasks[0].train, None
    (slope,) = torch.autograd.grad(problem.cross_entropy(x, inputs, labels, task=0).sum(), x)
    weight, bias = slope[0, :8].view(4, 2), slope[0, 8:]
    assert bool((weight[:2] != 0).all())
    assert not weight[2:].any()
    assert not bias[2:].any()


def test_fingerprints_tell_streams_apart():
    marks = {stream(0.0, 0.8).fingerprint(), stream(0.0, 0.9).fingerprint(), stream(0.0, 0.8, seed=1).fingerprint()}
    assert len(marks) == 3
    assert stream(0.0, 0.8).fingerprint() in marks


ONE_CLASS = (torch.ones(4, 2), torch.ones(4, dtype=torch.int64))
BAD = {
    "an empty stream": (
        lambda a, b: {"tasks": []},
        r"`tasks` must be at least two; got 0 \(a stream of one has nothing to trade off\)",
    ),
    "a task with one class": (
        lambda a, b: {"tasks": [a, (ONE_CLASS, b[1], b[2])]},
        r"`tasks\[1\].train` must have two classes or more; got \[1\]",
    ),
    "domains of other features": (
        lambda a, b: {"tasks": [a, tuple((torch.ones(len(y), 3), y) for _, y in b)]},
        r"`tasks\[1\].train` must have inputs of shape \[2\], as the tasks before; got \[3\]",
    ),
    "parts of other features": (
        lambda a, b: {"tasks": [a, (b[0], (b[1][0][:, :1], b[1][1]), b[2])]},
        r"`tasks\[1\].validation` must have inputs of shape \[2\]; got \[1\]",
    ),
    "no examples": (
        lambda a, b: {"tasks": [a, ((b[0][0][:0], b[0][1][:0]), b[1], b[2])]},
        r"`tasks\[1\].train` must hold at least one example; got 0",
    ),
    "NaN": (
        lambda a, b: {"tasks": [((a[0][0] * torch.nan, a[0][1]), a[1], a[2]), b]},
        r"`tasks\[0\].train` must have finite inputs; got NaN or infinity",
    ),
    "labels of another length": (
        lambda a, b: {"tasks": [(a[0], (a[1][0], a[1][1][:3]), a[2]), b]},
        r"`tasks\[0\].validation` must have labels of shape \[10\]; got \[3\]",
    ),
    "labels that are no classes": (
        lambda a, b: {"tasks": [((a[0][0], a[0][1].float()), a[1], a[2]), b]},
        r"`tasks\[0\].train` must have whole numbers from 0 as labels; got torch.float32",
    ),
    "a class without a score": (
        lambda a, b: {"tasks": [((a[0][0], a[0][1] + 1), a[1], a[2]), b]},
        r"`tasks\[0\]` must have labels below 2, the scores; got 2",
    ),
    "two parts": (
        lambda a, b: {"tasks": [a[:2], b]},
        r"`tasks\[0\]` must hold training, validation and test examples; got 2 parts",
    ),
    "a part that is none": (
        lambda a, b: {"tasks": [(a[0], None, a[2]), b]},
        r"`tasks\[0\].validation` must be inputs and labels, two tensors; got NoneType",
    ),
    "nothing known": (lambda a, b: {"tasks": [3, b]}, r"`tasks\[0\]` must be a StreamTask, or three parts; got int"),
    "names too few": (lambda a, b: {"tasks": [a, b], "names": ["a"]}, r"`names` must be 2, one a task; got 1"),
    "names twice": (
        lambda a, b: {"tasks": [StreamTask("a", *a), StreamTask("a", *b)]},
        r"`names` must be different; got \['a', 'a'\]",
    ),
    "another metric": (
        lambda a, b: {"tasks": [a, b], "metric": "f1"},
        r"`metric` must be one of \['accuracy', 'loss'\]",
    ),
    "classes of a shared head": (
        lambda a, b: {"tasks": [a, b], "classes": [2, 2]},
        r"`classes` must be left out where all tasks share them",
    ),
    "heads that do not fit": (
        lambda a, b: {"tasks": [a, b], "scenario": "task"},
        r"`network` must give 4 scores, a head a task; got 2",
    ),
    "no batch": (lambda a, b: {"tasks": [a, b], "batch_size": 0}, r"`batch_size` must be at least 1; got 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_is_refused_with_a_line(case):
    change, line = BAD[case]
    options = change(parts(0.0), parts(0.8))
    with pytest.raises((InputError, ShapeError), match=line):
        ContinualLearning(options.pop("tasks"), nn.Linear(2, 2), **options)


def test_a_network_that_takes_other_inputs_is_named_with_both_shapes():
    with pytest.raises(ShapeError, match=r"`network` must take the tasks' inputs; got .*first task have shape \[2\]"):
        ContinualLearning([parts(0.0), parts(0.8)], nn.Sequential(nn.Linear(5, 2), nn.Softplus()))
    row = stream(0.0, 0.8)
    with pytest.raises(ShapeError, match="`x` must be one row of 6 weights"):
        row.decode(torch.zeros(2, 6))


def test_a_made_task_that_does_not_fit_is_refused_when_it_is_made():
    tasks = [parts(0.0), lambda: tuple((torch.ones(len(y), 3), y) for _, y in parts(0.8))]
    problem = ContinualLearning(tasks, nn.Linear(2, 2))
    with pytest.raises(ShapeError, match=r"`tasks\[1\].train` must have inputs of shape \[2\], as the tasks before"):
        problem.task(1)
