"""Variation: the compiled twin bit for bit, and distributions against their closed forms."""

import numpy as np
import pytest
import torch
from scipy import stats

from paretokit.core import Box, Categorical, Integers, Lanes, Mixed, Rng, Sequences
from paretokit.solvers.evolutionary import _variation as variation
from paretokit.solvers.evolutionary._draws import distinct_pairs, shuffled, unit, word, words
from paretokit.solvers.evolutionary._power import power

SPACES = {
    "box": Box(0.0, 1.0, dim=30),
    "wide": Box([-5.0, 0.0, 1e-3], [5.0, 10.0, 1e3]),
    "mixed": Mixed(
        {"a": Box(0.0, 1.0, dim=3), "b": Integers(-2, 7, dim=2), "c": Categorical([3, 2]), "d": Integers(3, 3, 1)}
    ),
}


def lanes(members):
    return Lanes(tuple(Rng.from_seed(i) for i in range(members)))


def operators(space, rounds=1, **changes):
    numbers = {
        "crossover_prob": 0.9,
        "crossover_var_prob": 0.5,
        "crossover_eta": 15.0,
        "mutation_prob": 0.9,
        "mutation_var_prob": 1.0 / space.dim,
        "mutation_eta": 20.0,
    }
    return variation.Operators(space, **{**numbers, **changes}, rounds=rounds)


def populations(space, members, n):
    own = lanes(members)
    x = space.from_unit(own.child("x").uniform(n, space.dim))
    x[:, 1] = x[:, 0]
    violation = (own.child("v").uniform(n) - 0.8).clamp_min(0)
    return own.keys, x, own.child("f").uniform(n, 3), violation, own.child("s").uniform(n).round(decimals=1)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("n", [100, 7])
def test_the_compiled_twin_breeds_the_same_bits(name, n):
    space = SPACES[name]
    keys, x, f, v, score = populations(space, 3, n)
    variation.KERNELS.load()
    for rounds, by_dominance, count in ((1, True, n), (10, False, n + 1)):
        ops = operators(space, rounds)
        fast = variation.offspring(keys, x, f, v, score, by_dominance=by_dominance, ops=ops, count=count)
        slow = torch.empty_like(fast)
        variation._offspring_plain(keys, x, f, v, score, by_dominance, ops, slow)
        assert torch.equal(fast, slow)
        assert space.contains(fast).all()
        alone = variation.offspring(
            keys[1:2], x[1:2], f[1:2], v[1:2], score[1:2], by_dominance=by_dominance, ops=ops, count=count
        )
        assert torch.equal(alone[0], fast[1])
    parents = (keys.view(-1, 1, 1) % 7 + torch.arange(2 * n).view(1, n, 2)) % n
    assert torch.equal(variation.bred(keys, x, parents, ops), variation._bred_plain(keys, x, parents, ops))


def test_the_compiled_power_has_the_same_bits_and_is_nearly_exact():
    from paretokit.solvers.evolutionary import _draw_kernels as kernels

    x = torch.cat(
        [Rng.from_seed(0).uniform(5000) * 3, torch.tensor([0.0, 1.0, 1e-300, 2.0**-1022, 1e300, 0.5, 2.0**0.5])]
    )
    for exponent in (-21, -16, -1, 1, 2, 16, 21):
        y = 1.0 / exponent if exponent < 0 else float(exponent)
        fast = np.empty(len(x))
        kernels.power_stack(x.numpy(), fast, exponent)
        slow = power(x, y)
        assert torch.equal(torch.from_numpy(fast), slow)
        usual = x[:5000]
        assert torch.allclose(slow[:5000], usual**y, rtol=1e-13, atol=0)


def test_words_are_the_numbers_of_lanes():
    own = lanes(3)
    assert torch.equal(unit(words(own.keys, 6)).view(3, 2, 3), own.uniform(2, 3))
    assert torch.equal(word(own.keys, 4), words(own.keys, 6)[:, 4])


@pytest.mark.parametrize("n", [1, 2, 3, 8, 100, 129])
def test_shuffled_positions_are_permutations(n):
    got = shuffled(lanes(4).keys, 3 * n, n).view(4, 3, n).sort(-1).values
    assert torch.equal(got, torch.arange(n).expand(4, 3, n))


