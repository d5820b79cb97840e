"""Ask and tell: the same run, evaluated elsewhere."""

import pytest
import torch
from toys import Bowls, Forgetful

import paretokit as pk


def external():
    return pk.problems.external(objectives=Bowls.objectives, space=Bowls.space)


def test_told_run_equals_solve_and_resumes(tmp_path):
    solver = pk.solvers.NSGA2(pop_size=12)
    whole = pk.solve(Bowls(), solver, budget=pk.Budget(iterations=6), seed=5)
    for _ in range(3):
        session = pk.Session(external(), solver, seed=5, checkpoint=tmp_path)
        for _ in range(2):
            x = session.ask()
            session.tell(Bowls().evaluate(x).values.tolist())
    assert torch.equal(session.result().front.values, whole.front.values)
    assert len(session.result().history) == 6


def test_mistakes_get_one_line():
    session = pk.Session(external(), pk.solvers.NSGA2(pop_size=12))
    with pytest.raises(pk.ParetoError, match="call `ask` first"):
        session.tell([[1.0, 2.0]])
    session.ask()
    with pytest.raises(pk.ShapeError, match=r"`values` must have shape \(12, 2\); got \(1, 2\)"):
        session.tell([[1.0, 2.0]])
    with pytest.raises(pk.ShapeError, match="`violations` must be omitted; got"):
        session.tell(torch.zeros(12, 2), torch.zeros(12, 1))
    with pytest.raises(pk.ParetoError, match=r"cannot be asked; use `solve` \(.*NSGA2.* can be asked\)"):
        pk.Session(external(), Forgetful())
    with pytest.raises(pk.ParetoError, match="ask"):
        pk.solve(external(), pk.solvers.NSGA2(pop_size=12), budget=pk.Budget(iterations=1))


def test_failed_rows_may_be_told():
    session = pk.Session(external(), pk.solvers.NSGA2(pop_size=12))
    for _ in range(3):
        x = session.ask()
        values = Bowls().evaluate(x).values
        values[::3] = torch.nan
        session.tell(values)
    assert torch.isfinite(session.result().front.values).all()
