"""AdaMerging against the plain way through functional_call, and as a solver."""

import pytest
import torch
from small_merging import small

import paretokit as pk
from paretokit.core import InputError, Rng, ShapeError, UnsupportedProblemError
from paretokit.problems.merging import Task
from paretokit.solvers.merging._minibatches import jacobians, minibatch, weighted
from paretokit.testing import check_solver


def plain(problem, solver, seed, *, steps):
    """Return coefficients after some steps: torch's Adam, autograd through the merge tensor by tensor."""
    rng = Rng.from_seed(seed).child("solver")
    vectors = problem.vectors
    if solver.ties:
        vectors = vectors.processed(trim=solver.trim)
    base, deltas = vectors.base, vectors.dense()
    n_layers, n_tasks = vectors.n_layers, vectors.n_tasks
    free = torch.full((n_layers if solver.layerwise else 1, n_tasks), solver.start, dtype=base.dtype)
    free.requires_grad_()
    adam = torch.optim.Adam([free], lr=solver.learning_rate)
    for t in range(steps):
        batch = minibatch(problem, rng.child("step", t), signal=solver.objective, batch_size=solver.batch_size)
        held = free.clamp(*solver.clamp).expand(n_layers, -1)
        named = {}
        for part in vectors.parts:
            weights = base[part.begin : part.end].clone()
            for k in range(n_tasks):
                weights = weights + held[part.layer, k] * deltas[k, part.begin : part.end]
            named[part.name] = weights.view(part.shape)
        total = torch.zeros((), dtype=base.dtype)
        for k, (task, x) in enumerate(zip(problem.tasks, batch.inputs, strict=True)):
            module = problem.architecture.to(base.dtype)
            logits = task.head.to(base.dtype)(torch.func.functional_call(module, named, (x,)))
            if batch.labels is None:
                p = torch.softmax(logits, -1)
                total = total - (p * torch.log(p)).sum(-1).mean()
            else:
                total = total + torch.nn.functional.cross_entropy(logits, batch.labels[k])
        adam.zero_grad()
        total.backward()
        adam.step()
    return free.detach()


@pytest.fixture
def double():
    problem = small(storage="float64")
    yield problem
    problem.architecture.float()
    for task in problem.tasks:
        task.head.float()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"layerwise": False},
        {"ties": True},
        {"layerwise": False, "ties": True, "trim": 0.5},
        {"objective": "validation"},
        {"learning_rate": 0.05},
    ],
    ids=str,
)
def test_fifty_fused_steps_equal_the_plain_way(double, options):
    solver = pk.solvers.AdaMerging(**{"learning_rate": 0.01, "steps": 50, "evaluate_every": 50, **options})
    state = solver.init(double, Rng.from_seed(3).child("solver"))
    for _ in range(50):
        state = solver.step(double, state)
    expected = plain(double, solver, 3, steps=50)
    assert (expected - 0.3).abs().max() > 0.05
    torch.testing.assert_close(state.rows.view(expected.shape), expected, rtol=0, atol=1e-6)


def test_the_merged_weights_are_the_formula():
    problem = small()
    result = pk.solve(problem, pk.solvers.AdaMerging(steps=5), seed=0, progress=False)
    held = result.front.x[0].view(problem.n_coefficients)
    state = result.front[0].decode().state_dict()
    for part in problem.vectors.parts:
        tau = problem.vectors.deltas[:, part.begin : part.end]
        weights = problem.vectors.base[part.begin : part.end] + held[part.layer] @ tau
        torch.testing.assert_close(state[part.name].reshape(-1), weights, rtol=0, atol=1e-6)


def test_entropy_falls_and_the_run_finishes():
    problem = small()
    solver = pk.solvers.AdaMerging(steps=40, learning_rate=0.02, evaluate_every=20)
    result = pk.solve(problem, solver, seed=0, progress=False)
    assert result.status == "finished"
    assert result.cost.evaluations == 3
    assert result.cost.gradient_steps == 40
    n = sum(len(t.validation[1]) for t in problem.tasks)
    assert result.cost.work == 40 * 3 * 16 * 3 + 3 * n
    start = problem.losses(torch.full((1, problem.space.dim), 0.3), Rng.from_seed(9)).sum()
    assert problem.losses(result.front.x, Rng.from_seed(9)).sum() < start


