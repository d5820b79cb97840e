"""Checkpoints in every form give the same problem; damaged and differing ones are refused by name."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, load_model, save_file
from small_merging import Encoder, pieces, small
from torch import nn

from paretokit.core import CheckpointError, InputError
from paretokit.problems.merging import ModelMerging, Task
from paretokit.problems.merging._checkpoints import open_checkpoint

X = torch.linspace(0, 0.5, 18, dtype=torch.float32)


def state(k: int | None = None) -> dict[str, torch.Tensor]:
    """Return a copy of the state of the pretrained encoder, or of fine-tuning k."""
    encoder, tuned, _ = pieces()
    return {n: t.clone() for n, t in (encoder if k is None else tuned[k]).state_dict().items()}


def merging(pretrained: object, finetuned: list[object], **options: object) -> ModelMerging:
    """Return the problem over other checkpoints."""
    architecture = pieces()[0]
    return ModelMerging(  # type: ignore[arg-type]
        pretrained=pretrained, finetuned=finetuned, tasks=pieces()[2], architecture=architecture, **options
    )


def in_shards(tensors: dict[str, torch.Tensor], folder, n: int = 3):
    """Write a folder as `save_pretrained` does with a small `max_shard_size`."""
    folder.mkdir()
    names = list(tensors)
    shards = {f"model-{i + 1:05d}-of-{n:05d}.safetensors": names[i::n] for i in range(n)}
    for file, own in shards.items():
        save_file({name: tensors[name] for name in own}, str(folder / file), metadata={"format": "pt"})
    places = {name: file for file, own in shards.items() for name in own}
    index = {"metadata": {"total_size": 0}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def test_every_form_of_checkpoint_gives_the_same_problem(tmp_path):
    expected = small().vectors.mark
    dicts = [state(k) for k in range(3)]
    assert merging(state(), dicts).vectors.mark == expected
    for k in range(3):
        save_file(dicts[k], str(tmp_path / f"{k}.safetensors"))
    single = tmp_path / "single"
    single.mkdir()
    save_file(dicts[2], str(single / "model.safetensors"))
    mixed = [str(tmp_path / "0.safetensors"), in_shards(dicts[1], tmp_path / "shards"), single]
    assert merging(in_shards(state(), tmp_path / "base"), mixed).vectors.mark == expected


def test_a_saved_merge_is_a_checkpoint_again(tmp_path):
    problem = small()
    problem.save(X, tmp_path / "merged")
    again = open_checkpoint(tmp_path / "merged", "merged")
    for name, tensor in problem.decode(X).state_dict().items():
        assert torch.equal(again.tensor(name), tensor)
        assert again.dtype(name) == tensor.dtype
        assert again.shape(name) == tuple(tensor.shape)
    sharded = in_shards({n: again.tensor(n) for n in again.names()}, tmp_path / "sharded")
    assert merging(state(), [sharded, *(state(k) for k in range(2))]).vectors.n_tasks == 3


def test_a_config_beside_the_origin_goes_with_the_merge(tmp_path):
    folder = in_shards(state(), tmp_path / "base")
    (folder / "config.json").write_text('{"width": 32}')
    merging(folder, [state(0), state(1), state(2)]).save(X, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "config.json").read_text()) == {"width": 32}


def test_a_module_s_own_config_is_written(tmp_path):
    problem = small()
    problem.architecture.config = {"model_type": "tiny"}
    try:
        problem.save(X, tmp_path)
    finally:
        del problem.architecture.config
    assert json.loads((tmp_path / "config.json").read_text()) == {"model_type": "tiny"}


def test_another_architecture_is_refused_by_its_first_differing_tensor_with_both_shapes():
    wide = Encoder(48)
    with pytest.raises(InputError, match=r"finetuned\[1\]\['first.weight'\]` must have shape \(32, 64\).*\(48, 64\)"):
        merging(state(), [state(0), wide, state(2)])
    with pytest.raises(
        InputError, match=r"pretrained\['first.weight'\]` must have the architecture's shape \(32, 64\)"
    ):
        merging(wide, [state(0)])


def test_a_missing_and_an_extra_key_are_named():
    lacking, more = state(0), state(1)
    del lacking["second.bias"]
    more["third.bias"] = torch.zeros(2)
    with pytest.raises(InputError, match=r"`finetuned\[0\]` must hold tensor 'second.bias' of the architecture"):
        merging(state(), [lacking, state(1)])
    with pytest.raises(
        InputError, match=r"`finetuned\[1\]` must hold no tensor that pretrained has not; got third.bias"
    ):
        merging(state(), [state(0), more])
    origin = state()
    del origin["norm.weight"]
    with pytest.raises(InputError, match=r"`pretrained` must hold tensor 'norm.weight'"):
        merging(origin, [state(0)])


def test_weights_that_are_not_finite_are_named():
    bad = state(1)
    bad["second.weight"][3, 4] = torch.nan
    with pytest.raises(InputError, match=r"`finetuned\[1\]\['second.weight'\]` must be finite; got NaN or infinity"):
        merging(state(), [state(0), bad])
    origin = state()
    origin["first.bias"][0] = torch.inf
    with pytest.raises(InputError, match=r"`pretrained\['first.bias'\]` must be finite"):
        merging(origin, [state(0)])


@pytest.mark.parametrize(("changed", "got"), [(torch.Tensor.int, "torch.int32"), (lambda t: t + 0j, "torch.complex64")])
def test_other_kinds_of_numbers_are_named_with_both_types(changed, got):
    bad, origin = state(1), state()
    bad["second.weight"], origin["first.bias"] = changed(bad["second.weight"]), changed(origin["first.bias"])
    with pytest.raises(InputError) as caught:
        merging(state(), [state(0), bad])
    own = "`finetuned[1]['second.weight']` must be of floating point as in pretrained, where it is torch.float32"
    assert str(caught.value) == f"{own}; got {got} (quantized? write it in floating point first)"
    with pytest.raises(InputError) as caught:
        merging(origin, [state(0)])
    own = "`pretrained['first.bias']` must be of floating point as in the architecture, where it is torch.float32"
    assert str(caught.value) == f"{own}; got {got} (quantized? write it in floating point first)"


def test_other_widths_of_floating_point_are_taken():
    half = {n: t.to(torch.bfloat16) for n, t in state(0).items()}
    problem = merging(state(), [half])
    due = half["first.bias"].float() - state()["first.bias"]
    part = problem.vectors.parts[1]
    assert part.name == "first.bias"
    assert torch.equal(problem.vectors.deltas[0, part.begin : part.end], due)


def test_a_path_with_the_suffix_is_a_file_and_any_other_a_folder(tmp_path):
    problem = small()
    problem.save(X, tmp_path / "merged")
    problem.save(X, str(tmp_path / "new" / "merged.safetensors"))
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["merged.safetensors"]
    assert (tmp_path / "new" / "merged.safetensors").is_file()
    whole = (tmp_path / "merged" / "model.safetensors").read_bytes()
    assert (tmp_path / "new" / "merged.safetensors").read_bytes() == whole
    assert merging(state(), [tmp_path / "new" / "merged.safetensors"]).vectors.n_tasks == 1


def test_a_module_s_own_way_is_for_folders_alone(tmp_path, monkeypatch):
    problem, seen = small(), []
    monkeypatch.setattr(Encoder, "save_pretrained", lambda self, folder: seen.append(folder), raising=False)
    problem.save(X, tmp_path / "folder")
    problem.save(X, tmp_path / "file.safetensors")
    assert seen == [str(tmp_path / "folder")]
    assert (tmp_path / "file.safetensors").is_file()


def test_places_that_cannot_be_written_are_named(tmp_path):
    problem = small()
    (tmp_path / "file").write_text("kept")
    (tmp_path / "x.safetensors").mkdir()
    for place in (tmp_path / "file", tmp_path / "file" / "x.safetensors", tmp_path / "x.safetensors"):
        with pytest.raises(CheckpointError, match=rf"{place.name} could not be written"):
            problem.save(X, place)
    assert (tmp_path / "file").read_text() == "kept"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "x.safetensors"]
    with pytest.raises(InputError, match=r"`path` must be a folder or a .safetensors file; got 3"):
        problem.save(X, 3)


def test_a_truncated_file_is_named(tmp_path):
    whole = tmp_path / "whole.safetensors"
    save_file(state(0), str(whole))
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(whole.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"finetuned\[0\]: .*cut.safetensors is damaged or truncated"):
        merging(state(), [cut])
    (tmp_path / "empty.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"empty.safetensors is damaged or truncated"):
        merging(tmp_path / "empty.safetensors", [state(0)])


def test_folders_that_are_no_checkpoints_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"nowhere does not exist"):
        merging(state(), [tmp_path / "nowhere"])
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"holds neither .*pytorch_model.bin is a pickle and is not read"):
        merging(state(), [tmp_path])
    with pytest.raises(InputError, match=r"`finetuned\[0\]` must not be a pickle, which would run code"):
        merging(state(), [tmp_path / "pytorch_model.bin"])
    with pytest.raises(InputError, match=r"`finetuned\[0\]` must be a module, a state dict.*got int"):
        merging(state(), [3])
    with pytest.raises(InputError, match=r"`finetuned\[0\]\['first.weight'\]` must be a tensor; got list"):
        merging(state(), [{"first.weight": [1.0]}])
    with torch.device("meta"):
        unmade = Encoder()
    with pytest.raises(InputError, match=r"pretrained\['first.weight'\]` must have values"):
        merging(unmade, [state(0)])


def test_broken_shards_are_named(tmp_path):
    folder = in_shards(state(0), tmp_path / "a")
    (folder / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"shard .*model-00002-of-00003.safetensors is missing"):
        merging(state(), [folder])
    folder = in_shards(state(0), tmp_path / "b")
    index = folder / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"]["first.bias"] = content["weight_map"]["first.weight"]
    index.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=r"lacks tensor 'first.bias', which the index places there"):
        merging(state(), [folder])
    for text in ("[]", "{", '{"weight_map": 3}'):
        index.write_text(text)
        with pytest.raises(CheckpointError, match=r"index.json is no index of shards"):
            merging(state(), [folder])


def test_nothing_to_merge_is_refused():
    with pytest.raises(InputError, match=r"`finetuned` must differ from `pretrained` in some tensor"):
        merging(state(), [state()])
    with pytest.raises(InputError, match=r"`finetuned` must hold at least one checkpoint; got none"):
        merging(state(), [])
    with pytest.raises(InputError, match=r"`architecture` must be given where `pretrained` is no module"):
        ModelMerging(pretrained=state(), finetuned=[state(0)], tasks=pieces()[2])
    with pytest.raises(InputError, match=r"`merged_tensors` must be at least 1"):
        merging(state(), [state(0)], frozen=("first", "second", "norm"))
    with pytest.raises(InputError, match=r"`architecture` must be a module; got 3"):
        ModelMerging(pretrained=state(), finetuned=[state(0)], tasks=pieces()[2], architecture=3)


def test_frozen_and_unchanged_tensors_stay_and_are_named():
    same = state(0)
    same["norm.bias"] = state()["norm.bias"]
    problem = merging(state(), [same], frozen=("first",))
    assert [p.name for p in problem.vectors.parts] == ["second.weight", "second.bias", "norm.weight"]
    assert "frozen, taken as pretrained: first.weight, first.bias" in problem.notes
    assert "the same in every checkpoint: norm.bias" in problem.notes
    merged = problem.decode(torch.full((3,), 0.7)).state_dict()
    for name in ("first.weight", "first.bias", "norm.bias"):
        assert torch.equal(merged[name], state()[name])
    with pytest.raises(InputError, match=r"`frozen` must begin some tensor's name; got 'frist'"):
        merging(state(), [state(0)], frozen=("frist",))


def test_tensors_that_the_architecture_lacks_are_ignored_and_named():
    origin, tuned = state(), state(0)
    for tensors in (origin, tuned):
        tensors["head.weight"] = torch.ones(3, 32)
    problem = merging(origin, [tuned])
    assert "not of the architecture, ignored: head.weight" in problem.notes
    assert "head.weight" not in problem.decode(torch.zeros(6)).state_dict()


class Tied(nn.Module):
    """Two layers that share a weight, and a counter."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(4, 4), nn.Linear(4, 4)
        self.out.weight = self.into.weight
        self.register_buffer("calls", torch.tensor(7))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(torch.relu(self.into(x)))


