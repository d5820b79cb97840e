"""Quadratic programs over nonnegative vectors: the compiled twin goes the plain one's way, bit for bit."""

import pytest
import torch
from scipy.optimize import nnls

from paretokit.core import Rng
from paretokit.solvers.gradient import IMTLG
from paretokit.solvers.gradient import _exchange as exchange
from paretokit.solvers.gradient import _imtl_g as imtl_g


def program(kind, m, n=24):
    rng = Rng.from_seed(m).child(kind)
    j = rng.child("j").normal(n, m, 3 if kind == "low rank" else 2 * m) + 0.3
    if kind == "dependent":
        j[:, 1], j[:, 2] = j[:, 0], -j[:, 0]
    if kind == "zero":
        j[:, 1] = 0
    c = j @ j.mT
    length = c.diagonal(dim1=-2, dim2=-1).sqrt()
    length = torch.where(length > 0, length, 1.0)
    c = c / length.unsqueeze(-1) / length.unsqueeze(-2)
    q = (c @ (rng.child("q").uniform(n, m, 1) - 0.3)).squeeze(-1)
    if kind == "not finite":
        c[0, 1, 2] = torch.nan
    return j / length.unsqueeze(-1), c, q


@pytest.mark.parametrize("m", [7, 8, 12])
@pytest.mark.parametrize("kind", ["regular", "low rank", "dependent", "zero", "not finite"])
def test_twins_agree_bit_for_bit_and_meet_the_conditions(kind, m):
    _, c, q = program(kind, m)
    compiled = torch.empty_like(q)
    constants = (exchange.RIDGE, exchange.ROOM, exchange.PATIENCE)
    exchange.KERNELS.load().minimize_stack(c.numpy(), q.numpy(), *constants, compiled.numpy())
    assert torch.equal(compiled, exchange._plain(c, q))
    assert (compiled >= 0).all()
    rest = torch.minimum(compiled, (c @ compiled.unsqueeze(-1)).squeeze(-1) + q).abs().amax(-1)
    assert (rest[kind == "not finite" :] < 1e-10).all()


def test_minimizers_are_those_of_nonnegative_least_squares():
    j, c, _ = program("regular", 9)
    target = Rng.from_seed(3).normal(len(j), j.shape[-1])
    found = exchange.minimizer(c, -(j @ target.unsqueeze(-1)).squeeze(-1))
    for row, matrix, goal in zip(found, j, target, strict=True):
        torch.testing.assert_close(row, torch.from_numpy(nnls(matrix.T.numpy(), goal.numpy())[0]))


def test_impartial_weights_by_factors_are_those_by_eigenvectors(monkeypatch):
    _, c, _ = program("regular", 6)
    fast = IMTLG().weights(c)
    monkeypatch.setattr(imtl_g, "MOST", 0.0)
    torch.testing.assert_close(fast, IMTLG().weights(c), rtol=1e-9, atol=1e-12)
