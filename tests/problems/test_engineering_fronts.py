"""Stored and exact fronts of the engineering problems: attained, non-dominated, not beaten, and right at known ends."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize

from paretokit.core import InputError, Rng, non_dominated, to_min
from paretokit.problems import make
from paretokit.problems.engineering import ENGINEERING

IDS = sorted(set(ENGINEERING) - {"re91-v1"})


@pytest.mark.parametrize("name", IDS)
def test_front_is_attained_feasible_and_mutually_non_dominated(name):
    problem = make(name)
    front, x = problem.pareto_front(), problem.pareto_set()
    assert 0 < len(front) <= 500
    evaluation = problem.evaluate(x)
    torch.testing.assert_close(evaluation.values, front, rtol=1e-9, atol=1e-12)
    assert bool((evaluation.total_violation <= 0).all())
    assert len(non_dominated(to_min(front, problem.objectives))) == len(front)
    assert problem.front_kind == ("exact" if name in ("re21-v1", "re36-v1", "cre25-v1") else "approximate")


@pytest.mark.parametrize("name", IDS)
def test_scoring_is_the_front_s_box(name):
    problem = make(name)
    scoring = problem.protocol.scoring
    front = to_min(problem.pareto_front(), problem.objectives)
    ideal, nadir, reference = (
        to_min(torch.tensor(p, dtype=torch.float64), problem.objectives)
        for p in (scoring.ideal, scoring.nadir, scoring.reference_point)
    )
    torch.testing.assert_close(front.amin(0), ideal, rtol=1e-6, atol=1e-9)
    assert bool((front <= nadir + 1e-6 * (nadir - ideal)).all())
    assert bool((front.amax(0) >= ideal + 0.9 * (nadir - ideal)).all())
    torch.testing.assert_close(reference, ideal + 1.1 * (nadir - ideal))


@pytest.mark.parametrize("name", IDS)
def test_random_designs_never_beat_the_front_by_a_hundredth_of_its_range(name):
    problem = make(name)
    front = to_min(problem.pareto_front(), problem.objectives)
    evaluation = problem.evaluate(problem.space.sample(4_000, Rng.from_seed(11)))
    values = to_min(evaluation.values, problem.objectives)[evaluation.total_violation <= 0]
    low, span = front.amin(0), front.amax(0) - front.amin(0)
    front, values = (front - low) / span, (values - low) / span
    values = values[(values < 1.0).all(1)]
    gap = (values[:, None] - front[None] + 0.01).amax(-1)
    assert bool((gap >= 0).all())


def test_fewer_points_are_a_prefix_and_another_dtype_is_possible():
    problem = make("re37-v1")
    everything = problem.pareto_front()
    assert torch.equal(problem.pareto_front(10), everything[:10])
    assert torch.equal(problem.pareto_set(10), problem.pareto_set()[:10])
    assert problem.to(dtype=torch.float32).pareto_front(5).dtype == torch.float32
    with pytest.raises(InputError, match="`n` must be at least 1; got 0"):
        problem.pareto_front(0)
    with pytest.raises(InputError, match="`n` must be at least 1; got 0"):
        make("re21-v1").pareto_front(0)


def test_four_bar_truss_front_is_exact():
    problem = make("re21-v1")
    front = problem.pareto_front(1000)
    assert len(front) == 1000
    # Ideal point published with the suite (ideal_point_RE21).
    torch.testing.assert_close(
        front.amin(0), torch.tensor([1237.8414230005742, 0.002761423749158419], dtype=torch.float64), rtol=1e-10, atol=0
    )
    # The derivation of the docstring against a general-purpose optimizer: minima of f1 + λ f2 over the box.
    low, high = problem.space.lower.numpy(), problem.space.upper.numpy()
    for weight in (2e4, 1e5, 3e5):

        def weighted(x, weight=weight):
            return float(problem.evaluate(torch.from_numpy(x)).values @ torch.tensor([1.0, weight]).double())

        found = minimize(weighted, (low + high) / 2, bounds=list(zip(low, high, strict=True)), tol=1e-12).fun
        on_front = (front @ torch.tensor([1.0, weight]).double()).min().item()
        assert on_front == pytest.approx(found, rel=1e-5)
        assert on_front >= found * (1 - 1e-9)


def test_gear_train_front_is_exact_by_enumeration():
    teeth = np.arange(12, 61)
    pairs = np.array(list(itertools.combinations_with_replacement(teeth, 2)), dtype=float)
    product, largest = pairs.prod(1), pairs.max(1)
    best = {}
    for p, m in zip(product, largest, strict=True):
        error = np.abs(6.931 - product / p)
        for size in np.unique(largest):
            if size >= m:
                best[size] = min(best.get(size, math.inf), float(error[largest <= size].min()))
    sizes = np.array(sorted(best))
    errors = np.minimum.accumulate([best[s] for s in sizes])
    improves = np.r_[True, np.diff(errors) < 0]
    expected = np.stack([errors[improves], sizes[improves]], 1)
    front = make("re36-v1").pareto_front().numpy()
    front = front[front[:, 1].argsort()]
    np.testing.assert_allclose(front[:, :2], expected, rtol=1e-12, atol=1e-12)
    allowed = expected[expected[:, 0] <= 0.5 * 6.931]
    cut = make("cre25-v1").pareto_front().numpy()
    np.testing.assert_allclose(cut[cut[:, 1].argsort()], allowed, rtol=1e-12, atol=1e-12)


def cheapest_without_violation(name):
    front = make(name).pareto_front()
    return front[front[:, -1] <= 1e-9, 0].min().item()


def test_cheapest_flawless_designs_are_those_of_the_literature():
    # Concrete beam: h = 4 b and the strength limit meet; the best table entry follows by enumeration.
    def cost(area):
        width = (180 + math.sqrt(180**2 + 16 * 7.735 * area**3)) / (8 * area)
        return 29.4 * area + 2.4 * width**2

    table = make("re22-v1").variables[0].values
    assert cheapest_without_violation("re22-v1") == pytest.approx(min(cost(a) for a in table), rel=1e-3)
    # Pressure vessel with lengths up to 240 in (Gandomi, Yang and Alavi, 2013).
    assert cheapest_without_violation("re23-v1") == pytest.approx(5850.383, rel=2e-3)
    # Welded beam (Coello Coello and Mezura Montes, 2002).
    assert make("cre22-v1").pareto_front()[:, 0].min().item() == pytest.approx(1.724852, rel=1e-3)


def test_marine_design_ideal_is_near_the_published_one():
    # Points published with the suite (ideal_point_RE42, nadir_point_RE42), annual cargo negated by the suite.
    published = torch.tensor([-2756.2590400638524, 3962.557843228888, 1947.880856925791, 0.0], dtype=torch.float64)
    problem = make("re42-v1")
    ideal = to_min(problem.pareto_front(), problem.objectives).amin(0)
    torch.testing.assert_close(ideal, published, rtol=0.02, atol=1e-6)


def common_rate(problem, x, span):
    """Return the rate at which all objectives can fall together, by a linear program over directions in the box."""
    low, width = problem.space.lower, problem.space.upper - problem.space.lower

    def values(u):
        return problem.losses((low + u * width)[None], Rng.from_seed(0))[0] / span

    u = (x - low) / width
    slopes = torch.autograd.functional.jacobian(values, u).numpy()
    bounds = [(-1.0 if a > 1e-6 else 0.0, 1.0 if a < 1 - 1e-6 else 0.0) for a in u.tolist()]
    found = linprog(
        np.r_[np.zeros(len(u)), -1.0],
        A_ub=np.c_[slopes, np.ones(len(slopes))],
        b_ub=np.zeros(len(slopes)),
        bounds=[*bounds, (0, None)],
    )
    return found.x[-1]


@pytest.mark.parametrize("name", ["re34-v1", "re37-v1"])
def test_smooth_fronts_are_pareto_stationary(name):
    problem = make(name)
    front = problem.pareto_front()
    span = front.amax(0) - front.amin(0)
    rates = [common_rate(problem, x, span) for x in problem.pareto_set(60)]
    assert np.median(rates) < 1e-3
    assert max(rates) < 0.02
    elsewhere = [common_rate(problem, x, span) for x in problem.space.sample(20, Rng.from_seed(3))]
    assert np.median(elsewhere) > 0.05
