"""The one sampler: right paths, the right law, forwards and backwards, and nothing read back to the host."""

import math

import pytest
import torch
from flow_worlds import TabularFlow, grid

import paretokit as pk
from paretokit.core import Rng
from paretokit.problems.design import HyperGrid
from paretokit.problems.design._environment import NOTHING
from paretokit.solvers.gflownet import MLPPolicy, TransformerPolicy
from paretokit.solvers.gflownet._policy import masked_log_softmax
from paretokit.solvers.gflownet._sampler import backward_log_policy, drawn, explored, retrace, sample
from paretokit.solvers.gflownet._scores import scores
from paretokit.testing._design import HostReads

NET = MLPPolicy(hidden=(16,))
DESIGNS = sorted(pk.problems.design.DESIGN)


def bound(environment, *, condition_dim=0, backward=False, scale=1.0):
    """A model and a row that is far from uniform."""
    model = NET.bind(environment, condition_dim=condition_dim, backward=backward)
    rng = Rng.from_seed(0)
    row = model.initial(rng)
    return model, row + scale * 0.3 * rng.child("noise").normal(len(row), dtype=row.dtype)


def assert_consistent(env, paths):
    """Each action is legal and leads to the next state, each backward action leads back; all begin and end rightly."""
    assert torch.equal(paths.states[0], env.start(len(paths)))
    assert not env.mask(paths.last).any()
    for t, (action, undone) in enumerate(zip(paths.actions, paths.backward, strict=True)):
        here, there = paths.states[t], paths.states[t + 1]
        moved = action != NOTHING
        assert torch.equal(moved, env.mask(here).any(1))
        assert env.mask(here)[moved, action[moved]].all()
        assert torch.equal(env.step(here, action), there)
        assert env.backward_mask(there)[moved, undone[moved]].all()
        assert torch.equal(env.back(there, undone), here)
        assert (undone[~moved] == NOTHING).all()


@pytest.mark.parametrize("name", DESIGNS)
def test_paths_are_those_of_the_environment_both_ways(name):
    env = pk.problems.make(name).environment
    model, row = bound(env)
    paths = sample(model, row, None, n=8, rng=Rng.from_seed(1))
    assert_consistent(env, paths)
    again = retrace(model, row, None, finished=paths.last, rng=Rng.from_seed(2))
    assert_consistent(env, again)
    assert torch.equal(again.last, paths.last)
    assert torch.equal(again.moved.sum(0), paths.moved.sum(0))  # the graph is graded


def chi_square_is_small(counts, p):
    n, freedom = int(counts.sum()), int((p > 0).sum()) - 1
    value = float(((counts - n * p) ** 2 / (n * p).clamp_min(1e-300))[p > 0].sum())
    assert not counts[p == 0].any()
    assert value < freedom + 4 * math.sqrt(2 * freedom)  # 4 standard deviations


@pytest.mark.parametrize("epsilon", [0.0, 0.3])
@pytest.mark.parametrize("edge_stops", [True, False])
def test_objects_come_with_the_exact_probability_of_the_policy(epsilon, edge_stops):
    problem = HyperGrid(side=5, edge_stops=edge_stops)
    env, states = problem.environment, problem.states()
    model, row = bound(env)
    mask = env.mask(states.rows)
    policy = explored(masked_log_softmax(model.outputs(row, states.rows, None).forward, mask), mask, epsilon)
    p = states.terminal_distribution(policy.double().log())
    paths = sample(model, row, None, n=20_000, rng=Rng.from_seed(3), epsilon=epsilon)
    number = (paths.last.unsqueeze(1) == states.rows).all(-1).to(torch.int8).argmax(1)
    chi_square_is_small(torch.bincount(number, minlength=len(states)), p)
    assert p.max() > 3 * p[states.terminal].min()  # far from uniform


def test_ways_back_come_with_the_probability_of_the_backward_policy():
    states = grid(side=3)
    env = states.environment
    model = TabularFlow(states, backward=True)
    row = model.initial(Rng.from_seed(0))
    end = env.finished(torch.tensor([[2.0, 2.0]])).expand(10_000, -1)
    paths = retrace(model, row, None, finished=end, rng=Rng.from_seed(1))
    log_p = scores(model, row, paths).backward.sum(0).double().exp()
    found, inverse = paths.actions.T.unique(dim=0, return_inverse=True)
    assert len(found) == math.comb(4, 2)
    p = torch.zeros(len(found), dtype=torch.float64).scatter_reduce(0, inverse, log_p, "amax")
    assert float(p.sum()) == pytest.approx(1, abs=1e-5)
    chi_square_is_small(torch.bincount(inverse), p)


