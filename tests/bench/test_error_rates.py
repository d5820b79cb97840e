"""Error rates of the whole procedure: 1000 repetitions, familywise, after Holm."""

import pytest

from benchmarks.error_rates import LAWS, coverage, false_claims, power


@pytest.mark.slow
@pytest.mark.parametrize("law", list(LAWS))
def test_between_a_solver_and_itself_few_differences_are_claimed(law):
    for found in false_claims(1000, law=law):
        assert found.share <= found.bound, found


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.6, 1.0])
def test_a_planted_difference_is_found_at_the_stated_power(shift):
    found = power(1000, shift=shift)
    assert found.share >= found.bound, found


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say():
    for found in coverage(1000):
        assert found.share >= found.bound, found


@pytest.mark.parametrize("law", list(LAWS))
def test_rates_of_a_few_repetitions_are_shares(law):
    for found in false_claims(3, law=law):
        assert 0 <= found.share <= 1
        assert found.bound > 0.05
