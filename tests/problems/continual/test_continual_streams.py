"""The ready streams: their data is what they say, drawn from the seed alone, and learnable."""

import pytest
import torch

import paretokit as pk
from paretokit.core import InputError
from paretokit.problems.continual import CONTINUAL, RandomFeatures
from paretokit.problems.continual._text_stream import Hashed, words

SMALL = {
    "continual-case-v1": {"n_tasks": 2, "train": 12, "validation": 4, "test": 8},
    "continual-dig-v1": {"n_tasks": 2, "train": 12, "validation": 4, "test": 8},
    "continual-rotated-digits-v1": {"angles": [0.0, 90.0]},
    "continual-split-digits-v1": {"n_tasks": 2},
    "continual-tabular-v1": {"n_tasks": 2},
    "continual-text-v1": {"n_tasks": 2, "train": 12, "validation": 4, "test": 8},
}


@pytest.mark.parametrize("name", CONTINUAL)
def test_a_stream_is_its_seeds_alone(name):
    before = torch.random.get_rng_state()
    one, again, other = (pk.problems.make(name, **SMALL[name], seed=seed) for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    for a, b in zip(one.tasks, again.tasks, strict=True):
        assert torch.equal(a.train[0], b.train[0])
        assert torch.equal(a.test[1], b.test[1])
    assert not torch.equal(one.tasks[1].train[0], other.tasks[1].train[0])
    assert one.fingerprint() == again.fingerprint() != other.fingerprint()
    assert one.options()["seed"] == 3


@pytest.mark.parametrize("name", CONTINUAL)
def test_heads_a_task_and_hidden_layers_are_options(name):
    made = pk.problems.make(name, **SMALL[name], scenario="task", hidden=[7], metric="loss")
    classes = 10 if "rotated" in name else 2
    assert made.columns == ((0, classes), (classes, 2 * classes))
    assert made.stacked.mlp.sizes[1:] == (7, 2 * classes)
    assert made.objectives[0].sense == "min"
    rebuilt = pk.problems.make(made.id, **made.recipe()["options"])
    assert rebuilt.fingerprint() == made.fingerprint()


def test_no_image_is_in_two_parts_and_pairs_of_digits_are_what_their_names_say():
    made = pk.problems.make("continual-split-digits-v1")
    assert made.names == ["0 or 1", "2 or 3", "4 or 5", "6 or 7", "8 or 9"]
    sizes = [sum(len(part[1]) for part in (t.train, t.validation, t.test)) for t in made.tasks]
    assert sum(sizes) == 1797
    rows = torch.cat([part[0] for t in made.tasks for part in (t.train, t.validation, t.test)])
    assert len(rows.unique(dim=0)) == len(rows)


def test_turned_digits_are_the_same_digits_and_a_quarter_turn_is_exact():
    made = pk.problems.make("continual-rotated-digits-v1", angles=[0.0, 90.0], n_features=0)
    first, second = made.tasks[0].test, made.tasks[1].test
    assert torch.equal(first[1], second[1])
    images, turned = first[0].view(-1, 16, 16), second[0].view(-1, 16, 16)
    either = [(turned - torch.rot90(images, k, (1, 2))).abs().max() for k in (1, 3)]
    assert float(min(either)) < 1e-4


def test_the_tables_groups_rise_and_are_scaled_by_the_first_group():
    made = pk.problems.make("continual-tabular-v1")
    assert sum(len(part[1]) for t in made.tasks for part in (t.train, t.validation, t.test)) == 569
    first = made.tasks[0].train[0]
    inner = first.abs().amax(0) < 6
    assert first.mean(0)[inner].abs().max() < 1e-5
    tops = [t.train[0][:, 4].mean() for t in made.tasks]
    assert tops == sorted(tops)


def test_random_features_are_rectified_affine_maps_of_unit_kernel():
    from paretokit.core import Rng

    features = RandomFeatures(9, 4, Rng.from_seed(0))
    x = torch.rand(5, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    due = torch.relu((x.flatten(1) - 0.2) @ features.weight.T + features.bias)
    torch.testing.assert_close(features(x), due)
    assert not list(features.parameters())


def test_trigrams_are_counted():
    counted = Hashed(4096)
    assert float(counted("banana").square().sum()) == pytest.approx(4)
    assert float(counted("banana").max() ** 2) == pytest.approx(2)  # "ana" twice
    from paretokit.core import Rng

    assert len(set(words(50, Rng.from_seed(0)))) > 40


@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        ("continual-case-v1", {"n_tasks": 9}, r"`n_tasks` must lie in 2 … 8; got 9"),
        ("continual-dig-v1", {"train": 0}, "`train` must be at least 1; got 0"),
        ("continual-case-v1", {"noise": -1.0}, "`noise` must be at least 0"),
        ("continual-split-digits-v1", {"n_tasks": 1}, r"`n_tasks` must lie in 2 … 5; got 1"),
        ("continual-rotated-digits-v1", {"angles": [30.0]}, "`angles` must be two different numbers or more"),
        ("continual-tabular-v1", {"n_tasks": 20}, r"`n_tasks` must lie in 2 … 8; got 20"),
        ("continual-text-v1", {"n_tasks": 1}, "`n_tasks` must be at least 2; got 1"),
        ("continual-text-v1", {"scenario": "class"}, r"`scenario` must be one of \['domain', 'task'\]"),
    ],
)
def test_options_out_of_range_are_refused(name, options, line):
    with pytest.raises(InputError, match=line):
        pk.problems.make(name, **options)
