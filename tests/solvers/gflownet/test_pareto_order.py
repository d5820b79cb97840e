"""The order-preserving loss: what moves it, what does not, and where it ends."""

import math

import pytest
import torch

from paretokit.solvers.gflownet._opgfn import pairwise_order, pareto_order, pareto_targets

GAINS = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.4, 0.4], [0.0, 1.0], [0.0, 0.9]], dtype=torch.float64)
LEARNED = torch.tensor([0.3, -1.0, 2.0, 0.0, 0.7], dtype=torch.float64)


def test_targets_are_uniform_on_the_non_dominated():
    assert pareto_targets(GAINS).tolist() == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3, 0])
    assert pareto_targets(GAINS[:1].expand(4, 2)).tolist() == [0.25] * 4


def test_equal_objects_share_a_target():
    gains, same = GAINS[[0, 0, 1, 2]], torch.tensor([2, 2, 1, 1])
    assert pareto_targets(gains, same).tolist() == pytest.approx([0.25, 0.25, 0.5, 0])


def test_loss_is_cross_entropy_less_the_entropy_of_the_targets():
    q = pareto_targets(GAINS)
    cross = torch.nn.functional.cross_entropy(LEARNED.unsqueeze(0), q.unsqueeze(0))
    assert float(pareto_order(LEARNED, q)) == pytest.approx(float(cross) - math.log(3))


def test_loss_ignores_a_common_factor_and_the_order_of_the_batch():
    q = pareto_targets(GAINS)
    log_z = torch.tensor(2.5, dtype=torch.float64, requires_grad=True)
    loss = pareto_order(LEARNED + log_z, q)
    assert float(loss.detach()) == pytest.approx(float(pareto_order(LEARNED, q)))
    (gradient,) = torch.autograd.grad(loss, log_z)
    assert float(gradient) == pytest.approx(0, abs=1e-15)
    turned = torch.tensor([3, 1, 4, 0, 2])
    assert float(pareto_order(LEARNED[turned], pareto_targets(GAINS[turned]))) == pytest.approx(float(loss.detach()))


def test_loss_ends_at_zero_where_the_sampler_is_uniform_on_the_front():
    q = pareto_targets(GAINS)
    learned = torch.where(q > 0, 0.0, -60.0).to(q.dtype)
    assert float(pareto_order(learned, q)) == pytest.approx(0, abs=1e-12)


def test_how_often_an_object_is_in_the_batch_moves_nothing():
    rows = torch.tensor([0, 1, 2, 3, 4, 0, 0, 2, 2, 2, 4])
    same = torch.bincount(rows)[rows]
    q = pareto_targets(GAINS[rows], same)
    learned = LEARNED.clone().requires_grad_()
    repeated = pareto_order(learned[rows], q, same)
    (with_copies,) = torch.autograd.grad(repeated, learned)
    once = pareto_order(learned, pareto_targets(GAINS))
    (without,) = torch.autograd.grad(once, learned)
    assert float(repeated.detach()) == pytest.approx(float(once.detach()))
    torch.testing.assert_close(with_copies, without)


def test_pairs_are_ordered_by_their_reward():
    learned = torch.tensor([0.0, 1.0, 1.0])
    reward, partner = torch.tensor([0.0, 3.0, 3.0]), torch.tensor([1, 2, 2])
    better = math.log1p(math.exp(-1.0))  # pair (0, 1), of which 1 is better and is learned as e times better
    tie = math.log(2.0)  # pair (1, 2); (2, 2) is none
    assert float(pairwise_order(learned, reward, partner)) == pytest.approx((better + tie) / 2)
