"""Options of the eight-task suite: sizes, bounds, and a line for each mistake before anything is trained."""

import sys

import pytest
import torch
from test_suite import SIZES, TINY

import paretokit as pk
from paretokit.core import InputError, MissingPackageError, UnknownNameError
from paretokit.problems import merging
from paretokit.problems.merging._suite import _recipe


@pytest.mark.parametrize("encoder", SIZES)
def test_small_is_a_size_of_each_encoder(encoder, folder):
    own, small = _recipe(encoder, 0, None), _recipe(encoder, 0, "small")
    assert (small.train, small.test) == (1500, 500)
    assert small.width < own.width
    assert small.depth <= own.depth
    given = {"width": 256, "depth": 2, "train": 1500, "test": 500, "finetuning_rate": 5e-4}
    assert _recipe("mlp", 0, "small") == _recipe("mlp", 0, given)


def test_bounds_of_a_suite_are_the_problem_s_and_its_recipe_s(folder, tmp_path):
    made = merging.suite("mlp", tasks=2, size=TINY, bounds=(-0.5, 1.5))
    assert made.bounds == (-0.5, 1.5)
    assert made.space.lower.unique().tolist() == [-0.5]
    assert made.space.upper.unique().tolist() == [1.5]
    result = pk.solve(made, pk.solvers.TaskArithmetic(scale=1.5), seed=0, progress=False)
    result.save(tmp_path / "run")
    again = pk.Result.load(tmp_path / "run")
    assert again.problem.fingerprint() == made.fingerprint() != merging.suite("mlp", tasks=2, size=TINY).fingerprint()
    assert "in [-0.5, 1.5]" in repr(again.problem)


# Attention.


@pytest.mark.parametrize("solver", ["FisherMerging", "RegMean", "AdaMerging", "PreferenceMerging"])
@pytest.mark.parametrize("protocol", ["transductive", "split"])
def test_a_vit_is_merged_without_warnings_of_missing_batching_rules(solver, protocol, folder):
    options = {"steps": 2} if solver in ("AdaMerging", "PreferenceMerging") else {}
    problem = merging.suite("vit", tasks=2, size=TINY, protocol=protocol)
    told = torch.is_warn_always_enabled()
    torch.set_warn_always(True)  # torch warns of an operation once a process
    try:
        pk.solve(problem, pk.solvers.make(solver, **options), seed=0, progress=False)
    finally:
        torch.set_warn_always(told)


# Bad input.

BAD = {
    "encoder": ({"encoder": "mlpp"}, "`encoder` must be a known name; got 'mlpp' (did you mean 'mlp'?)"),
    "task": ({"tasks": ["digits", "greeek"]}, "`task` must be a known name; got 'greeek' (did you mean 'greek'?)"),
    "text": ({"tasks": "greek"}, "`tasks` must be a number or several names; got 'greek' (['greek', …])"),
    "no list": ({"tasks": 2.5}, "`tasks` must be a number or several names; got 2.5"),
    "nobody": ({"tasks": None}, "`tasks` must be a number or several names; got None"),
    "seed": ({"seed": "0"}, "`seed` must be a whole number; got '0'"),
    "true": ({"seed": True}, "`seed` must be a whole number; got True"),
    "share in text": ({"unlabeled": "0.3"}, "`unlabeled` must be a number; got '0.3'"),
    "imbalance in text": ({"imbalance": "10"}, "`imbalance` must be a number; got '10'"),
    "number": ({"size": 5}, "`size` must be 'small', or numbers by name; got 5 (such as {\"width\": 128})"),
    "smal": ({"size": "smal"}, "`size` must be 'small', or numbers by name; got 'smal'"),
    "nameless": ({"size": {3: 4}}, "`size` must be 'small', or numbers by name; got {3: 4}"),
    "metric": ({"metric": "f1"}, "`metric` must be one of ['accuracy', 'loss']; got 'f1'"),
    "layers": ({"layers": "blok"}, "`layers` must be one of ['tensor', 'block', 'task']; got 'blok'"),
    "storage": ({"storage": 8}, "`storage` must be one of ['float32', 'float64', 'bfloat16', 'int8']; got 8"),
    "norm": ({"batch_norm": "drop"}, "`batch_norm` must be one of ['merge', 'estimate'] or None; got 'drop'"),
    "bounds": ({"bounds": 2}, "`bounds` must be two numbers; got 2 (of the coefficients, such as (0, 1))"),
    "turned": ({"bounds": (1, 0)}, "`bounds` must increase; got (1, 0) (are they the wrong way round?)"),
    "one": ({"tasks": 1}, "`tasks` must lie in 2 … 8, or be names; got 1"),
    "nine": ({"tasks": 9}, "`tasks` must lie in 2 … 8, or be names; got 9"),
    "twice": ({"tasks": ["greek", "greek"]}, "`tasks` must be two different names or more; got ('greek', 'greek')"),
    "protocol": ({"protocol": "splitt"}, "`protocol` must be one of ['transductive', 'split']; got 'splitt'"),
    "corruption": ({"corruption": "fog"}, "`corruption` must be one of [None, 'noise', 'blur', 'contrast']; got 'fog'"),
    "share": ({"unlabeled": 0}, "`unlabeled` must lie in (0, 1]; got 0 (the share of images that is kept)"),
    "imbalance": ({"imbalance": 0.5}, "`imbalance` must be a finite number of at least 1; got 0.5"),
    "size": ({"size": {"widht": 8}}, "`size` has no option 'widht'; did you mean 'width'"),
    "fraction": ({"size": {"width": 8.5}}, "`size['width']` must be a whole number above zero; got 8.5"),
    "rate": ({"size": {"finetuning_rate": 0}}, "`size['finetuning_rate']` must be a number above zero; got 0"),
    "heads": ({"encoder": "vit", "size": {"width": 6}}, "`size['width']` must be a multiple of 4, the heads; got 6"),
    "shallow": ({"encoder": "cnn", "size": {"depth": 2}}, "`size['depth']` must be at least 3 for a CNN; got 2"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_options_are_named(case, folder, untrainable):
    options, text = BAD[case]
    with pytest.raises((InputError, UnknownNameError)) as caught:
        merging.suite(**options)
    assert text in str(caught.value)


def test_options_of_ids_are_checked(folder, untrainable):
    with pytest.raises(UnknownNameError, match="merging-mlp-v1 has no option 'task'; did you mean 'tasks'"):
        pk.problems.make("merging-mlp-v1", task=2)
    with pytest.raises(UnknownNameError, match="merging-mlp-v1 has no option 'encoder'"):
        pk.problems.make("merging-mlp-v1", encoder="vit")
    with pytest.raises(UnknownNameError, match="did you mean .*merging-mlp-v1"):
        pk.problems.make("merging-mpl-v1")
    with pytest.raises(InputError, match="`kind` must be one of"):
        merging.corrupted(torch.zeros(1, 1, 16, 16), "fog")
    with pytest.raises(InputError, match=r"`severity` must lie in \[0, 1\]; got 2"):
        merging.corrupted(torch.zeros(1, 1, 16, 16), "blur", severity=2)


def test_without_scikit_learn_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PARETOKIT_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingPackageError, match=r"package 'sklearn' is needed here.*paretokit\[merging\]"):
        merging.suite("mlp", size=TINY)
