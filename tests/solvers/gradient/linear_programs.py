"""Exact Pareto weights by a host solver, one row after the other: the plain twin."""

import torch
from scipy.optimize import linprog


def program(c, losses, r):
    """Return the aim f, rows A and bounds b of: max f w, A w >= b, w on the simplex."""
    m = len(losses)
    weighted = r * losses
    share = weighted / weighted.sum()
    logs = torch.log(m * share)
    mu = float((share * logs).sum())
    a = r * (logs - mu)
    ca = c @ a
    if mu <= 1e-4:
        left = torch.cat([c, ca.unsqueeze(0)])
        return c.sum(0), left, torch.cat([torch.zeros(m).double(), ca.max().clamp_max(0).unsqueeze(0)])
    lower = torch.zeros(m, dtype=c.dtype)
    if bool((ca > 0).any()):
        lower = torch.where(ca <= 0, ca, -torch.inf)
        lower[int(weighted.argmax())] = 0.0
    kept = torch.isfinite(lower)
    return ca, c[kept], lower[kept]


def exact_pareto(c, losses, preference):
    """Return the weights `[m]` that HiGHS finds, or the preference."""
    m = len(losses)
    r = preference.clamp_min(1e-3)
    fallback = r / r.sum()
    c = c / c.diagonal().sum()
    aim, left, right = program(c, losses, m * fallback)
    found = linprog(
        -aim.numpy(),
        A_ub=-left.numpy(),
        b_ub=-right.numpy(),
        A_eq=torch.ones(1, m, dtype=c.dtype).numpy(),
        b_eq=[1.0],
        bounds=(0.0, 1.0),
        method="highs",
    )
    return torch.as_tensor(found.x, dtype=c.dtype) if found.success else fallback
