"""Runs from flat rows against plain modules: one, several one after the other, several stacked."""

from __future__ import annotations

import pytest
import torch
from small_merging import small
from torch import nn

from paretokit.core import Rng
from paretokit.problems.merging import ModelMerging, Task
from paretokit.problems.merging._runner import PASS, entropy
from paretokit.problems.merging._tasks import count


class Convolutions(nn.Module):
    """A CNN with BatchNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, 4, 3, 2, 1), nn.BatchNorm2d(4)
        self.second, self.last = nn.Conv2d(4, 4, 3, 2, 1), nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(x)))
        return self.last(self.second(x)).flatten(1)


class Attention(nn.Module):
    """A transformer layer, called by keywords."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.3, batch_first=True)

    def forward(self, tokens: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return self.layer(tokens).mean(1) * scale


def random_problem(make: type[nn.Module], inputs: object, features: int, **options: object) -> ModelMerging:
    """Return two tasks over random networks in float64."""
    rng = Rng.from_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(1)
        nets = [make().double() for _ in range(3)]
        heads = [nn.Linear(features, 3).double() for _ in range(2)]
    for i, net in enumerate(nets):
        for name, buffer in net.named_buffers():
            if buffer.is_floating_point():
                buffer.copy_(rng.child(name, i).uniform(*buffer.shape) + 0.5)
    tasks = [Task(name=str(k), unlabeled=inputs(rng.child("x", k)), head=heads[k]) for k in range(2)]  # type: ignore[operator]
    return ModelMerging(pretrained=nets[0], finetuned=nets[1:], tasks=tasks, storage="float64", batch_size=6, **options)  # type: ignore[arg-type]


def images(rng: Rng) -> torch.Tensor:
    return rng.normal(20, 1, 8, 8)


def tokens(rng: Rng) -> dict[str, torch.Tensor]:
    return {"tokens": rng.child("t").normal(20, 5, 8), "scale": rng.child("s").uniform(20, 1)}


PROBLEMS = {
    "mlp": lambda: small(storage="float64"),
    "cnn": lambda: random_problem(Convolutions, images, 16),
    "cnn-estimate": lambda: random_problem(Convolutions, images, 16, batch_norm="estimate"),
    "attention": lambda: random_problem(Attention, tokens, 8),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_stacked_members_equal_members_one_by_one_and_plain_autograd(name):
    problem = PROBLEMS[name]()
    rng, m = Rng.from_seed(2), problem.n_objectives
    c = rng.child("c").uniform(4, *problem.n_coefficients)
    batches, weights = problem.batches(rng), rng.child("w").uniform(4, m)
    leaf = c.reshape(4, -1).clone().requires_grad_()
    losses = problem.losses(leaf, rng)
    (slope,) = torch.autograd.grad((losses * weights).sum(), leaf)
    for way in ("stacked", "loop", "auto"):
        values, gradient = problem.runner.weighted(c, batches, weights, way=way)
        torch.testing.assert_close(values, losses.detach(), rtol=0, atol=1e-10)
        torch.testing.assert_close(gradient.reshape(4, -1), slope, rtol=0, atol=1e-10)
        values, each = problem.runner.jacobians(c, batches, way=way)
        torch.testing.assert_close(values, losses.detach(), rtol=0, atol=1e-10)
        torch.testing.assert_close((each * weights[..., None, None]).sum(1), gradient, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["mlp", "cnn", "attention"])
def test_entropies_are_those_of_the_decoded_module(name):
    problem = PROBLEMS[name]()
    rng = Rng.from_seed(4)
    x = rng.child("x").uniform(problem.space.dim)
    merged, batches = problem.decode(x).double(), problem.batches(rng)
    found = problem.losses(x.unsqueeze(0), rng)[0]
    for k, (inputs, task) in enumerate(zip(batches, problem.tasks, strict=True)):
        features = merged(**inputs) if isinstance(inputs, dict) else merged(inputs)
        p = torch.softmax(problem.runner.heads[k](features), -1)
        due = -(p * p.log()).sum(-1).mean()
        torch.testing.assert_close(found[k], due, rtol=0, atol=1e-6 if name == "mlp" else 1e-10)  # decoded as it came
        assert task.head is not problem.runner.heads[k]


@pytest.mark.parametrize("rule", [False, True], ids=["weights", "rule"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_passes_over_few_tasks_equal_one_pass_over_all(name, rule, monkeypatch):
    problem = PROBLEMS[name]()
    runner, m = problem.runner, problem.n_objectives
    c = Rng.from_seed(2).uniform(*problem.n_coefficients)
    batches, weights = problem.batches(Rng.from_seed(3)), Rng.from_seed(4).uniform(m)
    forward, lengths = runner.forward, []

    def watched(module: nn.Module, inputs: object) -> torch.Tensor:
        out = forward(module, inputs)
        lengths.append(len(out))
        return out

    monkeypatch.setattr(runner, "forward", watched)
    size = count(batches[0])
    whole = name == "cnn-estimate"  # a minibatch that normalizes itself is not cut
    due = [[m], [m] if whole else [2] * (m // 2) + [1] * (m % 2), [m] if whole else [1] * m]
    answers = []
    for room, each in zip((PASS, 2 * size * runner.kept, 1), due, strict=True):
        monkeypatch.setattr("paretokit.problems.merging._runner.PASS", room)
        lengths.clear()
        answers.append(runner.gradient(c, batches, (lambda values: weights.to(values)) if rule else weights))
        assert lengths == [size * tasks for tasks in each]
    for found in answers[1:]:
        for a, b in zip(answers[0], found, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_a_pass_keeps_what_layers_need_on_their_way_back():
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(5, 7), nn.Linear(7, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(torch.tanh(self.first(x)))

    problem = random_problem(Two, lambda rng: rng.normal(9, 5), 3)
    assert problem.runner.kept == 8 * (5 + 7)  # the input and tanh's answer, in float64; heads need no gradient
    alone = problem.runner.logits([problem.tasks[0].unlabeled.double()])[0]
    alone.sum().backward()  # someone else's gradients do not count
    c = Rng.from_seed(0).uniform(*problem.n_coefficients)
    answers = [problem.runner.gradient(c, problem.batches(Rng.from_seed(1)), torch.ones(2)) for _ in range(2)]
    torch.testing.assert_close(answers[0][1], answers[1][1])
    assert all(leaf.grad is None for leaf in problem.runner.module.parameters())


def test_what_only_some_passes_reach_is_contracted_too(monkeypatch):
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.often, self.seldom = nn.Linear(4, 3), nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.often(x) if float(x[0, 0]) > 0 else self.seldom(x) + self.often(x)

    problem = random_problem(Branches, lambda rng: rng.normal(9, 4), 3)
    first, last = -torch.ones(4, 4, dtype=torch.float64), torch.ones(4, 4, dtype=torch.float64)
    monkeypatch.setattr("paretokit.problems.merging._runner.PASS", 1)
    c = Rng.from_seed(0).uniform(*problem.n_coefficients)
    _, gradient = problem.runner.gradient(c, [first, last], torch.ones(2))
    leaf = c.clone().requires_grad_()
    row = problem.vectors.merge(leaf.unsqueeze(0))[0]
    module, named = problem.runner.module, problem.vectors.named(row)
    logits = [
        h(torch.func.functional_call(module, named, x))
        for h, x in zip(problem.runner.heads, (first, last), strict=True)
    ]
    (entropy(logits[0]) + entropy(logits[1])).backward()
    torch.testing.assert_close(gradient, leaf.grad, rtol=0, atol=1e-12)
    assert float(gradient[problem.vectors.layers.index("seldom.weight")].abs().max()) > 0


def test_what_cannot_be_batched_is_run_in_a_loop():
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out = self.linear(x)
            return out if float(out.detach().sum()) > 0 else 2 * out

    problem = random_problem(Branches, lambda rng: rng.normal(9, 4), 3)
    assert not problem.runner.stackable
    rng = Rng.from_seed(0)
    c = rng.uniform(3, *problem.n_coefficients)
    answers = [problem.runner.weighted(c, problem.batches(rng), torch.ones(3, 2), way=w) for w in ("auto", "loop")]
    for a, b in zip(*answers, strict=True):
        assert torch.equal(a, b)
    assert small().runner.stackable


def test_batches_of_different_lengths_and_forms_are_run_apart():
    problem = small()
    x = problem.tasks[0].unlabeled
    together = problem.runner.logits([x[:3], x[3:8], x[8:9]])
    for z, own in zip(together, (x[:3], x[3:8], x[8:9]), strict=True):
        assert len(z) == len(own)
    apart = random_problem(Attention, tokens, 8)
    few = [dict(b) for b in apart.batches(Rng.from_seed(0))]
    few[1]["tokens"] = few[1]["tokens"][:, :3]
    assert [len(z) for z in apart.runner.logits(few)] == [6, 6]


def test_estimated_statistics_are_those_of_the_data_all_tasks_together():
    problem = random_problem(Convolutions, images, 16, batch_norm="estimate")
    assert any(n.startswith("estimated anew: norm.running_mean") for n in problem.notes)
    x = Rng.from_seed(1).uniform(problem.space.dim)
    merged = problem.decode(x)
    data = torch.cat([t.unlabeled for t in problem.tasks])
    h = merged.first(data)
    torch.testing.assert_close(merged.norm.running_mean, h.mean((0, 2, 3)))
    torch.testing.assert_close(merged.norm.running_var, h.var((0, 2, 3)))
    h = merged.second(torch.relu(merged.norm(h)))
    torch.testing.assert_close(merged.last.running_mean, h.mean((0, 2, 3)), rtol=0.05, atol=0.05)
    before = {n: t.clone() for n, t in problem.runner.module.state_dict().items()}
    problem.losses(torch.zeros(2, problem.space.dim, dtype=torch.float64), Rng.from_seed(0))
    for n, t in problem.runner.module.state_dict().items():
        assert torch.equal(t, before[n])  # minibatches leave the statistics alone
    assert float(problem.evaluate(x.unsqueeze(0)).work[0]) == 40 + 40


def test_merged_statistics_are_merged_like_weights():
    problem = random_problem(Convolutions, images, 16)
    names = [p.name for p in problem.vectors.parts]
    assert "norm.running_var" in names
    x = torch.zeros(*problem.n_coefficients, dtype=torch.float64)
    x[names.index("norm.running_var")] = torch.tensor([0.5, 0.25], dtype=torch.float64)
    part = problem.vectors.parts[names.index("norm.running_var")]
    expected = problem.vectors.base + torch.tensor([0.5, 0.25], dtype=torch.float64) @ problem.vectors.deltas
    torch.testing.assert_close(problem.decode(x.reshape(-1)).norm.running_var, expected[part.begin : part.end])
    assert float(problem.evaluate(x.reshape(1, -1)).work[0]) == 40


def test_certain_predictions_have_no_entropy_and_no_slope():
    certain = torch.tensor([[0.0, 1e4, -1e4], [0.0, -torch.inf, -torch.inf]], requires_grad=True)
    value = entropy(certain)
    value.backward()
    assert float(value.detach()) == 0
    assert torch.equal(certain.grad, torch.zeros(2, 3))
    half = torch.tensor([[0.0, 0.0, -torch.inf]], requires_grad=True)
    torch.testing.assert_close(entropy(half).detach(), torch.tensor(2.0).log())


def test_a_variance_extrapolated_below_zero_counts_as_zero():
    problem = random_problem(Convolutions, images, 16, bounds=(-50.0, 50.0))
    x = torch.full((problem.space.dim,), 50.0, dtype=torch.float64)
    row = problem.vectors.merged(problem.coefficients(x))[0]
    named = problem.vectors.named(row)
    assert min(float(named[n].min()) for n in ("norm.running_var", "last.running_var")) < 0
    merged = problem.decode(x)
    assert float(merged.norm.running_var.min()) >= 0
    batches = problem.batches(Rng.from_seed(0))
    for z, inputs, head in zip(problem.runner.logits(batches), batches, problem.runner.heads, strict=True):
        torch.testing.assert_close(z, head(merged(inputs)))
        assert bool(torch.isfinite(z).all())
