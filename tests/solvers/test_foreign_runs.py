"""The adapters in the hands of the run loop: checkpoints, results on disk, pictures of results."""

import matplotlib as mpl
import pytest
import torch
from foreign_problems import Breaking, Curve, Patchy

from paretokit import plots, solvers
from paretokit.core import CheckpointError, EvaluationError, EvaluationProtocol, InputError, Scoring
from paretokit.run import Budget, Result, solve, solve_many

SOLVERS = [
    solvers.pymoo("NSGA3", partitions=19),
    solvers.pymoo("CMOPSO", pop_size=20),
    solvers.pygmo("nspso", pop_size=20),
]


class Scored(Curve):
    protocol = EvaluationProtocol(scoring=Scoring(reference_point=(11.0, 11.0)))


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda s: s.name)
def test_a_checkpoint_continues_the_same_run(solver, tmp_path):
    whole = solve(Curve(), solver, budget=Budget(evaluations=160), seed=1)
    solve(Curve(), solver, budget=Budget(evaluations=80), seed=1, checkpoint=tmp_path / "run")
    problem = Curve()
    resumed = solve(problem, solver, budget=Budget(evaluations=160), seed=1, checkpoint=tmp_path / "run")
    assert torch.equal(resumed.front.values, whole.front.values)
    assert torch.equal(resumed.front.x, whole.front.x)
    assert resumed.cost == whole.cost
    assert whole.cost.evaluations == 160


def test_a_checkpoint_of_another_algorithm_is_refused(tmp_path):
    solve(Curve(), SOLVERS[0], budget=Budget(evaluations=40), seed=1, checkpoint=tmp_path / "run")
    with pytest.raises(CheckpointError):
        solve(Curve(), SOLVERS[2], budget=Budget(evaluations=40), seed=1, checkpoint=tmp_path / "run")


def test_a_saved_result_knows_its_solver(tmp_path):
    result = solve(Curve(), SOLVERS[0], budget=Budget(evaluations=40), seed=1)
    result.save(tmp_path / "result")
    assert Result.load(tmp_path / "result").solver == SOLVERS[0]


def test_failures_and_broken_user_code_end_as_the_contract_says():
    result = solve(Patchy(), SOLVERS[0], budget=Budget(evaluations=100), seed=1)
    assert result.status == "budget"
    assert bool(torch.isfinite(result.front.values).all())
    with pytest.raises(EvaluationError, match="user code") as caught:
        solve(Breaking(4), SOLVERS[2], budget=Budget(evaluations=100), seed=1)
    assert caught.value.result.cost.evaluations == 60
    assert len(caught.value.result.front) >= 1


def test_rvea_finishes_by_itself():
    solver = solvers.pymoo("RVEA", partitions=19, n_max_gen=4)
    result = solve(Curve(), solver, budget=Budget(evaluations=10_000), seed=1)
    assert result.status == "finished"
    assert result.cost.evaluations == 80


def test_results_are_drawn_as_convergence_curves():
    mpl.use("Agg")
    runs = [solve(Scored(), SOLVERS[0], budget=Budget(evaluations=100), seed=seed) for seed in (1, 2, 3)]
    (curve,) = plots.convergence_data(runs)
    assert curve.seeds == 3
    assert curve.cost[-1] == 100
    best = sorted(float(r.convergence("hypervolume")["hypervolume"].iloc[-1]) for r in runs)
    assert curve.median[-1] == pytest.approx(best[1])
    first, second = plots.convergence_data({"a": runs, "b": runs[0]}, against="seconds")
    assert (first.seeds, second.seeds, second.name) == (3, 1, "b")
    with pytest.raises(InputError, match="`reference_point` must be known"):
        plots.convergence_data([solve(Curve(), SOLVERS[0], budget=Budget(evaluations=40), seed=1)])


@pytest.mark.slow
def test_many_seeds_run_in_processes_and_equal_single_runs():
    many = solve_many(Curve(), SOLVERS[0], seeds=[1, 2], budget=Budget(evaluations=60))
    single = solve(Curve(), SOLVERS[0], budget=Budget(evaluations=60), seed=2)
    assert torch.equal(many[1].front.values, single.front.values)
