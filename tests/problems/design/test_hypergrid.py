"""The cells of a grid."""

import pytest
import torch

from paretokit.core import InputError
from paretokit.problems import HyperGrid


@pytest.mark.parametrize("edge_stops", [True, False])
def test_all_rows_lie_in_the_space_where_each_does(edge_stops):
    space = HyperGrid(side=5, edge_stops=edge_stops).space
    rows = [[0, 0], [4, 0], [4, 4], [-1, 0], [5, 0], [1.5, 0], [float("nan"), 0], [float("inf"), 0]]
    for row in rows:
        x = torch.tensor([[2, 3], row], dtype=torch.float64)
        assert space.contains_all(x) == bool(space.contains(x).all()), row


@pytest.mark.parametrize("name", ["side", "dim"])
def test_sizes_are_whole_numbers(name):
    with pytest.raises(InputError, match=f"`{name}` must be a whole number; got 8.5"):
        HyperGrid(**{name: 8.5})
