"""Fronts: non-dominated, never beaten by samples, reached by optimal decisions in closed form."""

import math

import numpy as np
import pytest
import torch

from paretokit import problems
from paretokit.core import Rng, non_dominated
from paretokit.problems.synthetic import SYNTHETIC
from paretokit.problems.synthetic import _points as points
from paretokit.problems.synthetic._ctp import WaveCTP
from paretokit.problems.synthetic._dtlz import DTLZ7_PIECES
from paretokit.problems.synthetic._dtlz_forms import RASTRIGIN_TOP
from paretokit.problems.synthetic._wfg import WFG2_PIECES
from paretokit.problems.synthetic._zdt import ZDT3_PIECES, ZDT6_LEFT

IDS = sorted(SYNTHETIC)
MANY = [i for i in IDS if "dtlz" in i or "wfg" in i]
FEW = {"zdt5-v1": 31, "ctp3-v1": 13, "ctp4-v1": 13}  # points of fronts that are not curves


def beaten(values, front, margin=1e-9):
    """Return how many of the front's rows a row of values dominates by more than rounding."""
    values = values[non_dominated(values)]
    return int(((values[:, None] <= front).all(-1) & (values[:, None] < front - margin).any(-1)).any(0).sum())


@pytest.fixture(params=IDS)
def problem(request):
    return problems.make(request.param)


def test_points_are_non_dominated_and_distinct(problem):
    front = problem.pareto_front()
    assert bool(torch.isfinite(front).all())
    assert bool(non_dominated(front).all())
    assert torch.unique(front, dim=0).shape == front.shape


def test_as_many_points_as_asked(problem):
    for n in (1, 10, 60):
        front = problem.pareto_front(n)
        assert front.shape == (min(n, FEW.get(problem.id, n)), problem.n_objectives)
        assert bool(non_dominated(front).all())


def test_samples_never_beat_the_front(problem):
    out = problem.evaluate(problem.space.sample(10_000, Rng.from_seed(1)))
    feasible = out.values[out.total_violation == 0]
    front = problem.pareto_front(200)
    assert beaten(feasible, front) == 0


def test_scoring_brackets_the_front(problem):
    scoring, front = problem.protocol.scoring, problem.pareto_front()
    ideal, nadir = torch.tensor(scoring.ideal, dtype=torch.float64), torch.tensor(scoring.nadir, dtype=torch.float64)
    span = nadir - ideal
    assert bool((span > 0).all())
    torch.testing.assert_close((front.amin(0) - ideal) / span, torch.zeros_like(ideal), rtol=0, atol=5e-3)
    torch.testing.assert_close((front.amax(0) - nadir) / span, torch.zeros_like(ideal), rtol=0, atol=5e-3)
    reference = torch.tensor(scoring.reference_point, dtype=torch.float64)
    torch.testing.assert_close(reference, ideal + 1.1 * span)


@pytest.mark.parametrize("name", MANY)
@pytest.mark.parametrize("m", [2, 5, 8])
def test_fronts_of_other_sizes(name, m):
    problem = problems.make(name, n_objectives=m)
    front = problem.pareto_front(150)
    assert front.shape == (150, m)
    assert bool(non_dominated(front).all())
    out = problem.evaluate(problem.space.sample(2000, Rng.from_seed(2)))
    feasible = out.values[out.total_violation == 0]
    assert beaten(feasible, front) == 0
    nadir = torch.tensor(problem.protocol.scoring.nadir, dtype=torch.float64)
    assert bool((front <= nadir + 1e-9 * nadir.abs().clamp_min(1)).all())


def near_front_rows(problem, far):
    """Return rows with random positions and all distance variables at `far`."""
    x = problem.space.sample(300, Rng.from_seed(3))
    x[:, problem.n_objectives - 1 :] = far
    return x


