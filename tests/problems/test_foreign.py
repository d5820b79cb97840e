"""Problems of pymoo and pygmo as ours."""

import numpy as np
import pygmo as pg
import pytest
import torch
from pymoo.core.problem import ElementwiseProblem
from pymoo.core.problem import Problem as Pymoo
from pymoo.core.variable import Binary, Choice, Integer, Real
from pymoo.problems import get_problem

from paretokit import problems
from paretokit.core import InputError, Integers, Mixed, Rng, UnknownNameError


def test_pymoo_by_name_and_by_instance():
    named, given = problems.from_pymoo("dtlz2"), problems.from_pymoo(get_problem("dtlz2"))
    x = named.space.sample(50, Rng.from_seed(0))
    expected = get_problem("dtlz2").evaluate(x.numpy())
    np.testing.assert_array_equal(named.evaluate(x).values.numpy(), expected)
    np.testing.assert_array_equal(given.evaluate(x).values.numpy(), expected)
    assert named.name == "DTLZ2"
    assert named.recipe() is None
    assert named.fingerprint() == given.fingerprint() != problems.from_pymoo("dtlz3").fingerprint()


def test_pymoo_inequalities_keep_their_sign():
    ours, native = problems.from_pymoo("bnh"), problems.BNH()
    x = native.space.sample(100, Rng.from_seed(0))
    torch.testing.assert_close(ours.evaluate(x).violations, native.evaluate(x).violations)


class Circle(ElementwiseProblem):
    """Two coordinates on the unit circle, in the upper half: one row at a time."""

    def __init__(self):
        super().__init__(n_var=2, n_obj=2, n_ieq_constr=1, n_eq_constr=1, xl=-1.0, xu=1.0)

    def _evaluate(self, x, out, *args, **kwargs):
        out["F"] = [x[0], x[1]] if x[0] < 0.9 else [np.nan, np.nan]
        out["G"] = [-x[1]]
        out["H"] = [x[0] ** 2 + x[1] ** 2 - 1]


def test_pymoo_equalities_elementwise_rows_and_nan():
    problem = problems.from_pymoo(Circle(), tolerance=0.01)
    x = torch.tensor([[0.6, 0.8], [0.6, -0.8], [0.0, 0.5], [1.0, 0.0]], dtype=torch.float64)
    out = problem.evaluate(x)
    assert problem.n_constraints == 2
    torch.testing.assert_close(out.violations[:3, 1], torch.tensor([-0.01, -0.01, 0.74], dtype=torch.float64))
    assert out.failed.tolist() == [False, False, False, True]
    assert (out.total_violation == 0).tolist() == [True, False, False, False]
    loose = problems.from_pymoo(Circle(), tolerance=1.0)
    assert bool((loose.evaluate(x).violations[:, 1] <= 0).all())


class Shop(ElementwiseProblem):
    def __init__(self):
        variables = {
            "open": Binary(),
            "metal": Choice(options=["iron", "gold", "lead"]),
            "bolts": Integer(bounds=(2, 9)),
            "width": Real(bounds=(-1.0, 1.0)),
        }
        super().__init__(vars=variables, n_obj=2)

    def _evaluate(self, x, out, *args, **kwargs):
        assert isinstance(x["open"], bool)
        assert isinstance(x["bolts"], int)
        price = {"iron": 1.0, "gold": 50.0, "lead": 2.0}[x["metal"]]
        out["F"] = [price * x["bolts"] + x["width"], 1.0 if x["open"] else 0.0]


def test_pymoo_mixed_variables():
    problem = problems.from_pymoo(Shop(), name="shop")
    assert isinstance(problem.space, Mixed)
    assert problem.space.kinds.tolist() == [2, 2, 1, 0]
    assert problem.space.upper.tolist() == [1, 2, 9, 1]
    x = torch.tensor([[1, 1, 3, 0.5], [0, 2, 9, -1.0]], dtype=torch.float64)
    assert problem.evaluate(x).values.tolist() == [[150.5, 1.0], [17.0, 0.0]]
    assert problem.decode(x[0]) == {"open": True, "metal": "gold", "bolts": 3, "width": 0.5}
    assert problem.evaluate(problem.space.sample(20, Rng.from_seed(1))).values.shape == (20, 2)


