"""Fruit tree against MO-Gymnasium's step by step, and its front against theirs."""

import numpy as np
import pytest
import torch
from gymnasium_twin import agrees, numbers_its_states, peer_of, stacks

from paretokit.core import InputError, non_dominated
from paretokit.indicators import hypervolume
from paretokit.problems.morl._fruit_tree import FruitTree


@pytest.mark.parametrize("depth", [5, 6, 7])
def test_steps_are_those_of_mo_gymnasium(depth):
    agrees(FruitTree(depth=depth), peer_of("fruit-tree-v0", depth=depth), episodes=150)


def test_lanes_step_alone_as_in_a_stack_and_states_are_numbered():
    stacks(FruitTree())
    numbers_its_states(FruitTree(depth=7), torch.arange(255).reshape(1, -1, 1))


@pytest.mark.parametrize(("depth", "volume"), [(5, 36815.95), (6, 46034.80), (7, 56718.68)])
def test_the_front_is_every_leaf_discounted(depth, volume):
    front = FruitTree(depth=depth).pareto_front(0.99)
    theirs = np.array(peer_of("fruit-tree-v0", depth=depth).unwrapped.pareto_front(0.99))
    np.testing.assert_allclose(front.numpy(), theirs[np.lexsort(theirs.T[::-1])], rtol=0, atol=1e-12)
    assert non_dominated(front, maximize=True).all()
    assert float(hypervolume(front, (-1.0,) * 6, maximize=True)) == pytest.approx(volume, abs=1e-2)


def test_leaves_have_norm_ten_so_that_linear_weights_reach_each():
    for depth in (5, 6, 7):
        leaves = FruitTree(depth=depth).leaves()
        torch.testing.assert_close(
            leaves.norm(dim=-1), torch.full((2**depth,), 10.0, dtype=torch.float64), rtol=1e-6, atol=0
        )
        assert torch.equal((leaves @ leaves.T).argmax(-1), torch.arange(2**depth))


def test_another_depth_is_refused():
    with pytest.raises(InputError, match=r"`depth` must be one of \[5, 6, 7\]; got 8"):
        FruitTree(depth=8)
