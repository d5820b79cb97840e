"""Aggregators against hand-checked answers, TorchJD's directions and plain twins."""

import json
import math
from pathlib import Path

import pytest
import torch
from linear_programs import exact_pareto, program

from paretokit.core import InputError, Rng, ShapeError, UnknownNameError
from paretokit.solvers.gradient import (
    EPO,
    IMTLG,
    MGDA,
    AlignedMTL,
    CAGrad,
    Linear,
    NashMTL,
    ParetoMTL,
    PCGrad,
    SmoothTchebycheff,
    Tchebycheff,
    UPGrad,
    dual_cone_weights,
    exact_pareto_weights,
    min_norm_weights,
)
from paretokit.solvers.gradient._aggregator import AGGREGATORS, aggregator_of, described

TWO = torch.tensor([[1.0, 0.0], [-1.0, 1.0]], dtype=torch.float64)
LOSSES = torch.tensor([1.0, 3.0], dtype=torch.float64)


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


ROOT = math.sqrt(2)
HAND = [  # rule, weights, direction, for g1 = (1, 0), g2 = (-1, 1), losses (1, 3), equal preferences
    (MGDA(), (0.6, 0.4), (0.2, 0.4)),
    (PCGrad(), (2.0, 1.5), (0.5, 1.5)),
    (CAGrad(c=0.5), (0.75, 0.5), (0.25, 0.5)),
    (CAGrad(c=0.0), (0.5, 0.5), (0.0, 0.5)),
    (NashMTL(), (math.sqrt(2 + ROOT), math.sqrt(1 + 1 / ROOT)), (math.sqrt(1 - 1 / ROOT), math.sqrt(1 + 1 / ROOT))),
    (IMTLG(), (2 - ROOT, ROOT - 1), (3 - 2 * ROOT, ROOT - 1)),
    (AlignedMTL(), (0.552786404500042, 0.414589803375031), (0.138196601125011, 0.414589803375031)),
    (EPO(), (0.0, 1.0), (-1.0, 1.0)),
    (Linear(), (0.5, 0.5), (0.0, 0.5)),
    (Tchebycheff(), (0.0, 0.5), (-0.5, 0.5)),
    (SmoothTchebycheff(mu=1.0), (0.5 / (1 + math.e), 0.5 / (1 + 1 / math.e)), None),
    (MGDA(normalization="l2"), (2 - ROOT, ROOT - 1), None),  # equal halves of gradients of length one
]


@pytest.mark.parametrize(("rule", "weights", "direction"), HAND, ids=lambda v: getattr(v, "name", None))
def test_hand_checked_answers(rule, weights, direction):
    w = rule.weights(TWO @ TWO.T, losses=LOSSES)
    torch.testing.assert_close(w, tensor(*weights), rtol=0, atol=1e-12)
    found = rule.direction(TWO, losses=LOSSES)
    torch.testing.assert_close(found, tensor(*direction) if direction else w @ TWO, rtol=0, atol=1e-12)


def test_upgrad_adds_projections():
    # Projected onto {d >= 0 in the first, d2 >= d1}: (1, 0) -> (.5, .5), (-1, 1) -> (0, 1); halves are added.
    torch.testing.assert_close(UPGrad().direction(TWO), tensor(0.25, 0.75))
    torch.testing.assert_close(UPGrad().weights(TWO @ TWO.T), tensor(1.0, 0.75))
    torch.testing.assert_close(dual_cone_weights(TWO @ TWO.T, tensor(1.0, 0.0)), tensor(1.0, 0.5))


def test_normalized_gradients_descend_every_loss():
    # Shortest of the hull of (1, 0) / 1 and (-1, 1) / 3, of (1, 0) / 1 and (-1, 1) / (3 sqrt 2).
    for normalization, by in (("loss", (1.0, 3.0)), ("loss+", (1.0, 3.0 * ROOT))):
        w = MGDA(normalization=normalization).weights(TWO @ TWO.T, losses=LOSSES)
        scaled = TWO / tensor(*by).unsqueeze(-1)
        v = min_norm_weights(scaled @ scaled.T) / tensor(*by)
        torch.testing.assert_close(w, v / v.sum())
        assert (TWO @ (w @ TWO) > 0).all()


# made by `python -m benchmarks._torchjd_table` with TorchJD 0.18.0
TABLE = json.loads((Path(__file__).parent / "torchjd_directions.json").read_text("utf-8"))
RULES = {
    **{rule.name: rule for rule in (MGDA(), UPGrad(), CAGrad(c=0.5), NashMTL(), IMTLG(), PCGrad())},
    **{f"AlignedMTL {scale}": AlignedMTL(scale=scale) for scale in ("min", "median", "rmse")},
}