def test_without_a_learned_one_the_backward_policy_is_uniform_over_parents():
    env = HyperGrid(side=5).environment
    model, row = bound(env)
    states = HyperGrid(side=5).states()
    log_p = backward_log_policy(model, row, states.rows, None)
    parents = env.backward_mask(states.rows)
    assert torch.allclose(log_p.exp().sum(1), parents.any(1).to(row.dtype))
    assert torch.allclose(log_p.exp()[parents], (1 / parents.sum(1, keepdim=True)).expand_as(parents)[parents])


def test_draws_at_the_ends_of_the_unit_interval_are_legal():
    mask = torch.tensor([[False, True, True, False]] * 4 + [[False] * 4])
    p = torch.tensor([[0.0, 0.25, 0.75, 0.0]] * 4 + [[0.0] * 4])
    u = torch.tensor([0.0, 0.2499, 0.2501, 1.0, 0.5])  # float32 numbers can round up to 1
    assert drawn(p, mask, u).tolist() == [1, 1, 2, 2, NOTHING]


def test_exploration_mixes_in_the_uniform_legal_action():
    mask = torch.tensor([[True, True, False], [False, True, False], [False, False, False]])
    log_p = masked_log_softmax(torch.tensor([[2.0, 0.0, 9.0]] * 3), mask)
    mixed = explored(log_p, mask, 0.5)
    first = 0.5 / (1 + math.exp(-2.0)) + 0.25
    assert torch.allclose(mixed, torch.tensor([[first, 1 - first, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))
    assert torch.equal(explored(log_p, mask, 0.0), torch.where(mask, log_p.exp(), 0))


def test_a_condition_goes_with_its_trajectory():
    env = HyperGrid(side=6).environment
    model, row = bound(env, condition_dim=2)
    condition = torch.tensor([[3.0, 0.0], [0.0, 3.0]]).repeat(500, 1)
    paths = sample(model, row, condition, n=1000, rng=Rng.from_seed(0))
    assert torch.equal(paths.condition, condition)
    ends = env.decisions(paths.last)
    assert (ends[::2].mean(0) - ends[1::2].mean(0)).abs().max() > 0.5
    alone = sample(model, row, condition[:1].expand(1000, -1), n=1000, rng=Rng.from_seed(0))
    assert torch.equal(alone.states[:, ::2], paths.states[:, ::2])  # the same numbers, the same choices


def test_a_walk_can_begin_elsewhere():
    env = HyperGrid(side=6).environment
    model, row = bound(env)
    start = torch.tensor([[2, 3, 0], [5, 1, 1]])
    paths = sample(model, row, None, n=2, rng=Rng.from_seed(0), start=start)
    assert torch.equal(paths.states[0], start)
    assert (paths.actions[:, 1] == NOTHING).all()  # finished already
    assert (env.decisions(paths.last)[0] >= torch.tensor([2.0, 3.0])).all()


def assert_no_reads(network, env, *, backward):
    model = network.bind(env, condition_dim=3, backward=backward)
    row = model.initial(Rng.from_seed(0))
    condition = torch.zeros(4, 3)
    sample(model, row, condition, n=4, rng=Rng.from_seed(0))  # tables are made once
    with HostReads() as reads:
        paths = sample(model, row, condition, n=4, rng=Rng.from_seed(1), epsilon=0.1)
    assert reads.seen == []
    with HostReads() as reads:
        retrace(model, row, condition, finished=paths.last, rng=Rng.from_seed(2))
    assert reads.seen == []


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("backward", [False, True])
def test_sampling_reads_nothing_back_to_the_host(name, backward):
    assert_no_reads(NET, pk.problems.make(name).environment, backward=backward)


def test_sampling_with_a_cache_reads_nothing_back_to_the_host():
    words = pk.problems.make("ngrams-v1", min_length=4, max_length=6).environment
    assert_no_reads(TransformerPolicy(layers=1, heads=2, width=8), words, backward=False)


def test_the_count_finds_a_host_read():
    with HostReads() as reads:
        x = torch.arange(3)
        x[x > 1]
        x.sum().item()
    assert len(reads.seen) == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", DESIGNS)
def test_sampling_never_waits_on_a_gpu(name):
    env = pk.problems.make(name).environment
    model, row = bound(env, condition_dim=2)
    on_cpu = sample(model, row, torch.zeros(64, 2), n=64, rng=Rng.from_seed(1), epsilon=0.1)
    row, condition = row.cuda(), torch.zeros(64, 2, device="cuda")
    sample(model, row, condition, n=64, rng=Rng.from_seed(0))  # tables are made once
    torch.cuda.synchronize()
    try:
        torch.cuda.set_sync_debug_mode("error")
        paths = sample(model, row, condition, n=64, rng=Rng.from_seed(1), epsilon=0.1)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    agree = (paths.states.cpu() == on_cpu.states).all(-1).all(0).double().mean()
    assert agree > 0.9  # equal numbers up to rounding