@pytest.mark.parametrize("signal", ["entropy", "validation"])
def test_stacked_members_equal_the_loop(signal):
    problem = small(storage="float64")
    batch = minibatch(problem, Rng.from_seed(0), signal=signal, batch_size=8)
    coefficients = Rng.from_seed(1).uniform(4, *problem.n_coefficients)
    weights = Rng.from_seed(2).uniform(4, 3)
    values, gradients = weighted(problem, coefficients, batch, weights)
    each, jacobian = jacobians(problem, coefficients, batch)
    for p in range(4):
        one, slope = weighted(problem, coefficients[p : p + 1], batch, lambda _, own: weights[p])  # noqa: B023 - now
        torch.testing.assert_close(values[p], one[0], rtol=0, atol=1e-12)
        torch.testing.assert_close(gradients[p], slope[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(each, values, rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.einsum("pm,pmlk->plk", weights, jacobian), gradients, rtol=0, atol=1e-12)


def test_adamerging_plus_plus_reloads_with_its_vectors(tmp_path):
    problem = small()
    result = pk.solve(problem, pk.solvers.AdaMerging(ties=True, steps=3), seed=0, progress=False)
    result.save(tmp_path / "run")
    again = pk.Result.load(tmp_path / "run", problem=problem)
    a, b = again.front[0].decode().state_dict(), result.front[0].decode().state_dict()
    assert all(torch.equal(a[name], b[name]) for name in b)


def test_a_task_that_is_certain_from_the_start_is_left_alone():
    problem = small(2)
    certain = torch.nn.Linear(32, 3)
    with torch.no_grad():
        certain.weight.zero_()
        certain.bias.copy_(torch.tensor([500.0, 0.0, 0.0]))
    x = problem.tasks[0].unlabeled
    tasks = [Task(name="certain", unlabeled=x, head=certain), problem.tasks[1]]
    from small_merging import pieces

    encoder, tuned, _ = pieces(2)
    made = pk.problems.ModelMerging(pretrained=encoder, finetuned=tuned, tasks=tasks)
    result = pk.solve(made, pk.solvers.AdaMerging(steps=4, learning_rate=0.01), seed=0, progress=False)
    assert torch.isfinite(result.front.values).all()
    assert result.front.values[0, 0] == 0


@pytest.mark.parametrize(
    "options",
    [{}, {"layerwise": False}, {"ties": True}, {"objective": "validation"}],
    ids=str,
)
def test_as_a_solver(options):
    check_solver(pk.solvers.AdaMerging(**options, learning_rate=0.1, evaluate_every=1), small(), iterations=3)


def test_starting_rows_are_taken():
    problem = small()
    solver = pk.solvers.AdaMerging()
    row = torch.full((1, problem.space.dim), 0.7)
    assert torch.equal(solver.init(problem, Rng.from_seed(0), initial=row).rows, row)
    with pytest.raises(ShapeError, match=r"`initial` must have shape \[1, 18\] or \[1, 18\]; got \[2, 18\]"):
        solver.init(problem, Rng.from_seed(0), initial=row.expand(2, -1))


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"trim": 1.5}, r"`trim` must lie in \(0, 1\]; got 1.5"),
        ({"steps": 0}, "`steps` must be at least 1"),
        ({"batch_size": 0}, "`batch_size` must be at least 1"),
        ({"evaluate_every": 0}, "`evaluate_every` must be at least 1"),
        ({"learning_rate": 0.0}, "`learning_rate` must be positive"),
        ({"objective": "labels"}, "`objective` must be one of"),
        ({"clamp": (1.0, 0.0)}, "`clamp` must be two increasing numbers"),
        ({"start": 2.0}, r"`start` must lie in the clamp \(0, 1\); got 2.0"),
    ],
)
def test_bad_options_are_named(options, line):
    with pytest.raises(InputError, match=line):
        pk.solvers.AdaMerging(**options)


def test_what_the_problem_lacks_is_named():
    from small_merging import pieces

    encoder, tuned, tasks = pieces(2)
    bare = [Task(name="bare", unlabeled=tasks[0].unlabeled, head=tasks[0].head), tasks[1]]
    made = pk.problems.ModelMerging(pretrained=encoder, finetuned=tuned, tasks=bare)
    with pytest.raises(UnsupportedProblemError, match="task 'bare' has no validation data"):
        pk.solve(made, pk.solvers.AdaMerging(objective="validation"), seed=0, progress=False)
