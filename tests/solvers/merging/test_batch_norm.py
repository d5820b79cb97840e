"""Every solver of merging on a network with running statistics, merged or estimated."""

import copy

import pytest
import torch
from torch import nn

import paretokit as pk
from paretokit.core import Rng
from paretokit.problems.merging import ModelMerging, Task

SOLVERS = [
    pk.solvers.WeightAveraging(),
    pk.solvers.TIES(),
    pk.solvers.DARE(),
    pk.solvers.FisherMerging(examples=4),
    pk.solvers.RegMean(examples=16),
    pk.solvers.AdaMerging(steps=3, learning_rate=0.01),
    pk.solvers.AdaMerging(steps=3, ties=True, objective="validation"),
    pk.solvers.PreferenceMerging(steps=2, weighting="epo", partitions=2),
    pk.solvers.PreferenceMerging(steps=2, weighting="tchebycheff", objective="validation"),
    pk.solvers.SurrogateMerging(partitions=2),
]


def convolutional(batch_norm):
    rng = Rng.from_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        net = nn.Sequential(
            *(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()),
            nn.Linear(16, 8),
        )
        heads = [nn.Linear(8, 3), nn.Linear(8, 3)]
    tuned, tasks = [], []
    for k, head in enumerate(heads):
        own = copy.deepcopy(net)
        with torch.no_grad():
            for name, tensor in own.state_dict().items():
                if tensor.is_floating_point() and "var" not in name:
                    tensor += 0.1 * rng.child(name, k).normal(*tensor.shape, dtype=torch.float32)
        tuned.append(own)
        x = rng.child("x", k).uniform(70, 1, 8, 8, dtype=torch.float32)
        labels = rng.child("y", k).integers(3, 30)
        tasks.append(Task(name=f"task {k}", unlabeled=x[:40], validation=(x[40:], labels), head=head, metric="loss"))
    return ModelMerging(pretrained=net, finetuned=tuned, tasks=tasks, batch_norm=batch_norm)


@pytest.mark.parametrize("batch_norm", ["merge", "estimate"])
@pytest.mark.parametrize("solver", SOLVERS, ids=lambda s: s.name)
def test_fronts_hold_what_the_problem_measures(solver, batch_norm):
    problem = convolutional(batch_norm)
    result = pk.solve(problem, solver, seed=0, progress=False)
    assert result.status == "finished"
    shown = problem.as_variant(result.front.problem.variant())
    torch.testing.assert_close(shown.evaluate(result.front.x).values, result.front.values, rtol=1e-9, atol=1e-9)
