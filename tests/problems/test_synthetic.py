"""What every synthetic problem keeps: rows independent, dtype, gradients, recipes, one-line errors."""

import dataclasses
import json

import pytest
import torch

from paretokit import problems
from paretokit.core import InputError, Problem, Rng
from paretokit.problems.synthetic import SYNTHETIC

IDS = sorted(SYNTHETIC)
SMOOTH = [i for i in IDS if i != "zdt5-v1"]


def options_of(problem):
    return [f.name for f in dataclasses.fields(problem) if f.init]


@pytest.fixture(params=IDS)
def problem(request):
    return problems.make(request.param)


def test_rows_do_not_depend_on_each_other_and_values_repeat(problem):
    x = problem.space.sample(97, Rng.from_seed(3))
    kept = x.clone()
    whole = problem.evaluate(x)
    assert torch.equal(x, kept)
    assert torch.equal(problem.evaluate(x).values, whole.values)
    order = Rng.from_seed(4).permutation(97)
    for part in (order, order[:40], order[5:6]):
        some = problem.evaluate(x[part])
        torch.testing.assert_close(some.values, whole.values[part], rtol=1e-13, atol=1e-13)
        if problem.n_constraints:
            torch.testing.assert_close(some.violations, whole.violations[part], rtol=1e-12, atol=1e-12)


def test_stacked_rows_keep_their_shape(problem):
    x = problem.space.sample(12, Rng.from_seed(3))
    stacked = problem.evaluate(x.reshape(3, 4, -1))
    assert stacked.values.shape == (3, 4, problem.n_objectives)
    assert torch.equal(stacked.values.reshape(12, -1), problem.evaluate(x).values)
    assert bool(torch.isfinite(stacked.values).all())


def test_corners_of_the_box_have_finite_values(problem):
    space = problem.space
    x = torch.stack([space.lower, space.upper, (space.lower + space.upper) / 2])
    out = problem.evaluate(space.project(x))
    assert not bool(out.failed.any())


def test_to_changes_dtype_of_values_and_front(problem):
    half = problem.to(dtype=torch.float32)
    x = problem.space.sample(20, Rng.from_seed(0))
    values, exact = half.evaluate(x).values, problem.evaluate(x).values
    assert values.dtype == torch.float32
    assert half.pareto_front(5).dtype == torch.float32
    assert problem.evaluate(x).values.dtype == torch.float64
    close = torch.isclose(values.double(), exact, rtol=1e-2, atol=1e-2).all(-1)
    assert close.double().mean() >= 0.9  # s_decept of WFG5 and WFG9 has kinks of width 1e-3


def test_recipe_rebuilds_the_problem(problem):
    recipe = json.loads(json.dumps(problem.recipe()))
    again = problems.make(recipe["id"], **recipe["options"])
    assert again == problem
    assert again.fingerprint() == problem.fingerprint()
    assert again.protocol == problem.protocol
    assert "min f1" in problem.describe()


