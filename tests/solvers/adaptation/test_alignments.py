"""Losses between domains against plain formulas, and the turn of gradients."""

import math

import pytest
import torch

from paretokit.core import Lanes, Rng
from paretokit.solvers.adaptation._alignments import ALIGNMENTS, Batch, confusion, reversed_gradient

Q, K = 4, 3


def batch(reversal=0.5, members=2):
    rng = Rng.from_seed(0)
    parts = [rng.child(n).normal(members, size, width) for n, size, width in
             (("s", 6, Q), ("t", 5, Q), ("a", 6, K), ("b", 5, K))]  # fmt: skip
    return Batch(*parts, reversal)


def made(name, members=2):
    kind = ALIGNMENTS[name]
    net = kind.network(Q, K, (7,))
    lanes = Lanes(tuple(Rng.from_seed(s) for s in range(members)))
    return kind, net, kind.init(lanes, net, dtype=torch.float64)


def test_the_turned_gradient_is_minus_the_factor_and_the_value_stays():
    x = torch.tensor([2.0, -1.0], requires_grad=True)
    y = reversed_gradient(x, 0.3)
    assert torch.allclose(y, x)
    assert torch.allclose(torch.autograd.grad(y.sum(), x)[0], torch.full((2,), -0.3))


@pytest.mark.parametrize("name", ["dann", "cdan"])
def test_discriminators_lose_the_mean_of_both_domains_cross_entropies(name):
    kind, net, rows = made(name)
    given = batch()
    value, distance = kind.loss(given, net, rows)
    parts = []
    for z, logits, label in ((given.source, given.source_logits, 0.0), (given.target, given.target_logits, 1.0)):
        if name == "cdan":
            z = torch.einsum("pnk,pnq->pnkq", logits.softmax(-1), z).flatten(-2)
        guess = net(rows, z).squeeze(-1)
        due = torch.full_like(guess, label)
        parts.append(torch.nn.functional.binary_cross_entropy_with_logits(guess, due, reduction="none").mean(-1))
    assert torch.allclose(value, (parts[0] + parts[1]) / 2)
    assert torch.allclose(distance, (math.log(2) - value).clamp_min(1e-6))


@pytest.mark.parametrize("name", ["cdan", "dann", "mdd"])
def test_features_and_adversaries_pull_in_opposite_directions(name):
    kind, net, rows = made(name)
    turned, plain = batch(0.7), batch(-1.0)  # a factor of minus one turns nothing
    slopes = []
    for given in (turned, plain):
        given.source.requires_grad_()
        own = rows.clone().requires_grad_()
        value, _ = kind.loss(given, net, own)
        slopes.append(torch.autograd.grad(value.sum(), (given.source, own)))
    assert torch.allclose(slopes[0][0], -0.7 * slopes[1][0])
    assert torch.allclose(slopes[0][1], slopes[1][1])


def test_margin_disparity_is_its_formula_and_zero_apart_for_the_best_head_of_equal_domains():
    kind, net, rows = made("mdd")
    given = batch()
    value, _ = kind.loss(given, net, rows)
    p = net(rows, given.source).softmax(-1)
    q = net(rows, given.target).softmax(-1)
    own = p.gather(-1, given.source_logits.argmax(-1, keepdim=True)).squeeze(-1)
    other = q.gather(-1, given.target_logits.argmax(-1, keepdim=True)).squeeze(-1)
    due = 4 * own.log().mean(-1) + (1 - other).log().mean(-1)
    assert torch.allclose(value, -due)
    best = max(4 * math.log(s) + math.log(1 - s) for s in (k / 1000 for k in range(1, 1000)))
    assert 4 * math.log(4 / 5) - math.log(5) == pytest.approx(best, abs=1e-6)


def test_confusion_is_that_of_loops_and_none_where_predictions_are_sure():
    logits = Rng.from_seed(1).normal(5, K)
    p = (logits / 2.5).softmax(-1)
    weight = torch.stack([1 + torch.exp((r * r.log()).sum()) for r in p])
    weight = 5 * weight / weight.sum()
    c = torch.zeros(K, K, dtype=torch.float64)
    for i in range(5):
        c += weight[i] * torch.outer(p[i], p[i])
    c = c / c.sum(1, keepdim=True)
    assert float(confusion(logits)) == pytest.approx(float(c.sum() - c.trace()) / K)
    assert float(confusion(1e3 * torch.eye(K))) == pytest.approx(0, abs=1e-6)
    kind, net, rows = made("mcc")
    assert net is None
    assert rows.shape == (2, 0)
    value, distance = kind.loss(batch(), net, rows)
    assert torch.allclose(value, distance)
