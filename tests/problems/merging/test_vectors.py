"""Task vectors against the formula, autograd and slow twins."""

from __future__ import annotations

import pytest
import torch
from small_merging import pieces, small

import paretokit.problems.merging._vectors as module
from paretokit.core import InputError, Rng, ShapeError
from paretokit.problems.merging._largest import largest
from paretokit.problems.merging._vectors import Part, TaskVectors


def vectors(dtype: torch.dtype = torch.float64, *, k: int = 3) -> TaskVectors:
    """Return random vectors over three tensors in two layers, the second tensor's layer between the others."""
    rng = Rng.from_seed(5)
    parts = (Part("a", 0, 12, (3, 4), 0), Part("b", 12, 17, (5,), 1), Part("c", 17, 24, (7,), 0))
    return TaskVectors(
        rng.child("b").normal(24, dtype=dtype), rng.child("d").normal(k, 24, dtype=dtype), parts, ("x", "y")
    )


def formula(v: TaskVectors, c: torch.Tensor) -> torch.Tensor:
    """Return the merge, tensor by tensor, as it is written in papers."""
    rows = []
    for row in c:
        pieces = []
        for p in v.parts:
            pieces.append(
                v.base[p.begin : p.end] + sum(row[p.layer, k] * v.dense()[k, p.begin : p.end] for k in range(v.n_tasks))
            )
        rows.append(torch.cat(pieces))
    return torch.stack(rows)


def test_a_merge_is_the_formula_and_its_gradient_autograd_s():
    v = vectors()
    c = Rng.from_seed(1).normal(4, 2, 3).requires_grad_()
    expected, merged = formula(v, c), v.merge(c)
    torch.testing.assert_close(merged, expected, rtol=0, atol=1e-12)
    weight = Rng.from_seed(2).normal(4, 24)
    (own,) = torch.autograd.grad((merged.sin() * weight).sum(), c)
    (due,) = torch.autograd.grad((expected.sin() * weight).sum(), c)
    torch.testing.assert_close(own, due, rtol=0, atol=1e-12)
    out = torch.empty(4, 24, dtype=torch.float64)
    assert v.merged(c, out=out) is out
    assert torch.equal(out, merged)


