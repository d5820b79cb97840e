"""Exact R2: closed forms, moocore for two objectives, Monte Carlo beyond, the twin, edge cases, bad input."""

import itertools
import math

import moocore
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paretokit.core._errors import InputError, ShapeError
from paretokit.indicators import _r2_exact as module
from paretokit.indicators._r2_exact import r2_exact


def one_point(gaps):
    """WFG form for one point: (1/m) sum over non-empty S of (-1)^(|S| + 1) / sum_{i in S} 1 / gap_i."""
    total = 0.0
    for size in range(1, len(gaps) + 1):
        for subset in itertools.combinations(gaps, size):
            total -= (-1.0) ** size / sum(1 / g for g in subset)
    return total / len(gaps)


@pytest.mark.parametrize("m", range(1, 8))
def test_one_point(m):
    gaps = np.linspace(0.3, 2.0, m)
    assert float(r2_exact(gaps[None] + 5, np.full(m, 5.0))) == pytest.approx(one_point(gaps), rel=1e-12)


@pytest.mark.parametrize("m", [3, 4])
def test_adding_a_point_by_the_recursion(m):
    """R2(A + p) = R2(A) + h(p) - R2({max(a, p)}), with h the value of p alone."""
    rng = np.random.default_rng(m)
    A, p = rng.random((10, m)) + 0.1, rng.random(m) + 0.1
    z = np.zeros(m)
    left = float(r2_exact(np.vstack([A, p[None]]), z))
    assert left == pytest.approx(float(r2_exact(A, z)) + one_point(p) - float(r2_exact(np.maximum(A, p), z)), rel=1e-11)


@pytest.mark.parametrize("n", [1, 2, 7, 60])
def test_moocore_for_two_objectives(n):
    for seed in range(4):
        points = np.random.default_rng(seed).random((n, 2))
        z = [-0.1, -0.3]
        assert float(r2_exact(points, z)) == pytest.approx(moocore.r2_exact(points, ref=z), rel=1e-12)
        best = moocore.r2_exact(points, ref=[1.5, 2.0], maximise=True)
        assert float(r2_exact(points, [1.5, 2.0], maximize=True)) == pytest.approx(best, rel=1e-12)


@pytest.mark.parametrize("m", [2, 3, 4, 5])
@pytest.mark.parametrize("utopian", [-0.1, 0.3])
def test_monte_carlo(m, utopian):
    """Within five standard errors; the utopian point inside the cloud costs nothing where a point is beyond it."""
    rng = np.random.default_rng(m)
    points = rng.random((12, m))
    points = points[(points > utopian).sum(1) > 0]
    weights = rng.dirichlet(np.ones(m), 40_000)
    cost = (weights[:, None] * np.maximum(points - utopian, 0)).max(2).min(1)
    error = cost.std() / math.sqrt(len(cost))
    assert abs(float(r2_exact(points, [utopian] * m)) - cost.mean()) < 5 * error


@pytest.mark.parametrize("m", [3, 4])
def test_compiled_and_plain_agree(m, monkeypatch):
    rng = np.random.default_rng(m)
    clouds = [rng.random((15, m)), rng.integers(1, 4, (15, m)) / 3.0, rng.dirichlet(np.ones(m), 40), np.eye(m)]
    for points in clouds:
        found = []
        for worth in (True, False):
            monkeypatch.setattr(module.SizedKernels, "worth", lambda self, seconds=0.0, worth=worth: worth)
            found.append(float(r2_exact(points, [-0.05] * m)))
            found.append(float(r2_exact(points, [0.0] * m)))
        assert found[:2] == pytest.approx(found[2:], rel=1e-11)


@pytest.mark.parametrize("m", [2, 3, 4])
def test_invariances(m):
    rng = np.random.default_rng(1)
    points, z = rng.random((20, m)), np.full(m, -0.2)
    value = float(r2_exact(points, z))
    permuted = rng.permutation(m)
    assert float(r2_exact(points[rng.permutation(20)][:, permuted], z)) == pytest.approx(value, rel=1e-11)
    assert float(r2_exact(np.vstack([points, points]), z)) == pytest.approx(value, rel=1e-12)
    assert float(r2_exact(np.vstack([points, points + 0.01]), z)) == pytest.approx(value, rel=1e-11)
    assert float(r2_exact(points * 3 - 7, z * 3 - 7)) == pytest.approx(value * 3, rel=1e-11)
    assert float(r2_exact(-points, -z, maximize=True)) == value
    assert float(r2_exact(np.vstack([points, np.full((1, m), -0.15)]), z)) < value


@pytest.mark.parametrize("m", range(1, 6))
def test_edges(m):
    z = np.zeros(m)
    assert float(r2_exact([], z)) == math.inf
    assert r2_exact(np.empty((2, 0, m)), z).tolist() == [math.inf] * 2
    assert float(r2_exact([[math.nan] * m, [math.inf] * m], z)) == math.inf
    assert float(r2_exact([[0.0] * m], z)) == 0
    assert float(r2_exact([[-1.0] * m, [1.0] * m], z)) == 0
    assert float(r2_exact([[-math.inf] * m], z)) == 0
    if m > 1:
        on_axis = np.zeros((1, m))
        on_axis[0, 0] = 2.0
        assert float(r2_exact(on_axis, z)) == pytest.approx(2.0 / m)
        assert float(r2_exact(on_axis - np.arange(m), z)) == pytest.approx(2.0 / m)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 4).flatmap(
        lambda m: st.lists(
            st.tuples(*[st.sampled_from([0.0, 0.5, 1.0, 2.0, math.inf, math.nan, -math.inf])] * m),
            min_size=1,
            max_size=6,
        )
    )
)
def test_defined_and_monotone(rows):
    points = np.array(rows)
    m = points.shape[1]
    every = float(r2_exact(points, np.zeros(m)))
    assert every >= 0
    for i in range(len(points)):
        assert every <= float(r2_exact(np.delete(points, i, 0), np.zeros(m))) * (1 + 1e-12)


def test_batches_masks_and_types():
    rng = np.random.default_rng(0)
    values, mask = rng.random((2, 3, 8, 3)), rng.random((2, 3, 8)) < 0.7
    values.setflags(write=False)
    found = r2_exact(values, [-0.1] * 3, mask=mask)
    looped = [[float(r2_exact(values[i, j][mask[i, j]], [-0.1] * 3)) for j in range(3)] for i in range(2)]
    assert found == pytest.approx(np.array(looped), rel=1e-13)
    tensors = r2_exact(torch.tensor(values, dtype=torch.float32), [-0.1] * 3, mask=torch.tensor(mask))
    assert tensors.dtype == torch.float32
    assert tensors.numpy() == pytest.approx(found, rel=1e-5)
    assert isinstance(r2_exact(values[0, 0], [-0.1] * 3), np.float64)


@pytest.mark.parametrize(
    ("utopian", "error", "text"),
    [
        ([0.0], ShapeError, "`utopian_point` must have 2 entries, one per objective; got 1"),
        ([0.0, math.nan], InputError, "`utopian_point` must not contain NaN"),
        ([0.0, -math.inf], InputError, "`utopian_point` must be finite"),
    ],
)
def test_errors(utopian, error, text):
    with pytest.raises(error) as caught:
        r2_exact([[1.0, 2.0]], utopian)
    assert text in str(caught.value)
