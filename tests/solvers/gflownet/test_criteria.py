"""The four criteria against flows that dynamic programming makes exact."""

from __future__ import annotations

import json

import pytest
import torch
from flow_worlds import TabularFlow, exact_row, grid, log_reward_of, log_rewards, target, terminal_l1
from torch import Tensor

from paretokit.core import InputError, Rng, UnknownNameError
from paretokit.nn import Adam, AdamState
from paretokit.problems.design import States
from paretokit.solvers.gflownet._criteria import CRITERIA, criterion_of, described
from paretokit.solvers.gflownet._criterion import Criterion, Flows
from paretokit.solvers.gflownet._detailed_balance import DetailedBalance
from paretokit.solvers.gflownet._engine import StateByState
from paretokit.solvers.gflownet._flow_matching import FlowMatching
from paretokit.solvers.gflownet._mlp_policy import MLPPolicy
from paretokit.solvers.gflownet._sub_trajectory_balance import SubTrajectoryBalance
from paretokit.solvers.gflownet._trajectory_balance import TrajectoryBalance

ALL = ("DB", "FM", "SubTB", "TB")
N = 64


def value(tensor: Tensor) -> float:
    return float(tensor.detach())


def drawn(states: States, *, backward: bool = False, noise: float = 0.0) -> tuple[Flows, Tensor, Tensor]:
    """Trajectories of a perturbed exact sampler: flows with gradients, log-rewards, log Z."""
    rewards = log_rewards(states)
    model = TabularFlow(states, backward=backward)
    row, log_z = exact_row(states, rewards, backward=backward)
    row = (row + noise * Rng.from_seed(1).normal(len(row))).requires_grad_()
    engine = StateByState(model)
    paths = engine.sample(row.detach(), None, n=N, rng=Rng.from_seed(2), epsilon=0.5)
    z = torch.tensor(log_z, dtype=torch.float64, requires_grad=True)
    return Flows(engine, row, paths, z.expand(N)), log_reward_of(states, rewards, paths.last), z


def uniform_ranking(learned: Tensor) -> Tensor:
    """Cross-entropy against a fixed half of the batch."""
    q = (torch.arange(len(learned)) % 2).to(learned) * 2 / len(learned)
    return -(q * torch.log_softmax(learned, 0)).sum()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("edge_stops", [False, True])
@pytest.mark.parametrize("backward", [False, True])
def test_exact_flows_have_no_loss(name: str, edge_stops: bool, backward: bool) -> None:
    flows, log_reward, _ = drawn(grid(side=4, edge_stops=edge_stops), backward=backward)
    loss = criterion_of(name).loss(flows, log_reward)
    assert value(loss) < 1e-20  # squares of 1e-10
    (gradient,) = torch.autograd.grad(loss, flows.row)
    assert value(gradient.abs().max()) < 1e-10


@pytest.mark.parametrize("name", ALL)
def test_other_flows_have_loss(name: str) -> None:
    flows, log_reward, _ = drawn(grid(), noise=0.3)
    assert value(criterion_of(name).loss(flows, log_reward)) > 1e-3
    flows, log_reward, _ = drawn(grid())
    assert value(criterion_of(name).loss(flows, log_reward + 1)) > 1e-3  # Z is another then


@pytest.mark.parametrize("name", ALL)
def test_three_axes(name: str) -> None:
    flows, log_reward, _ = drawn(grid(3, 3))
    assert value(criterion_of(name).loss(flows, log_reward)) < 1e-20


@pytest.mark.parametrize("name", ALL)
def test_exact_flows_order_objects_by_their_rewards(name: str) -> None:
    """Inside nothing is left, and the ranking sees the true log-rewards (up to a factor)."""
    flows, log_reward, _ = drawn(grid())
    seen: list[Tensor] = []

    def ranking(learned: Tensor) -> Tensor:
        seen.append(learned)
        return (learned - log_reward).square().sum()

    loss = criterion_of(name).order(flows, ranking)
    assert value(loss) < 1e-18
    assert seen[0].shape == (N,)


@pytest.mark.parametrize("name", ALL)
def test_order_ignores_a_common_factor(name: str) -> None:
    """All flows times one factor (log flows, log edge flows and log Z plus a constant): the same loss."""
    states = grid()
    flows, _, _ = drawn(states, noise=0.3)
    with torch.no_grad():
        shifted = flows.row.view(len(states), -1) + 1.7
    both = [
        value(criterion_of(name).order(Flows(flows.engine, row, flows.trajectories, log_z), uniform_ranking))
        for row, log_z in ((flows.row, flows.log_z), (shifted.flatten(), flows.log_z + 1.7))
    ]
    assert both[0] == pytest.approx(both[1], abs=1e-12)
    assert both[0] > 0.01


def test_log_z_has_no_influence_on_ordered_trajectories() -> None:
    flows, _, z = drawn(grid(), noise=0.3)
    loss = TrajectoryBalance().order(flows, uniform_ranking)
    by_z, by_row = torch.autograd.grad(loss, (z, flows.row))
    assert value(by_z.abs()) < 1e-15
    assert value(by_row.abs().max()) > 1e-3