@pytest.mark.parametrize("m", [2, 3, 6])
def test_optimal_decisions_of_dtlz_lie_on_the_front(m):
    f = {i: problems.make(f"dtlz{i}-v1", n_objectives=m) for i in range(1, 8)}
    best = {i: f[i].evaluate(near_front_rows(f[i], 0.0 if i > 5 else 0.5)).values for i in f}
    ones = torch.ones(300, dtype=torch.float64)
    torch.testing.assert_close(best[1].sum(-1), 0.5 * ones)
    torch.testing.assert_close(f[1].pareto_front(40).sum(-1), 0.5 * ones[:40])
    for i in (2, 3, 4, 5, 6):
        torch.testing.assert_close(best[i].norm(dim=-1), ones)
        torch.testing.assert_close(f[i].pareto_front(40).norm(dim=-1), ones[:40])
    for i in (5, 6):
        torch.testing.assert_close(f[i]._curve(near_front_rows(f[i], 0.5)[:, 0]), best[i])
    seven = f[7].pareto_front(80)
    x = torch.cat([seven[:, :-1], torch.zeros(80, f[7].space.dim - m + 1, dtype=torch.float64)], -1)
    torch.testing.assert_close(f[7].evaluate(x).values, seven)
    assert beaten(best[7], seven, 1e-9) == 0


def test_degenerate_fronts_say_where_they_are_incomplete():
    assert problems.DTLZ5().front_kind == problems.WFG3(n_objectives=2).front_kind == "exact"
    assert problems.DTLZ5(n_objectives=4).front_kind == problems.WFG3().front_kind == "approximate"
    problem = problems.WFG3()
    x = 0.35 * problem.space.upper.repeat(4000, 1)
    x[:, :4] = Rng.from_seed(0).uniform(4000, 4) * problem.space.upper[:4]
    x[:2000, 4:] *= 1 + Rng.from_seed(1).uniform(2000, 1)
    values, line = problem.evaluate(x).values, problem.pareto_front()
    assert beaten(values, line) == 0
    extra = torch.cat([line, values[:2000]])
    assert int(non_dominated(extra)[len(line) :].sum()) > 0  # the part that the line leaves out


def test_forms_of_dtlz():
    plain = problems.DTLZ2(n_objectives=3).pareto_front(50)
    scaled = problems.SDTLZ2(n_objectives=3, scale=7.0).pareto_front(50)
    torch.testing.assert_close(scaled, plain * torch.tensor([1.0, 7.0, 49.0], dtype=torch.float64))
    torch.testing.assert_close(1 - problems.IDTLZ2().pareto_front(50), plain)
    for i in (1, 2, 3, 4):
        minus, inverted = problems.make(f"minusdtlz{i}-v1"), problems.make(f"idtlz{i}-v1")
        top = 0.45022809602630455 if i in (1, 3) else 0.5
        best = minus.evaluate(near_front_rows(minus, 0.5 + top)).values
        size = {1: lambda f: -f.sum(-1)}.get(i, lambda f: f.norm(dim=-1))
        torch.testing.assert_close(size(best), size(minus.pareto_front(1)).expand(300))
        best = inverted.evaluate(near_front_rows(inverted, 0.5)).values
        torch.testing.assert_close(
            size(1 - best if i > 1 else best - 1),
            size(best * 0 + (1 - inverted.pareto_front(1) if i > 1 else inverted.pareto_front(1) - 1)),
        )


def optimal_wfg(problem, i, positions):
    """Return rows of least distance at given relative positions (Huband and others, 2006, section IX)."""
    k, d = problem.k, problem.space.dim
    y = torch.full((positions.shape[0], d), 0.35, dtype=torch.float64)
    y[:, :k] = positions
    a, b, c = 0.98 / 49.98, 0.02, 50.0
    if i == 8:
        for j in range(k, d):
            u = y[:, :j].mean(-1)
            y[:, j] = 0.35 ** (1 / (b + (c - b) * (a - (1 - 2 * u) * (torch.floor(0.5 - u) + a).abs())))
    if i == 9:
        for j in range(d - 2, k - 1, -1):
            u = y[:, j + 1 :].mean(-1)
            y[:, j] = 0.35 ** (1 / (b + (c - b) * (a - (1 - 2 * u) * (torch.floor(0.5 - u) + a).abs())))
    return y * problem.space.upper


