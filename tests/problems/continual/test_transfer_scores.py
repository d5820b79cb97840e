"""Scores of continual learning against a matrix worked out by hand."""

import pytest
import torch

from paretokit.core import InputError, ShapeError
from paretokit.problems.continual import (
    average_accuracy,
    backward_transfer,
    forward_transfer,
    peak_accuracy,
    preferred_accuracy,
    preferred_matrix,
)

MATRIX = torch.tensor([[0.9, 0.5, 0.6], [0.7, 0.8, 0.4], [0.6, 0.9, 1.0]], dtype=torch.float64)


def test_scores_of_a_matrix_by_hand():
    assert float(average_accuracy(MATRIX)) == pytest.approx((0.9 + 0.75 + 2.5 / 3) / 3)
    assert float(backward_transfer(MATRIX)) == pytest.approx(((0.6 - 0.9) + (0.9 - 0.8)) / 2)
    untrained = torch.tensor([0.5, 0.5, 0.5], dtype=torch.float64)
    assert float(forward_transfer(MATRIX, untrained)) == pytest.approx((0.0 - 0.1) / 2)
    stack = torch.stack([MATRIX, MATRIX.T])
    assert average_accuracy(stack).shape == backward_transfer(stack).shape == (2,)
    above = MATRIX.clone()
    above[0, 2] = torch.nan  # what was not measured is not read
    assert float(average_accuracy(above)) == float(average_accuracy(MATRIX))


def test_scores_of_several_networks_by_hand():
    accuracies = torch.tensor([[0.9, 0.5], [0.6, 0.8]], dtype=torch.float64)
    assert float(peak_accuracy(accuracies)) == pytest.approx(0.85)
    wanted = torch.tensor([[1.0, 0.0], [0.25, 0.75]], dtype=torch.float64)
    assert preferred_accuracy(accuracies, wanted).tolist() == pytest.approx([0.9, 0.75])
    assert preferred_matrix(accuracies, wanted).tolist() == pytest.approx([(0.9 + 0.25 * 0.6) / 1.25, 0.8])
    nobody = torch.tensor([[1.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    assert preferred_matrix(accuracies, nobody).tolist() == pytest.approx([0.75, 0.65])


def test_a_network_that_heeds_no_preference_has_its_plain_accuracies_in_the_matrix():
    accuracies = torch.tensor([0.3, 0.9, 0.6]).expand(5, 3)
    wanted = torch.rand(5, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(preferred_matrix(accuracies, wanted / wanted.sum(1, keepdim=True)), accuracies[0])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match="`matrix` must be square"):
        average_accuracy(MATRIX[:2])
    with pytest.raises(ShapeError, match="`untrained` must have 3 entries"):
        forward_transfer(MATRIX, torch.zeros(2))
    with pytest.raises(ShapeError, match="`accuracies` must be networks by tasks"):
        peak_accuracy(torch.zeros(3))
    with pytest.raises(InputError, match="`preferences` must be rows on the simplex"):
        preferred_accuracy(MATRIX, torch.ones(3, 3))
