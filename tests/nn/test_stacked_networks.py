"""Stacks against torch's own modules and optimizers, member by member."""

import numpy as np
import pytest
import torch
from torch import nn

from paretokit.core import InputError, Lanes, Rng
from paretokit.nn import MLP, Adam, AdamState, Moments, clipped


def lanes(n):
    return Lanes(tuple(Rng.from_seed(i) for i in range(n)))


def module(mlp, row):
    parts = []
    for fan_in, fan_out in zip(mlp.sizes[:-1], mlp.sizes[1:], strict=True):
        parts += [nn.Linear(fan_in, fan_out), nn.Tanh() if mlp.activation == "tanh" else nn.ReLU()]
    made = nn.Sequential(*parts[:-1]).to(row.dtype)
    nn.utils.vector_to_parameters(row, made.parameters())
    return made


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("sizes", [(3, 2), (4, 8, 2), (5, 7, 6, 3)])
def test_a_stack_is_its_sequential_modules(activation, sizes):
    mlp = MLP(sizes, activation)
    rows = torch.randn(3, mlp.n_parameters, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x = torch.randn(3, 10, sizes[0], dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    out = mlp(rows, x)
    for p in range(3):
        assert torch.allclose(out[p], module(mlp, rows[p])(x[p]), atol=1e-12)


def test_weights_begin_orthogonal_and_each_member_has_its_own():
    mlp = MLP((6, 16, 4))
    rows = mlp.init(lanes(2), last_gain=0.01, dtype=torch.float64)
    (first, bias), (last, _) = mlp.layers(rows)
    eye = torch.eye(6, dtype=torch.float64)
    assert torch.allclose(first[0].T @ first[0], 2 * eye, atol=1e-10)
    assert torch.allclose(last[1] @ last[1].T, 1e-4 * torch.eye(4, dtype=torch.float64), atol=1e-12)
    assert (bias == 0).all()
    assert not torch.equal(rows[0], rows[1])
    assert torch.equal(rows[1:], mlp.init(Lanes((Rng.from_seed(1),)), last_gain=0.01, dtype=torch.float64))


def test_adam_is_torchs_with_a_rate_and_a_count_a_member():
    rates = [1e-2, 3e-3]
    start = torch.randn(2, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rows, adam = start.clone(), Adam(eps=1e-5)
    state = AdamState.zeros(rows)
    twins = [nn.Parameter(start[p].clone()) for p in range(2)]
    optimizers = [torch.optim.Adam([t], lr=r, eps=1e-5) for t, r in zip(twins, rates, strict=True)]
    for step in range(30):
        gradient = torch.cos(rows * (1 + step))
        adam.step(rows, gradient, state, torch.tensor(rates))
        for p in range(2):
            twins[p].grad = gradient[p].clone()
            optimizers[p].step()
    for p in range(2):
        assert torch.allclose(rows[p], twins[p].detach(), atol=1e-13)
    assert state.steps.tolist() == [30, 30]


def test_clipping_is_torchs_member_by_member():
    gradient = torch.tensor([[3.0, 4.0], [0.1, 0.1]], dtype=torch.float64)
    out = clipped(gradient, 0.5)
    twin = nn.Parameter(torch.zeros(2, dtype=torch.float64))
    twin.grad = gradient[0].clone()
    nn.utils.clip_grad_norm_([twin], 0.5)
    assert torch.allclose(out[0], twin.grad, atol=1e-12)
    assert torch.equal(out[1], gradient[1])


def test_moments_are_those_of_everything_seen():
    data = torch.randn(2, 90, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 5 + 2
    moments = Moments.start(2, 3)
    for part in data.split([10, 50, 30], 1):
        moments.update(part)
    assert np.allclose(moments.mean, data.numpy().mean(1))
    assert np.allclose(moments.variance, data.numpy().var(1))
    assert torch.allclose(moments.scale, (data.var(1, unbiased=False) + 1e-8).rsqrt())


def test_shapes_must_make_sense():
    with pytest.raises(InputError, match="sizes"):
        MLP((3,))
    with pytest.raises(InputError, match="activation"):
        MLP((3, 2), "gelu")
