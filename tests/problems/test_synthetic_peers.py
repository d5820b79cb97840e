"""Values and constraints against pymoo and pygmo, row by row."""

import numpy as np
import pygmo as pg
import pytest
import torch
from pymoo.problems import get_problem

from paretokit import problems
from paretokit.core import Rng

EXACT = {"rtol": 1e-10, "atol": 1e-10}


def rows(problem, n=200):
    return problem.space.sample(n, Rng.from_seed(7))


def pymoo_out(peer, x):
    out = {}
    peer._evaluate(x.numpy().copy(), out)
    return out["F"], out.get("G")


def agree_with_pymoo(problem, peer):
    x = rows(problem)
    ours = problem.evaluate(x)
    values, constraints = pymoo_out(peer, x)
    np.testing.assert_allclose(ours.values.numpy(), values, **EXACT)
    if problem.n_constraints:
        np.testing.assert_allclose(ours.violations.numpy(), constraints.reshape(len(x), -1), **EXACT)
    np.testing.assert_allclose(problem.space.lower.numpy(), peer.xl, atol=1e-29)
    np.testing.assert_allclose(problem.space.upper.numpy(), peer.xu)


def agree_with_pygmo(problem, udp):
    x = rows(problem, 60)
    peer = pg.problem(udp)
    np.testing.assert_allclose(problem.evaluate(x).values.numpy(), [peer.fitness(row) for row in x.numpy()], **EXACT)