def test_subtrajectories_one_by_one() -> None:
    """The vectorized pieces against a loop over all of them."""
    flows, log_reward, z = drawn(grid(side=3), noise=0.3)
    scores, lam = flows.scores, 0.7
    forward, backward, flow = (t.detach().T.tolist() for t in (scores.forward, scores.backward, scores.log_flow))
    lengths = scores.moved.sum(0).tolist()
    loss = inside = 0.0
    for i, length in enumerate(lengths):
        heights = [value(z), *flow[i][1:length], value(log_reward[i])]
        total = with_end = without = 0.0
        for a in range(length):
            for b in range(a + 1, length + 1):
                gap = heights[a] - heights[b] + sum(forward[i][a:b]) - sum(backward[i][a:b])
                weight = lam ** (b - a)
                total += weight
                with_end += weight * gap**2
                without += weight * gap**2 * (b < length)
        loss += with_end / total / N
        inside += without / total / N
    criterion = SubTrajectoryBalance(lambda_=lam, order_weight=0.0)
    assert value(criterion.loss(flows, log_reward)) == pytest.approx(loss, rel=1e-12)
    assert value(criterion.order(flows, uniform_ranking)) == pytest.approx(inside, rel=1e-12)


def test_subtrajectories_lie_between_the_other_balances() -> None:
    """Small λ: detailed balance, but averaged by trajectory. Large λ: trajectory balance."""
    flows, log_reward, _ = drawn(grid(), noise=0.3)
    whole = SubTrajectoryBalance(lambda_=1e6).loss(flows, log_reward)
    assert value(whole) == pytest.approx(value(TrajectoryBalance().loss(flows, log_reward)), rel=1e-4)
    one = flows.trajectories.select(torch.tensor([0]))
    single = Flows(flows.engine, flows.row, one, flows.log_z[:1])
    fine = SubTrajectoryBalance(lambda_=1e-6).loss(single, log_reward[:1])
    assert value(fine) == pytest.approx(value(DetailedBalance().loss(single, log_reward[:1])), rel=1e-4)


def test_order_weights_weigh_the_ranking() -> None:
    flows, _, _ = drawn(grid(), noise=0.3)
    for kind in (DetailedBalance, FlowMatching, SubTrajectoryBalance):
        none, half, one = (value(kind(order_weight=w).order(flows, uniform_ranking)) for w in (0.0, 0.5, 1.0))
        assert one - none == pytest.approx(2 * (half - none))
        assert one > none


@pytest.mark.parametrize("name", ALL)
def test_gradients_are_those_of_differences(name: str) -> None:
    flows, log_reward, _ = drawn(grid(side=3), noise=0.3)

    def both(row: Tensor) -> Tensor:
        fresh = Flows(flows.engine, row, flows.trajectories, flows.log_z.detach())
        return criterion_of(name).loss(fresh, log_reward) + criterion_of(name).order(fresh, uniform_ranking)

    assert torch.autograd.gradcheck(both, (flows.row,), atol=1e-6)


def trained(criterion: Criterion, states: States, *, backward: bool, steps: int, rate: float) -> float:
    """Exact L1 after training a perceptron on a grid."""
    env = states.environment
    rewards = log_rewards(states, 3).float()
    model = MLPPolicy(hidden=(32,)).bind(env, condition_dim=0, backward=backward)
    rng = Rng.from_seed(4)
    rows, log_z = model.initial(rng.child("row")).unsqueeze(0), torch.zeros(1, 1)
    adam, moments, z_moments = Adam(), AdamState.zeros(rows), AdamState.zeros(log_z)
    engine = StateByState(model)
    for step in range(steps):
        paths = engine.sample(rows[0], None, n=32, rng=rng.child("rollout", step), epsilon=0.1)
        row, z = rows.requires_grad_(), log_z.requires_grad_()
        flows = Flows(engine, row[0], paths, z[0].expand(32))
        loss = criterion.loss(flows, log_reward_of(states, rewards, paths.last))
        slopes = torch.autograd.grad(loss, (row, z), allow_unused=True, materialize_grads=True)
        rows, log_z = row.detach(), z.detach()
        left = 1 - step / steps
        adam.step(rows, slopes[0], moments, rate * left)
        adam.step(log_z, slopes[1], z_moments, 10 * rate * left)
    return terminal_l1(env, states, model, rows[0], target(states, rewards))


@pytest.mark.parametrize("name", ALL)
def test_training_reaches_the_exact_distribution(name: str) -> None:
    assert trained(criterion_of(name), grid(side=3), backward=False, steps=300, rate=0.01) < 0.03


@pytest.mark.parametrize("name", ["TB", "DB", "SubTB"])
def test_training_with_a_learned_backward_policy(name: str) -> None:
    assert trained(criterion_of(name), grid(side=3), backward=True, steps=300, rate=0.01) < 0.03


def test_criteria_by_name() -> None:
    assert CRITERIA.names() == sorted(ALL)
    for name in ALL:
        made = criterion_of(name)
        assert made.name == name
        assert criterion_of(json.loads(json.dumps(described(made)))) == made
        assert criterion_of(made) is made
    assert criterion_of({"name": "SubTB", "lambda_": 0.5}) == SubTrajectoryBalance(lambda_=0.5)


def test_bad_criteria() -> None:
    with pytest.raises(UnknownNameError, match=r"`criterion` must be a known name; got 'SubTBB' \(did you mean 'SubTB"):
        criterion_of("SubTBB")
    with pytest.raises(UnknownNameError, match=r"SubTB has no option 'lambda'; did you mean 'lambda_'\?"):
        criterion_of({"name": "SubTB", "lambda": 0.5})
    with pytest.raises(
        InputError, match=r"`criterion` must have a name; got \['lambda_'\] \(one of DB, FM, SubTB, TB\)"
    ):
        criterion_of({"lambda_": 0.5})
    with pytest.raises(InputError, match="`lambda_` must be positive; got 0"):
        SubTrajectoryBalance(lambda_=0)
    for kind in (DetailedBalance, FlowMatching, SubTrajectoryBalance):
        with pytest.raises(InputError, match="`order_weight` must be at least 0; got -1"):
            kind(order_weight=-1)
