"""Approximate hypervolume: closed forms, coverage of its standard error, edge cases, bad input."""

import math

import numpy as np
import pytest
import torch

from paretokit.core._errors import InputError, ShapeError
from paretokit.core._rng import Rng
from paretokit.indicators import _hypervolume_approx as approx
from paretokit.indicators._hypervolume import hypervolume
from paretokit.indicators._hypervolume_approx import hypervolume_approx


@pytest.mark.parametrize("m", [1, 2, 3, 5, 8])
def test_one_box(m):
    gains = np.linspace(0.5, 2.0, m)
    value, error = hypervolume_approx(1 - gains[None], np.ones(m))
    assert abs(float(value) - gains.prod()) <= 6 * float(error) + 1e-9
    assert float(error) < 0.02 * gains.prod()


@pytest.mark.parametrize("m", [2, 3, 4, 6])
def test_the_error_bar_holds(m):
    """The t statistic over 7 degrees of freedom: |t| < 7 fails once in 5000; its mean square stays near 7 / 5."""
    squares = []
    for seed in range(12):
        points = np.random.default_rng(seed).dirichlet(np.ones(m), 30)
        value, error = hypervolume_approx(points, [1.1] * m, n_directions=512, rng=Rng.from_seed(seed))
        t = (float(value) - float(hypervolume(points, [1.1] * m))) / float(error)
        assert abs(t) < 7
        squares.append(t * t)
    assert 0.2 < np.mean(squares) < 5


def test_more_directions_shrink_the_error():
    points = np.random.default_rng(0).dirichlet(np.ones(5), 30)
    coarse, fine = (hypervolume_approx(points, [1.1] * 5, n_directions=k).standard_error for k in (256, 8192))
    assert float(fine) < 0.5 * float(coarse)
    many = hypervolume_approx(points, [1.1] * 5, n_directions=256, n_replicates=64).standard_error
    assert float(many) < 0.8 * float(coarse)


def test_batches_masks_senses_and_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    values, mask = rng.random((2, 3, 8, 4)), rng.random((2, 3, 8)) < 0.7
    values.setflags(write=False)
    value, error = hypervolume_approx(values, [1.0] * 4, mask=mask, n_directions=128)
    assert value.shape == error.shape == (2, 3)
    alone = hypervolume_approx(values[1, 2][mask[1, 2]], [1.0] * 4, n_directions=128)
    assert float(alone.value) == pytest.approx(value[1, 2], rel=1e-12)
    assert float(alone.standard_error) == pytest.approx(error[1, 2], rel=1e-9)
    flipped = hypervolume_approx(-values, [-1.0] * 4, mask=mask, n_directions=128, maximize=True)
    assert (flipped.value == value).all()
    monkeypatch.setattr(approx, "_CELLS", 100)
    assert hypervolume_approx(values, [1.0] * 4, mask=mask, n_directions=128).value == pytest.approx(value, rel=1e-13)


def test_same_key_same_estimate():
    points = np.random.default_rng(0).dirichlet(np.ones(4), 30)
    first = hypervolume_approx(points, [1.1] * 4, rng=Rng.from_seed(3))
    state = torch.random.get_rng_state()
    assert hypervolume_approx(points, [1.1] * 4, rng=Rng.from_seed(3)) == first
    assert torch.equal(torch.random.get_rng_state(), state), "the global generator was used"
    assert hypervolume_approx(points, [1.1] * 4, rng=Rng.from_seed(4)).value != first.value


def test_units_do_not_matter():
    points, unit = np.random.default_rng(0).dirichlet(np.ones(4), 30), np.array([1e-6, 1.0, 1e9, 3.0])
    plain = hypervolume_approx(points, [1.1] * 4)
    scaled = hypervolume_approx(points * unit, 1.1 * unit)
    assert float(scaled.value) == pytest.approx(float(plain.value) * unit.prod(), rel=1e-10)


def test_edges_and_types():
    for points in ([], [[2.0, 0.0]], [[1.0, 0.0]], [[math.nan, 0.0]], [[math.inf, 0.0]]):
        assert [float(x) for x in hypervolume_approx(points, [1.0, 1.0])] == [0.0, 0.0]
    assert [float(x) for x in hypervolume_approx([[-math.inf, 0.0]], [1.0, 1.0])] == [math.inf, 0.0]
    found = hypervolume_approx(torch.tensor([[0.5, 0.5]], dtype=torch.float32), [1.0, 1.0])
    assert found.value.dtype == found.standard_error.dtype == torch.float32
    assert float(found.value) == pytest.approx(0.25, rel=1e-2)
    values = torch.tensor([[0.5, 0.25], [0.25, 0.5]], dtype=torch.float64, requires_grad=True)
    hypervolume_approx(values, [1.0, 1.0], n_directions=2048).value.backward()
    by_approximation, values.grad = values.grad.clone(), None
    hypervolume(values, [1.0, 1.0]).backward()
    assert torch.allclose(by_approximation, values.grad, atol=0.02)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"n_directions": 0}, InputError, "`n_directions` must be at least 1; got 0"),
        ({"n_replicates": 1}, InputError, "`n_replicates` must be at least 2; got 1"),
        ({"reference_point": [1.0]}, ShapeError, "`reference_point` must have 2 entries"),
    ],
)
def test_errors(options, error, text):
    with pytest.raises(error) as caught:
        hypervolume_approx(**{"values": [[0.0, 0.0]], "reference_point": [1.0, 1.0], **options})
    assert text in str(caught.value)
