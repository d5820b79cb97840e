"""Engines against the plain one: the same trajectories from the same numbers, scores and gradients up to rounding."""

from __future__ import annotations

import pytest
import torch
from flow_worlds import TabularFlow, grid
from torch import Tensor

from paretokit.core import Rng
from paretokit.problems.design import GridEnvironment, HyperGrid
from paretokit.solvers.gflownet import _live_engine, _lookup, _perceptron
from paretokit.solvers.gflownet._criteria import criterion_of
from paretokit.solvers.gflownet._criterion import Flows
from paretokit.solvers.gflownet._engine import Engine, StateByState, engine_of
from paretokit.solvers.gflownet._live_engine import Crowd, LiveEngine
from paretokit.solvers.gflownet._mlp_policy import MLPFlow, MLPPolicy
from paretokit.solvers.gflownet._perceptron import Layers
from paretokit.solvers.gflownet._policy import FlowModel
from paretokit.solvers.gflownet._table_engine import TableEngine
from paretokit.solvers.gflownet._trajectories import Trajectories

N = 64


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the plain twins in place of the compiled ones."""
    monkeypatch.setattr(_lookup, "compiled", lambda row: False)
    monkeypatch.setattr(_live_engine, "compiled", lambda like: False)
    monkeypatch.setattr(_perceptron, "fast", lambda like: False)


def same(a: Trajectories, b: Trajectories) -> bool:
    return all(torch.equal(getattr(a, k), getattr(b, k)) for k in ("states", "actions", "backward"))


def loss_and_gradient(engine: Engine, row: Tensor, paths: Trajectories, name: str) -> tuple[Tensor, Tensor]:
    row = row.detach().requires_grad_()
    rewards = paths.last.sum(-1).to(row)
    loss = criterion_of(name).loss(Flows(engine, row, paths, torch.zeros_like(rewards)), rewards)
    return loss.detach(), torch.autograd.grad(loss, row)[0]


def mlp(model_grid: GridEnvironment, *, backward: bool, dtype: torch.dtype) -> tuple[FlowModel, Tensor]:
    model = MLPPolicy(hidden=(16, 16)).bind(model_grid, condition_dim=0, backward=backward)
    row = model.initial(Rng.from_seed(0), dtype=dtype)
    return model, row + 0.3 * Rng.from_seed(1).normal(len(row), dtype=dtype)


def conditional(
    environment: GridEnvironment, condition_dim: int, dtype: torch.dtype, *, backward: bool = False
) -> tuple[MLPFlow, Tensor, Tensor | None]:
    model = MLPPolicy(hidden=(16, 16)).bind(environment, condition_dim=condition_dim, backward=backward)
    row = model.initial(Rng.from_seed(0), dtype=dtype)
    row = row + 0.3 * Rng.from_seed(1).normal(len(row), dtype=dtype)
    return model, row, Rng.from_seed(6).uniform(N, condition_dim, dtype=torch.float32) if condition_dim else None


@pytest.mark.parametrize("edge_stops", [False, True])
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("side", [7, 17])  # few features, and many
def test_table_equals_state_by_state(edge_stops: bool, backward: bool, dtype: torch.dtype, side: int) -> None:
    states = grid(side=side, edge_stops=edge_stops)
    model, row = mlp(states.environment, backward=backward, dtype=dtype)
    one, other = StateByState(model), TableEngine(model, states)
    a, b = (e.sample(row, None, n=N, rng=Rng.from_seed(2), epsilon=0.1) for e in (one, other))
    assert same(a, b)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    first, second = one.scores(row, a), other.scores(row, a)
    for part in ("forward", "backward", "log_flow"):
        torch.testing.assert_close(getattr(first, part), getattr(second, part), rtol=tolerance, atol=tolerance)
    for name in ("TB", "DB", "SubTB", "FM"):
        (loss, slopes), (loss_, slopes_) = (loss_and_gradient(e, row, a, name) for e in (one, other))
        torch.testing.assert_close(loss, loss_, rtol=tolerance, atol=tolerance)
        torch.testing.assert_close(slopes, slopes_, rtol=100 * tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("side", [7, 17])
def test_compiled_twins_are_equal_bit_for_bit(backward: bool, side: int, request: pytest.FixtureRequest) -> None:
    states = grid(side=side)
    model, row = mlp(states.environment, backward=backward, dtype=torch.float32)
    engine = TableEngine(model, states)
    _lookup.KERNELS.load()
    _perceptron.KERNELS.load()
    paths = engine.sample(row, None, n=N, rng=Rng.from_seed(3), epsilon=0.1)
    kept = [loss_and_gradient(engine, row, paths, name) for name in ("TB", "DB", "FM")]
    request.getfixturevalue("plain")
    assert same(paths, engine.sample(row, None, n=N, rng=Rng.from_seed(3), epsilon=0.1))
    for name, (loss, slopes) in zip(("TB", "DB", "FM"), kept, strict=True):
        again, slopes_ = loss_and_gradient(engine, row, paths, name)
        assert torch.equal(loss, again)
        assert torch.equal(slopes, slopes_)


@pytest.mark.parametrize("edge_stops", [False, True])
@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("condition_dim", [0, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_live_equals_state_by_state(edge_stops: bool, listed: bool, condition_dim: int, dtype: torch.dtype) -> None:
    states = grid(side=7, edge_stops=edge_stops)
    model, row, condition = conditional(states.environment, condition_dim, dtype, backward=listed)
    one, other = StateByState(model), LiveEngine(model, states if listed else None)
    for epsilon in (0.0, 0.1):
        a, b = (e.sample(row, condition, n=N, rng=Rng.from_seed(2), epsilon=epsilon) for e in (one, other))
        assert same(a, b)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    for name in ("TB", "DB", "SubTB", "FM"):
        (loss, slopes), (loss_, slopes_) = (loss_and_gradient(e, row, a, name) for e in (one, other))
        torch.testing.assert_close(loss, loss_, rtol=tolerance, atol=tolerance)
        torch.testing.assert_close(slopes, slopes_, rtol=100 * tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("condition_dim", [0, 3])
@pytest.mark.parametrize("epsilon", [0.0, 0.1])
def test_live_twins_are_equal_bit_for_bit(
    condition_dim: int, epsilon: float, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    states = grid(side=7)
    model, row, condition = conditional(states.environment, condition_dim, torch.float32)
    engine = LiveEngine(model, states)
    _live_engine.KERNELS.load()
    _perceptron.KERNELS.load()
    paths = engine.sample(row, condition, n=N, rng=Rng.from_seed(3), epsilon=epsilon)
    kept = loss_and_gradient(engine, row, paths, "TB")
    request.getfixturevalue("plain")
    seen = []
    advance = Crowd.advance_plain
    monkeypatch.setattr(Crowd, "advance_plain", lambda *a: seen.append(advance(*a)) or seen[-1])
    assert same(paths, engine.sample(row, condition, n=N, rng=Rng.from_seed(3), epsilon=epsilon))
    assert len(seen) > 3
    assert all(map(torch.equal, kept, loss_and_gradient(engine, row, paths, "TB")))


def test_compiled_and_plain_steps_hand_on_the_same_numbers() -> None:
    """What the network reads next, not only the choices that follow from it."""
    states = grid(side=7)
    model, row, condition = conditional(states.environment, 3, torch.float32)
    layers = Layers(model.mlp, row, states.environment.n_features)
    base = layers.base(condition)
    cumulative = Rng.from_seed(4).uniform(N, 3, dtype=torch.float32).cumsum(-1)
    _live_engine.KERNELS.load()
    steps, given = states.environment.max_steps, []
    for plain in (False, True):
        blank = torch.full((steps, N), -1)
        paths = Trajectories(torch.zeros(steps + 1, N, 3, dtype=torch.int64), blank, blank.clone())
        crowd = Crowd(states, layers.embedding, base, states.forbidden, paths, Rng.from_seed(5))
        advance = crowd.advance_plain if plain else crowd.advance
        given.append([[t.clone() for t in advance(c, s)] for c, s in ((None, -1), (cumulative, 0))])
    for first, second in zip(*given, strict=True):
        assert all(map(torch.equal, first, second))


def test_any_model_can_stand_in_a_table() -> None:
    states = grid(side=4)
    model = TabularFlow(states, backward=True)
    row = model.initial(Rng.from_seed(4), dtype=torch.float64)
    one, other = StateByState(model), TableEngine(model, states)
    a, b = (e.sample(row, None, n=N, rng=Rng.from_seed(5)) for e in (one, other))
    assert same(a, b)
    for name in ("TB", "FM"):
        (loss, slopes), (loss_, slopes_) = (loss_and_gradient(e, row, a, name) for e in (one, other))
        torch.testing.assert_close(loss, loss_, rtol=1e-12, atol=0)
        torch.testing.assert_close(slopes, slopes_, rtol=1e-9, atol=1e-12)


def test_engines_are_chosen_by_size_and_condition() -> None:
    small, large = HyperGrid(side=16), HyperGrid(side=64)
    policy = MLPPolicy(hidden=(8,))

    def chosen(problem: HyperGrid, condition_dim: int) -> str:
        model = policy.bind(problem.environment, condition_dim=condition_dim, backward=False)
        return type(engine_of(model, problem)).__name__

    assert chosen(small, 0) == "TableEngine"
    assert chosen(large, 0) == "LiveEngine"
    assert chosen(small, 3) == "LiveEngine"
    assert chosen(small.to("meta"), 3) == "StateByState"
    assert small.states(4096) is small.states(4096)


def test_tables_follow_parameters_that_move_in_place() -> None:
    """What an engine keeps of a row is dropped once the row is written to."""
    states = grid(side=5)
    model, row = mlp(states.environment, backward=False, dtype=torch.float64)
    engine = TableEngine(model, states)
    paths = engine.sample(row, None, n=N, rng=Rng.from_seed(6))
    before = engine.balance(row, paths)
    assert torch.equal(before, engine.balance(row.detach(), paths))
    row.mul_(2)
    after = engine.balance(row, paths)
    assert not torch.equal(before, after)
    assert torch.equal(after, TableEngine(model, states).balance(row.clone(), paths))