@pytest.mark.parametrize("i", range(1, 10))
@pytest.mark.parametrize("m", [2, 3, 5])
def test_optimal_decisions_of_wfg_lie_on_the_front(i, m):
    problem = problems.make(f"wfg{i}-v1", n_objectives=m, l=4)
    positions = Rng.from_seed(i).uniform(400, problem.k) ** (50.0 if i == 1 else 1.0)
    values = problem.evaluate(optimal_wfg(problem, i, positions)).values
    sizes = 2 * torch.arange(1, m + 1, dtype=torch.float64)
    h = values / sizes
    if i >= 4:
        torch.testing.assert_close(h.norm(dim=-1), torch.ones(400, dtype=torch.float64))
        front = problem.pareto_front(30) / sizes
        torch.testing.assert_close(front.norm(dim=-1), torch.ones(30, dtype=torch.float64))
    if i == 3:
        torch.testing.assert_close(h.sum(-1), torch.ones(400, dtype=torch.float64))
    assert beaten(values, problem.pareto_front(100)) == 0


@pytest.mark.parametrize("i", [1, 2])
def test_fronts_of_wfg1_and_wfg2_are_reached(i):
    """The k equal position variables of a group reduce to their value, undone for WFG1's bias."""
    problem = problems.make(f"wfg{i}-v1", n_objectives=3, l=4)
    front = problem.pareto_front(100)
    scaled = front / torch.tensor([2.0, 4.0, 6.0], dtype=torch.float64)
    # 1 - cos(t1) is the length of (h1, h2) in units that t2 decides: solve h1 = (1 - cos t1)(1 - cos t2), h2 likewise.
    ratio = scaled[:, 0] / scaled[:, :2].sum(-1).clamp_min(1e-300)
    low, high = torch.zeros(100, dtype=torch.float64), torch.ones(100, dtype=torch.float64)
    for _ in range(80):
        t2 = (low + high) / 2
        one, two = 1 - (t2 * math.pi / 2).cos(), 1 - (t2 * math.pi / 2).sin()
        high, low = torch.where(one / (one + two) > ratio, t2, high), torch.where(one / (one + two) > ratio, low, t2)
    t1 = torch.acos((1 - scaled[:, :2].sum(-1) / (one + two)).clamp(-1, 1)) * 2 / math.pi
    exponent = 50.0 if i == 1 else 1.0
    positions = torch.stack([t1, t1, t2, t2], -1).clamp(0, 1) ** exponent
    y = torch.full((100, 8), 0.35, dtype=torch.float64)  # unscaled: WFG1 turns a rounding error of 1e-16 into 0.5
    y[:, :4] = positions
    t = problem._reduce(y)
    torch.testing.assert_close(problem._values(t[:, :-1], t[:, -1]), front, rtol=1e-5, atol=1e-5)


def test_staircase_keeps_the_non_dominated_rows_once():
    values = Rng.from_seed(0).uniform(300, 2)
    values = torch.cat([values, values[:50], values.round(decimals=1)])
    expected = torch.unique(values[non_dominated(values, keep_duplicates=False)], dim=0)
    assert torch.equal(points.staircase(values), expected)


def test_strided_rows_are_even_along_a_staircase():
    t = torch.linspace(0, 1, 1001, dtype=torch.float64) ** 3
    rows = torch.stack([t, 1 - t], -1)
    some = points.strided(rows, 11)
    assert some.shape == (11, 2)
    assert torch.equal(some[[0, -1]], rows[[0, -1]])
    assert float(torch.diff(some[:, 0]).max()) < 0.2
    assert torch.unique(points.strided(rows, 999), dim=0).shape == (999, 2)
    assert torch.equal(points.strided(rows, 2000), rows)