class Typed(Pymoo):
    def __init__(self, vtype, upper):
        super().__init__(n_var=3, n_obj=2, xl=0, xu=upper, vtype=vtype)

    def _evaluate(self, x, out, *args, **kwargs):
        assert x.dtype == self.vtype
        out["F"] = np.stack([x.sum(1), 3.0 - x.sum(1)], 1)


def test_pymoo_whole_and_bit_variables():
    whole = problems.from_pymoo(Typed(int, 5))
    assert isinstance(whole.space, Integers)
    assert whole.evaluate(torch.tensor([[1.0, 2.0, 5.0]])).values.tolist() == [[8.0, -5.0]]
    bits = problems.from_pymoo(Typed(bool, 1))
    assert bits.space.kinds.tolist() == [2, 2, 2]
    assert bits.evaluate(torch.tensor([[1.0, 0.0, 1.0]])).values.tolist() == [[2.0, 1.0]]


def test_pymoo_refusals():
    with pytest.raises(UnknownNameError, match=r"`pymoo problem` must be a known name; got 'dtlz22' \(did you mean"):
        problems.from_pymoo("dtlz22")
    with pytest.raises(InputError, match="`p` must be a problem of pymoo or its name; got int"):
        problems.from_pymoo(3)
    with pytest.raises(InputError, match="`p` must be static; got DF1"):
        problems.from_pymoo("df1")
    with pytest.raises(InputError, match="`p` must have bounds xl and xu; got None"):
        problems.from_pymoo(Pymoo(n_var=2, n_obj=2))
    with pytest.raises(InputError, match="`p` must have finite bounds"):
        problems.from_pymoo(Pymoo(n_var=2, n_obj=2, xl=0, xu=np.inf))
    with pytest.raises(InputError, match="`tolerance` must be at least 0"):
        problems.from_pymoo("zdt1", tolerance=-1)


def test_pygmo_problem_and_udp():
    for p in (pg.dtlz(2, dim=7, fdim=3), pg.problem(pg.dtlz(2, dim=7, fdim=3))):
        problem = problems.from_pygmo(p)
        native = problems.DTLZ2(n_variables=7)
        x = native.space.sample(40, Rng.from_seed(0))
        torch.testing.assert_close(problem.evaluate(x).values, native.evaluate(x).values)
        assert problem.name == "DTLZ2"
        assert problem.deterministic


class Udp:
    """Two objectives, one equality, two inequalities, the last of three columns whole."""

    def fitness(self, x):
        return [x[0], x[1] + x[2], x[0] - 0.5, x[1] - 0.5, x[2] - 2.0]

    def get_nobj(self):
        return 2

    def get_nec(self):
        return 1

    def get_nic(self):
        return 2

    def get_nix(self):
        return 1

    def get_bounds(self):
        return [0.0, 0.0, 0], [1.0, 1.0, 4]


def test_pygmo_constraints_and_integers():
    p = pg.problem(Udp())
    p.c_tol = [0.1, 0.0, 0.0]
    problem = problems.from_pygmo(p)
    assert problem.space.kinds.tolist() == [0, 0, 1]
    assert problem.n_constraints == 3
    x = torch.tensor([[0.45, 0.2, 2], [0.1, 0.7, 3]], dtype=torch.float64)
    out = problem.evaluate(x)
    expected = torch.tensor([[-0.05, -0.3, 0.0], [0.3, 0.2, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(out.violations, expected)
    torch.testing.assert_close(out.values, torch.tensor([[0.45, 2.2], [0.1, 3.7]], dtype=torch.float64))
    feasible = torch.tensor([bool(p.feasibility_x(row)) for row in x.numpy()])
    assert torch.equal(out.total_violation == 0, feasible)


def test_pygmo_refusals():
    with pytest.raises(InputError, match="`n_objectives` must be at least 2; got 1"):
        problems.from_pygmo(pg.rosenbrock(3))
    with pytest.raises(InputError, match="`p` must be a pygmo problem; got int"):
        problems.from_pygmo(3)
