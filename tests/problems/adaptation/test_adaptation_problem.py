"""Domain adaptation as a problem: objectives in closed form, splits, sealed target labels, and what users hand over."""

import itertools
import math

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import paretokit as pk
from paretokit.core import InputError, ParetoError, Rng, ShapeError
from paretokit.problems.adaptation import (
    Classifier,
    DomainAdaptation,
    convolutional,
    discrepancy,
    mutual_information,
    perceptron,
)
from paretokit.problems.adaptation._network import StackedClassifier


def numbers(*shape, seed=0):
    return Rng.from_seed(seed).normal(*shape).float()


def classes(n, k=3):
    return torch.arange(n) % k


def small(n=40, **options):
    source, target = (numbers(n, 4), classes(n)), (numbers(n, 4, seed=1) + 1, classes(n))
    return DomainAdaptation(source, target, perceptron(4, 3, hidden=(6,)), **options)


def start(problem, n=2, seed=0):
    return problem.space.sample(n, Rng.from_seed(seed), dtype=problem.dtype)


# Measures


@pytest.mark.parametrize("k", [2, 5])
def test_mutual_information_of_sure_and_balanced_predictions_is_log_k_and_of_equal_ones_zero(k):
    sure = torch.eye(k, dtype=torch.float64).repeat(3, 1)
    assert float(mutual_information(sure)) == pytest.approx(math.log(k))
    equal = torch.full((7, k), 0.5 / (k - 1), dtype=torch.float64)
    equal[:, 0] = 0.5
    assert float(mutual_information(equal)) == pytest.approx(0, abs=1e-12)


def test_mutual_information_is_scipys_divergence_of_the_joint_from_its_margins():
    from scipy.stats import entropy

    p = numbers(9, 4).softmax(-1).double()
    joint = p / len(p)
    product = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
    assert float(mutual_information(p)) == pytest.approx(entropy(joint.flatten(), product.flatten()))
    stacked = torch.stack([p, p.flip(1)])
    assert torch.allclose(mutual_information(stacked), mutual_information(p).expand(2))


def test_discrepancy_is_zero_for_equal_samples_and_that_of_scikit_learns_kernels():
    from sklearn.metrics.pairwise import rbf_kernel

    a, b = numbers(7, 3).double(), numbers(5, 3, seed=2).double()
    assert float(discrepancy(a, a)) == pytest.approx(0, abs=1e-12)
    one, two = (nn.functional.normalize(x, dim=-1).numpy() for x in (a, b))
    due = 0
    for rate in (0.5, 1, 2, 4):
        inner = [rbf_kernel(u, v, gamma=rate).mean() for u, v in ((one, one), (one, two), (two, two))]
        due += (inner[0] - 2 * inner[1] + inner[2]) / 4
    assert float(discrepancy(a, b)) == pytest.approx(due)
    assert float(discrepancy(a, b)) == pytest.approx(float(discrepancy(10 * a, 0.1 * b)))


def test_discrepancy_of_opposite_points_is_two_minus_twice_the_kernel():
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[-1.0, 0.0]])
    kernel = sum(math.exp(-rate * 4) for rate in (0.5, 1, 2, 4)) / 4
    assert float(discrepancy(a, b)) == pytest.approx(2 - 2 * kernel)


# The problem


def test_objectives_are_those_of_the_plain_network():
    problem = small()
    x = start(problem)
    found = problem.evaluate(x).values
    for row, values in zip(x, found, strict=True):
        net = problem.decode(row)
        source, labels = problem.validation
        with torch.no_grad():
            cross = nn.functional.cross_entropy(net(source), labels)
            gap = discrepancy(net.features(source), net.features(problem.held_target))
            information = mutual_information(net(problem.held_target).softmax(-1))
        assert torch.allclose(values, torch.stack([cross, gap, -information]), atol=1e-6)


def test_held_out_values_are_of_other_data_and_the_accuracy_is_the_plain_one():
    target = (numbers(40, 4, seed=1), classes(40))
    problem = small()
    x = start(problem)
    values, extras = problem.assess(x)
    plain = [(problem.decode(r)(target[0] + 1).argmax(1) == target[1]).double().mean() for r in x]
    assert torch.equal(extras["target accuracy"], torch.stack(plain))
    assert torch.equal(problem.target_accuracy(x), extras["target accuracy"])
    assert not torch.allclose(values, problem.evaluate(x).values)


