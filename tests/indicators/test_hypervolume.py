"""Exact hypervolume: closed forms, twins, peers, every kind of bad input, batches, masks, gradients."""

import itertools
import math

import moocore
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paretokit.core._errors import InputError, ShapeError
from paretokit.indicators import _hypervolume_exact as exact
from paretokit.indicators import _hypervolume_tensor as tensor
from paretokit.indicators._hypervolume import hypervolume

DIMENSIONS = range(1, 9)


def inclusion_exclusion(points, ref):
    """The definition, term by term."""
    points = [np.minimum(p, ref) for p in points]
    total = 0.0
    for size in range(1, len(points) + 1):
        for subset in itertools.combinations(points, size):
            total -= (-1.0) ** size * np.prod(ref - np.max(subset, axis=0))
    return total


def front(m, n, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(m), n)


@pytest.fixture
def no_compiler(monkeypatch):
    """The plain paths: no kernel is ever worth its compilation."""
    monkeypatch.setattr(exact.KernelModule, "worth", lambda self, seconds=0.0: False)


@pytest.fixture
def compiler(monkeypatch):
    """The compiled paths, however little the work."""
    monkeypatch.setattr(exact.KernelModule, "worth", lambda self, seconds=0.0: True)


@pytest.mark.parametrize(
    ("m", "path"), [*[(m, "no_compiler") for m in DIMENSIONS], *[(m, "compiler") for m in (1, 2, 3, 5, 6)]]
)
def test_definition(m, path, request):
    request.getfixturevalue(path)
    rng = np.random.default_rng(m)
    for n in (1, 2, 3, 4, 5, 9):
        for points in (rng.random((n, m)), rng.integers(0, 4, (n, m)) / 3.5):
            ref = np.full(m, 0.9)
            want = inclusion_exclusion(points, ref)
            assert float(hypervolume(points, ref)) == pytest.approx(want, rel=1e-12, abs=1e-14)
            batch = hypervolume(np.stack([points, points[::-1]]), ref)
            assert batch.shape == (2,)
            assert batch == pytest.approx([want, want], rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("m", range(2, 7))
def test_moocore(m, compiler):
    for seed in range(3):
        points = front(m, 60, seed)
        assert float(hypervolume(points, np.full(m, 1.1))) == pytest.approx(
            moocore.hypervolume(points, ref=np.full(m, 1.1)), rel=1e-12
        )


def test_pygmo_and_threads(compiler, monkeypatch):
    pygmo = pytest.importorskip("pygmo")
    points, ref = front(6, 200), np.full(6, 1.1)
    assert exact.peer_seconds(200, 6) > exact._SPLIT_SECONDS
    monkeypatch.setattr(exact, "threads", lambda: 3)
    cut = float(hypervolume(points, ref))
    monkeypatch.setattr(exact, "threads", lambda: 2)
    assert float(hypervolume(points, ref)) == cut, "the sum depends on the number of threads"
    monkeypatch.setattr(exact, "threads", lambda: 1)
    assert float(hypervolume(points, ref)) == pytest.approx(cut, rel=1e-13)
    assert pygmo.hypervolume(points).compute(ref) == pytest.approx(cut, rel=1e-9)
    assert exact.peer(points, ref) == pytest.approx(cut, rel=1e-9)


def test_peers_without_pygmo(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pygmo", None)
    points, ref = front(8, 20), np.full(8, 1.1)
    assert exact.peer(points, ref) == pytest.approx(moocore.hypervolume(points, ref=ref), rel=1e-14)


def test_compiled_where_it_pays(monkeypatch):
    kernels = exact.SizedKernels("_hv_qhv_kernels", 6, 10.0)
    monkeypatch.setattr(type(kernels), "ready", lambda self: False)
    assert not kernels.worth(1.0)
    assert kernels.worth(11.0)
    monkeypatch.undo()
    module = kernels.load()
    assert kernels.ready()
    assert module is kernels.load()
    fresh = exact.SizedKernels("_hv_qhv_kernels", 6, 10.0)
    assert fresh.ready(), "the stamp of a compiled kernel was not found"
    assert not exact.SizedKernels("_hv_qhv_kernels", 31, 10.0).ready()


def test_buffer_grows(compiler):
    """A three-dimensional front in six objectives: more rows on the stack than the first buffer holds."""
    flat = front(3, 5000)
    gains = np.concatenate([1.1 - flat, np.full((5000, 3), 2.0)], 1)
    volume = exact._qhv(6).load().volume(gains, (0.0,) * 6)
    assert volume == pytest.approx(8 * moocore.hypervolume(flat, ref=np.full(3, 1.1)), rel=1e-12)


@pytest.mark.parametrize("m", range(1, 7))
@pytest.mark.parametrize("k", [1, 3, 6])
def test_staircase(m, k):
    """Points on the diagonal grid: the unit cubes that a simplex lattice dominates can be counted."""
    lattice = [p for p in itertools.product(range(k + 1), repeat=m) if sum(p) == k]
    cells = sum(sum(c) >= k for c in itertools.product(range(k + 1), repeat=m))
    assert float(hypervolume(np.array(lattice), np.full(m, k + 1.0))) == pytest.approx(cells, rel=1e-13)


def test_linear_front_in_the_limit():
    """m = 2, n points on x + y = 1: 1/2 - 1/(2 (n - 1)) above the line up to (1, 1)."""
    x = np.linspace(0, 1, 1001)
    assert float(hypervolume(np.stack([x, 1 - x], 1), [1.0, 1.0])) == pytest.approx(0.5 - 0.5 / 1000, rel=1e-12)


@pytest.mark.parametrize("m", [2, 3, 4, 6])
def test_invariances(m):
    rng = np.random.default_rng(1)
    points, ref = rng.random((20, m)), np.full(m, 1.2)
    value = float(hypervolume(points, ref))
    permuted = rng.permutation(m)
    assert float(hypervolume(points[rng.permutation(20)][:, permuted], ref)) == pytest.approx(value, rel=1e-12)
    assert float(hypervolume(np.vstack([points, points[:5]]), ref)) == pytest.approx(value, rel=1e-12)
    assert float(hypervolume(np.vstack([points, points + 0.05]), ref)) == pytest.approx(value, rel=1e-12)
    assert float(hypervolume(points * 3 - 7, ref * 3 - 7)) == pytest.approx(value * 3.0**m, rel=1e-12)
    assert float(hypervolume(-points, -ref, maximize=True)) == value
    sign = np.where(np.arange(m) % 2, -1, 1)
    assert float(hypervolume(points * sign, ref * sign, maximize=(sign < 0).tolist())) == value
    more = np.vstack([points, rng.random((1, m)) * 0.1])
    assert float(hypervolume(more, ref)) > value


coordinates = st.sampled_from([0.0, 0.25, 0.25, 0.5, 1.0, 2.0, math.inf, math.nan, -0.0])


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 6).flatmap(lambda m: st.lists(st.tuples(*[coordinates] * m), min_size=1, max_size=7)))
def test_defined_on_every_input(rows):
    points = np.array(rows)
    m = points.shape[1]
    clean = points[(points < 1).all(1)]
    want = inclusion_exclusion(clean, np.ones(m))
    assert float(hypervolume(points, np.ones(m))) == pytest.approx(want, rel=1e-12, abs=1e-15)
    assert hypervolume(points[None], np.ones(m)) == pytest.approx([want], rel=1e-12, abs=1e-15)
    as_tensor = hypervolume(torch.tensor(points), torch.ones(m))
    assert float(as_tensor) == pytest.approx(want, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("m", DIMENSIONS)
def test_edges(m):
    ref = np.ones(m)
    assert float(hypervolume([], ref)) == 0
    assert float(hypervolume(np.empty((0, m)), ref)) == 0
    assert hypervolume(np.empty((2, 0, m)), ref).tolist() == [0, 0]
    assert hypervolume(np.empty((0, 3, m)), ref).shape == (0,)
    assert float(hypervolume(np.ones((1, m)), ref)) == 0
    assert float(hypervolume(np.full((1, m), 0.5), ref)) == 0.5**m
    endless = np.zeros((3, m))
    endless[1, 0] = -np.inf
    assert float(hypervolume(endless, ref)) == math.inf
    assert hypervolume(np.stack([endless, np.full((3, m), 0.5)]), ref).tolist() == [math.inf, 0.5**m]
    if m > 1:
        endless[1, 1] = 2.0
        assert float(hypervolume(endless, ref)) == 1.0
    assert float(hypervolume([[math.nan] * m], ref)) == 0
    assert float(hypervolume([[math.inf] * m], ref)) == 0


def test_gradient_beside_infinity_is_finite():
    values = torch.tensor([[[-math.inf, 0.0], [0.0, -1.0]], [[0.5, math.nan], [0.2, 0.3]]], requires_grad=True)
    volumes = hypervolume(values.double(), [1.0, 1.0])
    assert volumes.tolist() == pytest.approx([math.inf, 0.8 * 0.7])
    volumes[1].backward()
    assert values.grad[1].tolist() == [[0, 0], [pytest.approx(-0.7), pytest.approx(-0.8)]]


def test_round_trip():
    points = front(3, 8)
    want = float(hypervolume(points, [1.0] * 3))
    assert isinstance(hypervolume(points, [1.0] * 3), np.float64)
    assert hypervolume(points.astype(np.float32), [1.0] * 3).dtype == np.float64
    for dtype, tolerance in (
        (torch.float64, 1e-12),
        (torch.float32, 1e-5),
        (torch.float16, 1e-2),
        (torch.bfloat16, 3e-2),
    ):
        result = hypervolume(torch.tensor(points, dtype=dtype), [1.0] * 3)
        assert result.dtype == dtype
        assert result.shape == ()
        assert float(result) == pytest.approx(want, rel=tolerance)
    integers = hypervolume(torch.tensor([[0, 1], [1, 0]]), [2, 2])
    assert integers.dtype == torch.float64
    assert float(integers) == 3
    assert float(hypervolume([(0, 1), (1, 0)], (2, 2))) == 3
    assert float(hypervolume(points[::-1, ::-1], [1.0] * 3)) == pytest.approx(want, rel=1e-14)
    frozen = points.copy()
    frozen.setflags(write=False)
    ref = np.array([1.0, 1.0, 1.0])
    ref.setflags(write=False)
    hypervolume(frozen, ref, maximize=[False, True, False])
    hypervolume(frozen[None], ref, maximize=True)
    assert (frozen == points).all()


@pytest.mark.parametrize("m", [1, 2, 3, 4, 6])
def test_batches_and_masks(m):
    rng = np.random.default_rng(3)
    values, mask = rng.random((2, 3, 11, m)), rng.random((2, 3, 11)) < 0.6
    mask[0, 0] = False
    ref = np.full(m, 0.95)
    looped = np.array([[hypervolume(values[i, j], ref) for j in range(3)] for i in range(2)])
    assert hypervolume(values, ref) == pytest.approx(looped, rel=1e-13)
    sliced = np.array([[hypervolume(values[i, j][mask[i, j]], ref) for j in range(3)] for i in range(2)])
    assert hypervolume(values, ref, mask=mask) == pytest.approx(sliced, rel=1e-13)
    tensors = hypervolume(torch.tensor(values), torch.tensor(ref), mask=torch.tensor(mask))
    assert tensors.numpy() == pytest.approx(sliced, rel=1e-13)
    assert hypervolume(values[0, 0], ref, mask=mask[0, 1]).shape == ()


@pytest.mark.parametrize("m", [1, 2, 3])
def test_tensor_kernel(m, monkeypatch):
    """The kernel that runs on every device, against the CPU's algorithms; small blocks change nothing."""
    rng = np.random.default_rng(5)
    for values in (rng.random((6, 40, m)), rng.integers(0, 5, (6, 40, m)) / 4):
        torch_values, ref = torch.tensor(values), torch.full((m,), 0.9, dtype=torch.float64)
        want = [float(hypervolume(v, ref)) for v in values]
        assert tensor.volumes(torch_values, ref).tolist() == pytest.approx(want, rel=1e-12)
        monkeypatch.setattr(tensor, "_CELLS", 100)
        assert tensor.volumes(torch_values, ref).tolist() == pytest.approx(want, rel=1e-12)
        monkeypatch.undo()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("m", [2, 3, 5])
def test_cuda(m):
    values = torch.tensor(np.stack([front(m, 50, seed) for seed in range(4)]), device="cuda")
    found = hypervolume(values, [1.1] * m)
    assert found.device.type == "cuda"
    assert found.cpu().numpy() == pytest.approx(hypervolume(values.cpu().numpy(), [1.1] * m), rel=1e-12)


@pytest.mark.parametrize(
    ("m", "path"), [*[(m, "no_compiler") for m in (1, 2, 3, 4, 5)], *[(m, "compiler") for m in (3, 4)]]
)
def test_gradient(m, path, request):
    request.getfixturevalue(path)
    values = torch.tensor(np.random.default_rng(m).random((2, 6, m)), requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: hypervolume(v, [0.9] * m), (values,))
    assert torch.autograd.gradcheck(lambda v: hypervolume(v, [0.1] * m, maximize=True), (values,))


def test_gradient_of_long_fronts_uses_facets(monkeypatch):
    values = torch.tensor(front(3, 30)[None], requires_grad=True)
    hypervolume(values, [1.1] * 3).sum().backward()
    by_grid = values.grad.clone()
    values.grad = None
    monkeypatch.setattr("paretokit.indicators._hypervolume._GRID_ROWS", 10)
    hypervolume(values, [1.1] * 3).sum().backward()
    assert torch.allclose(values.grad, by_grid, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(
    ("values", "ref", "options", "error", "text"),
    [
        ([[1.0, 2.0]], [1.0], {}, ShapeError, "`reference_point` must have 2 entries, one per objective; got 1"),
        (torch.ones(1, 2), [1.0], {}, ShapeError, "`reference_point` must have 2 entries, one per objective; got 1"),
        ([[1.0, 2.0]], [math.nan, 1.0], {}, InputError, "`reference_point` must not contain NaN"),
        ([[1.0, 2.0]], [math.inf, 1.0], {}, InputError, "`reference_point` must be finite; got [inf, 1.0]"),
        ([[[1.0, 2.0]]], [-math.inf, 1.0], {}, InputError, "`reference_point` must be finite; got [-inf, 1.0]"),
        ([1.0, 2.0], [1.0, 1.0], {}, ShapeError, "`values` must have shape [*batch, n, m]; got (2,)"),
        (np.empty((3, 0)), [], {}, ShapeError, "`values` must have at least one objective"),
        ([["a", "b"]], [1.0, 1.0], {}, InputError, "`values` must be numbers of shape [*batch, n, m]"),
        ([[1.0, 2.0]], "ab", {}, InputError, "`reference_point` must be numbers"),
        (np.ones((1, 2)), [2.0, 2.0], {"maximize": [True]}, ShapeError, "`maximize` must be a bool or one bool"),
        (np.ones((1, 2)), [2.0, 2.0], {"mask": [[True]]}, ShapeError, "`mask` must have the shape of the values"),
        (np.ones((1, 2)), [2.0, 2.0], {"mask": [1.0]}, InputError, "`mask` must be Boolean"),
        (torch.ones(1, 2) * 1j, [2.0, 2.0], {}, InputError, "`values` must be real"),
    ],
)
def test_errors(values, ref, options, error, text):
    with pytest.raises(error) as caught:
        hypervolume(values, ref, **options)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
