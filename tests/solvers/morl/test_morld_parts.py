"""The mathematics of MORL/D's parts against finite differences, brute force, and numbers computed by hand."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from paretokit import indicators, scalarization
from paretokit.core import Rng, UnsupportedProblemError
from paretokit.solvers.morl._improver import Spent
from paretokit.solvers.morl._morld_members import _pair
from paretokit.solvers.morl._morld_utility import Scalarized, gradient_weights
from paretokit.solvers.morl._morld_weights import adapted, first_weights, neighbors

RNG = Rng.from_seed(3)


def utility(name, m=3):
    return Scalarized(scalarization.make(name), torch.full((m,), 1.5, dtype=torch.float64), RNG.uniform(m) + 0.5)


@pytest.mark.parametrize("name", scalarization.list())
def test_weights_are_the_normalized_gradient_by_finite_differences(name):
    u = utility(name)
    returns, preference = RNG.child("r").uniform(6, 3), indicators.dirichlet_weights(3, 6, RNG)
    step = 1e-6 * torch.eye(3, dtype=torch.float64)
    sides = [u(returns.unsqueeze(1) + s * step, preference) for s in (1, -1)]
    slope = ((sides[0] - sides[1]) / 2e-6).clamp_min(0)
    torch.testing.assert_close(
        gradient_weights(u, returns, preference), slope / slope.sum(1, keepdim=True), rtol=1e-5, atol=1e-6
    )


def test_a_return_beyond_an_estimated_utopian_point_is_never_a_loss():
    z, one = torch.ones(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    preference = torch.tensor([[0.5, 0.5], [1.0, 0.0]], dtype=torch.float64)
    returns = torch.tensor([[[1.0, 1.0], [3.0, 1.0]], [[1.0, 1.0], [3.0, 1.0]]], dtype=torch.float64)
    fixed, lifted = (Scalarized(scalarization.make("tchebycheff"), z, one, lifted=k) for k in (False, True))
    assert fixed(returns, preference).tolist() == [[0.0, -1.0], [0.0, -2.0]]
    assert lifted(returns, preference).tolist() == [[-1.0, 0.0], [-2.0, 0.0]]
    own = returns.clone()
    own[1] = 0.5  # each member lifts its own point only
    assert torch.equal(lifted(own, preference)[0], lifted(returns, preference)[0])
    assert lifted(own, preference)[1].tolist() == [-0.5, -0.5]


def test_members_that_do_not_stack_are_refused():
    @dataclass
    class State:
        memory: Tensor
        spent: Spent
        updates: int = 0

    states = [State(torch.zeros(1, n), Spent(), n) for n in (2, 2, 3)]
    assert _pair(states[0], states[1]).memory.shape == (2, 2)
    assert _pair(State(torch.zeros(1, 2), Spent(9), 5), states[0]).updates == 5
    assert _pair(State(torch.zeros(1, 2), Spent(9), 5), states[0]).spent.env_steps == 0
    with pytest.raises(
        UnsupportedProblemError, match='needs members that stack; got a Tensor that differs .selection="all"'
    ):
        _pair(states[0], states[2])


def test_a_weighted_sum_is_the_inner_product_up_to_a_constant():
    u = Scalarized(scalarization.make("weighted_sum"), torch.zeros(2, dtype=torch.float64), torch.ones(2))
    returns, preference = RNG.uniform(4, 5, 2), indicators.simplex_lattice(2, 3)
    torch.testing.assert_close(u(returns, preference), torch.einsum("pnm,pm->pn", returns, preference))


def test_members_without_a_finite_return_or_a_gradient_follow_their_preference():
    preference = indicators.simplex_lattice(2, 2)
    u = Scalarized(scalarization.make("tchebycheff"), torch.zeros(2, dtype=torch.float64), torch.ones(2))
    returns = torch.tensor([[torch.nan, 1.0], [1.0, 2.0], [-1.0, -2.0]])
    got = gradient_weights(u, returns, preference)
    assert got.tolist() == [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]


def test_uniform_weights_are_the_lattice_or_spread_on_it():
    assert torch.equal(first_weights("uniform", m=2, n=6, rng=RNG), indicators.simplex_lattice(2, 5))
    lattice = {tuple(row) for row in indicators.simplex_lattice(3, 3).tolist()}
    thinned = {tuple(row) for row in first_weights("uniform", m=3, n=7, rng=RNG).tolist()}
    assert len(thinned) == 7
    assert thinned <= lattice
    assert {tuple(row) for row in torch.eye(3).tolist()} <= thinned
    assert first_weights("uniform", m=4, n=1, rng=RNG).tolist() == [[0.25] * 4]


@pytest.mark.parametrize("kind", ["uniform", "riesz", "random"])
@pytest.mark.parametrize(("m", "n"), [(2, 1), (2, 9), (3, 5), (6, 16)])
def test_weights_lie_on_the_simplex(kind, m, n):
    weights = first_weights(kind, m=m, n=n, rng=RNG)
    assert weights.shape == (n, m)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(n, dtype=torch.float64))
    other = first_weights(kind, m=m, n=n, rng=RNG.child("other"))
    assert torch.equal(weights, other) == (kind == "uniform" or (kind == "riesz" and n == 1))


def test_neighbors_are_the_nearest_others():
    weights = indicators.dirichlet_weights(3, 8, RNG)
    near = neighbors(weights, 3)
    for p in range(8):
        gaps = [(float((weights[p] - weights[q]).square().sum()), q) for q in range(8) if q != p]
        assert near[p].tolist() == [q for _, q in sorted(gaps)[:3]]
    assert neighbors(weights, 99).shape == (8, 7)
    assert neighbors(weights[:1], 2).shape == (1, 0)


def test_adaptation_reinforces_what_leads_the_nearest_other_point():
    weights = torch.tensor([[0.5, 0.5], [0.2, 0.8]], dtype=torch.float64)
    returns = torch.tensor([[5.0, 1.0], [torch.nan, 0.0]], dtype=torch.float64)
    others = torch.tensor([[5.5, 1.0], [3.0, 2.0], [0.0, 9.0]], dtype=torch.float64)  # the first is too near
    got = adapted(weights, returns, others, span=torch.tensor([10.0, 10.0], dtype=torch.float64), delta=0.1)
    up, down = 0.5 * 1.1, 0.5 / 1.1
    torch.testing.assert_close(got[0], torch.tensor([up, down], dtype=torch.float64) / (up + down))
    assert torch.equal(got[1], weights[1])
    near = adapted(weights, returns, others[:1], span=torch.full((2,), 10.0, dtype=torch.float64), delta=0.1)
    assert torch.equal(near, weights)
    assert torch.equal(adapted(weights, returns, others[:0], span=torch.ones(2), delta=0.1), weights)