def test_permutations_are_uniform_in_places_and_neighbors():
    n, members = 10, 4000
    order = shuffled(lanes(members).keys, n, n)
    places = torch.stack([torch.bincount(order[:, i], minlength=n) for i in range(n)])
    pairs = torch.bincount(order[:, 0] * n + order[:, 1], minlength=n * n).view(n, n)
    off_diagonal = pairs[~torch.eye(n, dtype=torch.bool)]
    # fixed seeds; the limits are the 1e-6 quantiles of the null distributions
    assert stats.chi2.sf(((places - members / n) ** 2 / (members / n)).sum(), (n - 1) ** 2) > 1e-6
    expected = members / len(off_diagonal)
    assert stats.chi2.sf(((off_diagonal - expected) ** 2 / expected).sum(), len(off_diagonal) - 1) > 1e-6


def test_distinct_pairs_differ_and_cover_all():
    pairs = distinct_pairs(words(lanes(1).keys, 4000).view(2000, 2), 4)
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert len(torch.unique(pairs, dim=0)) == 12
    assert (distinct_pairs(words(lanes(1).keys, 4).view(2, 2), 1) == 0).all()


def crossed(space, y1, y2, eta, matings=20_000):
    x = torch.tensor([[[y1], [y2]]], dtype=torch.float64)
    parents = torch.tensor([0, 1]).expand(1, matings, 2)
    ops = operators(space, crossover_prob=1.0, crossover_var_prob=1.0, crossover_eta=eta)
    return variation.cross(lanes(1).keys, x, parents, ops)[0, :, :, 0]


def test_crossover_follows_the_bounded_spread_distribution():
    y1, y2, eta, low, high = 0.3, 0.6, 15.0, 0.0, 1.0
    children = crossed(Box(low, high, dim=1), y1, y2, eta)
    smaller, larger = children.min(1).values, children.max(1).values

    def cdf_of_spread(beta, room):
        # P(beta_q <= b), the polynomial density of Deb and Agrawal cut off at the bound
        alpha = 2 - (1 + 2 * room / (y2 - y1)) ** -(eta + 1)
        inner = beta ** (eta + 1) / alpha
        outer = (2 - beta ** -(eta + 1)) / alpha
        return np.where(beta <= 1, inner, outer)

    left = ((y1 + y2) - 2 * smaller.numpy()) / (y2 - y1)
    right = (2 * larger.numpy() - (y1 + y2)) / (y2 - y1)
    assert stats.kstest(left, lambda b: cdf_of_spread(b, y1 - low)).pvalue > 1e-4
    assert stats.kstest(right, lambda b: cdf_of_spread(b, high - y2)).pvalue > 1e-4
    first_is_smaller = (children[:, 0] < children[:, 1]).double().mean()
    assert abs(first_is_smaller - 0.5) < 5 * 0.5 / 20_000**0.5


def test_mutation_follows_the_polynomial_distribution():
    x, eta, n = 0.3, 20.0, 20_000
    ops = operators(Box(0.0, 1.0, dim=1), mutation_prob=1.0, mutation_var_prob=1.0, mutation_eta=eta)
    y = variation.mutate(lanes(1).keys, torch.full((1, n, 1), x, dtype=torch.float64), ops)[0, :, 0].numpy()

    def cdf(value):
        # inverse of Deb and Deb (2014), equations of the bounded polynomial mutation
        shift = np.asarray(value) - x
        near_low, near_high = (1 - x) ** (eta + 1), x ** (eta + 1)
        down = ((1 + np.minimum(shift, 0)) ** (eta + 1) - near_low) / (2 * (1 - near_low))
        up = 1 - ((1 - np.maximum(shift, 0)) ** (eta + 1) - near_high) / (2 * (1 - near_high))
        return np.where(shift <= 0, down, up)

    assert stats.kstest(y, cdf).pvalue > 1e-4


def test_rates_of_crossover_and_mutation_are_as_told():
    space, n = Box(0.0, 1.0, dim=10), 4000
    own = lanes(1)
    x = space.from_unit(own.child("x").uniform(2, 10))
    parents = torch.tensor([0, 1]).expand(1, n, 2)
    ops = operators(space, crossover_prob=0.6, crossover_var_prob=0.3)
    children = variation.cross(own.keys, x, parents, ops)[0, :, 0]
    changed = (children != x[0, 0]).double().mean()
    assert abs(changed - 0.6 * 0.3) < 0.02
    ops = operators(space, mutation_prob=0.5, mutation_var_prob=0.2)
    flat = x[:, :1].expand(1, n, 10).contiguous()
    moved = (variation.mutate(own.keys, flat, ops) != flat).double().mean()
    assert abs(moved - 0.5 * 0.2) < 0.02


