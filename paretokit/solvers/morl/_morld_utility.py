"""What the members of MORL/D want: a scalarizing function of their returns, and its gradient as weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from paretokit.scalarization import Scalarizer
from paretokit.solvers.morl._improver import Utility


@dataclass(frozen=True)
class Scalarized:
    r"""Minus a scalarizing function of negated, scaled returns: larger is better.

    .. math:: u(R; w) = -s\big(-R / c;\; w,\, -z / c\big)

    Attributes:
        scalarizer: s, to be minimized.
        utopian: z `[m]`, in the units of returns.
        scale: c `[m]`, positive.
        lifted: Whether z is raised, for each member by itself, to the largest of the returns at hand: a return beyond
            an estimate of the utopian point is good news, while Tchebycheff functions take distances from it.
    """

    scalarizer: Scalarizer
    utopian: Tensor
    scale: Tensor
    lifted: bool = False

    def __call__(self, returns: Tensor, preference: Tensor) -> Tensor:
        """Return utilities `[P, ...]` of returns `[P, ..., m]` for preferences `[P, m]`."""
        between = [1] * (returns.ndim - 2)
        weights = preference.to(returns).reshape(len(preference), *between, preference.shape[-1])
        scale, utopian = self.scale.to(returns), self.utopian.to(returns)
        if self.lifted:
            top = torch.nan_to_num(returns.detach(), nan=-torch.inf, posinf=-torch.inf)
            utopian = torch.maximum(utopian, top.reshape(len(top), -1, top.shape[-1]).amax(1).reshape(weights.shape))
        return -self.scalarizer(-returns / scale, weights=weights, utopian=-utopian / scale, rowwise=True)


def gradient_weights(utility: Utility, returns: Tensor, preference: Tensor) -> Tensor:
    r"""Return the gradient of each member's utility at its expected returns, as weights on the simplex.

    .. math:: \nabla_\theta\, u(\mathbb E R) = \nabla u(\mathbb E R)^\top\, \nabla_\theta\, \mathbb E R

    so that an improver that climbs a weighted sum with weights ∇u climbs the utility of the expected return (SER).
    Negative entries, which a utility has beyond its utopian point only, count as 0; a member without a finite return
    or with gradient 0 follows its preference. The gradient's length is dropped: it would act as a learning rate.

    Args:
        utility: Differentiable in the returns.
        returns: `[P, m]`.
        preference: `[P, m]` on the simplex.
    """
    with torch.enable_grad():
        at = returns.detach().to(torch.float64).requires_grad_()
        (slope,) = torch.autograd.grad(utility(at, preference.to(torch.float64)).sum(), at)
    slope = torch.nan_to_num(slope).clamp_min(0)
    total = slope.sum(1, keepdim=True)
    known = torch.isfinite(returns).all(1, keepdim=True) & (total > 0)
    return torch.where(known, slope / torch.where(total > 0, total, 1.0), preference.to(torch.float64))