def test_constants_are_where_calculus_puts_them():
    def stationary(f, t, h=1e-6):
        assert abs(f(t + h) - f(t - h)) / (2 * h) < 1e-4

    cases = [
        (ZDT3_PIECES, lambda t: math.sqrt(t) + t * math.sin(10 * math.pi * t)),
        (DTLZ7_PIECES, lambda t: t * (1 + math.sin(3 * math.pi * t))),
        (WFG2_PIECES, lambda t: t * math.cos(5 * math.pi * t) ** 2),
    ]
    for pieces, f in cases:
        for i, (left, right) in enumerate(pieces):
            if right < 1:
                stationary(f, right)
            if i:
                assert 0 < f(left) - f(pieces[i - 1][1]) < 1e-10
        t = np.linspace(0, 1, 100_001)
        y = np.array([f(v) for v in t])
        record = np.r_[True, y[1:] > np.maximum.accumulate(y)[:-1]]
        inside = np.any([(t >= a) & (t <= b) for a, b in pieces], axis=0)
        assert (record != inside).sum() <= 2 * len(pieces)  # rounding at the ends
    t = np.linspace(0, 1, 1_000_001)
    assert abs((1 - np.exp(-4 * t) * np.sin(6 * np.pi * t) ** 6).min() - ZDT6_LEFT) < 1e-10
    assert abs(((t - 0.5) ** 2 - np.cos(20 * np.pi * (t - 0.5))).max() - RASTRIGIN_TOP) < 1e-9


def test_zdt_fronts_are_reached():
    for i in (1, 2, 3, 4):
        problem = problems.make(f"zdt{i}-v1", n_variables=6)
        front = problem.pareto_front(50)
        x = torch.zeros(50, 6, dtype=torch.float64)
        x[:, 0] = front[:, 0]
        torch.testing.assert_close(problem.evaluate(x).values, front)
    x = torch.zeros(1000, 10, dtype=torch.float64)
    x[:, 0] = torch.linspace(0, 1, 1000, dtype=torch.float64)
    f = problems.ZDT6().evaluate(x).values
    torch.testing.assert_close(f[:, 1], 1 - f[:, 0] ** 2)
    bits = torch.zeros(31, 80, dtype=torch.float64)
    bits[:, 30:] = 1
    for i in range(31):
        bits[i, :i] = 1
    torch.testing.assert_close(problems.ZDT5().evaluate(bits).values, problems.ZDT5().pareto_front())


@pytest.mark.parametrize("name", ["c1dtlz1", "c1dtlz3", "c2dtlz2", "c3dtlz1", "c3dtlz4"])
@pytest.mark.parametrize("m", [2, 3, 7])
def test_constrained_fronts_are_feasible_and_tight(name, m):
    problem = problems.make(f"{name}-v1", n_objectives=m)
    front = problem.pareto_front(100)
    assert bool((problem._violations(front, front, front) <= 1e-12).all())
    if name.startswith("c3"):  # any shorter vector breaks a constraint
        worst = problem._violations(front, front, 0.999 * front).amax(-1)
        assert bool((worst > 0).all())


@pytest.mark.parametrize("name", ["bnh", "srn"])
def test_fronts_of_plane_problems_against_a_grid(name):
    problem = problems.make(f"{name}-v1")
    axes = [
        torch.linspace(a, b, 400, dtype=torch.float64)
        for a, b in zip(problem.space.lower, problem.space.upper, strict=True)
    ]
    out = problem.evaluate(torch.cartesian_prod(*axes))
    feasible = out.values[out.total_violation == 0]
    front = problem.pareto_front(300)
    assert beaten(feasible, front) == 0
    best = feasible[non_dominated(feasible)]
    span = front.amax(0) - front.amin(0)
    shortfall = ((best[:, None] - front) / span).clamp_min(0).amax(-1).amin(0)  # how far the grid's best is behind
    assert float(shortfall.max()) < 0.02
    reach = ((front[None] - best[:, None]) / span).clamp_min(0).amax(-1).amin(1)  # and no grid point is ahead
    assert float(reach.max()) < 0.01