def test_fingerprints_differ():
    prints = [problems.make(i).fingerprint() for i in IDS]
    assert len(set(prints)) == len(IDS)
    assert problems.DTLZ2().fingerprint() == problems.DTLZ2(n_variables=12).fingerprint()
    assert problems.DTLZ2().fingerprint() != problems.DTLZ2(n_variables=13).fingerprint()


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_match_differences(name):
    problem = problems.make(name)
    x = problem.space.sample(3, Rng.from_seed(11)) * 0.98 + 0.01 * problem.space.upper
    x = problem.space.project(x).requires_grad_()
    values = problem._evaluate(x, Rng.from_seed(0)).values
    generator = Rng.from_seed(5)
    weights = generator.child("w").uniform(*values.shape)
    direction = generator.child("d").uniform(*x.shape) - 0.5
    (gradient,) = torch.autograd.grad((values * weights).sum(), x)
    assert bool(torch.isfinite(gradient).all())
    slope = (gradient * direction).sum(-1)
    h = 1e-7
    ahead, behind = (problem._evaluate(x.detach() + s * h * direction, Rng.from_seed(0)).values for s in (1, -1))
    numeric = ((ahead - behind) * weights).sum(-1) / (2 * h)
    torch.testing.assert_close(slope, numeric, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_are_finite_on_the_boundary(name):
    problem = problems.make(name)
    space = problem.space
    x = torch.stack([space.lower, space.upper, 0.35 * space.upper.clamp_min(0)])
    x = space.project(x).requires_grad_()
    out = problem._evaluate(x, Rng.from_seed(0))
    total = out.values.sum() + (out.violations.sum() if problem.n_constraints else 0)
    (gradient,) = torch.autograd.grad(total, x)
    assert bool(torch.isfinite(gradient).all())


def test_gradcheck_of_one_problem_a_family():
    for problem in (problems.ZDT3(n_variables=4), problems.DTLZ3(n_variables=5), problems.C3DTLZ4(), problems.OSY()):
        x = problem.space.sample(2, Rng.from_seed(2)).requires_grad_()

        def values(x, problem=problem):
            out = problem._evaluate(x, Rng.from_seed(0))
            return out.values if out.violations is None else (out.values, out.violations)

        assert torch.autograd.gradcheck(values, (x,), eps=1e-7, atol=1e-4)


def test_losses_are_values():
    problem = problems.DTLZ2()
    x = problem.space.sample(4, Rng.from_seed(0))
    assert torch.equal(problem.losses(x, Rng.from_seed(0)), problem.evaluate(x).values)


@pytest.mark.parametrize("name", [i for i in IDS if "n_objectives" in options_of(problems.make(i))])
def test_any_number_of_objectives(name):
    for m in (2, 4, 7):
        problem = problems.make(name, n_objectives=m)
        assert problem.n_objectives == len(problem.objectives) == m
        assert problem.evaluate(problem.space.sample(3, Rng.from_seed(0))).values.shape == (3, m)
        assert len(problem.protocol.scoring.reference_point) == m


def test_papers_defaults():
    dims = {
        i: problems.make(i).space.dim for i in ("zdt1-v1", "zdt4-v1", "zdt5-v1", "dtlz1-v1", "dtlz2-v1", "dtlz7-v1")
    }
    assert list(dims.values()) == [30, 10, 80, 7, 12, 22]
    assert problems.WFG4(n_objectives=2).k == 4
    assert problems.WFG4(n_objectives=5).space.dim == 8 + 20


@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        ("zdt1-v1", {"n_variables": 1}, "`n_variables` must be at least 2; got 1"),
        ("zdt1-v1", {"n_variables": 2.5}, "`n_variables` must be a whole number; got 2.5"),
        ("zdt5-v1", {"n_blocks": 1}, "`n_blocks` must be at least 2; got 1"),
        ("dtlz2-v1", {"n_objectives": 1}, "`n_objectives` must be at least 2; got 1"),
        ("dtlz2-v1", {"n_objectives": True}, "`n_objectives` must be a whole number; got True"),
        ("dtlz2-v1", {"n_objectives": 5, "n_variables": 4}, "`n_variables` must be at least 5; got 4"),
        ("dtlz4-v1", {"alpha": 0}, "`alpha` must be positive; got 0"),
        ("sdtlz1-v1", {"scale": -1.0}, "`scale` must be positive; got -1.0"),
        ("wfg1-v1", {"k": 5}, "`k` must be a multiple of n_objectives - 1 = 2; got 5"),
        ("wfg2-v1", {"l": 3}, "`l` must be even; got 3 (its variables are reduced in pairs)"),
        ("wfg1-v1", {"l": 0}, "`l` must be at least 1; got 0"),
        ("c1dtlz3-v1", {"radius": 3.0}, "`radius` must exceed the shell's inner radius 4; got 3.0"),
        ("c2dtlz2-v1", {"radius": 0.0}, "`radius` must be positive; got 0.0"),
        ("c3dtlz4-v1", {"n_variables": 5}, "`n_variables` must be at least 6; got 5"),
        ("ctp1-v1", {"n_curves": 0}, "`n_curves` must be at least 1; got 0"),
        ("ctp2-v1", {"n_variables": 1}, "`n_variables` must be at least 2; got 1"),
    ],
)
def test_wrong_options_get_one_line(name, options, line):
    with pytest.raises(InputError) as caught:
        problems.make(name, **options)
    assert str(caught.value) == line


def test_front_sizes_are_checked(problem):
    for n in (0, -1, 2.5):
        with pytest.raises(InputError, match="`n` must be"):
            problem.pareto_front(n)


def test_problems_are_frozen_values():
    problem = problems.DTLZ2(n_objectives=4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        problem.n_objectives = 5
    assert problem == problems.DTLZ2(n_objectives=4) != problems.DTLZ2()
    assert isinstance(problem, Problem)
