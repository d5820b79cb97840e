"""Copies of a merging problem measure what it measures, wherever they go; inputs that would spoil it are refused."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from small_merging import small
from torch import nn

import paretokit as pk
from paretokit.core import InputError
from paretokit.problems.merging import Task, merge_checkpoints


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
@pytest.mark.parametrize("used", [False, True])
def test_a_copy_merges_by_its_coefficients(copied, used):
    problem = small()
    x = problem.space.sample(4, pk.Rng.from_seed(0))
    if used:
        problem.evaluate(x)  # makes the runner
    twin = copied(problem)
    assert torch.equal(twin.evaluate(x).values, problem.evaluate(x).values)
    for own, other in zip(problem.decode(x[0]).parameters(), twin.decode(x[0]).parameters(), strict=True):
        assert torch.equal(own, other)
    assert torch.equal(twin.evaluate(x).values, problem.evaluate(x).values)


def test_processes_of_compare_find_what_solve_finds():
    problem, solvers = small(), {"grid": pk.solvers.TaskArithmetic(scale=[0.1, 0.3, 0.6])}
    problem.evaluate(problem.space.sample(1, pk.Rng.from_seed(0)))
    alone = pk.solve(problem, solvers["grid"], seed=0, progress=False)
    compared = pk.compare(problem, solvers, seeds=2, budget=None)
    for seed in range(2):
        assert torch.equal(compared.results["grid"][seed].front.values, alone.front.values)


def test_descent_counts_the_examples_of_its_minibatches():
    problem = small()
    seen = sum(len(batch) for batch in problem.batches(pk.Rng.from_seed(0)))
    assert problem.loss_work == seen


def test_decisions_outside_the_space_are_not_decoded(tmp_path):
    problem = small()
    x = torch.full((problem.space.dim,), torch.nan)
    with pytest.raises(InputError, match="`x` must lie in the space"):
        problem.decode(x)
    with pytest.raises(InputError, match="`x` must lie in the space"):
        problem.save(torch.full((problem.space.dim,), 3.0), tmp_path / "model")


def test_data_and_heads_that_are_not_finite_are_named():
    inputs = torch.zeros(3, 2)
    inputs[1, 0] = torch.nan
    with pytest.raises(InputError, match=r"tasks\['a'\].unlabeled` must be finite; got NaN or infinity in example 1"):
        Task(name="a", unlabeled=inputs)
    labels = torch.zeros(3, dtype=torch.int64)
    with pytest.raises(InputError, match=r"tasks\['a'\].validation` must be finite"):
        Task(name="a", unlabeled=torch.zeros(3, 2), validation=(inputs, labels))
    head = nn.Linear(2, 2)
    nn.init.constant_(head.bias, torch.inf)
    with pytest.raises(InputError, match=r"tasks\['a'\].head` must be finite; got NaN or infinity in 'bias'"):
        Task(name="a", unlabeled=torch.zeros(3, 2), head=head)


def test_validation_of_another_width_is_refused_before_anything_runs():
    x, y = torch.zeros(4, 2), torch.arange(4) % 2
    tasks = [Task(name="a", unlabeled=x, validation=(torch.zeros(4, 3), y))]
    with pytest.raises(InputError, match=r"`tasks\['a'\].validation` must fit the model; got "):
        pk.problems.ModelMerging(pretrained=nn.Linear(2, 2), finetuned=[nn.Linear(2, 2)], tasks=tasks)


@pytest.mark.parametrize(
    ("name", "head", "text"), [("", None, "`name`"), (3, None, "`name`"), ("a", 3, "head` must be")]
)
def test_names_and_heads_of_another_kind_are_refused(name, head, text):
    with pytest.raises(InputError, match=text):
        Task(name=name, unlabeled=torch.zeros(3, 2), head=head)


def test_a_checkpoint_is_not_written_over_while_it_is_merged(tmp_path):
    from safetensors.torch import save_file

    for name in ("base", "tuned"):
        save_file({"w": torch.ones(2)}, str(tmp_path / f"{name}.safetensors"))
    tuned = tmp_path / "tuned.safetensors"
    with pytest.raises(InputError, match="`path` must be another place"):
        merge_checkpoints(tmp_path / "base.safetensors", [tuned], tuned, coefficients=0.5)
