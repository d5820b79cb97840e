"""What a replay keeps: the latest objects in a ring, the non-dominated ones beside it, each once and never stale."""

import pytest
import torch

from paretokit.core import InputError, Rng, UnknownNameError, non_dominated
from paretokit.problems import HyperGrid
from paretokit.solvers import MOGFN
from paretokit.solvers.gflownet import Replay
from paretokit.solvers.gflownet._replay import Memory


def numbered(begin, end):
    """States that are their own number, with gains that grow with it."""
    states = torch.arange(begin, end).unsqueeze(1)
    return states, states.double().expand(-1, 2)


@pytest.mark.parametrize("blocks", [(3, 3, 3, 3), (5, 1, 6), (12,), (1,) * 12])
def test_the_ring_holds_the_latest_whatever_the_blocks(blocks):
    memory, replay, at = Memory.empty(1, 2), Replay(capacity=5), 0
    for size in blocks:
        memory.add(*numbered(at, at + size), replay)
        at += size
        kept = range(max(at - 5, 0), at)
        assert sorted(memory.states.flatten().tolist()) == list(kept)
        assert torch.equal(memory.gains[:, 0], memory.states[:, 0].double())
        assert memory.seen == at
    assert [memory.states[k % 5].item() for k in range(7, 12)] == list(range(7, 12))


def test_the_front_is_that_of_everything_seen_each_object_once():
    rng, replay, memory = Rng.from_seed(0), Replay(capacity=4), Memory.empty(1, 2)
    states = rng.child("states").integers(30, 200, 1)
    gains = rng.child("gains").normal(30, 2)[states[:, 0]]
    for rows in torch.arange(200).split(10):
        memory.add(states[rows], gains[rows], replay)
    best = states[torch.as_tensor(non_dominated(gains, maximize=True)), 0].unique()
    assert sorted(memory.front_states[:, 0].tolist()) == best.tolist()
    assert torch.equal(memory.front_gains, rng.child("gains").normal(30, 2)[memory.front_states[:, 0]])


def test_the_front_keeps_the_latest_up_to_its_size():
    states = torch.arange(6).unsqueeze(1)
    gains = torch.stack([states[:, 0], -states[:, 0]], 1).double()
    memory = Memory.empty(1, 2)
    memory.add(states, gains, Replay(front=4))
    assert memory.front_states[:, 0].tolist() == [2, 3, 4, 5]


def test_failed_rows_are_left_out():
    memory = Memory.empty(1, 2)
    states, gains = numbered(0, 4)
    gains = gains.clone()
    gains[1, 0], gains[3, 1] = torch.nan, torch.inf
    memory.add(states, gains, Replay())
    assert memory.states[:, 0].tolist() == [0, 2]
    assert memory.seen == 2


def test_draws_come_from_ring_and_front_by_their_shares():
    memory, replay = Memory.empty(1, 2), Replay(warmup=10, share=0.5, pareto=0.25)
    memory.add(*numbered(0, 9), replay)
    assert len(memory.draw(8, replay, Rng.from_seed(0))[0]) == 0  # not warm yet
    memory.add(*numbered(9, 10), replay)
    states, gains = memory.draw(8, replay, Rng.from_seed(0))
    assert len(states) == len(gains) == 6
    assert torch.equal(gains[:, 0], states[:, 0].double())
    assert states[4:, 0].tolist() == [9, 9]  # the one that dominates all
    assert not torch.equal(states, memory.draw(8, replay, Rng.from_seed(1))[0])


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_batch_is_never_overfull_by_rounding(share):
    memory, replay = Memory.empty(1, 2), Replay(warmup=1, share=share, pareto=1 - share)
    memory.add(*numbered(0, 3), replay)
    for n in range(1, 12):
        assert len(memory.draw(n, replay, Rng.from_seed(0))[0]) in (n - 1, n)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_replayed_objects_take_the_places_at_the_end_of_the_batch(share):
    grid = HyperGrid(side=4)
    solver = MOGFN(replay=Replay(warmup=1, share=share, pareto=0.0), batch_size=8, policy={"hidden": (8,)})
    state = solver.init(grid, Rng.from_seed(0))
    finished = grid.environment.finished(torch.tensor([[1.0, 2.0]]).expand(20, 2))
    state.memory.add(finished, torch.full((20, 2), 0.7, dtype=torch.float64), Replay())
    engine = solver.engine(grid)
    draft = solver._draft(engine, grid, state, ahead=0)
    fresh = grid.gains(grid.evaluate(grid.environment.decisions(draft.trajectories.last)).values)
    paths, gains = solver._mixed(engine, state, draft.request, draft.trajectories, fresh)
    kept = 8 - round(8 * share)
    assert len(paths) == len(gains) == 8
    assert torch.equal(paths.last[:kept], draft.trajectories.last[:kept])
    assert torch.equal(gains[:kept], fresh[:kept])
    assert torch.equal(paths.last[kept:], finished[: 8 - kept])
    assert (gains[kept:] == 0.7).all()
    assert torch.equal(paths.states[0], grid.environment.start(8))


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"share": 1.2}, r"`share` must lie in \[0, 1\]; got 1.2"),
        ({"share": 0.8, "pareto": 0.3}, r"`share` must be at most 1 together with `pareto`; got 0.8 and 0.3"),
        ({"capacity": 0}, "`capacity` must be at least 1; got 0"),
        ({"warmup": 0}, "`warmup` must be at least 1; got 0"),
    ],
)
def test_bad_shares_are_refused(options, line):
    with pytest.raises(InputError, match=line):
        Replay(**options)
    with pytest.raises(InputError, match=line):
        MOGFN(replay=options)


def test_unknown_options_get_the_nearest():
    with pytest.raises(UnknownNameError, match="Replay has no option 'shares'; did you mean 'share'"):
        MOGFN(replay={"shares": 0.5})