def test_srn_front_holds_more_than_the_textbook_piece():
    front = problems.SRN().pareto_front()
    assert float(front[:, 0].min()) == pytest.approx(10.1)
    x = torch.tensor([[-2.5, 2.5], [1.1, 3.7]], dtype=torch.float64)
    out = problems.SRN().evaluate(x)
    assert bool((out.violations <= 1e-12).all())
    assert bool(non_dominated(out.values).all())
    assert out.values[1, 0] < out.values[0, 0]


def test_front_of_tnk_is_feasible_and_on_the_edge():
    problem = problems.TNK()
    front = problem.pareto_front(200)
    out = problem.evaluate(front)
    torch.testing.assert_close(out.violations[:, 0], torch.zeros(200, dtype=torch.float64), rtol=0, atol=1e-12)
    assert float(out.violations[:, 1].max()) < 1e-8


def test_front_of_osy_is_feasible():
    problem = problems.OSY()
    x = problem._optimal(torch.linspace(0, 1, 200, dtype=torch.float64))
    out = problem.evaluate(x)
    best = non_dominated(out.values)
    assert float(out.violations[best].max()) <= 1e-12
    around = problem.space.project(x[best] + 0.05 * (Rng.from_seed(0).uniform(int(best.sum()), 6) - 0.5))
    moved = problem.evaluate(around)
    assert beaten(moved.values[moved.total_violation == 0], problem.pareto_front()) == 0


@pytest.mark.parametrize("i", range(1, 9))
def test_fronts_of_ctp_against_a_grid(i):
    problem = problems.make(f"ctp{i}-v1")
    axes = [
        torch.linspace(a, b, 500, dtype=torch.float64)
        for a, b in zip(problem.space.lower, problem.space.upper, strict=True)
    ]
    out = problem.evaluate(torch.cartesian_prod(*axes))
    feasible = out.values[out.total_violation == 0]
    front = problem.pareto_front()
    span = front.amax(0) - front.amin(0)
    assert beaten(feasible, front, 2e-3 * float(span.max())) == 0
    violations = problem._violations(front[:, 0], front[:, 1])
    assert float(violations.max()) < 1e-7 if isinstance(problem, WaveCTP) else float(violations.max()) < 1e-12


def test_simplex_lattices():
    lattice = points.lattice(3, 4)
    assert lattice.shape == (15, 3)
    torch.testing.assert_close(lattice.sum(-1), torch.ones(15, dtype=torch.float64))
    assert torch.unique(lattice, dim=0).shape[0] == 15
    for m, n in ((2, 10), (5, 200), (10, 300)):
        spread = points.simplex(n, m)
        assert spread.shape[0] >= n
        torch.testing.assert_close(spread.sum(-1), torch.ones(len(spread), dtype=torch.float64))
        assert bool((spread >= 0).all())
        assert int((spread.amax(-1) == 1).sum()) == m
    assert bool((points.simplex(300, 10) > 0).all(-1).any())  # two layers: inner points as well


def test_spread_helpers():
    pieces = ((0.0, 0.2), (0.5, 0.6), (0.9, 1.0))
    for n in (3, 6, 7, 100):
        t = points.grid(n, pieces)
        assert t.shape == (n,)
        assert bool(((t <= 0.2) | ((t >= 0.5) & (t <= 0.6)) | (t >= 0.9)).all())
        assert float(t[0]) == 0
        assert float(t[-1]) == 1
    cube = points.cube(500, 3)
    assert cube.shape == (500, 3)
    assert bool(((cube >= 0) & (cube <= 1)).all())
    torch.testing.assert_close(cube.mean(0), torch.full((3,), 0.5, dtype=torch.float64), rtol=0, atol=0.01)
    t = points.along(torch.linspace(0, 1, 401, dtype=torch.float64), pieces)
    assert float((t <= 0.2).double().mean()) == pytest.approx(0.5, abs=0.01)
    line = torch.stack(
        [torch.linspace(0, 1, 101, dtype=torch.float64), torch.linspace(1, 0, 101, dtype=torch.float64)], -1
    )
    torch.testing.assert_close(points.thin(line, 3)[:, 0], torch.tensor([0, 0.5, 1], dtype=torch.float64))
    assert torch.equal(points.thin(line, 200), line)
