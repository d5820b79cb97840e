"""Decision rules: closed forms, pymcdm and pymoo as oracles, invariances, edge cases, the sentence, errors."""

import importlib
import itertools
import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pymcdm.methods import TOPSIS

from paretokit.core import Front, InputError, Objective, ParetoError, Rng, ShapeError, UnknownNameError, to_min
from paretokit.decision import knee, pick, pseudo_weights, rules, topsis
from paretokit.problems import make

NORMALIZED = sorted(set(rules()) - {"linear"})
COST_SPEED = (Objective("cost", "min", "$"), Objective("speed", "max", "km/h"))


def pymoo(module):
    """Import from pymoo, whose decision makers import scipy by a deprecated name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module(f"pymoo.mcdm.{module}")


def front_of(values, objectives=None):
    return Front.from_values(torch.as_tensor(values, dtype=torch.float64), objectives=objectives)


def sphere(n=60, m=3, seed=0):
    """Return a concave front: points of the positive unit sphere, minimized."""
    raw = Rng.from_seed(seed).child("sphere").normal(n, m).abs() + 1e-3
    return front_of(raw / raw.norm(dim=1, keepdim=True))


def bowl(n=50):
    """Return a convex front with its knee in the middle."""
    t = torch.linspace(0, math.pi / 2, n, dtype=torch.float64)
    return front_of(1 - torch.stack([t.sin(), t.cos()], 1))


def choose(front, rule, preference=None):
    """Pick, with the middle of the box as the aspiration where one is due."""
    aspiration = None
    if rule == "asf":
        low = to_min(front.values, front.objectives)
        aspiration = to_min(0.7 * low.amin(0) + 0.3 * low.amax(0), front.objectives)
    return pick(front, None if rule == "knee" else preference, rule=rule, aspiration=aspiration)


def test_rules_are_listed():
    assert rules() == ["asf", "knee", "linear", "pseudo-weights", "tchebycheff", "topsis"]


# Normalized values are (0, 1), (0.2, 0.3), (0.6, 0.1), (1, 0).
FOUR = front_of([[10.0, 200.0], [12.0, 60.0], [16.0, 20.0], [20.0, 0.0]])


@pytest.mark.parametrize(
    ("rule", "preference", "row"),
    [
        ("tchebycheff", [0.5, 0.5], 1),  # max(0.1, 0.15)
        ("tchebycheff", [0.1, 0.9], 2),  # 0.09 against 0.27, 0.1
        ("tchebycheff", [1.0, 0.0], 0),
        ("tchebycheff", [0.0, 1.0], 3),
        ("linear", [0.5, 0.5], 3),  # 10 against 105, 36, 18
        ("linear", [0.99, 0.01], 0),  # 9.9 + 2 against 12.48, 16.04, 19.8
        ("knee", None, 1),  # 0.2 + 0.3 = 0.5
        ("topsis", [0.5, 0.5], 1),
        ("topsis", [0.05, 0.95], 3),
        ("pseudo-weights", [0.5, 0.5], 1),  # (0.8, 0.7) / 1.5
        ("pseudo-weights", [0.3, 0.7], 2),  # (0.4, 0.9) / 1.3
    ],
)
def test_worked_example(rule, preference, row):
    choice = pick(FOUR, preference, rule=rule)
    assert choice.index == row
    assert choice.rule == rule
    assert torch.equal(choice.values, FOUR.values[row])
    assert choice.front is FOUR


def test_aspirations_are_followed_in_the_users_senses():
    front = front_of([[10.0, 30.0], [12.0, 60.0], [16.0, 90.0], [20.0, 95.0]], COST_SPEED)
    assert pick(front, rule="asf", aspiration=[11.0, 59.0]).index == 1
    assert pick(front, rule="asf", aspiration=[15.0, 94.0]).index == 2  # on a scale of 10 $ against 65 km/h
    assert pick(front, rule="asf", aspiration=[30.0, 94.0]).index == 3  # both exceeded
    assert pick(front, rule="asf", aspiration=[9.0, 20.0]).index == 0  # cheap, slow is fine
    short = pick(front, aspiration=[11.0, 59.0])
    assert (short.rule, short.index, short.aspiration) == ("asf", 1, (11.0, 59.0))
    assert pick(front).aspiration is None


def test_every_point_of_a_front_is_picked_by_its_own_aspiration():
    front = sphere()
    assert [pick(front, aspiration=front.values[i]).index for i in range(len(front))] == list(range(len(front)))


def test_default_preference_is_equal_and_any_scale_of_a_preference_is_the_same():
    front = sphere()
    for rule in sorted(set(rules()) - {"knee"}):
        plain = choose(front, rule)
        assert plain.preference == pytest.approx((1 / 3, 1 / 3, 1 / 3))
        assert plain.index == choose(front, rule, [1, 1, 1]).index == choose(front, rule, [0.2, 0.2, 0.2]).index
    assert choose(front, "knee").preference is None
    assert pick(front, [1, 2, 1]).preference == pytest.approx((0.25, 0.5, 0.25))


@pytest.mark.parametrize("rule", ["tchebycheff", "linear", "topsis", "pseudo-weights"])
def test_a_larger_preference_never_worsens_its_objective(rule):
    front = bowl()
    shares = torch.linspace(0.02, 0.98, 25)
    first = [pick(front, [float(w), 1 - float(w)], rule=rule).values[0].item() for w in shares]
    assert all(b <= a for a, b in itertools.pairwise(first))
    assert first[0] > first[-1]


@pytest.mark.parametrize("maximize", [(False, False, False), (True, False, True)])
@pytest.mark.parametrize("preference", [[0.2, 0.3, 0.5], [1.0, 0.1, 2.0]])
def test_topsis_agrees_with_pymcdm(maximize, preference):
    front = sphere()
    objectives = [Objective(f"f{i}", "max" if up else "min") for i, up in enumerate(maximize)]
    front = front_of(to_min(front.values, objectives) + 2, objectives)
    assert len(front) == 60
    w = np.array(preference) / sum(preference)
    expected = TOPSIS()(front.values.numpy(), w, np.array([1 if up else -1 for up in maximize]))
    np.testing.assert_allclose(topsis(front, preference).numpy(), expected, rtol=1e-12)
    assert pick(front, preference, rule="topsis").index == int(np.argmax(expected))


@pytest.mark.parametrize("preference", [[0.2, 0.3, 0.5], [0.8, 0.1, 0.1]])
def test_pseudo_weights_agree_with_pymoo(preference):
    front = sphere()
    row, weights = (
        pymoo("pseudo_weights").PseudoWeights(np.array(preference)).do(front.values.numpy(), return_pseudo_weights=True)
    )
    np.testing.assert_allclose(pseudo_weights(front).numpy(), weights, rtol=1e-12)
    assert pick(front, preference, rule="pseudo-weights").index == row


def test_knee_is_among_the_high_trade_off_points_of_pymoo():
    t = torch.linspace(0.0, 1.0, 41, dtype=torch.float64)
    kinked = torch.stack([t, torch.where(t < 0.3, 1 - 3 * t, 0.1 * (1 - t) / 0.7)], 1)
    front = front_of(kinked)
    found = pick(front, rule="knee").index
    assert torch.allclose(front.values[found], torch.tensor([0.3, 0.1], dtype=torch.float64))
    assert found in pymoo("high_tradeoff").HighTradeoffPoints().do(front.values.numpy())


def test_knee_is_the_distance_to_the_line_through_the_ends():
    front = bowl()
    ends = front.values[0], front.values[-1]
    along = (ends[1] - ends[0]) / (ends[1] - ends[0]).norm()
    gap = front.values - ends[0]
    distance = (gap[:, 0] * along[1] - gap[:, 1] * along[0]).abs()
    torch.testing.assert_close(knee(front).abs(), distance, atol=1e-12, rtol=0)
    middle = pick(front, rule="knee").values
    assert (middle[0] - middle[1]).abs() < 0.04
    assert knee(sphere()).max() <= 1e-12  # a concave front bulges the other way


@pytest.mark.parametrize("rule", NORMALIZED)
@given(
    scale=st.lists(st.floats(1e-3, 1e3), min_size=3, max_size=3),
    shift=st.lists(st.floats(-10, 10), min_size=3, max_size=3),
    seed=st.integers(0, 50),
)
@settings(max_examples=25, deadline=None)
def test_units_and_zeros_do_not_matter_to_normalized_rules(rule, scale, shift, seed):
    front = sphere(20, seed=seed)
    moved = front_of(front.values * torch.tensor(scale).double() + torch.tensor(shift).double())
    assume(len(moved) == len(front))
    preference = [0.5, 0.2, 0.3]
    assert choose(front, rule, preference).index == choose(moved, rule, preference).index


def test_units_do_matter_to_linear():
    front = bowl()
    stretched = front_of(front.values * torch.tensor([100.0, 1.0]).double())
    assert pick(front, rule="linear").index != pick(stretched, rule="linear").index


@pytest.mark.parametrize("rule", rules())
@given(order=st.permutations(range(12)), seed=st.integers(0, 20))
@settings(max_examples=25, deadline=None)
def test_the_order_of_rows_does_not_matter_even_in_ties(rule, order, seed):
    front = sphere(12, seed=seed)
    assert torch.equal(choose(front, rule).values, choose(front.select(torch.tensor(order)), rule).values)
    symmetric = front_of([[0.0, 1.0], [1.0, 0.0]])
    swapped = symmetric.select(torch.tensor([1, 0]))
    assert choose(symmetric, rule).values.tolist() == choose(swapped, rule).values.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("rule", rules())
def test_maximized_objectives_are_their_minimized_twins(rule):
    front = sphere()
    names = [Objective("a", "max"), Objective("b"), Objective("c", "max")]
    twin = front_of(to_min(front.values, names), names)
    assert choose(front, rule, [0.2, 0.5, 0.3]).index == choose(twin, rule, [0.2, 0.5, 0.3]).index


@pytest.mark.parametrize("rule", rules())
def test_one_point_and_objectives_without_a_range(rule):
    single = front_of([[1.0, 2.0]])
    choice = pick(single, rule=rule, aspiration=[0.0, 0.0] if rule == "asf" else None)
    assert choice.index == 0
    assert choice.why == "it is the only point of the front, so nothing is traded off"
    flat = front_of([[0.0, 5.0, 1.0], [0.4, 5.0, 0.3], [1.0, 5.0, 0.0]])
    choice = pick(flat, rule=rule, aspiration=[0.3, 4.0, 0.3] if rule == "asf" else None)
    assert choice.index == 1
    assert "nan" not in str(choice)
    assert "f2" not in choice.why  # nothing can be traded for it


def test_scores_without_a_range_are_defined():
    single = front_of([[1.0, 2.0]])
    assert pseudo_weights(single).tolist() == [[0.5, 0.5]]
    assert topsis(single).tolist() == [1.0]
    assert knee(single).item() == pytest.approx(1 / math.sqrt(2))
    flat = front_of([[0.0, 5.0, 1.0], [1.0, 5.0, 0.0]])
    assert pseudo_weights(flat).tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    assert topsis(flat).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("rule", rules())
def test_an_empty_front_gets_one_line(rule):
    empty = FOUR.select(torch.zeros(4, dtype=torch.bool))
    with pytest.raises(InputError, match="^`front` must hold at least one point to choose from; got an empty front$"):
        pick(empty, rule=rule, aspiration=[0.0, 0.0] if rule == "asf" else None)


@pytest.mark.parametrize("function", [knee, pseudo_weights, topsis])
def test_functions_refuse_an_empty_front(function):
    with pytest.raises(InputError, match="`front` must hold at least one point"):
        function(FOUR.select(torch.zeros(4, dtype=torch.bool)))


class TestSentence:
    """`why`."""

    front = front_of([[10.0, 30.0], [12.0, 60.0], [16.0, 90.0], [20.0, 95.0]], COST_SPEED)

    def test_names_values_units_shares_and_the_price(self):
        assert pick(self.front, aspiration=[16.0, 90.0]).why == (
            "cost 16 $, 60 % of its range above the best of the front, is the price of "
            "speed 90 km/h, 8 % of its range below the best of the front; "
            "improving the former to 12 $ would lower speed by 30 km/h"
        )

    def test_at_an_end(self):
        assert pick(self.front, [1.0, 0.0]).why == (
            "speed 30 km/h, 100 % of its range below the best of the front, is the price of "
            "cost 10 $, the best of the front; improving the former to 60 km/h would raise cost by 2 $"
        )

    def test_small_shares_and_steps_below_a_tenth(self):
        front = front_of([[0.0, 1.0], [0.001, 0.002], [1.0, 0.0]])
        assert pick(front, aspiration=[0.001, 0.002]).why == (
            "f2 0.002, less than 1 % of its range above the best of the front, is the price of "
            "f1 0.001, less than 1 % of its range above the best of the front; "
            "improving the former to 0 would raise f1 by 0.999"
        )

    def test_every_point_has_one_that_only_names_true_facts(self):
        front = sphere()
        for i in range(len(front)):
            said = pick(front, aspiration=front.values[i]).why
            assert said.count(";") == 1
            assert "\n" not in said
            assert "would raise" in said


def test_choice_shows_decodes_and_answers_by_name():
    problem = make("re23-v1")
    x = problem.pareto_set(50)
    choice = Front.of(problem, x, problem.evaluate(x)).pick()
    assert choice.decode()["shell thickness"] == pytest.approx(0.0625 * choice.x[0].item())
    assert choice["cost"] == choice.values[0].item()
    assert str(choice).startswith(f"cost {choice['cost']:.4g} $, constraint violation")
    assert str(choice).endswith(choice.why)
    bare = pick(FOUR)
    assert bare.x is None
    with pytest.raises(ParetoError, match="no decision to decode"):
        bare.decode()
    with pytest.raises(AttributeError):
        bare.rule = "knee"


def test_low_precision_fronts_are_decided_in_double():
    front = sphere()
    low = Front.from_values(front.values.to(torch.float32))
    assert len(low) == len(front)
    assert knee(low).dtype == torch.float64
    assert pick(low).index == pick(front).index


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"preference": [0.5, 0.3, 0.2]}, ShapeError, "`preference` must have 2 entries, one per objective; got 3"),
        ({"preference": [0.5, -0.1]}, InputError, "`preference` must be non-negative and finite"),
        ({"preference": [0.5, math.inf]}, InputError, "`preference` must be non-negative and finite"),
        ({"preference": [0.5, math.nan]}, InputError, "`preference` must not contain NaN"),
        ({"preference": [0.0, 0.0]}, InputError, "`preference` must have a positive sum"),
        ({"preference": [1.0, 1.0], "rule": "knee"}, InputError, "`preference` must be None for rule 'knee'"),
        ({"rule": "asf"}, InputError, "`aspiration` must be given for rule 'asf'"),
        ({"aspiration": [1.0]}, ShapeError, "`aspiration` must have 2 entries"),
        ({"aspiration": [1.0, math.inf]}, InputError, "`aspiration` must be finite"),
        ({"aspiration": [1.0, 1.0], "rule": "topsis"}, InputError, "`aspiration` must be None for rule 'topsis'"),
        ({"rule": "tchebychef"}, UnknownNameError, "did you mean 'tchebycheff'"),
    ],
)
def test_wrong_arguments_get_one_line(arguments, error, message):
    with pytest.raises(error, match=message) as caught:
        FOUR.pick(**arguments)
    assert "\n" not in str(caught.value)
