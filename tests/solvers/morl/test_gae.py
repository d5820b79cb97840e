"""Advantages against a naive loop, and the compiled ones bit for bit."""

import pytest
import torch

from paretokit.core import InputError, ShapeError
from paretokit.solvers.morl import _gae
from paretokit.solvers.morl._gae import gae
from tests.solvers.morl.test_ppo_update import lanes, normal


def experience(dtype, *, members=2, steps=23, n=3, m=2):
    own = lanes(members)
    rewards, values, successors = (normal(own.child(name), steps, n, m).to(dtype) for name in "rvs")
    terminated, truncated = (own.child(name).uniform(steps, n) < 0.15 for name in ("end", "cut"))
    successors[:, :-1] = torch.where((terminated | truncated)[:, :-1, :, None], successors[:, :-1], values[:, 1:])
    return rewards, values, successors, terminated, truncated


def naive(rewards, values, successors, terminated, truncated, discount, lam):
    """Return advantages by the definition: the sum of decayed one-step errors up to the episode's end."""
    out = torch.zeros_like(rewards)
    members, steps, n, m = rewards.shape
    for p in range(members):
        for i in range(n):
            for j in range(m):
                for t in range(steps):
                    for later in range(t, steps):
                        follows = 0.0 if terminated[p, later, i] else successors[p, later, i, j]
                        error = rewards[p, later, i, j] + discount * follows - values[p, later, i, j]
                        out[p, t, i, j] += (discount * lam) ** (later - t) * error
                        if terminated[p, later, i] or truncated[p, later, i]:
                            break
    return out


def test_advantages_are_the_decayed_sum_of_errors():
    data = experience(torch.float64, steps=12)
    found = gae(*data[:3], terminated=data[3], truncated=data[4], discount=0.9, lam=0.8)
    torch.testing.assert_close(found, naive(*data, 0.9, 0.8), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_compiled_advantages_are_the_plain_bits(dtype):
    data = experience(dtype)
    data[2][data[3]] = torch.nan  # nobody asks for the value of a state that does not follow
    slow = torch.empty_like(data[0])
    _gae.gae_plain(*data, (0.99, 0.99 * 0.95), slow)
    _gae.KERNELS.load()
    fast = gae(*data[:3], terminated=data[3], truncated=data[4], discount=0.99, lam=0.95)
    assert torch.equal(fast, slow)
    assert torch.isfinite(fast).all()


def test_with_lambda_one_advantages_are_returns_minus_values_and_with_zero_one_step_errors():
    rewards, values, successors, _, _ = experience(torch.float64)
    never = torch.zeros(rewards.shape[:-1], dtype=torch.bool)
    successors[:, :-1] = values[:, 1:]
    full = gae(rewards, values, successors, terminated=never, truncated=never, discount=0.9, lam=1.0)
    steps = rewards.shape[1]
    gains = 0.9 ** torch.arange(steps + 1, dtype=torch.float64)[:, None, None]
    returns = (gains[:-1] * rewards[0]).sum(0) + gains[-1] * successors[0, -1]
    torch.testing.assert_close(full[0, 0], returns - values[0, 0])
    one = gae(rewards, values, successors, terminated=never, truncated=never, discount=0.9, lam=0.0)
    torch.testing.assert_close(one, rewards + 0.9 * successors - values)


def test_advantages_need_equal_shapes():
    data = experience(torch.float64)
    ends = {"terminated": data[3], "truncated": data[4], "discount": 0.9, "lam": 0.9}
    with pytest.raises(ShapeError, match="`values` must have shape"):
        gae(data[0], data[1][:, 1:], data[2], **ends)
    with pytest.raises(ShapeError, match="`truncated` must have shape"):
        gae(*data[:3], **{**ends, "truncated": data[4][:, 1:]})
    with pytest.raises(InputError, match=r"`lam` must lie in \[0, 1\]; got 2"):
        gae(*data[:3], **{**ends, "lam": 2})