def test_splits_are_disjoint_whole_and_of_the_seed():
    problem, again, other = small(), small(), small(split_seed=1)
    rows = torch.cat([problem.source[0], problem.validation[0], problem.test[0]])
    assert len(rows.unique(dim=0)) == len(rows) == 40
    assert len(problem.held_target) == 4
    assert len(torch.cat([problem.target, problem.held_target]).unique(dim=0)) == 40
    assert torch.equal(problem.held_target, again.held_target)
    assert not torch.equal(problem.held_target, other.held_target)
    own = small(validation=(numbers(5, 4), classes(5)), test=(numbers(6, 4), classes(6)), held_share=0.5)
    assert (len(own.source[0]), len(own.validation[0]), len(own.test[0]), len(own.held_target)) == (40, 5, 6, 20)


def test_losses_have_gradients_and_their_mean_over_all_data_is_what_evaluate_would_measure():
    problem = small(batch_size=8)
    x = start(problem).requires_grad_()
    found = problem.losses(x, Rng.from_seed(3))
    assert tuple(found.shape) == (2, 3)
    assert torch.isfinite(torch.autograd.grad(found.sum(), x)[0]).all()
    assert torch.equal(found, problem.losses(x, Rng.from_seed(3)))
    assert not torch.equal(found, problem.losses(x, Rng.from_seed(4)))


def test_generic_solvers_run():
    problem = small()
    for solver in (
        pk.solvers.GradientDescent(aggregator="MGDA", preferences=3, steps=4),
        pk.solvers.NSGA2(pop_size=8),
    ):
        result = pk.solve(problem, solver, budget=pk.Budget(iterations=3), seed=0)
        assert torch.isfinite(result.front.values).all()
        assert result.held_out.shape == result.front.values.shape


def test_loaders_and_tensors_give_the_same_problem():
    source, target = (numbers(30, 4), classes(30)), (numbers(20, 4, seed=1), classes(20))
    net = perceptron(4, 3, hidden=(6,))
    whole = DomainAdaptation(source, target, net)
    loaders = [DataLoader(TensorDataset(*data), batch_size=7) for data in (source, target)]
    assert DomainAdaptation(*loaders, net).fingerprint() == whole.fingerprint()
    bare = DomainAdaptation(source, [target[0][:9], target[0][9:]], (net.features, net.classifier))
    assert torch.equal(bare.target, whole.target)
    assert not bare.has_target_labels
    assert DomainAdaptation(source, target[0] + 1, net).fingerprint() != whole.fingerprint()


def test_a_network_with_parts_of_these_names_serves():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.features, self.classifier = nn.Linear(4, 5), nn.Linear(5, 3)

    problem = DomainAdaptation((numbers(30, 4), classes(30)), numbers(20, 4), Net())
    assert (problem.n_features, problem.n_classes) == (5, 3)
    assert isinstance(problem.decode(start(problem)[0]), Classifier)


# Target labels


class Recorder:
    """Labels that raise when anybody asks while a solver runs."""

    def __init__(self, labels):
        self.labels, self.solving, self.reads = labels, True, 0
        self.mark = "recorded"

    def accuracy(self, predicted):
        assert not self.solving, "a solver reads target labels"
        self.reads += 1
        return self.labels.accuracy(predicted)


SOLVERS = {
    "ParetoDA": {"steps": 3, "evaluate_every": 1},
    "WeightedDA": {"steps": 3, "preferences": 3, "evaluate_every": 1},
    "GradientDescent": {"steps": 3, "preferences": 3},
    "NSGA2": {"pop_size": 8},
}


@pytest.mark.parametrize("name", SOLVERS)
def test_no_solver_reaches_target_labels_and_poison_in_them_changes_no_decision(name):
    source, target = (numbers(40, 4), classes(40)), numbers(40, 4, seed=1)
    decisions = []
    for labels in (classes(40), 2 - classes(40)):
        problem = DomainAdaptation(source, (target, labels), perceptron(4, 3, hidden=(6,)).requires_grad_())
        with torch.no_grad():  # the same network in both
            for parameter in problem.module.parameters():
                parameter.fill_(0.1)
        problem._labels = Recorder(problem._labels)
        handle = problem.observed(None)
        assert not handle.has_target_labels
        solver = pk.solvers.make(name, **SOLVERS[name])
        state = solver.init(handle, Rng.from_seed(0))
        for _ in range(3):
            state = solver.step(handle, state)
        front = solver.front(handle, state)
        assert problem._labels.reads == 0
        with pytest.raises(ParetoError, match="held-out"):
            handle.assess(front.x)
        with pytest.raises(ParetoError, match="held-out"):
            handle.target_accuracy(front.x)
        problem._labels.solving = False
        assert ((problem.target_accuracy(front.x) >= 0) & (problem.target_accuracy(front.x) <= 1)).all()
        decisions.append(front.x)
    assert torch.equal(*decisions)