def test_a_module_merged_in_float32_is_the_formula_to_a_millionth():
    problem, (encoder, tuned, _) = small(), pieces()
    x = Rng.from_seed(3).uniform(18, dtype=torch.float32)
    c = x.view(6, 3)
    merged = problem.decode(x).state_dict()
    for i, (name, base) in enumerate(encoder.state_dict().items()):
        expected = base + sum(c[i, k] * (tuned[k].state_dict()[name] - base) for k in range(3))
        torch.testing.assert_close(merged[name], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("piece", [5, 1 << 18])
@pytest.mark.parametrize("storage", ["bfloat16", "int8"])
def test_narrow_vectors_are_near_and_used_consistently(monkeypatch, storage, piece):
    monkeypatch.setattr(module, "PIECE", piece)
    wide = vectors(torch.float32)
    narrow = wide.stored(storage)
    assert narrow.deltas.element_size() == (2 if storage == "bfloat16" else 1)
    step = 2**-8 * wide.deltas.abs() if storage == "bfloat16" else narrow.scales.max() / 2 + 1e-7
    assert ((narrow.dense() - wide.deltas).abs() <= step).all()
    c = Rng.from_seed(1).normal(2, 2, 3, dtype=torch.float32)
    torch.testing.assert_close(narrow.merged(c), formula(narrow, c), rtol=0, atol=1e-6)
    g = Rng.from_seed(2).normal(2, 24, dtype=torch.float32)
    expected = wide.with_deltas(narrow.dense()).contract(g)
    torch.testing.assert_close(narrow.contract(g), expected, rtol=0, atol=1e-5)
    out = torch.zeros_like(expected[0])
    for number, p in enumerate(narrow.parts):
        narrow.contract_part(number, g[0, p.begin : p.end].view(p.shape), out)
    torch.testing.assert_close(out, expected[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(narrow.stored("float32").deltas, narrow.dense())


@pytest.mark.parametrize("storage", ["bfloat16", "int8", "float64"])
def test_storage_when_loading_is_storage_afterwards(storage):
    loaded = small(storage=storage).vectors
    stored = (small() if storage != "float64" else small(storage="float64")).vectors.stored(storage)
    assert torch.equal(loaded.deltas, stored.deltas)
    assert (loaded.scales is None) == (stored.scales is None)
    if loaded.scales is not None:
        assert torch.equal(loaded.scales, stored.scales)


def ties(deltas: torch.Tensor, trim: float) -> torch.Tensor:
    """Return trimmed and elected vectors, coordinate by coordinate."""
    k, n = deltas.shape
    trimmed = deltas.clone()
    for i in range(k):
        order = deltas[i].abs().argsort(descending=True)
        trimmed[i, order[max(1, int(trim * n)) :]] = 0
    signs = [float(torch.sign(trimmed[:, j].sum())) for j in range(n)]
    majority = 1.0 if sum(signs) >= 0 else -1.0
    out = torch.zeros_like(deltas)
    for j in range(n):
        sign = signs[j] or majority
        for i in range(k):
            if trimmed[i, j] * sign > 0:
                out[i, j] = trimmed[i, j]
    return out


@pytest.mark.parametrize("trim", [0.01, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_processed_vectors_are_what_a_slow_twin_gives(trim, dtype):
    v = vectors(dtype)
    assert torch.equal(v.processed(trim=trim).deltas, ties(v.deltas, trim))
    kept = v.processed(trim=trim, elect=False).deltas
    assert ((kept != 0).sum(1) == max(1, int(trim * 24))).all()
    assert torch.equal(kept[kept != 0], v.deltas[kept != 0])


@pytest.mark.parametrize("storage", ["bfloat16", "int8"])
def test_narrow_vectors_are_processed_as_what_they_stand_for(storage):
    narrow = vectors(torch.float32).stored(storage)
    done = narrow.processed(trim=0.5)
    assert done.deltas.dtype == narrow.deltas.dtype
    entries = (narrow.processed(trim=0.5, elect=False).dense() != 0).sum(1)
    assert (entries >= 12).all()  # all that equal the last one are kept
    dense = narrow.with_deltas(narrow.dense())
    assert torch.equal(done.dense(), dense.processed(trim=0.5).deltas)


def test_opposite_entries_take_the_sign_of_the_majority():
    deltas = torch.tensor([[1.0, 2.0, -3.0, 4.0], [-1.0, 1.0, -1.0, 1.0]], dtype=torch.float64)
    v = TaskVectors(torch.zeros(4, dtype=torch.float64), deltas, (Part("a", 0, 4, (4,), 0),), ("x",))
    assert v.processed(trim=1.0).deltas.tolist() == [[1, 2, -3, 4], [0, 1, -1, 1]]
    assert v.with_deltas(-deltas).processed(trim=1.0).deltas.tolist() == [[-1, -2, 3, -4], [0, -1, 1, -1]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_kth_largest_of_pieces_is_that_of_the_whole(dtype):
    whole = torch.cat(
        [
            Rng.from_seed(0).normal(500, dtype=dtype) * 1e-3,
            torch.zeros(30, dtype=dtype),
            torch.full((9,), -0.5, dtype=dtype),
        ]
    )
    parts = whole.split(70)
    ordered = whole.abs().sort(descending=True).values
    for k in (1, 5, 9, 10, 200, 509, 510, 539):
        assert largest(lambda: iter(parts), k) == ordered[k - 1]
    with pytest.raises(InputError, match=r"`k` must be at most 539, the number of entries; got 540"):
        largest(lambda: iter(parts), 540)


def test_marks_tell_vectors_apart_and_survive_a_move():
    v = vectors()
    nudged = v.deltas.clone()
    nudged[0, 0] = torch.nextafter(nudged[0, 0], torch.tensor(9.0, dtype=torch.float64))
    marks = {v.mark, v.with_deltas(nudged).mark, v.with_deltas(v.deltas.flip(0)).mark, v.stored("bfloat16").mark}
    assert len(marks) == 4
    assert v.to("cpu").mark == v.mark == vectors().mark


def test_bad_input_is_refused_in_one_line():
    v = vectors()
    for wrong in ((2, 3), (4, 3, 2), (4, 2, 3, 1)):
        with pytest.raises(
            ShapeError, match=r"`coefficients` must have shape \[P, 2, 3\], a number a layer and task; got"
        ):
            v.merge(torch.zeros(wrong, dtype=torch.float64))
        with pytest.raises(ShapeError, match=r"`coefficients` must have shape"):
            v.merged(torch.zeros(wrong, dtype=torch.float64))
    for wrong in (0.0, 20, -0.1):
        with pytest.raises(InputError, match=r"`trim` must lie in \(0, 1\]"):
            v.processed(trim=wrong)
    with pytest.raises(InputError, match=r"`storage` must be one of"):
        v.stored("float16")  # type: ignore[arg-type]
