"""Exact Pareto weights: which combination of gradients brings losses onto a preference's ray, then down along it."""

from __future__ import annotations

import torch
from torch import Tensor

from paretokit.core import _check as check

LEAST = 1e-3  # least share of a preference, and least loss
UNIFORM = 1e-4  # non-uniformity below which losses count as on the ray


def exact_pareto_weights(gramian: Tensor, losses: Tensor, preferences: Tensor) -> Tensor:
    r"""Return weights w on the simplex whose combined gradient balances the losses to the preference, or descends.

    .. math:: \hat l_j = \frac{r_j l_j}{\sum_i r_i l_i}, \qquad \mu = \sum_j \hat l_j \log(m \hat l_j), \qquad
              a_j = r_j (\log(m \hat l_j) - \mu)

    Off the ray (:math:`\mu > 10^{-4}`), with :math:`j^* = \arg\max_j r_j l_j`:

    .. math:: \max_w w^\top C a \ \text{ with } (C w)_j \ge (C a)_j \text{ where } (C a)_j \le 0,\quad
              (C w)_{j^*} \ge 0

    with r the preference times m, and, where no :math:`(C a)_j` is positive, :math:`C w \ge 0` instead. On the ray:

    .. math:: \max_w 1^\top C w \ \text{ with } C w \ge 0, \quad w^\top C a \ge \min(0, \max_j (C a)_j)

    A larger preference :math:`r_j` asks for a smaller loss: :math:`r_j l_j` become equal for all j.

    Args:
        gramian: Inner products C of the losses' gradients, `[*batch, m, m]`.
        losses: Positive losses `[*batch, m]`; below 1e-3 they count as that.
        preferences: On the simplex `[*batch, m]`; shares below 1e-3 count as that.

    Returns:
        Weights `[*batch, m]`; the preference itself where the linear program has no solution or entries are not finite.

    Raises:
        ShapeError: If the shapes do not fit.

    Cost: one linear program of m variables a row, solved exactly by simplex or interior points of HiGHS.

    Source: Mahapatra and Rajan (2020), ICML. Deviation from the authors' code: the Gramian is divided by its trace,
    which changes no solution; preferences and losses are bounded below.
    """
    m = losses.shape[-1]
    fits = tuple(gramian.shape) == (*losses.shape, m) and preferences.shape == losses.shape
    got = [list(gramian.shape), list(losses.shape), list(preferences.shape)]
    check.shape(fits, "gramian", "have shape [*batch, m, m] for losses and preferences [*batch, m]", got)
    c = gramian.detach().double().cpu().reshape(-1, m, m)
    scaled = (losses.detach().double().cpu().reshape(-1, m), preferences.detach().double().cpu().reshape(-1, m))
    rows = [_row(own, values, r) for own, values, r in zip(c, *scaled, strict=True)]
    return torch.stack(rows).reshape(losses.shape).to(losses)


def _row(c: Tensor, losses: Tensor, preference: Tensor) -> Tensor:
    from scipy.optimize import linprog

    m = len(losses)
    r = preference.clamp_min(LEAST)
    fallback = r / r.sum()
    r = m * fallback
    trace = float(c.diagonal().sum())
    if not (trace > 0 and bool(torch.isfinite(c).all()) and bool(torch.isfinite(losses).all())):
        return fallback
    c = c / trace
    weighted = r * losses.clamp_min(LEAST)
    share = weighted / weighted.sum()
    logs = torch.log(m * share)
    mu = float((share * logs).sum())
    a = r * (logs - mu)
    ca = c @ a
    if mu > UNIFORM:
        objective, lower = ca, torch.zeros(m, dtype=c.dtype)
        if bool((ca > 0).any()):
            lower = torch.where(ca <= 0, ca, -torch.inf)
            lower[int(weighted.argmax())] = 0.0
        left, right = c, lower
    else:
        objective = c.sum(0)
        left = torch.cat([c, ca.unsqueeze(0)])
        right = torch.cat([torch.zeros(m, dtype=c.dtype), ca.max().clamp_max(0).unsqueeze(0)])
    kept = torch.isfinite(right)
    found = linprog(
        -objective.numpy(),
        A_ub=-left[kept].numpy(),
        b_ub=-right[kept].numpy(),
        A_eq=torch.ones(1, m, dtype=c.dtype).numpy(),
        b_eq=[1.0],
        bounds=(0.0, 1.0),
        method="highs",
    )
    if not found.success:
        return fallback
    w = torch.as_tensor(found.x, dtype=c.dtype).clamp_min(0)
    return w / w.sum()
