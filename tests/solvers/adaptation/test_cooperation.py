"""The linear programs of ParetoDA against SciPy's, their theorems, and Bayes refinement by hand."""

import math

import pytest
import torch
from scipy.optimize import linprog

from paretokit.core import Lanes, Rng, ShapeError
from paretokit.solvers.adaptation import cooperative_weights, refined
from paretokit.solvers.adaptation._refinement import ClassDiscriminators


def gradients(n, seed=0, m=3, d=5):
    g = Rng.from_seed(seed).normal(n, m + 1, d)
    return g[:, :m], g[:, m]


def plain(c, a, direction):
    """SciPy's solution of the same program, as its best value; None where there is none."""
    m = len(a)
    if direction == "descent":
        aim, rows = c.sum(0), [*c, a - min(0.0, float(a.max()))]
    else:
        best = int(a.argmax())
        lower = [float(a[j]) if a[j] <= 0 else -math.inf for j in range(m)]
        lower[best] = 0.0
        if a[best] <= 0:
            lower = [0.0] * m
        aim, rows = a, [c[j] - lower[j] for j in range(m) if lower[j] > -math.inf]
    found = linprog(
        -aim.numpy(),
        A_ub=-torch.stack(list(rows)).numpy(),
        b_ub=[0.0] * len(rows),
        A_eq=[[1.0] * m],
        b_eq=[1.0],
        method="highs",
    )
    return -found.fun if found.success else None


@pytest.mark.parametrize("direction", ["descent", "guidance"])
def test_weights_are_as_good_as_scipys_and_feasible(direction):
    g, held = gradients(60, seed=3)
    c, a = g @ g.mT, (g @ held.unsqueeze(-1)).squeeze(-1)
    w = cooperative_weights(c, a, direction=direction)
    assert torch.allclose(w.sum(-1), torch.ones(60, dtype=torch.float64))
    assert float(w.min()) >= 0
    solved = 0
    for k in range(60):
        due = plain(c[k], a[k], direction)
        if due is None:
            assert torch.allclose(w[k], torch.full((3,), 1 / 3, dtype=torch.float64))
            continue
        solved += 1
        aim = c[k].sum(0) if direction == "descent" else a[k]
        assert float(w[k] @ aim) == pytest.approx(due, rel=1e-6, abs=1e-9)
    assert solved > 40


def test_descent_lets_no_objective_rise_nor_the_held_out_loss_where_one_gradient_serves_it():
    g, held = gradients(200, seed=5)
    c, a = g @ g.mT, (g @ held.unsqueeze(-1)).squeeze(-1)
    w = cooperative_weights(c, a)
    moved = (w - 1 / 3).abs().amax(-1) > 1e-9
    served = moved & (a.amax(-1) > 0)
    assert float((c @ w.unsqueeze(-1)).squeeze(-1)[moved].min()) > -1e-9
    assert float((w * a).sum(-1)[served].min()) > -1e-9
    free = cooperative_weights(c)
    assert float((c @ free.unsqueeze(-1)).squeeze(-1)[moved].min()) > -1e-9
    assert not torch.allclose(w, free)


def test_guidance_is_pure_descent_where_every_gradient_is_at_odds_with_the_held_out_loss():
    g, held = gradients(300, seed=7)
    c, a = g @ g.mT, (g @ held.unsqueeze(-1)).squeeze(-1)
    w = cooperative_weights(c, a, direction="guidance")
    moved = (w - 1 / 3).abs().amax(-1) > 1e-9
    against = moved & (a.amax(-1) <= 0)
    assert int(against.sum()) > 10
    assert float((c @ w.unsqueeze(-1)).squeeze(-1)[against].min()) > -1e-9


def test_guidance_follows_the_one_gradient_that_serves_the_held_out_loss():
    g = torch.eye(3, dtype=torch.float64)
    held = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    w = cooperative_weights((g @ g.T).unsqueeze(0), (g @ held).unsqueeze(0), direction="guidance")
    assert torch.allclose(w, torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64), atol=1e-9)


def test_where_nothing_is_left_to_be_guided_to_guidance_is_descent():
    g, held = gradients(20)
    c, a = g @ g.mT, (g @ held.unsqueeze(-1)).squeeze(-1)
    none = torch.zeros(20, dtype=torch.bool)
    assert torch.allclose(
        cooperative_weights(c, a, direction="guidance", guided=none), cooperative_weights(c, a), atol=1e-9
    )


@pytest.mark.parametrize("scale", [1e-8, 1e8])
@pytest.mark.parametrize("direction", ["descent", "guidance"])
def test_a_common_scale_of_all_gradients_changes_nothing(scale, direction):
    g, held = gradients(30)
    c, a = g @ g.mT, (g @ held.unsqueeze(-1)).squeeze(-1)
    scaled = cooperative_weights(c * scale**2, a * scale**2, direction=direction)
    assert torch.allclose(scaled, cooperative_weights(c, a, direction=direction), atol=1e-6)


def test_what_has_no_direction_gets_equal_weights():
    equal = torch.full((1, 3), 1 / 3, dtype=torch.float64)
    zero = torch.zeros(1, 3, 3, dtype=torch.float64)
    assert torch.allclose(cooperative_weights(zero, torch.zeros(1, 3, dtype=torch.float64)), equal)
    assert torch.allclose(cooperative_weights(zero / 0, torch.zeros(1, 3, dtype=torch.float64)), equal)
    conflict = torch.tensor([[1.0], [-1.0], [-1.0]], dtype=torch.float64)
    assert torch.isfinite(cooperative_weights((conflict @ conflict.T).unsqueeze(0))).all()


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ShapeError, match=r"`gramian` must have shape \[\*batch, m, m\], and guide \[\*batch, m\]"):
        cooperative_weights(torch.eye(3), torch.ones(2))


def test_refinement_of_the_digest():
    p = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)
    likely = torch.tensor([0.9, 0.5, 0.2], dtype=torch.float64)
    due = torch.tensor([0.63, 0.1, 0.02], dtype=torch.float64) / 0.75
    assert torch.allclose(refined(p, likely), due)
    assert torch.allclose(refined(p, torch.ones(3, dtype=torch.float64)), p)


def test_class_discriminators_are_separate_networks_and_count_every_example():
    rng = Rng.from_seed(0)
    lanes = Lanes((rng.child("a"), rng.child("b")))
    classes = ClassDiscriminators(4, 3, (5,))
    rows = classes.init(lanes, dtype=torch.float64)
    z, others = rng.child("z").normal(2, 6, 4), rng.child("o").normal(2, 7, 4)
    found = classes.logits(rows, z)
    for p in range(2):
        for k in range(3):
            own = rows[p].reshape(3, -1)[k].unsqueeze(0)
            assert torch.allclose(classes.net(own, z[p : p + 1])[0, :, 0], found[p, :, k])
    labels = torch.tensor([0, 1, 2, 0, 1, 1])
    rho = rng.child("rho").uniform(2, 7, 3)
    rho = rho / rho.sum(-1, keepdim=True)
    toward = classes.logits(rows, others)
    due = torch.zeros(2, dtype=torch.float64)
    for p in range(2):
        for i, k in enumerate(labels.tolist()):
            due[p] -= torch.log(1 - found[p, i, k].sigmoid()) / 6
        for i in range(7):
            for k in range(3):
                due[p] -= rho[p, i, k] * torch.log(toward[p, i, k].sigmoid()) / 7
    assert torch.allclose(classes.loss(found, labels, (toward, rho)), due)