@pytest.mark.parametrize("i", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("d", [2, 10, 30])
def test_zdt(i, d):
    problem = problems.make(f"zdt{i}-v1", n_variables=d)
    agree_with_pymoo(problem, get_problem(f"zdt{i}", n_var=d))
    agree_with_pygmo(problem, pg.zdt(i, param=d))


def test_zdt5():
    problem = problems.ZDT5()
    agree_with_pymoo(problem, get_problem("zdt5", normalize=False))
    agree_with_pygmo(problem, pg.zdt(5, param=11))


@pytest.mark.parametrize("i", range(1, 8))
@pytest.mark.parametrize("m", [2, 3, 5, 10])
def test_dtlz(i, m):
    problem = problems.make(f"dtlz{i}-v1", n_objectives=m)
    agree_with_pymoo(problem, get_problem(f"dtlz{i}", n_var=problem.space.dim, n_obj=m))
    agree_with_pygmo(problem, pg.dtlz(i, dim=problem.space.dim, fdim=m, alpha=100))


@pytest.mark.parametrize("alpha", [1.0, 7.5])
def test_dtlz4_bias(alpha):
    agree_with_pymoo(problems.DTLZ4(alpha=alpha), get_problem("dtlz4", n_var=12, n_obj=3, alpha=alpha))


@pytest.mark.parametrize("i", range(1, 10))
@pytest.mark.parametrize(("m", "k", "l"), [(2, 4, 10), (3, 4, 20), (3, 6, 2), (5, 8, 6)])
def test_wfg(i, m, k, l):  # noqa: E741
    problem = problems.make(f"wfg{i}-v1", n_objectives=m, k=k, l=l)
    agree_with_pymoo(problem, get_problem(f"wfg{i}", n_var=k + l, n_obj=m, k=k))
    odd_groups = (k // (m - 1)) % 2 == 1 and i in (6, 9)
    if i != 8 and not odd_groups:  # there pygmo's differ from the paper's, pymoo's and ours: see the next two tests
        agree_with_pygmo(problem, pg.wfg(i, dim_dvs=k + l, dim_obj=m, dim_k=k))


@pytest.mark.parametrize("i", [6, 9])
def test_pygmo_non_separable_reduction_of_odd_degree_leaves_the_unit_interval(i):
    problem = problems.make(f"wfg{i}-v1", n_objectives=3, k=6, l=2)
    x = rows(problem)
    peer = pg.problem(pg.wfg(i, dim_dvs=8, dim_obj=3, dim_k=6))
    assert min(peer.fitness(row).min() for row in x.numpy()) < 0  # impossible: values are sums of positive terms
    assert bool((problem.evaluate(x).values >= 0).all())


def test_pygmo_wfg8_reads_biased_variables():
    """pygmo biases each distance variable by the already biased ones before it; the paper by the plain ones."""
    problem = problems.WFG8(n_objectives=3, k=4, l=3)
    x = rows(problem, 20)
    y = (x / problem.space.upper).numpy()
    for i in range(4, 7):
        u = y[:, :i].mean(1)
        a, b, c = 0.98 / 49.98, 0.02, 50.0
        y[:, i] = y[:, i] ** (b + (c - b) * (a - (1 - 2 * u) * abs(np.floor(0.5 - u) + a)))
    far = np.abs(y[:, 4:] - 0.35) / np.abs(np.floor(0.35 - y[:, 4:]) + 0.35)
    t = np.stack([y[:, :2].mean(1), y[:, 2:4].mean(1), far.mean(1)], 1)
    twin = problem._values(torch.from_numpy(t[:, :2]), torch.from_numpy(t[:, 2])).numpy()
    peer = pg.problem(pg.wfg(8, dim_dvs=7, dim_obj=3, dim_k=4))
    np.testing.assert_allclose([peer.fitness(row) for row in x.numpy()], twin, **EXACT)
    assert np.abs(twin - problem.evaluate(x).values.numpy()).max() > 0.01


@pytest.mark.parametrize("m", [2, 3, 6])
@pytest.mark.parametrize(
    "name",
    [
        *("c1dtlz1", "c1dtlz3", "c2dtlz2", "c3dtlz1", "c3dtlz4"),
        *("dc1dtlz1", "dc1dtlz3", "dc2dtlz1", "dc2dtlz3", "dc3dtlz1", "dc3dtlz3"),
    ],
)
def test_constrained_dtlz(name, m):
    problem = problems.make(f"{name}-v1", n_objectives=m)
    agree_with_pymoo(problem, get_problem(name, n_var=problem.space.dim, n_obj=m))


def test_radius_options_match_pymoo():
    agree_with_pymoo(problems.C1DTLZ3(radius=6.5), get_problem("c1dtlz3", n_var=12, n_obj=3, r=6.5))
    agree_with_pymoo(problems.C2DTLZ2(radius=0.3), get_problem("c2dtlz2", n_var=12, n_obj=3, r=0.3))


def test_scaled_inverted_convex():
    agree_with_pymoo(problems.SDTLZ1(n_objectives=4, scale=3), get_problem("sdtlz1", n_var=8, n_obj=4, scale_factor=3))
    agree_with_pymoo(problems.IDTLZ1(), get_problem("dtlz1^-1", n_var=7, n_obj=3))
    agree_with_pymoo(problems.ConvexDTLZ2(), get_problem("convex_dtlz2", n_var=12, n_obj=3))
    agree_with_pymoo(problems.ConvexDTLZ4(), get_problem("convex_dtlz4", n_var=12, n_obj=3))


@pytest.mark.parametrize("name", ["bnh", "osy", "srn", "tnk", "ctp1"])
def test_classics(name):
    agree_with_pymoo(problems.make(f"{name}-v1"), get_problem(name))


def test_ctp1_with_more_curves():
    agree_with_pymoo(problems.CTP1(n_curves=5, n_variables=4), get_problem("ctp1", n_var=4, n_ieq_constr=5))


@pytest.mark.parametrize("i", range(2, 9))
def test_ctp_waves(i):
    """Values agree; pymoo divides the violation by the right-hand side, so the signs do."""
    problem, peer = problems.make(f"ctp{i}-v1"), get_problem(f"ctp{i}")
    x = rows(problem, 1000)
    ours = problem.evaluate(x)
    values, constraints = pymoo_out(peer, x)
    np.testing.assert_allclose(ours.values.numpy(), values, **EXACT)
    feasible = ours.violations.numpy() <= 0
    np.testing.assert_array_equal(feasible, constraints.reshape(len(x), -1) <= 0)
    assert 0 < feasible.mean() < 1
    np.testing.assert_allclose(problem.space.upper.numpy(), peer.xu)