def test_sealed_labels_hold_no_tensor_that_can_be_read():
    labels = small()._labels
    for name in dir(labels):
        if not name.startswith("__"):
            assert not isinstance(getattr(labels, name), torch.Tensor)
    assert labels.reads == 0
    assert torch.equal(labels.accuracy(classes(40).unsqueeze(0)), torch.ones(1, dtype=torch.float64))
    assert labels.reads == 1


# Networks as rows


@pytest.mark.parametrize("build", [lambda: perceptron(4, 3, hidden=(6, 5)), lambda: convolutional(3, channels=(2, 3))])
def test_stacked_networks_equal_the_module_and_one_another(build):
    net = build()
    conv = isinstance(net.features[0], nn.Conv2d)
    inputs = numbers(9, 1, 16, 16) if conv else numbers(9, 4)
    problem = DomainAdaptation((inputs.repeat(4, *[1] * (inputs.ndim - 1)), classes(36)), inputs, net)
    x = start(problem, 3)
    n = problem.space.n_parameters
    for training in (False, True):
        outs, after = [], []
        for stacked in (True, False):
            buffers = x[:, n:].clone()
            run = StackedClassifier(problem.module, problem.space, training=training, stacked=stacked)
            outs.append(run(x[:, :n], buffers, inputs))
            after.append(buffers)
        assert torch.allclose(outs[0][1], outs[1][1], atol=1e-5)
        assert torch.allclose(*after, atol=1e-6)
        plain = problem.decode(x[0]).train(training)
        assert torch.allclose(plain(inputs), outs[1][1][0], atol=1e-5)
        if training:  # the module's own running statistics after the same batch
            norm = next(m for m in plain.modules() if isinstance(m, nn.BatchNorm1d))
            place = run.norms()[0]
            assert torch.allclose(after[0][0, place.mean], norm.running_mean, atol=1e-6)
            assert torch.allclose(after[0][0, place.variance], norm.running_var, atol=1e-6)


def test_folded_statistics_leave_the_network_as_it_was():
    problem = small()
    x = start(problem, 1)
    n = problem.space.n_parameters
    net = problem.network(training=True)
    buffers = x[:, n:].clone()
    for k in range(5):
        net(x[:, :n], buffers, numbers(16, 4, seed=k) * 2 + 1)
    still = problem.network()
    inputs = numbers(7, 4, seed=9)
    due = still(x[:, :n], buffers, inputs)
    folded = net.folded(x[:, :n], buffers, problem.template)
    got = still(folded, problem.template.unsqueeze(0), inputs)
    assert not torch.allclose(still(x[:, :n], problem.template.unsqueeze(0), inputs)[1], due[1], atol=1e-2)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(due, got, strict=True))


def test_a_normalization_without_scale_cannot_be_folded():
    net = (nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5, affine=False)), nn.Linear(5, 3))
    problem = DomainAdaptation((numbers(30, 4), classes(30)), numbers(20, 4), net)
    with pytest.raises(InputError, match="`network` must have scale and shift in its BatchNorm layers; got none in"):
        pk.solve(problem, pk.solvers.ParetoDA(steps=1), seed=0)


# Bad input

