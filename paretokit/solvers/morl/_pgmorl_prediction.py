"""How far training along a weight will carry a policy: hyperbolas fitted to what training has done nearby."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

SAMPLES = 4  # of the history, the fewest that a model is fitted to
ITERATIONS = 60
LOWER, UPPER = (0.0, 0.1, -1.0, 0.0), (1.0, 20.0, 2.0, 1.0)  # of A, a, b, c, the first and last in units of the data
STARTS = ((0.5, 4.0, 0.0, 0.5), (0.5, 4.0, 0.5, 0.5), (0.5, 4.0, 1.0, 0.5))


@dataclass
class History:
    """What a generation of training did, one row a task that was measured before and after.

    Attributes:
        start: Returns before `[h, m]`, float64.
        weights: Of the objectives `[h, m]`.
        gain: Returns after minus returns before `[h, m]`.
    """

    start: Tensor
    weights: Tensor
    gain: Tensor

    @classmethod
    def empty(cls, m: int, device: torch.device | str = "cpu") -> History:
        """Return the history of nothing."""
        none = torch.zeros(0, m, dtype=torch.float64, device=device)
        return cls(none, none.clone(), none.clone())

    def __len__(self) -> int:
        return len(self.start)

    def add(self, start: Tensor, weights: Tensor, end: Tensor) -> History:
        """Return the history with further tasks; those of which a return is not finite are left out."""
        fine = (torch.isfinite(start) & torch.isfinite(end)).all(1)
        start, weights, end = start[fine], weights[fine].to(self.weights), end[fine]
        return History(
            torch.cat([self.start, start]),
            torch.cat([self.weights, weights]),
            torch.cat([self.gain, end - start]),
        )


def similarity(history: History, at: Tensor, *, span: Tensor, threshold: float, sigma: float) -> Tensor:
    r"""Return how much each task of the history says about policies with returns `at [n, m]`, `[n, h]`.

    .. math:: s = \exp\big(-\lVert d \rVert_2^2 / 2 \sigma^2\big) \;(\lVert d \rVert_\infty \le \tau), \quad 0
              \;\text{elsewhere}

    with d the difference of returns in units of `span`. Where fewer than four tasks (or all, where the history is
    shorter) lie within the threshold, threshold and sigma are doubled, policy by policy, until they do.
    """
    apart = ((at.unsqueeze(1) - history.start) / span).abs()
    widest, squared = apart.amax(-1), apart.square().sum(-1)
    due, scale = min(SAMPLES, len(history)), torch.ones(len(at), 1, dtype=at.dtype, device=at.device)
    while bool((few := (widest <= threshold * scale).sum(1, keepdim=True) < due).any()):
        scale = torch.where(few, 2 * scale, scale)
    return torch.where(widest <= threshold * scale, torch.exp(-squared / (2 * (sigma * scale).square())), 0.0)


@dataclass(frozen=True)
class Hyperbolas:
    r"""R models of improvement against an objective's weight, each nowhere decreasing.

    .. math:: \Delta(x) = A\,\frac{e^{a (x - b)} - 1}{e^{a (x - b)} + 1} + c = A \tanh(a (x - b) / 2) + c

    Attributes:
        amplitude, slope, center, offset: A, a, b, c `[R]`.
    """

    amplitude: Tensor
    slope: Tensor
    center: Tensor
    offset: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Return predicted improvements `[R, c]` at weights `[R, c]`."""
        bent = torch.tanh(0.5 * self.slope.unsqueeze(1) * (x - self.center.unsqueeze(1)))
        return self.amplitude.unsqueeze(1) * bent + self.offset.unsqueeze(1)


