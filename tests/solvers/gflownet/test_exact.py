"""Exact distributions of samplers: against samples, brute force, and what training has to reach."""

import pytest
import torch

import paretokit as pk
from paretokit.core import InputError, Rng
from paretokit.indicators import histogram, l1_distance
from paretokit.problems.design import HyperGrid
from paretokit.problems.design._design import CompositionalDesign
from paretokit.solvers.gflownet import MOGFN, OPGFN
from paretokit.solvers.gflownet._exact import exact

GRID = HyperGrid(objectives=("branin", "currin"), side=6)
WEIGHTS = torch.tensor([[1.0, 0.0], [0.3, 0.7]], dtype=torch.float64)


def test_learned_distribution_is_where_samples_end():
    solver = MOGFN(policy={"kind": "mlp", "hidden": (16,)})
    state = solver.init(GRID, Rng.from_seed(4))
    state.row = 4 * torch.randn(state.row.shape, generator=Rng.from_seed(1).generator()) * state.row.abs().mean()
    found = exact(GRID, solver, state, weights=WEIGHTS)
    assert len(found.x.unique(dim=0)) == len(found.x) == 35
    assert found.learned.sum(1).tolist() == pytest.approx([1, 1])
    for w, p in zip(WEIGHTS, found.learned, strict=True):
        drawn = solver.answer(GRID, state, w, n=20_000, rng=Rng.from_seed(2))
        assert float(l1_distance(histogram(drawn, found.x), p)) < 0.06  # about sqrt(2 * 35 / (pi 20000)) by chance


def test_target_is_the_normalized_reward():
    solver = MOGFN(temperature=3.0, scalarization="weighted_sum")
    found = exact(GRID, solver, solver.init(GRID, Rng.from_seed(0)), weights=WEIGHTS)
    reward = (GRID.gains(found.values) @ WEIGHTS.T).T ** 3
    torch.testing.assert_close(found.target, reward / reward.sum(1, keepdim=True))
    assert bool((found.l1 > 0.1).all())


def test_training_reaches_the_conditional_target():
    grid = HyperGrid(objectives=("branin", "currin"), side=4)
    solver = MOGFN(
        policy={"kind": "mlp", "hidden": (64, 64)},
        preferences={"encoding": "raw"},
        learning_rate=4e-3,
        iterations=400,
        evaluate_every=10_000,
        n_samples=1,
    )
    result = pk.solve(grid, solver, seed=0, progress=False)
    assert float(exact(grid, solver, result.state, weights=WEIGHTS).l1.mean()) < 0.05


def test_samplers_without_a_reward_have_no_target():
    found = exact(GRID, OPGFN(), OPGFN().init(GRID, Rng.from_seed(0)))
    assert found.target is None
    assert found.learned.shape == (1, 35)
    with pytest.raises(InputError, match="`target` must be known; got None"):
        found.l1


def test_mistakes_are_one_line(monkeypatch):
    solver = OPGFN()
    state = solver.init(GRID, Rng.from_seed(0))
    with pytest.raises(InputError, match="`weights` must be left out but for MOGFN; got OPGFN"):
        exact(GRID, solver, state, weights=WEIGHTS)
    other = HyperGrid(side=16)
    with pytest.raises(InputError, match=r"`state` must be of this problem and solver, with \d+ parameters; got \d+"):
        exact(other, solver, state)
    monkeypatch.setattr(CompositionalDesign, "states", lambda self, limit=0: None)
    with pytest.raises(InputError, match="`problem` must have few enough states to be listed"):
        exact(GRID, solver, state)