def test_tied_tensors_are_merged_once_and_integers_taken_as_pretrained(tmp_path):
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        origin, tuned = Tied(), Tied()
    tuned.calls.fill_(9)
    tasks = [Task(name="a", unlabeled=torch.ones(3, 4))]
    problem = ModelMerging(pretrained=origin, finetuned=[tuned], tasks=tasks)
    assert [p.name for p in problem.vectors.parts] == ["into.weight", "into.bias", "out.bias"]
    assert "tied to a tensor before it, merged once: out.weight" in problem.notes
    assert "not of floating point, taken as pretrained: calls" in problem.notes
    merged = problem.decode(torch.tensor([0.25, 0.5, 1.0]))
    assert merged.out.weight is merged.into.weight
    assert int(merged.calls) == 7
    expected = origin.into.weight + 0.25 * (tuned.into.weight - origin.into.weight)
    torch.testing.assert_close(merged.out.weight, expected, rtol=0, atol=1e-6)
    zero = torch.zeros(problem.n_coefficients)
    gradient = problem.runner.gradient(zero, [torch.ones(3, 4)], torch.ones(1))[1]
    row = problem.vectors.base.clone().requires_grad_()
    problem.runner.stacked(row.unsqueeze(0), [torch.ones(3, 4)], way="loop").sum().backward()
    torch.testing.assert_close(gradient, problem.vectors.contract(row.grad.unsqueeze(0))[0])

    problem.save(torch.tensor([0.25, 0.5, 1.0]), tmp_path / "tied.safetensors")
    alone = load_file(tmp_path / "tied.safetensors")
    assert sorted(alone) == ["calls", "into.bias", "into.weight", "out.bias"]  # the first of the two names
    loaded = Tied()
    load_model(loaded, tmp_path / "tied.safetensors")
    assert torch.equal(loaded.out.weight, merged.out.weight)
    with pytest.raises(RuntimeError, match="out.weight"):
        Tied().load_state_dict(alone)

    problem.save(torch.zeros(3), tmp_path)
    stored = open_checkpoint(tmp_path, "stored")
    only = {"out.weight" if n == "into.weight" else n: stored.tensor(n) for n in stored.names()}
    assert "out.weight" in only
    assert "into.weight" not in only
    again = ModelMerging(pretrained=only, finetuned=[tuned], tasks=tasks, architecture=origin)
    assert torch.equal(again.vectors.base, problem.vectors.base)
    torn = {n: t.clone() for n, t in tuned.state_dict().items()}
    torn["out.weight"] += 1
    with pytest.raises(
        InputError, match=r"finetuned\[0\]\['out.weight'\]` must equal 'into.weight', to which the arch"
    ):
        ModelMerging(pretrained=origin, finetuned=[torn], tasks=tasks)