def fit_hyperbolas(x: Tensor, y: Tensor, s: Tensor) -> Hyperbolas:
    r"""Fit R hyperbolas to S samples each by weighted least squares within bounds, all in one tensor program.

    .. math:: \min_{A, a, b, c}\; \sum_i s_i \big(A \tanh(a (x_i - b) / 2) + c - y_i\big)^2

    With l and r the least value and the range of the samples that count: A in [0, r], a in [0.1, 20], b in [-1, 2],
    c in [l, l + r], so that no prediction leaves the samples' range by more than r. Levenberg-Marquardt steps
    (Levenberg 1944, Marquardt 1963) are projected into the bounds, and parameters at a bound that the gradient pushes
    outwards are left out of the step; the best of three starts counts (b = 0, 1/2, 1).

    Args:
        x: Weights `[R, S]` in [0, 1].
        y: Improvements `[R, S]`.
        s: How much a sample counts `[R, S]`, at least 0 and positive for one sample a row.

    Cost: 60 iterations of O(R S) operations.

    Deviations from the authors' code (Xu et al. 2020): bounds are in units of the data instead of fixed numbers; the
    loss is the square instead of a soft absolute value whose scale depends on the units of the returns.
    """
    seen = s > 0
    least = torch.where(seen, y, torch.inf).amin(1, keepdim=True)
    reach = (torch.where(seen, y, -torch.inf).amax(1, keepdim=True) - least).clamp_min(1e-12)
    share = s / s.sum(1, keepdim=True)
    goal = torch.where(seen, (y - least) / reach, 0.0)
    starts, rows = len(STARTS), len(x)
    theta = x.new_tensor(STARTS).repeat(rows, 1)
    x, goal, share = (part.repeat_interleave(starts, 0) for part in (x, goal, share))
    theta, cost = _descend(theta, x, goal, share)
    best = cost.view(rows, starts).argmin(1)
    found = theta.view(rows, starts, 4)[torch.arange(rows, device=x.device), best]
    amplitude, slope, center, offset = found.unbind(1)
    reach, least = reach.squeeze(1), least.squeeze(1)
    return Hyperbolas(amplitude * reach, slope, center, offset * reach + least)


def _descend(theta: Tensor, x: Tensor, goal: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Return parameters `[R, 4]` after projected Levenberg-Marquardt steps, and their costs `[R]`."""
    low, high = theta.new_tensor(LOWER), theta.new_tensor(UPPER)
    eye = torch.eye(4, dtype=theta.dtype, device=theta.device)
    damping = torch.full((len(theta), 1), 1e-2, dtype=theta.dtype, device=theta.device)
    error, cost = _residual(theta, x, goal, share)
    for _ in range(ITERATIONS):
        slopes = _jacobian(theta, x)
        pull = (slopes * (share * error).unsqueeze(-1)).sum(1)
        stuck = ((theta <= low) & (pull > 0)) | ((theta >= high) & (pull < 0))
        slopes = slopes.masked_fill(stuck.unsqueeze(1), 0.0)
        curvature = slopes.mT @ (slopes * share.unsqueeze(-1))
        ridge = damping * curvature.diagonal(dim1=1, dim2=2) + 1e-12 + stuck.to(theta.dtype)
        step = torch.linalg.solve(curvature + ridge.unsqueeze(-1) * eye, pull.masked_fill(stuck, 0.0))
        moved = torch.minimum(torch.maximum(theta - step, low), high)
        new_error, new_cost = _residual(moved, x, goal, share)
        better = (new_cost < cost).unsqueeze(1)
        theta, error = torch.where(better, moved, theta), torch.where(better, new_error, error)
        cost = torch.minimum(cost, new_cost)
        damping = torch.where(better, damping / 3, damping * 4).clamp(1e-9, 1e9)
    return theta, cost


def _residual(theta: Tensor, x: Tensor, goal: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    error = Hyperbolas(*theta.unbind(1))(x) - goal
    return error, (share * error.square()).sum(1)


def _jacobian(theta: Tensor, x: Tensor) -> Tensor:
    """Return the model's derivatives by A, a, b, c, `[R, S, 4]`."""
    amplitude, slope, center, _ = (part.unsqueeze(1) for part in theta.unbind(1))
    bent = torch.tanh(0.5 * slope * (x - center))
    steep = 0.5 * amplitude * (1 - bent.square())
    return torch.stack([bent, steep * (x - center), -steep * slope, torch.ones_like(x)], -1)


def predicted(history: History, at: Tensor, weights: Tensor, *, span: Tensor, threshold: float, sigma: float) -> Tensor:
    """Return the returns `[n, c, m]` that training along weights is predicted to bring.

    Each objective j of each policy has its own model of its improvement against w_j.

    Args:
        history: Of at least one task.
        at: Present returns of n policies `[n, m]`, float64.
        weights: c weights for each of them `[n, c, m]`.
        span: Unit of distances `[m]`.
        threshold: Of neighbors, in those units.
        sigma: Decay of their influence.
    """
    s = similarity(history, at, span=span, threshold=threshold, sigma=sigma)
    s, index = s.topk(int((s > 0).sum(1).amax()), dim=1)
    n, c, m = weights.shape
    x, y = history.weights[index], history.gain[index]  # [n, S, m]
    models = fit_hyperbolas(
        x.permute(0, 2, 1).reshape(n * m, -1), y.permute(0, 2, 1).reshape(n * m, -1), s.repeat_interleave(m, 0)
    )
    gain = models(weights.to(at).permute(0, 2, 1).reshape(n * m, c)).view(n, m, c)
    return at.unsqueeze(1) + gain.permute(0, 2, 1)
