"""Survival: compiled twins bit for bit, slow twins written from the papers, and pymoo on the same arrays."""

import itertools

import moocore
import numpy as np
import pytest
import torch

from paretokit.core import Rng
from paretokit.indicators import simplex_lattice
from paretokit.solvers.evolutionary import _crowding as crowding
from paretokit.solvers.evolutionary import _decomposition as decomposition
from paretokit.solvers.evolutionary import _niching as niching
from paretokit.solvers.evolutionary import _shedding as shedding
from paretokit.solvers.evolutionary._directions import neighborhoods
from paretokit.solvers.evolutionary._draws import shuffled, unit, word, words


def values(members, n, m, *, seed=0, decimals=None):
    f = Rng.from_seed(seed).uniform(members, n, m)
    return f if decimals is None else f.round(decimals=decimals)


def some_violations(members, n):
    return (Rng.from_seed(9).uniform(members, n) - 0.6).clamp_min(0).round(decimals=1)


def keys(members):
    return torch.arange(1, members + 1, dtype=torch.int64) * 987654321


CASES = list(itertools.product([1, 2, 3, 5], [None, 1]))


@pytest.mark.parametrize(("m", "decimals"), CASES)
def test_crowding_twins_agree(m, decimals):
    f, v = values(3, 60, m, decimals=decimals), some_violations(3, 60)
    f[0, :9], v[0, :9] = torch.inf, torch.inf
    ranks = crowding.ranked(f, v)
    kernels = crowding.KERNELS.load()
    for n in (1, 2, 30, 59, 60):
        fast = torch.empty(3, n, dtype=torch.int64), torch.empty(3, n, dtype=torch.float64)
        slow = torch.empty(3, n, dtype=torch.int64), torch.empty(3, n, dtype=torch.float64)
        kernels.survive_stack(f.numpy(), ranks.numpy(), fast[0].numpy(), fast[1].numpy())
        crowding._survive_plain(f, ranks, *slow)
        assert torch.equal(fast[0], slow[0])
        assert torch.equal(fast[1], slow[1])


