"""Fruit tree: six nutrients at the leaves of a binary tree, every leaf Pareto-optimal."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import final

import torch
from torch import Tensor

from paretokit.core import Objective
from paretokit.core import _check as check
from paretokit.problems.morl._dynamic_programming import TabularModel, deterministic_model
from paretokit.problems.morl._environment import Discrete
from paretokit.problems.morl._lookup import Lookup


@final
@dataclass(frozen=True, kw_only=True)
class FruitTree(Lookup):
    r"""A full binary tree: each of the :math:`2^{depth}` leaves pays six nutrients, and each is Pareto-optimal.

    The walk begins at the root; a step goes down to the left or the right and pays nothing until the leaf, whose
    nutrients it pays. All leaves have norm 10, so each is the best one for the weights along it. The front is
    :math:`\gamma^{depth - 1}` times the leaves. No time limit: an episode has `depth` steps.

    Observation: row and position in the row. Actions: left, right.

    The leaves are those of Yang et al., as MO-Gymnasium 1.3.2 bundles them under the MIT license, in a data file.

    Attributes:
        depth: 5, 6 or 7.

    Deviations from MO-Gymnasium 1.3: rewards are float64; a step behind a leaf stays there, instead of leaving the
    table.

    References:
        Yang, Sun and Narasimhan (2019), A generalized algorithm for multi-objective reinforcement learning and policy
        adaptation, NeurIPS.

    >>> FruitTree(depth=5).pareto_front(1.0).shape
    torch.Size([32, 6])
    """

    depth: int = 6

    id = "fruit-tree-v0"
    objectives = tuple(Objective(n, "max") for n in ("protein", "carbs", "fats", "vitamins", "minerals", "water"))
    observation_dim = 2
    actions = Discrete(2)
    discount = 0.99
    reference_point = (-1.0,) * 6
    front_kind = "exact"

    def __post_init__(self) -> None:
        check.one_of((5, 6, 7), depth=self.depth)
        object.__setattr__(self, "n_states", 2 ** (self.depth + 1) - 1)

    def leaves(self) -> Tensor:
        """Return the nutrients of the leaves from left to right, float64 `[2^depth, 6]`."""
        from safetensors.torch import load

        file = resources.files("paretokit.problems.morl") / "data" / f"{self.id}.safetensors"
        return load(file.read_bytes())[f"depth {self.depth}"]

    def model(self) -> TabularModel:
        """Return what happens, as tables; states are nodes, row by row."""
        leaves = self.leaves()
        inner = len(leaves) - 1
        node = torch.arange(self.n_states).unsqueeze(-1)
        after = torch.where(node < inner, 2 * node + torch.tensor([1, 2]), node)
        worth = torch.cat([leaves.new_zeros(inner, 6), leaves])
        return deterministic_model(after, worth[after], after >= inner, start=0)

    def observations(self) -> Tensor:
        """Return row and position of each node, float32 `[S, 2]`."""
        rows = torch.arange(self.depth + 1)
        row = rows.repeat_interleave(2**rows)
        return torch.stack([row, torch.arange(self.n_states) + 1 - 2**row], -1).to(torch.float32)

    def state_index(self, observation: Tensor) -> Tensor:
        """Return the node's number `[P, N]`, row by row, of observations `[P, N, 2]`."""
        row, position = observation.to(torch.int64).unbind(-1)
        return 2**row - 1 + position
