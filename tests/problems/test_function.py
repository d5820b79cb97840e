"""A user's own function as a problem: batched, row by row, in processes, outside Python."""

import os
import time

import numpy as np
import pytest
import torch

from paretokit import problems
from paretokit.core import Box, InputError, Objective, ParetoError, ShapeError

SPACE = Box(0.0, 1.0, dim=2)
X = torch.tensor([[0.1, 0.2], [0.95, 0.3], [0.4, 0.5]], dtype=torch.float64)


def bowls(x):
    return torch.stack([(x**2).sum(-1), ((x - 1) ** 2).sum(-1)], -1)


def make(f, **options):
    return problems.from_function(f, objectives=2, space=SPACE, **options)


@pytest.mark.parametrize(
    "convert", [lambda v: v, lambda v: v.numpy(), lambda v: v.tolist(), lambda v: tuple(v.unbind(0))]
)
def test_batches_in_any_container(convert):
    assert torch.equal(make(lambda x: convert(bowls(x))).evaluate(X).values, bowls(X))


@pytest.mark.parametrize("convert", [lambda v: v, lambda v: v.tolist(), lambda v: tuple(v.unbind(0)), np.asarray])
def test_rows_in_any_container(convert):
    assert torch.equal(make(lambda r: convert(bowls(r)), elementwise=True).evaluate(X).values, bowls(X))


def test_senses_names_gradients_and_dtype():
    sold, cost = Objective("sold", "max", "kg"), Objective("cost")
    problem = problems.from_function(bowls, objectives=[sold, cost], space=SPACE)
    assert problem.objectives == (sold, cost)
    assert problem.name == "bowls"
    x = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(problem.evaluate(x).values[:, 0].sum(), x)
    torch.testing.assert_close(gradient, 2 * X)
    assert problem.to(dtype=torch.float32).evaluate(X).values.dtype == torch.float32
    assert problems.from_function(bowls, objectives=["a", "b"], space=SPACE, name="mine").name == "mine"


@pytest.mark.parametrize("elementwise", [False, True])
def test_constraints_come_as_a_pair(elementwise):
    problem = make(lambda x: (bowls(x), x[..., :1] - 0.5), n_constraints=1, elementwise=elementwise)
    out = problem.evaluate(X)
    torch.testing.assert_close(out.violations, X[:, :1] - 0.5)
    assert torch.equal(out.values, bowls(X))
    with pytest.raises(
        InputError, match=r"`f` must return \(values, violations\), as n_constraints is set; got Tensor"
    ):
        make(bowls, n_constraints=1).evaluate(X)


def test_fingerprints_tell_names_apart():
    assert make(bowls).fingerprint() == make(bowls).fingerprint() != make(bowls, name="other").fingerprint()
    assert make(bowls).recipe() is None


def broken(row):
    if float(row[..., 0].max()) > 0.9:
        raise ArithmeticError("too far")
    return bowls(row)


def test_errors_pass_on_or_fail_the_row():
    for elementwise in (False, True):
        with pytest.raises(ArithmeticError, match="too far"):
            make(broken, elementwise=elementwise).evaluate(X)
        out = make(broken, elementwise=elementwise, on_error="fail").evaluate(X)
        assert out.failed.tolist() == [False, True, False]
        assert torch.equal(out.values[[0, 2]], bowls(X[[0, 2]]))
    both = make(lambda x: (broken(x), x[..., :1]), n_constraints=1, elementwise=True, on_error="fail").evaluate(X)
    assert both.failed.tolist() == [False, True, False]


def test_nan_is_a_failed_row():
    out = make(lambda x: torch.where(x > 0.9, torch.nan, x)).evaluate(X)
    assert out.failed.tolist() == [False, True, False]


def test_no_rows():
    assert make(bowls, elementwise=True).evaluate(X[:0]).values.shape == (0, 2)


def stubborn(row):
    if row[0] > 0.9:
        time.sleep(600)
    return [float(row[0]), float(os.getpid())]


def test_late_rows_fail_and_their_processes_end():
    problem = make(stubborn, elementwise=True, workers=2, timeout=1.0)
    started = time.monotonic()
    out = problem.evaluate(torch.cat([X, X[:1]]))
    assert time.monotonic() - started < 300
    assert out.failed.tolist() == [False, True, False, False]
    torch.testing.assert_close(out.values[[0, 2, 3], 0], X[[0, 2, 0], 0])
    pids = {int(p) for p in out.values[[0, 2, 3], 1].tolist()}
    assert os.getpid() not in pids
    again = problem.evaluate(X[:1])
    assert int(again.values[0, 1]) in pids  # kept for the next batch
    workers = [worker.process for worker in problem._crew._workers]
    problem.close()
    assert not any(process.is_alive() for process in workers)


def dies(row):
    if row[0] > 0.9:
        os._exit(3)
    if row[1] > 0.4:
        raise ArithmeticError("in a process")
    return [1.0, 2.0]


def test_errors_and_deaths_in_processes():
    problem = make(dies, elementwise=True, timeout=60.0)
    with pytest.raises(ArithmeticError, match="in a process"):
        problem.evaluate(X[2:])
    with pytest.raises(ParetoError, match="a worker process ended with exit code"):
        problem.evaluate(X[:2])
    problem.close()
    calm = make(dies, elementwise=True, timeout=60.0, on_error="fail")
    assert calm.evaluate(X).failed.tolist() == [False, True, True]
    calm.close()


@pytest.mark.parametrize(
    ("options", "error", "line"),
    [
        ({"workers": 0}, InputError, "`workers` must be at least 1; got 0"),
        ({"timeout": 0.0, "elementwise": True}, InputError, "`timeout` must be positive; got 0.0"),
        ({"workers": 2}, InputError, "`elementwise` must be True where rows are evaluated in processes; got False"),
        ({"on_error": "rise"}, InputError, "`on_error` must be one of"),
        ({"n_constraints": -1}, InputError, "`n_constraints` must be at least 0; got -1"),
    ],
)
def test_wrong_options(options, error, line):
    with pytest.raises(error) as caught:
        make(bowls, **options)
    assert str(caught.value).startswith(line)


def test_wrong_functions_and_shapes():
    with pytest.raises(InputError, match="`f` must be callable; got int"):
        make(3)
    with pytest.raises(InputError, match="`space` must be a Space; got list"):
        problems.from_function(bowls, objectives=2, space=[0, 1])
    with pytest.raises(
        ShapeError, match=r"`f` must return shape \(3, 2\) for 3 rows; got \(3,\) \(does it take one row"
    ):
        make(lambda x: x[:, 0]).evaluate(X)
    with pytest.raises(ShapeError, match=r"`f` must return shape \(2,\) for a row; got \(3,\)"):
        make(lambda r: [1.0, 2.0, 3.0], elementwise=True).evaluate(X)


def test_external_problems_are_asked_and_told():
    problem = problems.external(objectives=["yield"], space=SPACE, n_constraints=1, name="lab")
    assert problem.describe() == "lab: 2 variables, 1 constraints; min yield"
    with pytest.raises(
        ParetoError, match=r"problem 'lab' is evaluated outside Python; ask .* `solver.ask`.*`solver.tell`"
    ):
        problem.evaluate(X)
    assert problem.fingerprint() != problems.external(objectives=1, space=SPACE).fingerprint()
