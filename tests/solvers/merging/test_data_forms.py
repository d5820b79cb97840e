"""Fisher merging and RegMean against loops over examples and least squares, and as solvers."""

import copy

import pytest
import torch
from small_merging import pieces, small
from torch import nn

import paretokit as pk
from paretokit.core import InputError, Rng, UnsupportedProblemError
from paretokit.problems.merging import ModelMerging, Task
from paretokit.problems.merging._directions import examples_of
from paretokit.problems.merging._fisher import diagonal_fisher
from paretokit.testing import check_solver


def doubled(n=3):
    encoder, tuned, tasks = pieces(n)
    return ModelMerging(pretrained=encoder, finetuned=tuned, tasks=tasks, storage="float64"), tuned, tasks


def flat(problem, named):
    return torch.cat([named[part.name].detach().reshape(-1).double() for part in problem.vectors.parts])


def slow_fisher(problem, module, head, x):
    """Return squares of autograd's gradients, an example and a class at a time."""
    module, head = copy.deepcopy(module).double(), copy.deepcopy(head).double()
    total = torch.zeros(problem.vectors.size, dtype=torch.float64)
    for one in x:
        log_p = torch.log_softmax(head(module(one.unsqueeze(0))), -1)[0]
        for c in range(len(log_p)):
            module.zero_grad()
            log_p[c].backward(retain_graph=True)
            grads = {name: p.grad for name, p in module.named_parameters()}
            total += log_p[c].exp().detach() * flat(problem, grads).square()
    return total / len(x)


def test_the_diagonal_equals_a_loop_over_examples_and_classes():
    problem, tuned, tasks = doubled()
    rng = Rng.from_seed(1)
    x = examples_of(problem, 1, examples=6, rng=rng)
    expected = slow_fisher(problem, tuned[1], tasks[1].head, x)
    found = diagonal_fisher(problem, 1, examples=6, rng=rng)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-15)


class Odd(nn.Module):
    """Linear layers of every kind: on tokens, on rows, called twice, tied to one another, without bias."""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Linear(16, 8)
        self.twice = nn.Linear(8, 8)
        self.first, self.second = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
        self.second.weight = self.first.weight
        self.last = nn.Linear(8, 8, bias=False)
        self.shift = nn.Parameter(torch.zeros(8))

    def forward(self, x):
        h = torch.tanh(self.tokens(x.view(len(x), 4, 16))).mean(1) + self.shift
        h = torch.tanh(self.twice(torch.tanh(self.twice(h))))
        return self.last(torch.tanh(self.second(torch.tanh(self.first(h)))))


