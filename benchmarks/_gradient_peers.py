"""What gradient-based multi-objective training is compared with: loops over rays, one network each.

TorchJD as its documentation shows it, and exact Pareto search as its authors' code runs it: a forward and a backward
pass a loss, a linear program in cvxpy (with the fastest installed solver in place of GLPK), then another forward and
backward pass of the weighted sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cvxpy
import numpy as np
import torch
import torchjd.aggregation as peer
from torch import Tensor, nn
from torchjd.autojac import backward, jac_to_grad

Losses = Sequence[Callable[[Any, Any], Tensor]]


class Ray:
    """One network and its optimizer."""

    def __init__(self, module: nn.Module, preference: Tensor, rate: float) -> None:
        self.module, self.preference = module, preference
        self.optimizer = torch.optim.SGD(module.parameters(), lr=rate)

    def flat(self) -> Tensor:
        return torch.cat([p.detach().reshape(-1) for p in self.module.parameters()])


def torchjd_steps(rays: list[Ray], losses: Losses, batch: tuple[Tensor, Any], name: str = "UPGrad") -> None:
    """Make one step of every ray by TorchJD."""
    inputs, targets = batch
    for ray in rays:
        outputs = ray.module(inputs)
        ray.optimizer.zero_grad()
        backward([function(outputs, targets) for function in losses])
        rule = peer.UPGrad(pref_vector=ray.preference) if name == "UPGrad" else peer.MGDA()
        jac_to_grad(ray.module.parameters(), rule)
        ray.optimizer.step()


class ExactPareto:
    """The linear programs of exact Pareto search, built once and solved with changing parameters."""

    def __init__(self, m: int, solver: str = "HIGHS") -> None:
        self.m, self.solver = m, solver
        self.w = cvxpy.Variable(m)
        self.c, self.ca = cvxpy.Parameter((m, m)), cvxpy.Parameter(m)
        self.lower = cvxpy.Parameter(m)
        simplex = [self.w >= 0, cvxpy.sum(self.w) == 1]
        self.balance = cvxpy.Problem(cvxpy.Maximize(self.w @ self.ca), [*simplex, self.c @ self.w >= self.lower])
        down = [*simplex, self.c @ self.w >= 0, self.w @ self.ca >= -cvxpy.pos(-cvxpy.max(self.ca))]
        self.total = cvxpy.Parameter(m)
        self.descent = cvxpy.Problem(cvxpy.Maximize(self.w @ self.total), down)

    def weights(self, gradients: np.ndarray, losses: np.ndarray, r: np.ndarray) -> np.ndarray:
        m = self.m
        c = gradients @ gradients.T
        weighted = r * losses
        share = weighted / weighted.sum()
        logs = np.log(m * share)
        mu = float((share * logs).sum())
        a = r * (logs - mu)
        ca = c @ a
        self.c.value, self.ca.value = c, ca
        if mu > 1e-4:
            lower = np.zeros(m)
            if (ca > 0).any():
                lower = np.where(ca <= 0, ca, -1e6 * np.abs(c).max())
                lower[weighted.argmax()] = 0
            self.lower.value = lower
            problem = self.balance
        else:
            self.total.value = c.sum(0)
            problem = self.descent
        problem.solve(solver=self.solver)
        return r / r.sum() if self.w.value is None else np.asarray(self.w.value)


def exact_pareto_steps(rays: list[Ray], losses: Losses, batch: tuple[Tensor, Any], programs: ExactPareto) -> None:
    """Make one step of every ray by exact Pareto search, as in its authors' code (without their factor m)."""
    inputs, targets = batch
    for ray in rays:
        rows, values = [], []
        for function in losses:
            ray.optimizer.zero_grad()
            value = function(ray.module(inputs), targets)
            value.backward()
            values.append(float(value))
            own = [torch.zeros_like(p) if p.grad is None else p.grad for p in ray.module.parameters()]
            rows.append(torch.cat([g.reshape(-1) for g in own]).double().numpy())
        m = len(losses)
        w = programs.weights(np.stack(rows), np.array(values), m * ray.preference.double().numpy())
        ray.optimizer.zero_grad()
        outputs = ray.module(inputs)
        total = sum(float(w[k]) * function(outputs, targets) for k, function in enumerate(losses))
        assert isinstance(total, Tensor)
        total.backward()
        ray.optimizer.step()
