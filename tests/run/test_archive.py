"""The archive: always the non-dominated set of what was seen, whatever the order and the blocks."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paretokit.core import Evaluation, Front, InputError, Objective, Rng
from paretokit.run import Archive, _archive

TWO = (Objective("a"), Objective("b", "max"))


def rows(seed, n, m=2):
    x = Rng.from_seed(seed).uniform(n, 3)
    values = Rng.from_seed(seed).child("v").integers(6, n, m).to(torch.float64)
    return x, values


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.lists(st.integers(0, 9), min_size=1, max_size=6))
def test_any_split_into_blocks_gives_the_front_of_the_union(seed, sizes):
    x, values = rows(seed, sum(sizes))
    archive, start = Archive(TWO), 0
    for size in sizes:
        archive = archive.add(x[start : start + size], Evaluation(values[start : start + size]))
        start += size
    whole = Front.from_values(values, senses=["min", "max"], x=x)
    assert torch.equal(archive.values, whole.values)
    assert torch.equal(archive.x, whole.x)


def test_infeasible_and_failed_rows_stay_out():
    x, values = rows(0, 3)
    values[0] = torch.nan
    archive = Archive(TWO).add(x, Evaluation(values, torch.tensor([[0.0], [0.1], [-1.0]])))
    assert torch.equal(archive.x, x[2:])


def test_add_returns_a_new_value():
    first = Archive(TWO)
    x, values = rows(1, 5)
    second = first.add(x, Evaluation(values))
    values.zero_()
    assert (len(first), len(second) > 0) == (0, True)
    assert bool(second.values.any())


@pytest.mark.parametrize("pruning", ["crowding", "hypervolume"])
def test_capacity_keeps_extremes_and_a_spread(pruning):
    t = Rng.from_seed(3).uniform(400).sort().values
    values = torch.stack([t, t.sqrt()], -1)  # minimize t, maximize sqrt(t)
    archive = Archive(TWO, capacity=20, pruning=pruning).add(t.unsqueeze(-1), Evaluation(values))
    kept = archive.values[:, 1].sort().values
    assert len(archive) == 20
    assert kept[0] == values[:, 1].min()
    assert kept[-1] == values[:, 1].max()
    assert kept.diff().max() < 0.25


def test_bad_settings_get_one_line():
    with pytest.raises(InputError, match=r"`pruning` must be one of .*\(did you mean 'crowding'"):
        Archive(TWO, pruning="crowd")
    with pytest.raises(InputError, match="`capacity` must be at least 1; got 0"):
        Archive(TWO, capacity=0)


def test_log_stays_small_and_says_the_same_when_it_is_reduced(monkeypatch):
    logs = []
    for limit in (1 << 28, 4000):
        monkeypatch.setattr(_archive, "_LOG_BYTES", limit)
        log = _archive.EvaluationLog(2, TWO)
        for seed in range(30):
            x = Rng.from_seed(seed).uniform(2, 5, 3)
            log.evaluated(x, Evaluation(x[..., :2]))
        logs.append(log)
    assert logs[1].archives
    assert not logs[0].archives
    for p in range(2):
        assert torch.equal(logs[0].archive(p).values, logs[1].archive(p).values)
    assert logs[0].evaluations == logs[1].evaluations == 150


def test_a_run_of_single_rows_fails_when_ten_of_them_do():
    x = torch.zeros(2, 1, 3, dtype=torch.float64)
    bad = torch.tensor([[[torch.nan, 0.0]], [[0.0, 0.0]]], dtype=torch.float64)
    log = _archive.EvaluationLog(2, TWO)
    for step in range(10):
        assert not any(log.failed), step
        log.evaluated(x, Evaluation(bad))
        log.step_ended()
    assert log.failed == [True, False]


def test_a_step_of_several_calls_fails_as_a_whole_and_is_one_block():
    x, good = torch.zeros(1, 1, 3, dtype=torch.float64), torch.zeros(1, 1, 2, dtype=torch.float64)
    for values, failed in (([good, torch.nan * good], False), ([torch.nan * good] * 2, True)):
        log = _archive.EvaluationLog(1, TWO)
        for each in values:
            log.evaluated(x, Evaluation(each))
        assert (len(log.x), log.failed) == (2, [])
        log.step_ended()
        assert (len(log.x), log.evaluations, log.failed) == (1, 2, [failed])


def test_memory_of_a_hundred_thousand_evaluations_stays_below_two_hundred_megabytes():
    log = _archive.EvaluationLog(1, (Objective("a"), Objective("b"), Objective("c")))
    x = Rng.from_seed(0).uniform(100, 12)
    for _ in range(1000):
        log.evaluated(x, Evaluation(x[:, :3]))
    held = sum(t.nbytes for t in (*log.x, *log.values))
    assert log.evaluations == 100_000
    assert held < 200e6
