"""Randomness: a pure key, equal alone and stacked, uniform enough, and never global."""

import numpy as np
import pytest
import torch
from scipy import stats

from paretokit.core import Lanes, Rng
from paretokit.core._rng import mix

MASK = (1 << 64) - 1


def splitmix(z):
    """SplitMix64's output function on Python integers: the slow twin."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def test_mix_equals_integer_arithmetic():
    values = [0, 1, 2**63, MASK, 0x9E3779B97F4A7C15, 12345678901234567890]
    signed = torch.tensor([v - 2**64 if v >> 63 else v for v in values])
    assert [int(v) & MASK for v in mix(signed)] == [splitmix(v) for v in values]


def test_published_sequence_of_seed_1234567():
    """The reference implementation's first outputs for this seed."""
    golden = 0x9E3779B97F4A7C15
    outputs = [splitmix((1234567 + (i + 1) * golden) & MASK) for i in range(5)]
    assert outputs == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    drawn = Rng(1234567).uniform(5)
    assert drawn.tolist() == [(o >> 11) * 2.0**-53 for o in outputs]


def test_members_draw_the_same_numbers_alone_or_stacked():
    rngs = tuple(Rng.from_seed(s) for s in (3, 1, 4))
    stacked = Lanes(rngs).child("move", 7).uniform(5, 2)
    for lane, rng in zip(stacked, rngs, strict=True):
        assert torch.equal(lane, rng.child("move", 7).uniform(5, 2))


def test_paths_do_not_collide_by_concatenation():
    root = Rng.from_seed(0)
    keys = {
        root.child(*path).key for path in [("a", "b"), ("ab",), ("a", 1), ("a", "1"), ("a1",), (1, "a"), (11,), (1, 1)]
    }
    assert len(keys) == 8


def test_a_block_is_a_prefix_of_a_larger_block():
    assert torch.equal(Rng.from_seed(1).uniform(10), Rng.from_seed(1).uniform(1000)[:10])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_uniform_is_uniform_and_below_one(dtype):
    u = Rng.from_seed(5).uniform(100_000, dtype=dtype)
    assert u.dtype == dtype
    assert 0 <= float(u.min()) <= float(u.max()) < 1
    assert stats.kstest(u.double().numpy(), "uniform").pvalue > 1e-3


def test_seeds_are_independent():
    drawn = torch.stack([Rng.from_seed(s).uniform(2000) for s in range(20)])
    correlation = torch.corrcoef(drawn) - torch.eye(20, dtype=torch.float64)
    assert float(correlation.abs().max()) < 5 / 2000**0.5


def test_normal_integers_and_permutation():
    rng = Rng.from_seed(2)
    assert stats.kstest(rng.normal(50_000).numpy(), "norm").pvalue > 1e-3
    counts = np.bincount(rng.integers(7, 70_000).numpy(), minlength=7)
    assert stats.chisquare(counts).pvalue > 1e-3
    assert sorted(rng.permutation(100).tolist()) == list(range(100))


def test_generators_follow_the_key():
    a, b = Rng.from_seed(0), Rng.from_seed(-1)
    assert torch.rand(3, generator=a.generator()).tolist() == torch.rand(3, generator=a.generator()).tolist()
    assert a.numpy().random() == a.numpy().random() != b.numpy().random()
    assert 0 <= b.seed32 < 2**32
