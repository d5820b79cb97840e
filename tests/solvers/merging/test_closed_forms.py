"""Closed forms against slow twins, term by term, and as solvers."""

import pytest
import torch
from small_merging import small

import paretokit as pk
from paretokit.core import InputError
from paretokit.testing import check_solver


def flat(module):
    return torch.cat([t.reshape(-1) for t in module.state_dict().values()]).double()


def originals(problem):
    base = problem.vectors.base.double()
    return base, base + problem.vectors.dense().double()


def merged(problem, solver, **options):
    result = pk.solve(problem, solver, seed=0, progress=False, **options)
    return result, flat(result.front[0].decode())


def test_averaging_is_the_mean_of_the_fine_tuned_weights():
    problem = small()
    result, row = merged(problem, pk.solvers.WeightAveraging())
    assert result.status == "finished"
    assert result.cost.evaluations == 1
    torch.testing.assert_close(row, originals(problem)[1].mean(0), rtol=0, atol=1e-6)


def test_task_arithmetic_is_the_scaled_sum():
    problem = small()
    base, tuned = originals(problem)
    _, row = merged(problem, pk.solvers.TaskArithmetic(scale=0.25))
    torch.testing.assert_close(row, base + 0.25 * (tuned - base).sum(0), rtol=0, atol=1e-6)


def test_a_grid_of_scales_gives_its_non_dominated_merges():
    problem = small()
    grid = (0.0, 0.1, 0.2, 0.3, 0.5, 1.0)
    result = pk.solve(problem, pk.solvers.TaskArithmetic(scale=grid), seed=0, progress=False)
    assert result.cost.evaluations == len(grid)
    each = problem.evaluate(torch.tensor(grid).unsqueeze(1).expand(-1, problem.space.dim))
    assert result.cost.work == each.total_work
    best = pk.Front.of(problem, torch.zeros(len(grid), problem.space.dim), each)
    assert torch.equal(result.front.values.sort(0).values, best.values.sort(0).values)
    assert {round(s, 6) for s in result.front.info["scale"].tolist()} <= set(grid)


def slow_ties(tau, trim, aggregate):
    """Return the direction of TIES by loops over coordinates."""
    n_tasks, n = tau.shape
    keep = max(1, int(trim * n))
    trimmed = torch.zeros_like(tau)
    for k in range(n_tasks):
        for i in sorted(range(n), key=lambda i, k=k: -abs(float(tau[k, i])))[:keep]:
            trimmed[k, i] = tau[k, i]
    out = torch.zeros(n, dtype=tau.dtype)
    for i in range(n):
        total = sum(float(trimmed[k, i]) for k in range(n_tasks))
        left = [float(trimmed[k, i]) for k in range(n_tasks) if float(trimmed[k, i]) * total > 0]
        if left:
            out[i] = sum(left) / (len(left) if aggregate == "mean" else 1)
    return out


@pytest.mark.parametrize("aggregate", ["mean", "sum"])
@pytest.mark.parametrize("trim", [0.1, 0.2, 1.0])
def test_ties_equals_loops_over_coordinates(aggregate, trim):
    problem = small()
    base = problem.vectors.base.double()
    solver = pk.solvers.TIES(trim=trim, aggregate=aggregate, scale=0.5)
    _, row = merged(problem, solver)
    expected = base + 0.5 * slow_ties(problem.vectors.dense().double(), trim, aggregate)
    torch.testing.assert_close(row, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("aggregate", "expected"), [("mean", [3.0, -2.5, 0.0, 5.0]), ("sum", [3.0, -5.0, 0.0, 5.0])])
def test_ties_on_four_numbers(aggregate, expected):
    problem = small(2)
    tau = torch.zeros(2, problem.vectors.size)
    tau[:, :4] = torch.tensor([[3.0, -1.0, 0.2, 0.0], [-2.0, -4.0, 0.1, 5.0]])
    keep = 2.5 / problem.vectors.size
    toy = problem.with_vectors(problem.vectors.with_deltas(tau))
    toy._origin = toy.vectors
    made = toy.as_variant({"method": "ties", "trim": keep, "aggregate": aggregate}).vectors
    # Exactly two a task stay: (3, -1) and (-4, 5); one more would bring the -2 in.
    assert made.dense()[0, :4].tolist() == expected


def test_ties_fronts_reload_with_their_direction(tmp_path):
    problem = small()
    result = pk.solve(problem, pk.solvers.TIES(), seed=0, progress=False)
    result.front.save(tmp_path / "front")
    again = pk.Front.load(tmp_path / "front", problem)
    assert torch.equal(flat(again[0].decode()), flat(result.front[0].decode()))
    assert result.held_out is not None
    torch.testing.assert_close(result.held_out, again.problem.assess(again.x)[0])


@pytest.mark.parametrize(
    "solver",
    [
        pk.solvers.WeightAveraging(),
        pk.solvers.TaskArithmetic(),
        pk.solvers.TaskArithmetic(scale=[0.1, 0.2, 0.3, 0.4]),
        pk.solvers.TIES(scale=(0.5, 1.0)),
    ],
    ids=lambda s: repr(s)[:40],
)
def test_as_a_solver(solver):
    check_solver(solver, small(), iterations=2)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: pk.solvers.TIES(trim=0.0), r"`trim` must lie in \(0, 1\]; got 0.0"),
        (lambda: pk.solvers.TIES(aggregate="median"), "`aggregate` must be one of"),
        (
            lambda: pk.solvers.TaskArithmetic(scale=float("nan")),
            "`scale` must be a number or a list of numbers; got nan",
        ),
        (lambda: pk.solvers.TaskArithmetic(scale=()), r"`scale` must be a number or several; got \(\)"),
    ],
)
def test_bad_options_are_named(make, line):
    with pytest.raises(InputError, match=line):
        make()


def test_starting_rows_are_refused():
    problem = small()
    with pytest.raises(InputError, match="`initial` must be left out"):
        pk.solve(problem, pk.solvers.TIES(), seed=0, progress=False, initial=torch.zeros(1, problem.space.dim))
