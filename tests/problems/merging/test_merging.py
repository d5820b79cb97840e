"""The problem: the kit, generic solvers, views, results on disk, and input that does not fit."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from safetensors.torch import load_file
from small_merging import pieces, small
from torch import nn

import paretokit as pk
from paretokit.core import CheckpointError, Front, InputError, Rng, ShapeError
from paretokit.problems.merging import ModelMerging, Task, merge_checkpoints
from paretokit.problems.merging._assembly import layer_of
from paretokit.testing import check_problem


def task(k: int = 0, **changes: object) -> Task:
    """Return a task of the small problem, changed."""
    return dataclasses.replace(pieces()[2][k], **changes)  # type: ignore[arg-type]


def over(*tasks: Task, **options: object) -> ModelMerging:
    """Return the small checkpoints over other tasks."""
    encoder, tuned, _ = pieces()
    return ModelMerging(pretrained=encoder, finetuned=tuned, tasks=tasks, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{}, {"layers": "task"}, {"storage": "bfloat16", "layers": "block"}])
def test_the_contract_is_kept(options):
    check_problem(small(**options), n=6)


def test_values_are_those_of_the_decoded_module_on_validation_and_on_test_data():
    tasks = [task(0), task(1, metric="loss"), task(2, validation=None, test=None)]
    problem = over(*tasks)
    assert [o.label for o in problem.objectives] == [
        "accuracy on digits (0, 1, 2)",
        "loss on digits (3, 4, 5) [nats]",
        "entropy of digits (6, 7, 8) [nats]",
    ]
    assert [o.sense for o in problem.objectives] == ["max", "min", "min"]
    x = Rng.from_seed(0).uniform(18, dtype=torch.float32)
    merged = problem.decode(x)
    with torch.no_grad():
        z = [t.head(merged((t.validation or (t.unlabeled, None))[0])) for t in tasks]
        labels = [t.validation[1] for t in tasks[:2]]
        p = torch.softmax(z[2], -1)
        due = torch.stack(
            [
                (z[0].argmax(-1) == labels[0]).float().mean(),
                nn.functional.cross_entropy(z[1], labels[1]),
                -(p * p.log()).sum(-1).mean(),
            ]
        )
    torch.testing.assert_close(problem.evaluate(x).values, due, rtol=0, atol=1e-6)
    assert not problem.held_out
    assert problem.protocol.scoring.reference_point is None
    whole = small()
    assert whole.held_out
    assert whole.protocol.scoring.reference_point == (0.0, 0.0, 0.0)
    held_out, _ = whole.assess(x.unsqueeze(0))
    with torch.no_grad():
        for k, t in enumerate(pieces()[2]):
            right = (t.head(merged(t.test[0])).argmax(-1) == t.test[1]).float().mean()
            assert float(held_out[0, k]) == pytest.approx(float(right), abs=1e-6)


def test_corners_are_the_checkpoints():
    problem, (encoder, tuned, _) = small(), pieces()
    for k in range(3):
        corner = torch.zeros(6, 3)
        corner[:, k] = 1
        for name, tensor in problem.decode(corner.reshape(-1)).state_dict().items():
            torch.testing.assert_close(tensor, tuned[k].state_dict()[name], rtol=0, atol=1e-6)
    origin = problem.decode(torch.zeros(18))
    assert all(
        torch.equal(a, b) for a, b in zip(origin.state_dict().values(), encoder.state_dict().values(), strict=True)
    )
    assert origin is not encoder
    assert all(p.requires_grad for p in origin.parameters())


def test_layers_share_coefficients_as_asked():
    assert small(layers="tensor").n_coefficients == (6, 3)
    assert small(layers="task").n_coefficients == (1, 3)
    assert small(layers="task").space.dim == 3
    assert small(layers="block").vectors.layers == ("first", "second", "norm")
    kinds = small(layers=lambda name: name.rpartition(".")[2]).vectors
    assert kinds.layers == ("weight", "bias")
    assert [p.layer for p in kinds.parts] == [0, 1, 0, 1, 0, 1]
    x = torch.tensor([0.2, 0.5, 0.7])
    whole = small(layers="task").decode(x).state_dict()
    each = small().decode(x.repeat(6)).state_dict()
    for name in whole:
        torch.testing.assert_close(whole[name], each[name], rtol=0, atol=1e-6)
    assert layer_of("layers.11.mlp.fc1.weight", "block") == "layers.11"
    assert layer_of("0.weight", "block") == "0"
    assert layer_of("patch.weight", "block") == "patch"
    assert layer_of("cls", "block") == "cls"


def test_losses_are_deterministic_and_have_the_gradient_of_finite_differences():
    problem = small(storage="float64")
    rng, x = Rng.from_seed(3), torch.full((1, 18), 0.3, dtype=torch.float64, requires_grad=True)
    assert torch.equal(problem.losses(x, rng), problem.losses(x, rng))
    assert not torch.equal(problem.losses(x, rng), problem.losses(x, rng.child("next")))
    assert torch.autograd.gradcheck(lambda t: problem.losses(t, rng), (x,), atol=1e-5)


@pytest.mark.parametrize(("solver", "options"), [("NSGA2", {"pop_size": 10}), ("MOEAD", {"partitions": 3})])
def test_generic_solvers_search_the_coefficients_and_results_come_back_from_disk(solver, options, tmp_path):
    problem = small(layers="task")
    made = pk.solvers.make(solver, **options)
    result = pk.solve(problem, made, budget=pk.Budget(evaluations=40), seed=1)
    best = result.front.values.amax(0)
    assert bool((best >= problem.evaluate(torch.full((1, 3), 1 / 3)).values[0] - 0.05).all())
    result.save(tmp_path / "run")
    again = pk.Result.load(tmp_path / "run", problem=small(layers="task"))
    assert torch.equal(again.front.values, result.front.values)
    assert isinstance(again.problem.decode(again.front.x[0]), nn.Module)
    with pytest.raises(CheckpointError, match=r"was solved on another problem"):
        pk.Result.load(tmp_path / "run", problem=small(layers="task", frozen=("norm",)))


def test_fingerprints_tell_weights_data_heads_and_options_apart():
    encoder, tuned, tasks = pieces()
    nudged = copy.deepcopy(tuned[0])
    with torch.no_grad():
        nudged.first.weight[0, 0] += 1e-6
    inputs, labels = tasks[0].validation
    head = copy.deepcopy(tasks[0].head)
    with torch.no_grad():
        head.bias[0] += 1e-6
    marks = [
        small(),
        ModelMerging(pretrained=encoder, finetuned=[nudged, *tuned[1:]], tasks=tasks),
        over(task(0, validation=(inputs, (labels + 1) % 3)), *tasks[1:]),
        over(task(0, head=head), *tasks[1:]),
        over(task(0, metric="loss"), *tasks[1:]),
        small(layers="block"),
        small(bounds=(0.0, 2.0)),
        small(storage="bfloat16"),
        small(forward=lambda module, inputs: module(inputs) * 1.0),
        small().to(dtype=torch.float64),
        small().as_variant({"method": "ties", "trim": 0.2, "aggregate": "none"}),
    ]
    found = [p.fingerprint() for p in marks]
    assert len(set(found)) == len(found)
    assert small().fingerprint() == found[0]
    assert marks[0].to(dtype=torch.float64).to(dtype=torch.float32).fingerprint() == found[0]


def test_fronts_on_other_task_vectors_find_them_again(tmp_path):
    problem = small(layers="task")
    made = {"method": "ties", "trim": 0.2, "aggregate": "none"}
    view = problem.as_variant(made)
    assert torch.equal(view.vectors.deltas, problem.vectors.processed(trim=0.2).deltas)
    assert view.original is problem.vectors
    assert view.variant() == made
    assert problem.variant() is None
    assert view.protocol == problem.protocol
    x = torch.full((1, 3), 0.4)
    front = Front.of(view, x, view.evaluate(x))
    front.save(tmp_path / "front")
    again = Front.load(tmp_path / "front", problem=small(layers="task"))
    assert again.problem.fingerprint() == view.fingerprint()
    assert torch.equal(again.problem.evaluate(x).values, front.values)
    assert view.as_variant({**made, "trim": 0.5}).original is problem.vectors
    moved = view.to(dtype=torch.float64)
    assert moved.vectors.base.dtype == moved.original.base.dtype == torch.float64
    one = problem.with_vectors(problem.vectors.with_deltas(problem.vectors.deltas[:1]))
    assert one.space.dim == 1
    assert torch.equal(one.evaluate(torch.ones(1, 1)).values, problem.evaluate(torch.tensor([[1.0, 0, 0]])).values)
    with pytest.raises(InputError, match=r"`vectors` must be over \d+ weights; got \d+ \(another model's\?\)"):
        problem.with_vectors(small(frozen=("norm",)).vectors)


def test_a_problem_says_what_is_merged_by_which_coefficients_and_for_what():
    problem = small(layers="block", bounds=(0.0, 1.5))
    senses = ", ".join(f"max accuracy on digits {c}" for c in ((0, 1, 2), (3, 4, 5), (6, 7, 8)))
    merged = "3 task vectors over 6 tensors, 3,200 weights; 3 x 3 coefficients in [0, 1.5]"
    assert repr(problem) == f"<ModelMerging: {merged}; {senses}>"
    named = problem.named("merging-mlp-v1", {})
    assert repr(named) == f"<ModelMerging merging-mlp-v1: {merged}; {senses}>"
    view = problem.as_variant({"method": "ties", "trim": 0.2, "aggregate": "sum"})
    assert "1 task vector over 6 tensors" in repr(view)


def test_one_task_and_one_fine_tuning_work():
    encoder, tuned, tasks = pieces()
    problem = ModelMerging(pretrained=encoder, finetuned=tuned[:1], tasks=tasks[:1], layers="task")
    assert problem.space.dim == problem.n_objectives == 1
    x = torch.tensor([[0.0], [1.0]])
    values = problem.evaluate(x).values
    assert values[1] > values[0]
    assert problem.losses(x, Rng.from_seed(0)).shape == (2, 1)
    result = pk.solve(problem, pk.solvers.make("NSGA2", pop_size=6), budget=pk.Budget(evaluations=12), seed=0)
    assert len(result.front) >= 1


def test_a_task_without_entropy_from_the_start_leaves_the_others_alone():
    class Certain(nn.Module):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return torch.stack([features.sum(-1) * 0 + 1e4, features.sum(-1) * 0], -1)

    problem = over(task(0), task(1, head=Certain(), validation=None, test=None), task(2))
    x = torch.full((2, 18), 0.3, requires_grad=True)
    losses = problem.losses(x, Rng.from_seed(0))
    assert torch.equal(losses[:, 1], torch.zeros(2))
    assert bool((losses[:, [0, 2]] > 0).all())
    (slope,) = torch.autograd.grad(losses.sum(), x)
    assert bool(torch.isfinite(slope).all())
    assert bool((slope != 0).any())
    values, each = problem.runner.jacobians(problem.coefficients(x.detach()), problem.batches(Rng.from_seed(0)))
    assert not bool(each[:, 1].any())
    torch.testing.assert_close(values, losses.detach())
    assert float(problem.evaluate(x.detach()).values[0, 1]) == 0


def test_heads_and_data_that_do_not_fit_are_refused():
    x, y = task().validation
    with pytest.raises(InputError, match=r"`tasks\['digits \(0, 1, 2\)'\]` must fit the model; got mat1 and mat2"):
        over(task(head=nn.Linear(31, 3)))
    with pytest.raises(InputError, match=r"must fit the model"):
        over(task(unlabeled=x[:, :10]))
    for split in ("validation", "test"):
        with pytest.raises(
            InputError, match=rf"`tasks\['digits \(0, 1, 2\)'\].{split}` must fit the model; got mat1 and mat2"
        ):
            over(task(**{split: (x[:, :10], y)}))
        with pytest.raises(InputError, match=rf"{split}` must have labels in 0 … 2, the head's classes; got 3"):
            over(task(**{split: (x, y + 1)}))
    with pytest.raises(InputError, match=r"must fit the model"):
        over(task(unlabeled={"pixels": x}))
    with pytest.raises(InputError, match=r"must have labels in 0 … 1, the head's classes; got 2"):
        over(task(head=nn.Linear(32, 2)))
    with pytest.raises(InputError, match=r"must have labels in 0 … 2, the head's classes; got -1"):
        over(task(validation=(x, y - 1)))
    with pytest.raises(
        InputError, match=r"must have logits of shape \[2, two classes or more\] for 2 examples; got \[2, 1\]"
    ):
        over(task(head=nn.Linear(32, 1), validation=None, test=None))
    with pytest.raises(InputError, match=r"must have logits of shape"):
        over(task(head=nn.Flatten(0)))


def test_data_that_is_none_is_refused():
    x, y = task().validation
    with pytest.raises(InputError, match=r"unlabeled` must hold at least one example; got 0"):
        task(unlabeled=x[:0])
    with pytest.raises(InputError, match=r"unlabeled` must hold at least one example; got 0"):
        task(unlabeled=())
    with pytest.raises(InputError, match=r"validation` must hold at least one example"):
        task(validation=(x[:0], y[:0]))
    with pytest.raises(ShapeError, match=rf"test` must hold {len(x)} labels, whole numbers, one an example"):
        task(test=(x, y[:-1]))
    with pytest.raises(InputError, match=r"labels, whole numbers, one an example; got torch.float32"):
        task(test=(x, y.float()))
    with pytest.raises(InputError, match=r"must hold equally many examples in each tensor; got \[3, 4\]"):
        task(unlabeled=(x[:3], x[:4]))
    with pytest.raises(
        InputError, match=r"unlabeled` must be a tensor, a tuple of tensors, or tensors by name; got list"
    ):
        task(unlabeled=[1.0])
    with pytest.raises(InputError, match=r"test` must be a pair, inputs and a tensor of labels; got Tensor"):
        task(test=x)
    with pytest.raises(InputError, match=r"test` must be a pair, inputs and a tensor of labels; got tuple"):
        task(test=(x, y.tolist()))
    with pytest.raises(InputError, match=r"`metric` must be one of"):
        task(metric="f1")


def test_options_that_mean_nothing_are_refused():
    with pytest.raises(InputError, match=r"`tasks` must be at least 1; got 0"):
        over()
    with pytest.raises(InputError, match=r"`tasks` must have different names"):
        over(task(0), task(0))
    with pytest.raises(InputError, match=r"`tasks` must be a list of tasks; got \('digits',\)"):
        over("digits")
    with pytest.raises(InputError, match=r"`bounds` must be two numbers; got 1.0"):
        small(bounds=1.0)
    with pytest.raises(InputError, match=r"`frozen` must be beginnings of names; got 'norm' \(\['norm'\]\)"):
        small(frozen="norm")
    for bad in (("a", "b"), (0.0, float("inf")), (0.0, float("nan")), {0, 1}, (False, True), (0.0, 0.5, 1.0)):
        with pytest.raises(InputError, match=r"`bounds` must be two numbers; got .*\(of the coefficients, such as"):
            small(bounds=bad)
    for bad in (3, [3], None):
        with pytest.raises(InputError, match=r"`frozen` must be beginnings of names; got .* \(a list of text\)"):
            small(frozen=bad)
    for bad in (3, None):
        with pytest.raises(InputError, match=rf"`forward` must be a function of the module and its inputs; got {bad}"):
            small(forward=bad)
    for bad in ("3", 2.5):
        with pytest.raises(InputError, match=r"`batch_size` must be a whole number; got "):
            small(batch_size=bad)
    with pytest.raises(InputError, match=r"`bounds` must increase; got \(1.0, 0.0\)"):
        small(bounds=(1.0, 0.0))
    with pytest.raises(InputError, match=r"`layers` must be 'tensor', 'block', 'task', or a function"):
        small(layers="module")
    with pytest.raises(InputError, match=r"`layers` must give the layer of 'first.weight' as a string; got 3"):
        small(layers=lambda _: 3)
    with pytest.raises(InputError, match=r"`batch_norm` must be one of"):
        small(batch_norm="drop")
    with pytest.raises(InputError, match=r"`storage` must be one of"):
        small(storage="int4")
    with pytest.raises(InputError, match=r"`batch_size` must be at least 1"):
        small(batch_size=0)


def test_fine_tunings_that_are_no_list_are_refused(tmp_path):
    problem = small()
    for alone in (problem.architecture, problem.architecture.state_dict(), "folder"):
        with pytest.raises(InputError, match=r"`finetuned` must be a list of checkpoints; got "):
            ModelMerging(pretrained=problem.architecture, finetuned=alone, tasks=problem.tasks)
        with pytest.raises(InputError, match=r"`finetuned` must be a list of checkpoints; got "):
            merge_checkpoints(problem.architecture, alone, tmp_path / "out")


def test_a_solution_is_saved_by_the_problem_that_it_is_of(tmp_path):
    problem = small()
    view = problem.as_variant({"method": "ties", "trim": 0.3, "aggregate": "none"})
    x = torch.full((1, problem.space.dim), 0.4)
    found = Front.of(view, x, view.evaluate(x))
    for name, chosen in {"solution": found[0], "choice": found.pick([0.4, 0.3, 0.3])}.items():
        problem.save(chosen, tmp_path / name)
        saved = load_file(tmp_path / name / "model.safetensors")
        assert all(torch.equal(t, saved[n]) for n, t in view.decode(x[0]).state_dict().items())


def test_coefficients_of_the_wrong_shape_are_refused():
    problem = small()
    with pytest.raises(ShapeError, match=r"`x` must have 18 columns"):
        problem.evaluate(torch.zeros(2, 3))
    with pytest.raises(ShapeError, match=r"`x` must be one row of 18 coefficients; got shape \(6, 3\)"):
        problem.decode(torch.zeros(6, 3))
    with pytest.raises(ShapeError, match=r"`x` must be one row of 18 coefficients; got list"):
        problem.decode([0.3] * 18)
    with pytest.raises(InputError, match=r"`x` must lie in the space"):
        problem.evaluate(torch.full((1, 18), 1.5))
