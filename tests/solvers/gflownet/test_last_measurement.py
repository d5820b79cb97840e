"""Every run answers with the sampler as it is at its end, and resumes as if that had not been measured."""

import dataclasses

import pytest
import torch

import paretokit as pk
from paretokit.core import EvaluationError
from paretokit.problems.design import HyperGrid

RARE = {"policy": {"kind": "mlp", "hidden": (16,)}, "batch_size": 16, "n_samples": 4, "learning_rate": 1e-2}
GRID = HyperGrid(side=5)


def run(solver, iterations, problem=GRID, folder=None, **options):
    budget = pk.Budget(iterations=iterations)
    return pk.solve(problem, solver, budget=budget, checkpoint=folder, progress=False, **options)


@pytest.mark.parametrize("name", ["OPGFN", "MOGFN", "GCGFN", "MOReinforce"])
def test_a_budget_ends_with_the_present_sampler_measured_and_counted(name):
    own = {"iterations": 50} if name == "GCGFN" else {}
    solver = pk.solvers.make(name, **RARE, **own)
    result = run(solver, 4)
    state = solver.init(GRID, pk.Rng.from_seed(0).child("solver"))
    for _ in range(4):
        state = solver.step(GRID, state)
    before = dataclasses.replace(state)
    closed = solver.closed(GRID, state)
    assert torch.equal(closed.x, result.state.x)
    assert not torch.equal(closed.x, state.x)  # which is the first update's
    assert state == before
    objects = len(result.state.x)
    assert result.cost.evaluations == 4 * 16 + 2 * objects  # the first update's measurement, and the end's
    assert result.history["evaluations"].iloc[-1] == result.cost.evaluations
    assert len(result.history) == 4
    assert result.convergence()["hypervolume"].iloc[-1] == pytest.approx(result.scores["hypervolume"])


def test_a_sampler_that_was_just_measured_is_not_measured_again():
    for solver in (pk.solvers.OPGFN(**RARE, evaluate_every=3), pk.solvers.OPGFN(**RARE, iterations=4)):
        result = run(solver, 4)
        assert result.cost.evaluations == 4 * 16 + 2 * 4


@pytest.mark.parametrize("name", ["OPGFN", "MOReinforce"])
def test_resumes_bit_for_bit_from_the_state_before_it(name, tmp_path):
    solver = pk.solvers.make(name, **RARE)
    run(solver, 3, folder=tmp_path)
    resumed, straight = run(solver, 6, folder=tmp_path), run(solver, 6)
    assert torch.equal(resumed.front.values, straight.front.values)
    assert torch.equal(resumed.archive.values, straight.archive.values)
    assert resumed.cost == straight.cost
    assert len(resumed.history) == 6


class Tired(pk.problems.design.CompositionalDesign):
    """Scores so many times, then raises."""

    objectives, space, environment = GRID.objectives, GRID.space, GRID.environment

    def __init__(self, calls):
        self.left = [calls]

    def _score(self, x):
        self.left[0] -= 1
        if self.left[0] < 0:
            raise RuntimeError("the oracle sleeps")
        return GRID._score(x)


def test_a_function_that_raises_there_costs_nothing_found_before(tmp_path):
    solver = pk.solvers.OPGFN(**RARE)
    with pytest.raises(EvaluationError, match="in the last measurement of OPGFN on Tired: the oracle sleeps") as caught:
        run(solver, 3, Tired(4))  # three batches and one measurement
    assert caught.value.result.status == "failed"
    assert len(caught.value.result.front)


def test_interrupting_it_keeps_what_was_measured_before(monkeypatch):
    def interrupted(self, problem, state):
        raise KeyboardInterrupt

    monkeypatch.setattr(pk.solvers.OPGFN, "closed", interrupted)
    result = run(pk.solvers.OPGFN(**RARE), 3)
    assert result.status == "interrupted"
    assert len(result.state.x) == 4


def test_a_loss_that_is_not_finite_ends_the_run_as_failed():
    for solver in (pk.solvers.OPGFN(**RARE), pk.solvers.MOReinforce(**RARE)):
        state = solver.init(GRID, pk.Rng.from_seed(0))
        state = solver.step(GRID, state)
        state.row.fill_(torch.nan)
        with pytest.raises(pk.ParetoError, match="the loss of update 2 is nan; a smaller `learning_rate`"):
            solver.step(GRID, state)


def test_what_is_asked_of_a_result_is_checked():
    result = run(pk.solvers.MOGFN(**RARE), 1)
    asked = run(pk.solvers.OPGFN(**RARE), 1)
    for call, line in (
        (lambda: result.at([0.5, 0.5], n=1.5), "`n` must be a whole number; got 1.5"),
        (lambda: result.at("a"), "`preference` must be 2 numbers, one per objective; got 'a'"),
        (lambda: asked.sample(2.5), "`n` must be a whole number; got 2.5"),
        (lambda: asked.front.pick("a"), "`preference` must be 2 numbers, one per objective; got 'a'"),
    ):
        with pytest.raises(pk.core.InputError, match=line):
            call()
    assert torch.equal(asked.sample(4).x, asked.sample(4).x)
    assert not torch.equal(asked.sample(64).x, asked.sample(64, seed=1).x)
