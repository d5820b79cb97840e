"""Scalarizers: closed forms, oracles, limits, theorems about optimal points, shapes, errors."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymoo.decomposition.asf import ASF
from pymoo.decomposition.pbi import PBI
from pymoo.decomposition.tchebicheff import Tchebicheff
from pymoo.decomposition.weighted_sum import WeightedSum

from paretokit import scalarization
from paretokit.core import InputError, Rng, ShapeError, UnknownNameError, non_dominated

NAMES = scalarization.list()
RNG = Rng.from_seed(0)
VALUES = RNG.child("values").uniform(7, 3)
WEIGHTS = 0.1 + RNG.child("weights").uniform(5, 3)
UTOPIAN = torch.tensor([-0.1, -0.2, 0.0], dtype=torch.float64)


def score(name, values=VALUES, weights=WEIGHTS, utopian=UTOPIAN, **options):
    return scalarization.make(name, **options)(values, weights=weights, utopian=utopian)


def test_all_names_are_public_functions():
    assert set(NAMES) == set(scalarization.__all__) - {"Scalarizer", "list", "make"}


CLOSED = {
    # f - z = (1, 2), w = (0.75, 0.25)
    "weighted_sum": 0.75 + 0.5,
    "tchebycheff": 0.75,
    "augmented_tchebycheff": 0.75 + 1e-3 * 3,
    "achievement": 0.75 + 1e-3 * 1.25,
    "smooth_tchebycheff": 0.1 * math.log(math.exp(7.5) + math.exp(5.0)),
    # ray (1/0.75, 1/0.25) ~ (1, 3) / sqrt(10)
    "pbi": 7 / math.sqrt(10) + 5 * math.sqrt(5 - 49 / 10),
    # span 4: gains 3 and 2
    "weighted_log_sum": -(0.75 * math.log(3) + 0.25 * math.log(2)),
}


@pytest.mark.parametrize("name", NAMES)
def test_closed_forms(name):
    options = {"span": 4.0} if name == "weighted_log_sum" else {}
    values = torch.tensor([[2.0, 1.0]], dtype=torch.float64)
    found = score(name, values, [0.75, 0.25], [1.0, -1.0], **options)
    assert found.shape == (1,)
    assert found.item() == pytest.approx(CLOSED[name], rel=1e-12)


ORACLES = {
    "weighted_sum": (WeightedSum(), lambda w: w),
    "tchebycheff": (Tchebicheff(), lambda w: w),
    # pymoo divides by weights and follows rays; larger weights matter less there.
    "achievement": (ASF(), lambda w: 1 / w),
    "pbi": (PBI(theta=5), lambda w: 1 / w),
}


@pytest.mark.parametrize("name", ORACLES)
def test_pymoo_agrees(name):
    oracle, translate = ORACLES[name]
    # pymoo's weighted sum ignores the utopian point, so it gets differences.
    gaps, weights = (VALUES - UTOPIAN).numpy(), translate(WEIGHTS).numpy()
    expected = oracle.do(gaps, weights, _type="many_to_many", utopian_point=np.zeros(3))
    options = {"rho": 0.0} if name == "achievement" else {}
    np.testing.assert_allclose(score(name, **options).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_batches_single_weights_and_rows_agree_with_all_pairs(name):
    scalarizer = scalarization.make(name)
    every = scalarizer(VALUES, weights=WEIGHTS, utopian=UTOPIAN)
    assert every.shape == (7, 5)
    one = scalarizer(VALUES, weights=WEIGHTS[2], utopian=UTOPIAN)
    torch.testing.assert_close(one, every[:, 2])
    rows = scalarizer(VALUES[:5], weights=WEIGHTS, utopian=UTOPIAN, rowwise=True)
    torch.testing.assert_close(rows, every[:5].diagonal())
    batch = torch.stack([VALUES, 2 * VALUES])
    stacked = scalarizer(batch, weights=WEIGHTS, utopian=UTOPIAN)
    assert stacked.shape == (2, 7, 5)
    torch.testing.assert_close(stacked[0], every)
    torch.testing.assert_close(scalarizer(VALUES[3], weights=WEIGHTS, utopian=UTOPIAN), every[3])
    paired = scalarizer(batch, weights=WEIGHTS[:2, None], utopian=UTOPIAN, rowwise=True)
    assert paired.shape == (2, 7)
    torch.testing.assert_close(paired[0], every[:, 0])


@pytest.mark.parametrize("name", NAMES)
def test_depends_on_distances_from_the_utopian_point_only(name):
    shift = torch.tensor([3.0, -2.0, 0.5], dtype=torch.float64)
    torch.testing.assert_close(score(name, VALUES + shift, utopian=UTOPIAN + shift), score(name))
    torch.testing.assert_close(score(name, utopian=None), score(name, utopian=[0.0, 0.0, 0.0]))


@pytest.mark.parametrize("name", NAMES)
def test_gradients_agree_with_differences(name):
    values, weights = VALUES.clone().requires_grad_(), WEIGHTS.clone().requires_grad_()
    options = {"span": 4.0} if name == "weighted_log_sum" else {}
    assert torch.autograd.gradcheck(lambda f, w: score(name, f, w, **options), (values, weights))


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_finite_at_the_utopian_point_and_beside_failed_rows(name):
    values = torch.stack([UTOPIAN, torch.full_like(UTOPIAN, math.nan), UTOPIAN + 0.5]).requires_grad_()
    scores = score(name, values)
    assert torch.isinf(scores[1]).all()
    assert (scores[1] > 0).all()
    (slope,) = torch.autograd.grad(scores[[0, 2]].sum(), values)
    assert torch.isfinite(slope).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_failed_rows_are_worse_than_all_even_at_zero_weight(name, bad):
    values = VALUES.clone()
    values[2, 1] = bad
    scores = score(name, values, torch.tensor([[0.5, 0.0, 0.5]]))
    assert scores[2].item() == math.inf
    assert torch.isfinite(scores[[0, 1, 3, 4, 5, 6]]).all()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "pbi"])  # see the test below
@given(
    gaps=st.lists(st.floats(0.0, 0.9), min_size=3, max_size=3),
    better=st.lists(st.floats(0.0, 0.9), min_size=3, max_size=3),
    raw=st.lists(st.floats(0.05, 1.0), min_size=3, max_size=3),
)
@settings(max_examples=60, deadline=None)
def test_never_prefers_a_dominated_point(name, gaps, better, raw):
    worse = torch.tensor(gaps, dtype=torch.float64)
    best = torch.minimum(worse, torch.tensor(better, dtype=torch.float64))
    found = score(name, torch.stack([best, worse]), torch.tensor(raw, dtype=torch.float64), None)
    assert found[0] <= found[1] + 1e-12


def test_pbi_with_a_large_penalty_may_prefer_a_dominated_point_on_its_ray():
    points = torch.tensor([[0.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
    weights = torch.tensor([0.5, 0.5], dtype=torch.float64)
    assert scalarization.pbi(points, weights=weights, theta=5.0).argmin() == 1
    assert scalarization.pbi(points, weights=weights, theta=0.5).argmin() == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_larger_weight_matters_more(name):
    angle = torch.linspace(0.0, math.pi / 2, 201, dtype=torch.float64)
    convex = 1 - torch.stack([angle.sin(), angle.cos()], -1)
    weights = torch.tensor([[0.2, 0.8], [0.5, 0.5], [0.8, 0.2]], dtype=torch.float64)
    chosen = convex[score(name, convex, weights, None).argmin(0)]
    assert (chosen[:, 0].diff() < 0).all()
    assert (chosen[:, 1].diff() > 0).all()


def test_every_pareto_point_is_optimal_for_its_tchebycheff_weight_and_only_convex_ones_for_sums():
    angle = torch.linspace(0.05, math.pi / 2 - 0.05, 40, dtype=torch.float64)
    concave = torch.stack([angle.cos(), angle.sin()], -1)
    weights = 1 / concave
    best = scalarization.tchebycheff(concave, weights=weights).argmin(0)
    assert torch.equal(best, torch.arange(40))
    assert torch.equal(scalarization.pbi(concave, weights=weights).argmin(0), torch.arange(40))
    reached = set(scalarization.weighted_sum(concave, weights=weights).argmin(0).tolist())
    assert reached == {0, 39}
    cloud = RNG.child("cloud").uniform(300, 4) + 0.01
    front = cloud[non_dominated(cloud)]
    best = scalarization.tchebycheff(front, weights=1 / front).argmin(0)
    assert torch.equal(best, torch.arange(len(front)))


def test_augmentation_breaks_the_tie_that_a_zero_weight_leaves():
    points = torch.tensor([[1.0, 5.0], [1.0, 2.0]], dtype=torch.float64)
    weights = torch.tensor([1.0, 0.0], dtype=torch.float64)
    assert scalarization.tchebycheff(points, weights=weights).tolist() == [1.0, 1.0]
    assert scalarization.augmented_tchebycheff(points, weights=weights).argmin() == 1


def test_limits_of_the_options():
    gaps = VALUES - UTOPIAN
    hard = score("tchebycheff")
    previous = math.inf
    for mu in (1.0, 0.1, 0.01, 1e-4):
        smooth = score("smooth_tchebycheff", mu=mu)
        assert (smooth >= hard - 1e-12).all()
        assert (smooth <= hard + mu * math.log(3) + 1e-12).all()
        error = (smooth - hard).abs().max().item()
        assert error < previous
        previous = error
    torch.testing.assert_close(score("smooth_tchebycheff", mu=1e-6), hard, atol=1e-5, rtol=0)
    torch.testing.assert_close(score("augmented_tchebycheff", rho=0.0), hard)
    torch.testing.assert_close(score("achievement", rho=0.0), hard)
    ray = 1 / WEIGHTS
    along = gaps @ (ray / ray.norm(dim=1, keepdim=True)).T
    torch.testing.assert_close(score("pbi", theta=0.0), along)
    length = score("pbi", theta=1.0) - along
    torch.testing.assert_close(along.square() + length.square(), gaps.square().sum(1, keepdim=True).expand(7, 5))


def test_floors_and_spans_do_what_they_say():
    zero = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
    wide = score("pbi", weights=zero, floor=1e-2)
    assert not torch.allclose(wide, score("pbi", weights=zero, floor=1e-1))
    torch.testing.assert_close(wide, score("pbi", weights=[1.0, 1e-2, 1.0], floor=1e-6))
    beyond = torch.tensor([[0.5, 3.0]], dtype=torch.float64)
    found = scalarization.weighted_log_sum(beyond, weights=[0.5, 0.5], floor=1e-3)
    assert found.item() == pytest.approx(-0.5 * math.log(0.5) - 0.5 * math.log(1e-3))
    rewards = torch.tensor([[0.2, 0.7]], dtype=torch.float64)
    logs = scalarization.weighted_log_sum(-rewards, weights=[0.3, 0.7], utopian=[-2.0, -2.0], span=2.0)
    assert math.exp(-logs.item()) == pytest.approx(0.2**0.3 * 0.7**0.7)


def test_achievement_keeps_the_order_beyond_an_attained_aspiration():
    points = torch.tensor([[1.0, 1.0], [0.5, 0.5]], dtype=torch.float64)
    easy = [2.0, 2.0]
    scores = scalarization.achievement(points, weights=[0.5, 0.5], utopian=easy)
    assert (scores < 0).all()
    assert scores.argmin() == 1
    assert scalarization.tchebycheff(points, weights=[0.5, 0.5], utopian=easy).argmin() == 0


def test_whole_numbers_and_lists_are_accepted_and_float32_stays():
    assert scalarization.weighted_sum(torch.tensor([[1, 2]]), weights=[1, 1]).tolist() == [3.0]
    low = VALUES.to(torch.float32)
    assert score("pbi", low).dtype == torch.float32


def test_inputs_are_not_changed():
    before = VALUES.clone(), WEIGHTS.clone(), UTOPIAN.clone()
    for name in NAMES:
        score(name)
    assert all(torch.equal(a, b) for a, b in zip(before, (VALUES, WEIGHTS, UTOPIAN), strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": [0.5, 0.5]}, "`weights` must have 3 entries, one per objective"),
        ({"utopian": [0.0]}, "`utopian` must have 3 entries, one per objective"),
        ({"values": torch.tensor(1.0)}, r"`values` must have shape \[..., n, m\]"),
        ({"weights": torch.ones(2, 2, 3)}, r"`weights` must have shape \[w, m\] or \[m\]; got .* \(rowwise=True\?\)"),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_wrong_shapes_get_one_line(name, arguments, message):
    with pytest.raises(ShapeError, match=message):
        score(name, **arguments)


@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf])
def test_wrong_weights_get_one_line(bad):
    with pytest.raises(InputError, match="`weights` must be non-negative and finite"):
        score("weighted_sum", weights=[0.5, bad, 0.5])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("augmented_tchebycheff", {"rho": -1.0}, "`rho` must be at least 0"),
        ("achievement", {"rho": -1.0}, "`rho` must be at least 0"),
        ("smooth_tchebycheff", {"mu": 0.0}, "`mu` must be positive and finite; got 0.0"),
        ("smooth_tchebycheff", {"mu": math.inf}, "`mu` must be positive and finite"),
        ("pbi", {"theta": -1.0}, "`theta` must be at least 0"),
        ("pbi", {"floor": 0.0}, "`floor` must be positive"),
        ("weighted_log_sum", {"span": 0.0}, "`span` must be positive"),
        ("weighted_log_sum", {"floor": -1.0}, "`floor` must be positive"),
    ],
)
def test_wrong_options_get_one_line(name, options, message):
    with pytest.raises(InputError, match=message):
        score(name, **options)


def test_unknown_names_and_options_offer_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'smooth_tchebycheff'"):
        scalarization.make("smooth_tchebychef")
    with pytest.raises(UnknownNameError, match="tchebycheff has no option 'mu'"):
        scalarization.make("tchebycheff", mu=0.1)
    with pytest.raises(UnknownNameError, match="pbi has no option 'thetta'; did you mean 'theta'"):
        scalarization.make("pbi", thetta=1.0)