def test_whole_and_category_columns_stay_whole_and_always_mutate():
    space = Mixed({"k": Integers(0, 3), "c": Categorical(3)})
    ops = operators(space, mutation_prob=1.0, mutation_var_prob=1.0)
    n = 3000
    x = space.from_unit(lanes(1).child("x").uniform(n, 2))
    y = variation.mutate(lanes(1).keys, x, ops)
    assert space.contains(y).all()
    assert (y != x).all()
    others = torch.bincount(((y - x)[0, :, 1] % 3).long(), minlength=3)
    assert others[0] == 0
    assert abs(others[1] / n - 0.5) < 0.05


def test_crossover_of_categories_exchanges_whole_values():
    x = torch.tensor([[[0.0], [4.0]]], dtype=torch.float64)
    ops = operators(Categorical(5), crossover_prob=1.0, crossover_var_prob=1.0)
    got = variation.cross(lanes(1).keys, x, torch.tensor([0, 1]).expand(1, 500, 2), ops)[0, :, :, 0]
    assert set(map(tuple, got.tolist())) == {(0.0, 4.0), (4.0, 0.0)}


def test_duplicates_are_bred_anew_and_kept_where_told():
    space = Box(0.0, 1.0, dim=6)
    keys, x, f, v, score = populations(space, 2, 40)
    kept = variation.offspring(keys, x, f, v, score, by_dominance=True, ops=operators(space, 1), count=40)
    anew = variation.offspring(keys, x, f, v, score, by_dominance=True, ops=operators(space, 10), count=40)

    def repeats(children):
        rows = torch.cat([x[0], children[0]])
        seen = {tuple(row) for row in x[0].tolist()}
        return len(rows) - len(x[0]) - len({tuple(r) for r in children[0].tolist()} - seen)

    assert repeats(kept) > 0
    assert repeats(anew) == 0


def test_duplicates_prefer_accepted_children():
    taken = torch.tensor([[1, 2]])
    children = torch.tensor([[5, 1, 5, 7, 7]])
    everything = torch.ones(1, 5, dtype=torch.bool)
    assert variation.duplicates(taken, children, everything).tolist() == [[False, True, True, False, True]]
    fresh = torch.tensor([[True, False, False, False, True]])
    assert variation.duplicates(taken, children, fresh).tolist() == [[True, False, False, False, True]]


def test_zeros_of_either_sign_are_one_decision():
    a, b = torch.tensor([[0.0, 1.0]]).double(), torch.tensor([[-0.0, 1.0]]).double()
    assert torch.equal(variation.digest(a), variation.digest(b))
    assert not torch.equal(variation.digest(a), variation.digest(a.flip(1)))


def tournament_winners(f, v, score, *, by_dominance):
    parents = variation.tournaments(lanes(1).keys, f, v, score, by_dominance=by_dominance, matings=500)
    return torch.bincount(parents.flatten(), minlength=f.shape[1])


def test_tournaments_prefer_feasible_then_dominating_then_larger_score():
    f = torch.tensor([[[0.0, 0.0], [1.0, 1.0]]], dtype=torch.float64)
    none, score = torch.zeros(1, 2, dtype=torch.float64), torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    assert tournament_winners(f, none, score, by_dominance=True).tolist() == [1000, 0]
    assert tournament_winners(f, none, score, by_dominance=False).tolist() == [0, 1000]
    worse = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    assert tournament_winners(f, worse, score, by_dominance=True).tolist() == [0, 1000]
    even = tournament_winners(f, none, none, by_dominance=False)
    assert even.min() > 400


def test_spaces_with_dependent_columns_are_projected():
    space = Sequences("ACGT", 2, 6)
    own = lanes(2)
    x = torch.stack([space.sample(20, rng) for rng in own.rngs])
    f = own.child("f").uniform(20, 2)
    nothing = torch.zeros(2, 20, dtype=torch.float64)
    ops = operators(space, 10)
    assert not variation.separable(space)
    children = variation.offspring(own.keys, x, f, nothing, nothing, by_dominance=True, ops=ops, count=20)
    assert space.contains(children).all()
