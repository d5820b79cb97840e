"""Contributions and improvements: differences of exact volumes, twins, moocore, far reference points, bad input."""

import math

import moocore
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paretokit.core._errors import InputError, ShapeError
from paretokit.indicators import _hypervolume_exact as exact
from paretokit.indicators._hypervolume import hypervolume
from paretokit.indicators._hypervolume_contributions import hypervolume_contributions, hypervolume_improvement

PATHS = [*[(m, "plain") for m in range(1, 8)], *[(m, "compiled") for m in (2, 3, 4, 6)]]


@pytest.fixture
def path(request, monkeypatch):
    monkeypatch.setattr(exact.KernelModule, "worth", lambda self, seconds=0.0: request.param == "compiled")


def by_difference(points, ref):
    """The definition on the non-dominated points, duplicates 0."""
    out = np.zeros(len(points))
    for i, p in enumerate(points):
        others = np.delete(points, i, 0)
        if not (others <= p).all(1).any():
            others = others[~(others >= p).all(1)]
            with_p = np.vstack([others, p[None]])
            out[i] = float(hypervolume(with_p, ref)) - float(hypervolume(others, ref))
    return out


def samples(m):
    rng = np.random.default_rng(m)
    yield rng.random((12, m))
    yield rng.integers(0, 4, (14, m)) / 3.5
    yield rng.dirichlet(np.ones(m), 15)
    yield np.full((2, m), 0.5)
    yield rng.random((1, m))


@pytest.mark.parametrize(("m", "path"), PATHS, indirect=["path"])
def test_contributions_are_differences(m, path):
    ref = np.full(m, 0.95)
    for points in samples(m):
        found = hypervolume_contributions(points, ref)
        assert found.shape == (len(points),)
        assert found.min() >= 0
        assert found == pytest.approx(by_difference(points, ref), rel=1e-9, abs=1e-14)
        assert hypervolume_contributions(-points, -ref, maximize=True) == pytest.approx(found, rel=1e-15)
        batch = hypervolume_contributions(torch.tensor(np.stack([points, points[::-1]])), torch.tensor(ref))
        assert batch.numpy() == pytest.approx(np.stack([found, found[::-1]]), rel=1e-9, abs=1e-14)


@pytest.mark.parametrize(("m", "path"), PATHS, indirect=["path"])
def test_improvements_are_differences(m, path):
    ref = np.full(m, 0.95)
    for points, new in zip(samples(m), samples(m + 20), strict=True):
        candidates = np.vstack([new[:, :m], points[:2], points[:1] - 0.1, np.zeros((1, m))])
        found = hypervolume_improvement(candidates, points, ref)
        base = float(hypervolume(points, ref))
        want = [float(hypervolume(np.vstack([points, c[None]]), ref)) - base for c in candidates]
        assert found == pytest.approx(want, rel=1e-9, abs=1e-14)
        torch_found = hypervolume_improvement(torch.tensor(candidates), points, ref)
        assert torch_found.numpy() == pytest.approx(found, rel=1e-12)


@pytest.mark.parametrize("m", [2, 3, 4, 5])
def test_moocore(m):
    points = np.random.default_rng(0).dirichlet(np.ones(m), 60)
    want = moocore.hv_contributions(points, ref=np.full(m, 1.1))
    assert hypervolume_contributions(points, [1.1] * m) == pytest.approx(want, rel=1e-6, abs=1e-13)


@pytest.mark.parametrize(("m", "path"), [(2, "plain"), (3, "plain"), (4, "plain"), (4, "compiled")], indirect=["path"])
def test_a_far_reference_point_costs_no_digits(m, path):
    """Inner contributions do not depend on the reference point; moocore's smallest for m = 4 become 0."""
    points = np.random.default_rng(0).dirichlet(np.ones(m), 200)
    near, far = (hypervolume_contributions(points, [r] * m) for r in (1.1, 1e4))
    inner = np.abs(far / near - 1) < 1e-3
    assert inner.sum() > 20
    assert far[inner] == pytest.approx(near[inner], rel=1e-9)


def test_threads_and_order_change_nothing(monkeypatch):
    points = np.random.default_rng(2).dirichlet(np.ones(4), 300)
    monkeypatch.setattr(exact.KernelModule, "worth", lambda self, seconds=0.0: True)
    monkeypatch.setattr(exact, "threads", lambda: 1)
    alone = hypervolume_contributions(points, [1.1] * 4)
    monkeypatch.setattr(exact, "threads", lambda: 3)
    assert (hypervolume_contributions(points, [1.1] * 4) == alone).all()
    shuffled = np.random.default_rng(3).permutation(300)
    assert hypervolume_contributions(points[shuffled], [1.1] * 4) == pytest.approx(alone[shuffled], rel=1e-10)
    total = float(hypervolume(points, [1.1] * 4))
    least = int(alone.argmin())
    assert float(hypervolume(np.delete(points, least, 0), [1.1] * 4)) == pytest.approx(total - alone[least], rel=1e-12)


