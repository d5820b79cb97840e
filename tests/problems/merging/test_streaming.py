"""Merging from file to file equals merging in memory, and leaves whole what was there."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_merging import pieces, small
from test_checkpoints import in_shards, state

from paretokit.core import CheckpointError, InputError, ShapeError
from paretokit.problems.merging import merge_checkpoints
from paretokit.problems.merging._streaming import pieces as tensors


@pytest.mark.parametrize(
    "coefficients", [0.3, [0.1, 0.2, 0.7], torch.rand(6, 3, generator=torch.Generator().manual_seed(0))]
)
def test_a_streamed_merge_is_the_merge_in_memory(tmp_path, coefficients):
    each = torch.as_tensor(coefficients)
    layers = "tensor" if each.ndim == 2 else "task"
    tuned = [in_shards(state(0), tmp_path / "0"), state(1), pieces()[1][2]]
    file = merge_checkpoints(state(), tuned, tmp_path / "out.safetensors", coefficients=coefficients, layers=layers)
    merged = load_file(file)
    problem = small()
    due = problem.decode(each.expand(6, 3).float().reshape(-1)).state_dict()
    assert merged.keys() == due.keys()
    for name, tensor in due.items():
        torch.testing.assert_close(merged[name], tensor, rtol=0, atol=1e-6)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_types_empty_tensors_and_what_is_no_float_stay(tmp_path):
    base = {
        "half": torch.ones(3, dtype=torch.float16),
        "brain": torch.ones(2, 2, dtype=torch.bfloat16),
        "double": torch.ones(2, dtype=torch.float64),
        "steps": torch.tensor(4),
        "mask": torch.tensor([True, False, True]),
        "none": torch.zeros(0, 5),
        "number": torch.tensor(2.0),
    }
    tuned = {n: t + 1 if t.is_floating_point() else t for n, t in base.items()}
    for name, content in (("base", base), ("tuned", tuned)):
        save_file(content, str(tmp_path / f"{name}.safetensors"))
    (tmp_path / "config.json").write_text("{}")
    file = merge_checkpoints(
        tmp_path / "base.safetensors", [tmp_path / "tuned.safetensors"], tmp_path / "m", coefficients=0.5
    )
    assert file == tmp_path / "m" / "model.safetensors"
    for name, tensor in load_file(file).items():
        assert torch.equal(tensor, base[name] + 0.5 if tensor.is_floating_point() else base[name])
        assert tensor.dtype == base[name].dtype


def test_the_origin_s_config_comes_along(tmp_path):
    origin = in_shards(state(), tmp_path / "base")
    (origin / "config.json").write_text('{"a": 1}')
    file = merge_checkpoints(origin, [state(0)], tmp_path / "out")
    assert json.loads((file.parent / "config.json").read_text()) == {"a": 1}


def test_pieces_are_the_task_vectors(tmp_path):
    found = list(tensors(state(), [state(0), state(2)]))
    vectors = small().vectors
    by_name = {p.name: vectors.deltas[[0, 2], p.begin : p.end].view(2, *p.shape) for p in vectors.parts}
    assert {p.name for p in found} == set(by_name)
    for piece in found:
        assert torch.equal(piece.deltas, by_name[piece.name])


def test_bad_input_is_refused_and_what_was_there_stays_whole(tmp_path):
    target = tmp_path / "out.safetensors"
    merge_checkpoints(state(), [state(0)], target)
    before = target.read_bytes()
    bad = state(1)
    bad["norm.bias"][0] = torch.nan
    with pytest.raises(InputError, match=r"finetuned\[0\]\['norm.bias'\]` must be finite"):
        merge_checkpoints(state(), [bad], target)
    del bad["norm.bias"]
    with pytest.raises(InputError, match=r"`finetuned\[0\]` must hold tensor 'norm.bias'"):
        merge_checkpoints(state(), [bad], target)
    wide = {**state(1), "first.bias": torch.zeros(33)}
    with pytest.raises(
        InputError, match=r"finetuned\[0\]\['first.bias'\]` must have shape \(32,\) as in pretrained; got \(33,\)"
    ):
        merge_checkpoints(state(), [wide], target)
    with pytest.raises(InputError, match=r"`finetuned` must hold at least one checkpoint"):
        merge_checkpoints(state(), [], target)
    with pytest.raises(
        ShapeError, match=r"`coefficients` must be a number, or have shape \[1\] or \[1, 1\]; got \[2\]"
    ):
        merge_checkpoints(state(), [state(0)], target, coefficients=[0.1, 0.2])
    with pytest.raises(InputError, match=r"`coefficients` must be finite"):
        merge_checkpoints(state(), [state(0)], target, coefficients=float("nan"))
    for bad, shown in (
        ("0.3", "'0.3'"),
        (None, "None"),
        ([[1], [2, 3]], r"\[\[1\], \[2, 3\]\]"),
        (1j, "1j"),
        (True, "True"),
    ):
        with pytest.raises(InputError, match=rf"`coefficients` must be a number, or have shape .*; got {shown}"):
            merge_checkpoints(state(), [state(0)], target, coefficients=bad)
    with pytest.raises(InputError, match=r"`layers` must be 'tensor', 'block', 'task', or a function .*; got 'blok'"):
        merge_checkpoints(state(), [state(0)], target, layers="blok")
    with pytest.raises(InputError, match=r"`path` must be a folder or a .safetensors file; got 3"):
        merge_checkpoints(state(), [state(0)], 3)
    whole = {**state(1), "first.bias": torch.zeros(32, dtype=torch.int8)}
    with pytest.raises(InputError, match=r"must be of floating point as in pretrained, .*float32; got torch.int8"):
        merge_checkpoints(state(), [whole], target)
    with pytest.raises(InputError, match=r"must be of whole numbers as in pretrained, .*int8; got torch.float32"):
        merge_checkpoints(whole, [state(1)], target)
    with pytest.raises(InputError, match=r"`pretrained` must hold a floating-point tensor"):
        merge_checkpoints({"n": torch.tensor(1)}, [{"n": torch.tensor(1)}], target)
    odd = {"z": torch.zeros(1, dtype=torch.complex64), "w": torch.zeros(1)}
    with pytest.raises(InputError, match=r"must have a type that safetensors files know; got torch.complex64"):
        merge_checkpoints(odd, [odd], target)
    assert target.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["out.safetensors"]
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"could not be written"):
        merge_checkpoints(state(), [state(0)], tmp_path / "file" / "x.safetensors")
