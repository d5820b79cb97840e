"""Aggregators on degenerate Jacobians and at scales from 1e-8 to 1e8: each method's own optimality conditions."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from linear_programs import program

from paretokit.core import Rng
from paretokit.solvers.gradient import (
    IMTLG,
    AlignedMTL,
    CAGrad,
    NashMTL,
    PCGrad,
    dual_cone_weights,
    exact_pareto_weights,
    min_norm_weights,
)

# Degenerate Jacobians: dependent, vanishing, opposed and repeated gradients, of lengths from 1e-8 to 1e8.


@st.composite
def jacobians(draw, most=9, spread=8):
    m = draw(st.integers(1, most))
    rank = draw(st.integers(0, m))
    rng = Rng.from_seed(draw(st.integers(0, 2**31)))
    whole = draw(st.booleans())
    parts = (rng.child("a").normal(m, rank), rng.child("b").normal(rank, m + 2))
    if whole:  # small whole numbers: exact dependence, exact opposition
        parts = tuple(p.round() for p in parts)
    j = parts[0] @ parts[1]
    power = draw(st.integers(0, spread))
    scale = 10.0 ** ((2 * rng.child("scale").uniform(m, 1) - 1) * power).round()
    return j * scale


def sizes(c, w):
    """The size of the terms that (C w)_i is the sum of."""
    length = c.diagonal(dim1=-2, dim2=-1).sqrt()
    return length * (w.abs() * length).sum(-1, keepdim=True)


def small(value, by, tolerance=1e-6):
    return bool((value <= tolerance * by).all())


@settings(max_examples=150, deadline=None)
@given(jacobians())
def test_the_minimum_norm_point_meets_its_conditions(j):
    c = j @ j.T
    w = min_norm_weights(c)
    assert (w >= 0).all()
    assert math.isclose(float(w.sum()), 1.0)
    cw, size = c @ w, sizes(c, w)
    size = size + w @ size
    assert small((w @ cw) - cw, size)
    assert small((w * (cw - w @ cw)).abs(), w * size)  # complementary


@settings(max_examples=150, deadline=None)
@given(jacobians())
def test_projections_meet_their_conditions(j):
    c = j @ j.T
    u = torch.eye(len(j), dtype=torch.float64)
    v = dual_cone_weights(c.expand(len(j), -1, -1), u)
    assert (v >= u).all()
    cv = v @ c
    assert small(-cv, sizes(c, v))
    assert small(((v - u) * cv).abs(), v * sizes(c, v))


@settings(max_examples=150, deadline=None)
@given(jacobians(), st.sampled_from([0.1, 0.5, 2.0]))
def test_conflict_averse_directions_meet_their_conditions(j, radius):
    c = j @ j.T
    m = len(j)
    w = CAGrad(c=radius).weights(c)
    mean = j.mean(0)
    if not w.any():
        v = min_norm_weights(c)
        assert (v @ c @ v).clamp_min(0).sqrt() <= 1e-6 * c.diagonal().sum().sqrt()
        return
    v = w - 1 / m
    if radius * mean.norm() <= 1e-12 * c.diagonal().sqrt().max():
        return  # the ball is a point
    assert (v >= -1e-12 * w.abs().max()).all()
    d = w @ j
    torch.testing.assert_close((d - mean).norm(), radius * mean.norm(), rtol=1e-6, atol=0)
    gain = j @ d
    assert small((v / v.sum()) @ gain - gain, j.norm(dim=1).max() * d.norm())


@settings(max_examples=100, deadline=None)
@given(jacobians(most=6, spread=8))
def test_bargains_meet_their_conditions(j):
    c = j @ j.T
    p = Rng.from_seed(len(j)).uniform(len(j)) + 0.1
    p = p / p.sum()
    w = NashMTL().weights(c, preference=p)
    assert torch.isfinite(w).all()
    assert (w > 0).all()
    d = w @ j
    assert d.norm() <= math.sqrt(len(j)) * (1 + 1e-6)
    unit = torch.where(j.any(1, keepdim=True), j / j.norm(dim=1, keepdim=True), 0.0)
    least = min_norm_weights(unit @ unit.T)
    if (least @ unit).norm() > 1e-3:  # else the bargain has no solution
        torch.testing.assert_close(w * (c @ w), len(j) * p, rtol=1e-6, atol=0)


@settings(max_examples=100, deadline=None)
@given(jacobians())
def test_impartial_directions_project_equally(j):
    c = j @ j.T
    length = j.norm(dim=1)
    w = IMTLG().weights(c)
    assert torch.isfinite(w).all()
    live = length > 0
    unit = j[live] / length[live].unsqueeze(1)
    solvable = torch.linalg.matrix_rank(unit @ unit.T) == live.sum()  # else no direction may project equally
    if not live.any() or not solvable or not w.any() or torch.linalg.cond(unit @ unit.T) > 1e8:
        return
    gain = unit @ (w @ j)
    assert small((gain - gain.mean()).abs(), (w.abs() * length).sum())
    assert gain.mean() >= -1e-6 * (w.abs() * length).sum()


@settings(max_examples=100, deadline=None)
@given(jacobians(spread=0), st.integers(-8, 8))
def test_aligned_gradients_are_orthogonal_and_equally_long(j, power):
    j = j * 10.0**power
    c = j @ j.T
    each = AlignedMTL().weights(c.expand(len(j), -1, -1), preference=torch.eye(len(j), dtype=torch.float64))
    value = torch.linalg.eigvalsh(c)
    kept = value > value.max() * len(j) * torch.finfo(torch.float64).eps
    if not kept.any():
        assert torch.equal(each, torch.eye(len(j), dtype=torch.float64))
        return
    if value[kept].min() < 1e-7 * value.max():
        return  # the smallest eigenvalue itself is not known to six digits
    square = each @ c @ each.T  # sigma^2 times a projection
    torch.testing.assert_close(
        square @ square, value[kept].min() * square, rtol=1e-6, atol=1e-6 * float(square.max()) ** 2
    )
    assert math.isclose(float(square.trace()), float(kept.sum() * value[kept].min()), rel_tol=1e-6)


@settings(max_examples=50, deadline=None)
@given(jacobians(spread=4), st.integers(0, 99))
def test_surgery_is_that_of_gradients(j, seed):
    m, rng = len(j), Rng.from_seed(seed)
    orders = torch.argsort(rng.child("order").uniform(m, m), dim=1).tolist()
    found = torch.zeros_like(j[0])
    for i, order in enumerate(orders):
        g = j[i]
        for k in order:
            if k != i and g @ j[k] < 0:
                g = g - (g @ j[k]) / (j[k] @ j[k]) * j[k]
        found = found + g
    close = (PCGrad().direction(j, rng=rng) - found).norm()
    assert close <= 1e-6 * j.norm(dim=1).sum() * 10 ** max(0, m - 3)


@settings(max_examples=100, deadline=None)
@given(jacobians(most=4), st.booleans())
def test_exact_pareto_weights_meet_their_conditions(j, on_ray):
    m, rng = len(j), Rng.from_seed(len(j))
    r = rng.child("r").uniform(m) + 0.1
    r = r / r.sum()
    losses = 1 / r if on_ray else rng.child("l").uniform(m) + 0.05
    c = j @ j.T
    w = exact_pareto_weights(c, losses, r)
    assert (w >= 0).all()
    assert math.isclose(float(w.sum()), 1.0)
    if not c.any() or m == 1:
        return
    length = j.norm(dim=1)
    aim, left, right = program(c / length.max() ** 2, losses, m * r)
    if on_ray:  # where the losses are, to rounding, the last condition says nothing
        left, right = left[:m], right[:m]
    rows = left - right.unsqueeze(1)  # the weights' sum is one
    assert small(-(rows @ w), rows.abs().amax(1) / length.max() * (w * length).sum() + rows.abs() @ w)
    safe = min_norm_weights(c)  # meets all conditions
    assert aim @ w >= aim @ safe - 1e-6 * (aim.abs() @ safe)
