"""MOEA/D's sweep: one child at a time in the bits of its plain parts, whole between any two children."""

import dataclasses

import pytest
import torch
from native_runs import Mixture, lanes, run, same

from paretokit import problems, solvers
from paretokit.core._kernel import KernelModule


@pytest.mark.parametrize("n_offspring", [1, 3])
@pytest.mark.parametrize("decomposition", ["tchebycheff", "pbi"])
@pytest.mark.parametrize("problem", ["dtlz2-v1", "mixture"])
def test_a_compiled_part_of_a_sweep_has_the_bits_of_its_plain_parts(problem, decomposition, n_offspring, monkeypatch):
    target = Mixture() if problem == "mixture" else problems.make(problem)
    solver = solvers.MOEAD(partitions=4, n_neighbors=4, decomposition=decomposition, n_offspring=n_offspring)
    state = solver.step(target, solver.init_stack(target, lanes(0, 1, 2)))
    plain = dataclasses.replace(state)
    for _ in range(25):
        with monkeypatch.context() as patch:
            patch.setattr(KernelModule, "worth", lambda self, seconds=0.0: False)
            solver.ask(target, plain)
            before = plain.x
            answer = target.evaluate(plain.asked)
            solver.tell(target, plain, answer)
            assert plain.x is not before
            solver.ask(target, plain)
        with monkeypatch.context() as patch:
            patch.setattr(KernelModule, "worth", lambda self, seconds=0.0: True)
            solver.ask(target, state)
            before = state.x
            solver.tell(target, state, answer)
            assert state.x is before  # the compiled way, in place
        same(plain, state)


def test_a_sweep_asks_for_one_child_of_each_subproblem_and_survives_an_interruption():
    class Stumbling(Mixture):
        calls = 0

        def _evaluate(self, x, rng):
            type(self).calls += 1
            if self.calls == 30:
                raise OSError("lost connection")
            return super()._evaluate(x, rng)

    solver = solvers.MOEAD(partitions=19, n_neighbors=5)
    state = solver.init_stack(Stumbling(), lanes(0, 1))
    for evaluations in (20, 40):
        state = solver.step(Stumbling(), state)
        assert state.evaluations == evaluations
    with pytest.raises(OSError, match="lost connection"):
        solver.step(Stumbling(), state)
    assert state.evaluations == 48
    state = solver.step(Stumbling(), state)
    same(run(Mixture(), solver, 3, 0, 1), run(Stumbling(), solver, 0, state=state))
    order = torch.cat([solver._owner(Mixture(), dataclasses.replace(state, step=s)) for s in range(21, 41)], 1)
    assert torch.equal(order.sort(1).values, torch.arange(20).expand(2, 20))