def test_half_precision_checkpoints_are_merged_in_float32_and_decoded_as_they_came():
    half = [{n: t.half() for n, t in s.items()} for s in (state(), state(0))]
    encoder = Encoder().half()
    problem = ModelMerging(pretrained=half[0], finetuned=[half[1]], tasks=pieces()[2], architecture=encoder)
    assert problem.vectors.base.dtype == torch.float32
    merged = problem.decode(torch.ones(6)).state_dict()
    for name, tensor in half[1].items():
        assert torch.equal(merged[name], tensor)


def test_an_architecture_on_the_meta_device_needs_no_weights_of_its_own():
    with torch.device("meta"):
        empty = Encoder()
    tasks = pieces()[2]
    problem = ModelMerging(pretrained=state(), finetuned=[state(k) for k in range(3)], tasks=tasks, architecture=empty)
    assert torch.equal(problem.evaluate(X).values, small().evaluate(X).values)
    assert torch.equal(problem.decode(X).first.weight, small().decode(X).first.weight)
    with torch.device("meta"):
        empty.register_buffer("table", torch.zeros(2), persistent=False)
    with pytest.raises(InputError, match=r"architecture\[\.table\]` must have values"):
        ModelMerging(pretrained=state(), finetuned=[state(0)], tasks=tasks, architecture=empty)