def test_the_diagonal_is_exact_for_tokens_for_layers_called_twice_and_for_tied_ones():
    generator = Rng.from_seed(0).generator()

    def filled(module):
        for tensor in dict(module.named_parameters()).values():
            tensor.data = 0.4 * torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
        return module

    modules = [filled(Odd()) for _ in range(3)]
    for module in modules:
        module.second.weight = module.first.weight
    x = torch.randn(5, 64, generator=generator, dtype=torch.float64)
    tasks = [Task(name=name, unlabeled=x, head=filled(nn.Linear(8, 3))) for name in "ab"]
    problem = ModelMerging(pretrained=modules[0], finetuned=modules[1:], tasks=tasks, storage="float64")
    assert "tied" in str(problem.notes)
    found = diagonal_fisher(problem, 0, examples=5, rng=Rng.from_seed(1))
    torch.testing.assert_close(found, slow_fisher(problem, modules[1], tasks[0].head, x), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("normalize", [False, True])
def test_fisher_merging_is_the_weighted_mean(normalize):
    problem, tuned, _ = doubled()
    result = pk.solve(problem, pk.solvers.FisherMerging(examples=8, normalize=normalize), seed=0, progress=False)
    key = Rng(result.front.problem.variant()["key"])
    weights = torch.stack([diagonal_fisher(problem, k, examples=8, rng=key) for k in range(3)])
    if normalize:
        weights = weights / weights.norm(dim=1, keepdim=True)
    weights = weights + 1e-6
    rows = torch.stack([flat(problem, module.state_dict()) for module in tuned])
    merged = problem.runner.vectors.base + result.front.problem.vectors.deltas[0]
    torch.testing.assert_close(merged, (weights * rows).sum(0) / weights.sum(0), rtol=0, atol=1e-6)
    examples, classes = 3 * 8, 3
    assert result.cost.work == examples * (1 + 2 * classes) + sum(len(t.validation[1]) for t in problem.tasks)


def test_a_large_floor_is_plain_averaging():
    problem = small()
    a = pk.solve(problem, pk.solvers.FisherMerging(examples=4, floor=1e9), seed=0, progress=False)
    mean = problem.vectors.deltas.mean(0)
    torch.testing.assert_close(a.front.problem.vectors.deltas[0], mean, rtol=0, atol=1e-6)


def test_regmean_is_the_least_squares_solution_of_each_layer():
    problem, tuned, tasks = doubled()
    result = pk.solve(problem, pk.solvers.RegMean(examples=10_000, off_diagonal=1.0), seed=0, progress=False)
    merged = result.front[0].decode().double()
    # Stacked least squares over the inputs of the first layer; pixels that are never on have no say.
    left, right = [], []
    for module, task in zip(tuned, tasks, strict=True):
        x = task.unlabeled.double() / len(task.unlabeled) ** 0.5
        left.append(x)
        right.append(x @ module.first.weight.double().T)
    a, b = torch.cat(left), torch.cat(right)
    found = a @ merged.first.weight.T
    best = torch.linalg.lstsq(a, b, driver="gelsd").solution
    assert (found - b).norm() <= (a @ best - b).norm() * (1 + 1e-3)
    slope = a.T @ (found - b)  # zero at the optimum
    assert slope.abs().max() < 1e-5
    assert (a.T @ b).abs().max() > 0.1
    mean = torch.stack([m.first.bias for m in tuned]).double().mean(0)
    torch.testing.assert_close(merged.first.bias.detach(), mean, rtol=0, atol=1e-6)


def test_regmean_without_off_diagonal_is_a_mean_weighted_by_input_power():
    problem, tuned, tasks = doubled()
    result = pk.solve(problem, pk.solvers.RegMean(examples=10_000, off_diagonal=0.0), seed=0, progress=False)
    merged = result.front[0].decode()
    power = torch.stack([t.unlabeled.double().square().mean(0) for t in tasks])
    power += 1e-6 * power.sum(0).mean() / 3
    weights = torch.stack([m.first.weight.double() for m in tuned])
    expected = (power.unsqueeze(1) * weights).sum(0) / power.sum(0)
    torch.testing.assert_close(merged.first.weight.detach().double(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "solver", [pk.solvers.FisherMerging(examples=4), pk.solvers.RegMean(examples=16)], ids=lambda s: s.name
)
def test_as_a_solver(solver):
    check_solver(solver, small(), iterations=1)


@pytest.mark.parametrize("solver", [pk.solvers.FisherMerging(), pk.solvers.RegMean()], ids=lambda s: s.name)
def test_one_task_a_fine_tuning_is_needed(solver):
    encoder, tuned, tasks = pieces(2)
    problem = ModelMerging(pretrained=encoder, finetuned=tuned, tasks=[*tasks, _again(tasks[0])])
    with pytest.raises(UnsupportedProblemError, match="it needs one task a fine-tuning, and there are 3 for 2"):
        pk.solve(problem, solver, seed=0, progress=False)
    variant = solver.variant(problem, Rng.from_seed(0))
    with pytest.raises(InputError, match=r"`tasks` must be one a fine-tuning for .*, 2 in all; got 3"):
        problem.as_variant(variant)


def _again(task):
    return Task(name="again", unlabeled=task.unlabeled, validation=task.validation, head=task.head)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: pk.solvers.FisherMerging(examples=0), "`examples` must be at least 1"),
        (lambda: pk.solvers.FisherMerging(floor=0.0), "`floor` must be positive"),
        (lambda: pk.solvers.RegMean(examples=0), "`examples` must be at least 1"),
        (lambda: pk.solvers.RegMean(off_diagonal=1.5), r"`off_diagonal` must lie in \[0, 1\]; got 1.5"),
    ],
)
def test_bad_options_are_named(make, line):
    with pytest.raises(InputError, match=line):
        make()


def test_an_unknown_method_of_a_view_is_named():
    with pytest.raises(InputError, match="`method` must be one of"):
        small().as_variant({"method": "tyes"})
