"""The step of constrained policy optimization: linear objective and constraints within a quadratic trust region."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor


def trust_region_step(
    objective: Tensor, constraints: Tensor, excess: Tensor, active: Tensor, radius: float, solve: Tensor
) -> tuple[Tensor, Tensor]:
    r"""Return the steps `[P, D]` that solve P trust-region problems exactly, and which of them are recoveries `[P]`.

    .. math:: \max_x g^\top x \quad\text{s.t.}\quad c_j - b_j^\top x \le 0,\; \tfrac12 x^\top H x \le \delta

    By the optimality conditions the solution is x = H^{-1}(g + B nu) / lambda for a set A of binding constraints with
    nu_A = S_A^{-1}(lambda c_A - r_A), lambda = sqrt((q - r_A' S_A^{-1} r_A) / (2 delta - c_A' S_A^{-1} c_A)), where
    q = g'H^{-1}g, r = B'H^{-1}g, S = B'H^{-1}B. All subsets are tried and the one whose multipliers and remaining
    constraints fit is taken. Where no step satisfies the constraints, the step goes to the trust region's edge against
    the most violated one.

    Args:
        objective: g, the gradient of what is maximized `[P, D]`.
        constraints: b_j, the gradients of the constrained returns `[P, k, D]`.
        excess: c_j, by how much each constraint is violated now, negative inside `[P, k]`.
        active: Which constraints exist, bool `[P, k]`.
        radius: delta.
        solve: H^{-1} applied to the objective and to each constraint `[P, 1 + k, D]`.

    Cost: 2^k systems of at most k equations a member.

    Achiam, Held, Tamar and Abbeel (ICML 2017), theorem 2, for any number of constraints.
    """
    g, b, c = objective.double(), constraints.double(), excess.double()
    hg, hb = solve[:, 0].double(), solve[:, 1:].double()
    q = (g * hg).sum(-1)
    r = (b * hg.unsqueeze(1)).sum(-1)
    s = torch.einsum("pid,pjd->pij", b, hb)
    steps, recovers = torch.zeros_like(g), torch.zeros(len(g), dtype=torch.bool, device=g.device)
    for p in range(len(g)):
        own = active[p].nonzero().flatten()
        found = _best_subset(q[p], r[p, own], s[p][own][:, own], c[p, own], radius)
        if found is None:
            worst = own[c[p, own].argmax()]
            steps[p] = (2 * radius / s[p, worst, worst].clamp_min(1e-18)).sqrt() * hb[p, worst]
            recovers[p] = True
        else:
            lam, nu = found
            steps[p] = (hg[p] + (nu.unsqueeze(-1) * hb[p, own]).sum(0)) / lam
    return steps.to(objective.dtype), recovers


def _best_subset(q: Tensor, r: Tensor, s: Tensor, c: Tensor, radius: float) -> tuple[Tensor, Tensor] | None:
    """Return lambda and nu `[k]` of the binding set whose conditions hold, or None where no step is feasible."""
    k = len(r)
    slack = 1e-9 * (1 + c.abs())
    for size in range(k + 1):
        for chosen in itertools.combinations(range(k), size):
            a = torch.tensor(chosen, dtype=torch.int64, device=r.device)
            inner = s[a][:, a]
            weight = torch.linalg.pinv(inner, hermitian=True) if size else inner
            rest = q - r[a] @ weight @ r[a]
            room = 2 * radius - c[a] @ weight @ c[a]
            if room <= 0 or rest < -1e-12:
                continue
            lam = (rest.clamp_min(1e-18) / room).sqrt()
            nu = torch.zeros_like(r)
            nu[a] = weight @ (lam * c[a] - r[a])
            moved = (r + s @ nu) / lam  # b_j' x
            if bool((nu >= -1e-9 * (1 + nu.abs().sum())).all()) and bool((c - moved <= slack).all()):
                return lam, nu
    return None