@pytest.mark.parametrize("decimals", [None, 2, 1, 0])
@pytest.mark.parametrize("total", [1, 2, 3, 50, 300])
def test_the_short_way_for_two_objectives_has_the_same_bits(decimals, total):
    f = values(4, total, 2, seed=3, decimals=decimals)
    f[2] = f[2, :1].clone()
    f[3, :, 1] = 1 - f[3, :, 0]
    kernels = crowding.KERNELS.load()
    for n in {1, (total + 1) // 2, total}:
        slow = torch.empty(4, n, dtype=torch.int64), torch.empty(4, n, dtype=torch.float64)
        crowding._survive_plain(f, crowding.ranked(f, torch.zeros(4, total).double()), *slow)
        for p in range(4):
            keep, kept = np.empty(n, np.int64), np.empty(n)
            kernels.survive_two(f[p].numpy(), keep, kept)
            assert keep.tolist() == slow[0][p].tolist()
            assert kept.tolist() == slow[1][p].tolist()


@pytest.mark.parametrize("m", [2, 3, 5])
def test_crowding_equals_pymoo(m):
    from pymoo.operators.survival.rank_and_crowding.metrics import get_crowding_function
    from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

    f = values(2, 80, m)
    ranks = crowding.ranked(f, torch.zeros(2, 80, dtype=torch.float64))
    distance = crowding.crowding_distance(f, ranks)
    for p in range(2):
        for front in NonDominatedSorting().do(f[p].numpy()):
            theirs = get_crowding_function("cd").do(f[p, front].numpy())
            # pymoo divides by the number of objectives
            assert np.allclose(distance[p, front].numpy(), theirs * m)
            assert len(set(ranks[p, front].tolist())) == 1


def test_survivors_are_whole_fronts_and_then_the_least_crowded():
    f, v = values(4, 100, 2), torch.zeros(4, 100, dtype=torch.float64)
    keep, _ = crowding.rank_and_crowding(f, v, 50)
    ranks = crowding.ranked(f, v)
    distance = crowding.crowding_distance(f, ranks)
    for p in range(4):
        kept = set(keep[p].tolist())
        assert len(kept) == 50
        best = sorted(range(100), key=lambda i: (ranks[p, i], -distance[p, i], i))
        assert kept == set(best[:50])


def test_feasible_rows_survive_first_and_failed_ones_last():
    f, v = values(1, 10, 2), torch.zeros(1, 10, dtype=torch.float64)
    v[0, :4] = torch.tensor([0.3, 0.1, 0.2, 0.4])
    f[0, 9], v[0, 9] = torch.inf, torch.inf
    assert crowding.rank_and_crowding(f, v, 5)[0].tolist() == [[4, 5, 6, 7, 8]]
    assert crowding.rank_and_crowding(f, v, 7)[0].tolist() == [[1, 2, 4, 5, 6, 7, 8]]
    assert crowding.rank_and_crowding(f, v, 9)[0].tolist() == [[0, 1, 2, 3, 4, 5, 6, 7, 8]]


@pytest.mark.parametrize("m", [2, 3, 8])
def test_extreme_points_twins_agree(m):
    f = values(3, 40, m)
    front = f[..., 0] < 0.8
    front[2] = False
    ideal = f.amin(1)
    old = torch.cat([f[:2, :m] if m <= 40 else f[:2], torch.full((1, m, m), torch.inf, dtype=torch.float64)])
    fast, slow = old.clone(), old.clone()
    kernel = niching.KERNELS.load().extremes_stack
    kernel(f.numpy(), front.numpy(), ideal.numpy(), old.numpy(), fast.numpy())
    niching._extremes_plain(f, front, ideal, old, slow)
    assert torch.equal(fast, slow)


def test_extreme_points_and_nadir_equal_pymoo():
    from pymoo.algorithms.moo.nsga3 import HyperplaneNormalization

    theirs = HyperplaneNormalization(3)
    extreme = torch.full((1, 3, 3), torch.inf, dtype=torch.float64)
    ideal, worst = torch.full((1, 3), torch.inf).double(), torch.full((1, 3), -torch.inf).double()
    for generation in range(6):
        f = values(1, 50, 3, seed=generation) ** (1 + generation) + 0.2
        ranks = crowding.ranked(f, torch.zeros(1, 50, dtype=torch.float64))
        first = ranks == 0
        theirs.update(f[0].numpy(), nds=first[0].nonzero().flatten().numpy())
        ideal, worst = torch.minimum(ideal, f.amin(1)), torch.maximum(worst, f.amax(1))
        extreme = niching.extremes(f, first, ideal, extreme)
        front_worst = torch.where(first.unsqueeze(-1), f, -torch.inf).amax(1)
        point = niching.nadir(extreme, ideal, worst, front_worst, f.amax(1))
        assert np.allclose(extreme[0], theirs.extreme_points)
        assert np.allclose(point[0], theirs.nadir_point)


def test_the_nadir_falls_back_to_the_front_on_a_singular_plane():
    extreme = torch.ones(1, 2, 2, dtype=torch.float64)
    zero, worst = torch.zeros(1, 2, dtype=torch.float64), torch.full((1, 2), 9.0).double()
    front_worst = torch.tensor([[3.0, 0.0]]).double()
    now = torch.tensor([[4.0, 5.0]]).double()
    assert niching.nadir(extreme, zero, worst, front_worst, now).tolist() == [[3.0, 5.0]]


def slow_niching(scaled, ranks, directions, draws, n):
    """Fill the emptiest niche first, one candidate at a time, as Deb and Jain tell it."""
    last = int(ranks.sort().values[n - 1])
    distance = [[float((f - (f @ w) * w).square().sum()) for w in directions.T] for f in scaled]
    niche = [int(np.argmin(d)) for d in distance]
    chosen = [i for i in range(len(ranks)) if ranks[i] < last]
    left = [i for i in range(len(ranks)) if ranks[i] == last]
    counts = {k: sum(niche[i] == k for i in chosen) for k in range(directions.shape[1])}
    while len(chosen) < n:
        # which niche of the least count, and which of its members, is told by the draws
        picks = {}
        for k in {niche[i] for i in left}:
            mine = [i for i in left if niche[i] == k]
            if counts[k] == 0:
                picks[k] = min(mine, key=lambda i: distance[i][k])
            else:
                picks[k] = min(mine, key=lambda i: float(draws[0, i]))
        k = min(picks, key=lambda k: (counts[k], float(draws[1, picks[k]])))
        chosen.append(picks[k])
        left.remove(picks[k])
        counts[k] += 1
    return sorted(chosen)


@pytest.mark.parametrize(("m", "partitions", "decimals"), [(2, 9, None), (3, 4, None), (3, 4, 0), (5, 2, None)])
def test_niching_equals_a_slow_twin_and_its_compiled_twin(m, partitions, decimals):
    lattice = simplex_lattice(m, partitions)
    directions = (lattice / lattice.norm(dim=1, keepdim=True)).T.contiguous()
    scaled, total = values(3, 40, m), 40
    ranks = crowding.ranked(scaled if decimals is None else scaled.round(decimals=1), torch.zeros(3, 40).double())
    draws = unit(words(word(keys(3), 0), 2 * total)).reshape(-1, 2, total)
    for n in (5, 20, 40):
        fast, slow = torch.empty(3, n, dtype=torch.int64), torch.empty(3, n, dtype=torch.int64)
        kernel = niching.KERNELS.load().niche_stack
        kernel(scaled.numpy(), ranks.numpy(), directions.numpy(), draws.numpy(), fast.numpy())
        niching._niche_plain(scaled, ranks, directions, draws, slow)
        assert torch.equal(fast, slow)
        assert torch.equal(niching.niching(scaled, ranks, directions, keys(3), n), fast)
        for p in range(3):
            assert fast[p].tolist() == slow_niching(scaled[p], ranks[p], directions, draws[p], n)


@pytest.mark.parametrize("theta", [5.0, -1.0])
@pytest.mark.parametrize("m", [2, 3])
def test_replacement_equals_a_slow_twin_and_its_compiled_twin(m, theta):
    weights = simplex_lattice(m, 5)
    n, near = len(weights), neighborhoods(None, 5, m, 4)
    directions = weights / weights.square().sum(1, keepdim=True).sqrt()
    f, v = values(2, n + 4, m), some_violations(2, n + 4)
    owner, ideal = shuffled(keys(2), 4, n), f.amin(1)
    fast, slow = torch.empty(2, n, dtype=torch.int64), torch.empty(2, n, dtype=torch.int64)
    arrays = [t.contiguous().numpy() for t in (f, v, ideal, weights, directions, near, owner)]
    decomposition.KERNELS.load().replace_stack(*arrays, theta, fast.numpy())
    decomposition._replace_plain(f, v, ideal, weights, directions, near, owner, theta, slow)
    assert torch.equal(fast, slow)
    assert torch.equal(decomposition.replaced(f, v, ideal, weights, near, owner, theta=theta), fast)

    def g(p, row, k):
        gap, w = f[p, row] - ideal[p], weights[k]
        if theta < 0:
            return float((gap.abs() * w).max())
        unit_w = w / w.norm()
        along = float(gap @ unit_w)
        return along + theta * float((gap - along * unit_w).norm())

    for p in range(2):
        held = list(range(n))
        for c in range(4):
            for k in near[owner[p, c]].tolist():
                old, new = held[k], n + c
                if (v[p, new], g(p, new, k)) < (v[p, old], g(p, old, k)):
                    held[k] = new
        assert fast[p].tolist() == held


def test_scalarizations_equal_pymoo():
    from pymoo.decomposition.pbi import PBI
    from pymoo.decomposition.tchebicheff import Tchebicheff

    f, w = values(1, 15, 3)[0], simplex_lattice(3, 4)
    ideal = torch.tensor([-0.1, -0.2, 0.0]).double()
    unit_w = w / w.norm(dim=1, keepdim=True)
    for theta, theirs in ((5.0, PBI()), (-1.0, Tchebicheff())):
        expected = theirs.do(f.numpy(), weights=w.numpy(), ideal_point=ideal.numpy())
        assert np.allclose(decomposition.scalarized(f, ideal, w, unit_w, theta), expected)


def greedy(f, surplus, ref):
    rows = list(range(len(f)))
    for _ in range(surplus):
        rows.pop(int(np.argmin(moocore.hv_contributions(f[rows], ref=ref))))
    return rows


def front(n, m):
    f = values(1, n, m)[0]
    if m == 2:
        return torch.stack([f[:, 0], 1 - f[:, 0].sqrt()], 1)
    return f / f.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("m", [2, 3, 4])
def test_shedding_equals_repeated_contributions_of_moocore(m):
    f, n = front(40, m), 15
    ranks = torch.zeros(1, 40, dtype=torch.int64)
    kept = shedding.shed(f.unsqueeze(0), ranks, n, ref=1.5)[0].tolist()
    assert kept == greedy(f.numpy(), 25, [1.5] * m)


def test_shedding_of_three_objectives_has_two_equal_ways():
    f = front(30, 3)
    assert set(shedding._shed_many(f, 12, 1.2)) == set(shedding._shed_three(f, 12, 1.2))


@pytest.mark.parametrize("decimals", [None, 1])
@pytest.mark.parametrize("ref", [0.5, 2.0, 11.0])
def test_shedding_twins_agree(decimals, ref):
    f = values(4, 60, 2, decimals=decimals)
    ranks = crowding.ranked(f, torch.zeros(4, 60).double())
    for n in (1, 7, 30, 59, 60):
        fast, slow = torch.empty(4, n, dtype=torch.int64), torch.empty(4, n, dtype=torch.int64)
        shedding.KERNELS.load().shed_stack(f.numpy(), ranks.numpy(), ref, fast.numpy())
        shedding._shed_plain(f, ranks, ref, slow)
        assert torch.equal(fast, slow)


def test_rows_beyond_the_reference_point_are_shed_first():
    f = torch.tensor([[[0.0, 5.0], [0.2, 0.8], [0.5, 0.5], [0.8, 0.2], [5.0, 0.0]]]).double()
    kept = shedding.shed(f, torch.zeros(1, 5, dtype=torch.int64), 3, ref=1.1)
    assert kept.tolist() == [[1, 2, 3]]