@pytest.mark.parametrize("m", [4, 6])
def test_buffers_of_the_kernel_grow(m, monkeypatch):
    """Very many neighbors in one exclusive region: a point at the origin under a whole front."""
    monkeypatch.setattr(exact.KernelModule, "worth", lambda self, seconds=0.0: True)
    front = np.random.default_rng(0).dirichlet(np.ones(3), 3000)
    points = np.concatenate([front, np.zeros((3000, m - 3))], 1)
    found = hypervolume_improvement(np.zeros((1, m)), points, [1.1] * m)
    want = 1.1**m - float(hypervolume(front, [1.1] * 3)) * 1.1 ** (m - 3)
    assert found == pytest.approx([want], rel=1e-10)


coordinates = st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, math.inf, math.nan, -math.inf])


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 4).flatmap(lambda m: st.lists(st.tuples(*[coordinates] * m), min_size=1, max_size=6)))
def test_defined_on_every_input(rows):
    points = np.array(rows)
    m = points.shape[1]
    found = hypervolume_contributions(points, np.ones(m))
    assert (found >= 0).all()
    inside = (points < 1).all(1)
    assert (found[~inside] == 0).all()
    for i in np.flatnonzero(inside):
        best = not (np.delete(points, i, 0) <= points[i]).all(1).any()
        assert (found[i] > 0) == best
        assert np.isinf(found[i]) == (best and np.isneginf(points[i]).any())
    gains = hypervolume_improvement(points, points, np.ones(m))
    assert (gains == 0).all()
    assert hypervolume_contributions(torch.tensor(points), np.ones(m)).numpy() == pytest.approx(found)


def test_batches_masks_and_round_trip():
    rng = np.random.default_rng(0)
    values, mask = rng.random((2, 3, 8, 4)), rng.random((2, 3, 8)) < 0.7
    values.setflags(write=False)
    found = hypervolume_contributions(values, [1.0] * 4, mask=mask)
    candidates = rng.random((5, 4))
    gains = hypervolume_improvement(candidates, values, [1.0] * 4, mask=mask)
    assert gains.shape == (2, 3, 5)
    own = hypervolume_improvement(np.broadcast_to(candidates, (2, 3, 5, 4)), values, [1.0] * 4, mask=mask)
    assert (own == gains).all()
    for i in range(2):
        for j in range(3):
            kept = values[i, j][mask[i, j]]
            assert found[i, j][mask[i, j]] == pytest.approx(hypervolume_contributions(kept, [1.0] * 4), rel=1e-12)
            assert (found[i, j][~mask[i, j]] == 0).all()
            assert gains[i, j] == pytest.approx(hypervolume_improvement(candidates, kept, [1.0] * 4), rel=1e-12)
    half = hypervolume_contributions(torch.tensor(values[0, 0], dtype=torch.float16), [1.0] * 4)
    assert half.dtype == torch.float16
    assert hypervolume_contributions([[0, 1], [1, 0]], [2, 2]).tolist() == [1, 1]
    assert hypervolume_contributions([[0, 1], [1, 2]], [2, 3], maximize=[True, False]).tolist() == [0, 0]
    assert hypervolume_contributions([], [1.0, 1.0]).shape == (0,)
    assert hypervolume_contributions(np.empty((0, 2, 2)), [1.0, 1.0]).shape == (0, 2)
    assert hypervolume_improvement([[0.0, 0.0]], [], [1.0, 2.0]).tolist() == [2.0]
    assert hypervolume_improvement(np.empty((0, 2)), [[0.0, 0.0]], [1.0, 2.0]).shape == (0,)


@pytest.mark.parametrize("m", [3, 4, 5])
def test_facets_agree_with_their_twin(m, monkeypatch):
    rng = np.random.default_rng(m)
    for points in (rng.random((10, m)), rng.integers(0, 4, (10, m)) / 3.5):
        areas = []
        for worth in (False, True):
            if worth and m == 5:
                continue
            monkeypatch.setattr(exact.KernelModule, "worth", lambda self, seconds=0.0, worth=worth: worth)
            areas.append(exact.facets(points, np.full(m, 0.95)))
        assert areas[0] == pytest.approx(areas[-1], rel=1e-10, abs=1e-15)
        assert areas[0].max() > 0


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: hypervolume_contributions(np.ones((2, 2)), [1.0]),
            ShapeError,
            "`reference_point` must have 2 entries",
        ),
        (lambda: hypervolume_contributions(np.ones(2), [1.0]), ShapeError, "`values` must have shape [*batch, n, m]"),
        (lambda: hypervolume_contributions(torch.ones(2, 2), [1.0, math.inf]), InputError, "must be finite"),
        (
            lambda: hypervolume_improvement(np.ones((2, 2)), np.ones((2, 3)), [1.0] * 2),
            ShapeError,
            "`values` must have 2",
        ),
        (
            lambda: hypervolume_improvement(np.ones((3, 2, 2)), np.ones((4, 2, 2)), [1.0] * 2),
            ShapeError,
            "`candidates` must have shape [k, m] or the batch of `values`, (4,); got (3, 2, 2)",
        ),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