@pytest.mark.parametrize("case", TABLE, ids=lambda case: str(case["shape"]))
@pytest.mark.parametrize("name", RULES)
def test_directions_are_those_of_torchjd(name, case):
    m, n = case["shape"]
    j = Rng.from_seed(10 * m + n).child("jacobian").normal(m, n) + 0.3
    ours, peer = RULES[name].direction(j), tensor(*case["directions"][name])
    if name == "NashMTL" and (j @ peer <= 0).any():  # theirs starts outside its domain here, and ascends a loss
        assert (j @ ours > 0).all()
        return
    assert torch.cosine_similarity(ours, peer, dim=0) >= 0.9999
    if name not in ("NashMTL", "UPGrad"):  # theirs iterates to a tolerance, or adds a ridge
        torch.testing.assert_close(ours, peer, rtol=1e-3, atol=1e-4)


def test_orders_matter_and_are_given_or_drawn():
    j = Rng.from_seed(4).normal(4, 3)
    drawn = [PCGrad().direction(j, rng=Rng.from_seed(s)) for s in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert torch.equal(PCGrad(order=(0, 1, 2, 3)).direction(j), PCGrad().direction(j))
    assert not torch.equal(PCGrad(order=(3, 2, 1, 0)).direction(j), PCGrad().direction(j))


@pytest.mark.parametrize("m", [2, 3, 4, 5, 7])
def test_exact_pareto_weights_are_as_good_as_a_host_solvers(m):
    rng = Rng.from_seed(m)
    for k in range(12):
        j = rng.child("j", k).normal(m, m + 3) + 0.2
        losses = rng.child("l", k).uniform(m) + 0.05
        r = rng.child("r", k).uniform(m) + 0.02
        r = r / r.sum()
        if k % 3 == 0:  # on the ray
            losses = 1 / r
        c = j @ j.T
        c = c / c.diagonal().sum()
        ours, theirs = exact_pareto_weights(c, losses, r), exact_pareto(c, losses, r)
        aim, left, right = program(c, losses, m * r)
        assert (left @ ours >= right - 1e-7).all()
        assert float(aim @ ours) >= float(aim @ theirs) - 1e-7


def test_relaxed_steps_descend_faster():
    j = Rng.from_seed(5).normal(3, 6)
    c, r = j @ j.T, tensor(0.2, 0.3, 0.5)
    losses = (1 / r) * tensor(1.0, 1.001, 1.002)
    tight, loose = (EPO(relaxed=x).weights(c, losses=losses, preference=r) for x in (False, True))
    assert (c @ loose).sum() >= (c @ tight).sum()


def test_sectors_take_back_what_left_them():
    rows = tensor([0.2, 0.8], [0.5, 0.5], [0.8, 0.2])
    j = torch.eye(2, dtype=torch.float64).expand(3, 2, 2)
    # directions of losses: (.8, .2), (1, 1), (.2, .8), each of length one
    home = tensor([4.0, 1.0], [1.0, 1.0], [1.0, 4.0])
    w = ParetoMTL().weights(j, losses=home, preference=rows)
    torch.testing.assert_close(w, torch.full((3, 2), 0.5, dtype=torch.float64))  # MGDA of unit gradients
    astray = ParetoMTL().weights(j, losses=tensor([1.0, 1.0], [4.0, 1.0], [1.0, 1.0]), preference=rows)
    assert astray[0, 1] > 0 > astray[0, 0]  # the second loss has to fall against the first one
    assert astray[1, 0] > 0 > astray[1, 1]
    assert astray[2, 0] > 0 > astray[2, 1]
    near = ParetoMTL(slack=10.0).weights(j, losses=tensor([1.0, 1.0], [4.0, 1.0], [1.0, 1.0]), preference=rows)
    assert ((near.unsqueeze(-2) @ j).squeeze(-2) >= 0).all()  # descends both as well


ALL = [*AGGREGATORS.names()]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("m", [2, 3, 7])
def test_a_batch_is_its_rows(name, m):
    rule = aggregator_of(name)
    j = Rng.from_seed(0).normal(2, 3, m, m + 2)
    losses = Rng.from_seed(1).uniform(2, 3, m) + 0.1
    p = Rng.from_seed(2).uniform(m) + 0.1
    p = p / p.sum()
    c = j @ j.mT
    together = rule.weights(c, losses=losses, preference=p)
    for a in range(2):
        for b in range(3):
            alone = rule.weights(c[a, b], losses=losses[a, b], preference=p)
            torch.testing.assert_close(together[a, b], alone, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ALL)
def test_a_jacobian_of_rank_zero_gives_finite_weights_and_no_step(name):
    rule = aggregator_of(name)
    j = torch.zeros(2, 3, 4, dtype=torch.float64)
    w = rule.weights(j @ j.mT, losses=torch.ones(2, 3).double())
    assert torch.isfinite(w).all()
    assert not rule.direction(j, losses=torch.ones(2, 3).double()).any()


@pytest.mark.parametrize("name", ALL)
def test_a_preference_with_zeros_gives_finite_weights(name):
    j = Rng.from_seed(0).normal(3, 5).expand(3, 3, 5)
    p = torch.eye(3, dtype=torch.float64)
    w = aggregator_of(name).weights(j @ j.mT, losses=torch.ones(3, 3).double(), preference=p)
    assert torch.isfinite(w).all()


@pytest.mark.parametrize("name", [n for n in ALL if n not in ("EPO", "Linear")])  # they answer by the preference
def test_broken_rows_are_nan_and_touch_no_other(name):
    rule = aggregator_of(name)
    j = Rng.from_seed(0).normal(3, 2, 4)
    losses = torch.ones(3, 2).double()
    whole = rule.weights(j @ j.mT, losses=losses)
    j[1, 0, 2] = math.nan
    losses[1, 1] = math.inf
    broken = rule.weights(j @ j.mT, losses=losses)
    assert not torch.isfinite(broken[1]).all()
    torch.testing.assert_close(broken[[0, 2]], whole[[0, 2]])


@pytest.mark.parametrize("name", ALL)
def test_configurations_survive_json(name):
    rule = aggregator_of(name)
    assert aggregator_of(json.loads(json.dumps(described(rule)))) == rule


@pytest.mark.parametrize(
    ("build", "line"),
    [
        (lambda: MGDA(normalization="l3"), "`normalization` must be one of .*; got 'l3'"),
        (lambda: AlignedMTL(scale="mean"), "`scale` must be one of"),
        (lambda: CAGrad(c=-1.0), "`c` must be at least 0 and finite; got -1.0"),
        (lambda: SmoothTchebycheff(mu=0.0), "`mu` must be positive and finite; got 0.0"),
        (lambda: Tchebycheff(utopian=(math.nan, 0.0)), "`utopian` must be (finite|a list of numbers)"),
        (lambda: PCGrad(order=(0, 0)), r"`order` must name every loss once, from 0; got \[0, 0\]"),
        (lambda: EPO(tolerance=0.0), "`tolerance` must be positive; got 0.0"),
        (lambda: ParetoMTL(slack=-1.0), "`slack` must be at least 0"),
        (lambda: EPO().weights(torch.eye(2)), "`losses` must be given to EPO; got None"),
        (lambda: aggregator_of({"c": 0.5}), "`aggregator` must have a name"),
    ],
)
def test_bad_options_are_named(build, line):
    with pytest.raises(InputError, match=line):
        build()


@pytest.mark.parametrize(
    ("build", "line"),
    [
        (lambda: min_norm_weights(torch.ones(2, 3)), r"`gramian` must have shape \[\*batch, m, m\]; got \[2, 3\]"),
        (lambda: MGDA().weights(torch.ones(2)), r"`gramian` must have shape \[\*batch, m, m\]"),
        (lambda: EPO().weights(torch.eye(2), losses=torch.ones(3)), r"`losses` must have shape \[2\]; got \[3\]"),
        (lambda: Linear().weights(torch.eye(2), preference=torch.ones(3)), "`preference` must have 2 entries"),
        (lambda: PCGrad(order=(0, 1)).weights(torch.eye(3)), "`order` must name 3 losses"),
        (lambda: Tchebycheff(utopian=(0.0,)).weights(torch.eye(2), losses=torch.ones(2)), "`utopian` must have 2"),
        (lambda: MGDA().direction(torch.ones(2)), r"`jacobian` must have shape \[\*batch, m, n\]"),
        (lambda: dual_cone_weights(torch.eye(2), torch.ones(3)), r"`combination` must have shape \[2\]"),
        (
            lambda: exact_pareto_weights(torch.eye(3), torch.ones(2), torch.ones(2)),
            r"`gramian` must have shape \[\*batch, m, m\] for losses and preferences",
        ),
    ],
)
def test_wrong_shapes_are_named(build, line):
    with pytest.raises(ShapeError, match=line):
        build()


def test_unknown_rules_get_the_nearest_names():
    with pytest.raises(UnknownNameError, match="did you mean 'MGDA'"):
        aggregator_of("mdga")
    with pytest.raises(UnknownNameError, match="has no option 'radius'"):
        aggregator_of({"name": "CAGrad", "radius": 1.0})


def test_single_precision_gives_single_precision():
    w = min_norm_weights((TWO @ TWO.T).float())
    assert w.dtype == torch.float32
    torch.testing.assert_close(w, torch.tensor([0.6, 0.4]))