GOOD = (numbers(30, 4), classes(30))
NET = perceptron(4, 3, hidden=(6,))
BAD = {
    "no labels": ((GOOD[0], GOOD[0], NET), {}, InputError, "`source` must be inputs and labels; got inputs only"),
    "batches without labels": (([GOOD[0]], GOOD[0], NET), {}, InputError, "`source` must be inputs and labels"),
    "other features": (
        (GOOD, numbers(9, 5), NET),
        {},
        ShapeError,
        r"`target` must have inputs of shape \[4\]; got \[5\]",
    ),
    "one class": (((GOOD[0], torch.ones(30).long()), GOOD[0], NET), {}, InputError, "at least two classes; got 1"),
    "NaN": ((GOOD, GOOD[0] / 0 * 0, NET), {}, InputError, "`target` must be finite; got NaN"),
    "empty": ((GOOD, [], NET), {}, InputError, "`target` must hold at least one batch; got 0"),
    "flat": ((GOOD, torch.zeros(5), NET), {}, InputError, r"`target` must hold inputs \[n, ...\]; got \[5\]"),
    "few labels": (((GOOD[0], classes(29)), GOOD[0], NET), {}, ShapeError, r"`source` must have 30 labels; got \[29\]"),
    "halves": (((GOOD[0], GOOD[1] / 2), GOOD[0], NET), {}, InputError, "classes 0, 1, ... as labels"),
    "text": ((GOOD, ["a"], NET), {}, InputError, "`target` must be inputs, or inputs and labels; got str"),
    "mixed": ((GOOD, [GOOD, GOOD[0]], NET), {}, InputError, "labels in all batches or in none; got 1"),
    "many classes": (((GOOD[0], classes(30, 5)), GOOD[0], NET), {}, InputError, "below the 3 logits; got 4"),
    "no parts": ((GOOD, GOOD[0], nn.Linear(4, 3)), {}, InputError, "`network` must have modules `features` and"),
    "other inputs": ((GOOD, GOOD[0], perceptron(5, 3)), {}, ShapeError, r"`network` must take inputs of shape \[4\]"),
    "one logit": ((GOOD, GOOD[0], perceptron(4, 1)), {}, InputError, "at least two logits; got 1"),
    "share": ((GOOD, GOOD[0], NET), {"held_share": 1.0}, InputError, r"`held_share` must lie in \(0, 1\); got 1.0"),
    "batch": ((GOOD, GOOD[0], NET), {"batch_size": 1}, InputError, "`batch_size` must be at least 2; got 1"),
    "tiny": (((GOOD[0][:2], GOOD[1][:2]), GOOD[0], NET), {}, InputError, "`n` must be at least 3; got 2"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    arguments, options, kind, text = BAD[case]
    with pytest.raises(kind, match=text):
        DomainAdaptation(*arguments, **options)


def test_accuracy_without_labels_is_refused():
    problem = DomainAdaptation(GOOD, GOOD[0], NET)
    assert problem.assess(start(problem))[1] == {}
    with pytest.raises(InputError, match="`target` must have labels to be scored by; got inputs only"):
        problem.target_accuracy(start(problem))
    with pytest.raises(ShapeError, match="`x` must be one row of"):
        problem.decode(start(problem))


# Ready shifts

SHIFTS = [name for name in pk.problems.list() if name.startswith("adaptation-")]


@pytest.mark.parametrize("name", SHIFTS)
def test_ready_shifts_are_of_their_seed_and_balanced_enough(name):
    problem, again, other = (pk.problems.make(name, seed=s) for s in (1, 1, 2))
    assert problem.has_target_labels
    assert torch.equal(problem.source[0], again.source[0])
    assert torch.equal(problem.target, again.target)
    assert not torch.equal(problem.source[0], other.source[0])
    share = problem.source[1].bincount(minlength=problem.n_classes) / len(problem.source[1])
    assert float(share.min()) > 0.1 / problem.n_classes


def test_ready_shifts_are_what_they_say():
    digits = pk.problems.make("adaptation-inverted-v1")
    assert float(digits.source[0].mean()) < 0.4 < 0.6 < float(digits.target.mean())
    noisy = pk.problems.make("adaptation-noisy-v1", noise=0.7)
    assert float(noisy.target[:, 0, 0, 0].std()) == pytest.approx(0.7, rel=0.1)
    still = pk.problems.make("adaptation-rotated-v1", angle=0.0)
    turned = pk.problems.make("adaptation-rotated-v1", angle=90.0)
    quarter = torch.rot90(still.target, 1, (-2, -1))
    assert float((turned.target - quarter).abs().mean()) < 0.02
    moons = pk.problems.make("adaptation-moons-v1", noise=0.0, angle=90.0)
    assert float(moons.source[0][:, 0].abs().max()) > 1.4 > 1.3 > float(moons.target[:, 0].abs().max())


def test_options_of_ready_shifts_are_checked():
    for name, options in {
        "adaptation-fonts-v1": {"n_source": 3},
        "adaptation-moons-v1": {"n": 3},
        "adaptation-inverted-v1": {"strength": 2.0},
        "adaptation-noisy-v1": {"noise": -1.0},
        "adaptation-wine-v1": {"bias": -1.0},
        "adaptation-styles-v1": {"architecture": "cnm"},
    }.items():
        with pytest.raises(InputError, match=next(iter(options))):
            pk.problems.make(name, **options)


def test_the_first_component_splits_the_tables():
    problem = pk.problems.make("adaptation-cancer-v1")
    gap = problem.source[0].mean(0) - problem.target.mean(0)
    assert float(gap.abs().max()) > 1
    even = pk.problems.make("adaptation-cancer-v1", bias=0.0)
    assert float((even.source[0].mean(0) - even.target.mean(0)).abs().max()) < 0.4
    assert all(a.shape[1:] == b.shape[1:] for a, b in itertools.pairwise([problem.source[0], problem.target]))
