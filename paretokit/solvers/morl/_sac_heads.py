"""What soft actor-critic needs of a kind of action: samples, soft values, and the actor's gradient, by hand."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from paretokit.problems.morl._environment import Actions, Continuous, Discrete
from paretokit.problems.morl._network import LOG_STD_RANGE

Critics = Callable[[Tensor], Tensor]  # inputs [P, B, i] -> outputs of both critics [P, 2, B, out]


@dataclass
class Views:
    """How the critics of P members value things for given weights.

    Attributes:
        weights: `[P, m]`.
        alpha: Temperatures `[P, 1]`.
        per_objective: Whether values stay vectors.
    """

    weights: Tensor
    alpha: Tensor
    per_objective: bool

    def scalar(self, q: Tensor) -> Tensor:
        """Return w.q `[P, ...]` of vectors `[P, ..., m]`."""
        return (q * self.weights.view(len(q), *(1,) * (q.ndim - 2), -1)).sum(-1)

    def smaller(self, q: Tensor) -> Tensor:
        """Return the smaller w.q `[P, ...]` of both critics `[P, 2, ..., m]`, or its critic's vector `[P, ..., m]`."""
        s = self.scalar(q)
        if not self.per_objective:
            return torch.minimum(s[:, 0], s[:, 1])
        return torch.where((s[:, 0] <= s[:, 1]).unsqueeze(-1), q[:, 0], q[:, 1])

    def bonus(self, log_prob: Tensor) -> Tensor:
        """Return -alpha log pi `[P, ...]`, or a vector `[P, ..., m]` of equal parts whose weighted sum it is."""
        alpha = self.alpha.view(len(log_prob), *(1,) * (log_prob.ndim - 1))
        if not self.per_objective:
            return -alpha * log_prob
        share = self.weights.sum(-1).clamp_min(1e-8).view_as(alpha)
        return (-alpha / share * log_prob).unsqueeze(-1)


class Head(ABC):
    """One kind of action.

    Attributes:
        noise: Numbers that one sample of the actor takes in an update.
        stored: Columns of an action in memory.
        columns: Columns of an action in the critics' input.
    """

    noise: int
    stored: int
    columns: int

    @abstractmethod
    def critic_outputs(self, m: int) -> int:
        """Return how many numbers a critic answers with."""

    @abstractmethod
    def warm_up(self, uniform: Tensor) -> Tensor:
        """Return uniform actions for uniform numbers `[P, N, noise of the wiring]`."""

    @abstractmethod
    def soft_value(self, outputs: Tensor, inputs: Tensor, noise: Tensor, critics: Critics, views: Views) -> Tensor:
        """Return V `[P, B]` (or `[P, B, m]`) under the actor's `outputs [P, B, out]` at `inputs [P, B, o]`."""

    @abstractmethod
    def taken(self, q: Tensor, action: Tensor, m: int) -> Tensor:
        """Return values `[P, 2, B, m]` of stored actions `[P, B, stored]` in critics' outputs `[P, 2, B, out]`."""

    @abstractmethod
    def spread(self, slope: Tensor, action: Tensor) -> Tensor:
        """Return the gradient of the critics' outputs `[P, 2, B, out]` whose taken values have `slope [P, 2, B, m]`."""


@dataclass
class Draw:
    """A squashed Gaussian action and what its gradient reads, each `[P, B, k]`; `log_prob` is `[P, B]`."""

    action: Tensor
    log_prob: Tensor
    squashed: Tensor
    std: Tensor
    lever: Tensor


class Squashed(Head):
    r"""Continuous actions: a Gaussian squashed into the box by tanh.

    .. math:: a = c + h \tanh u,\; u = \mu + \sigma\epsilon,\quad
        \log\pi = \sum_i -\tfrac12\epsilon_i^2 - \log\sigma_i - \tfrac12\log 2\pi - \log h_i - \log(1 - \tanh^2 u_i)

    with center c and half width h of the box, and log(1 - tanh^2 u) = 2 (log 2 - u - softplus(-2u)), exact where the
    authors add 1e-6 to stay finite.
    """

    def __init__(self, actions: Continuous, dtype: torch.dtype, device: torch.device | str) -> None:
        low, high = (torch.tensor(v, dtype=dtype, device=device) for v in (actions.low, actions.high))
        self.low, self.width = low, high - low
        self.half, self.center = 0.5 * (high - low), 0.5 * (high + low)
        self.noise = self.stored = self.columns = actions.dim
        self.constant = float(self.half.log().sum()) + actions.dim * (0.5 * math.log(2 * math.pi) + 2 * math.log(2))

    def critic_outputs(self, m: int) -> int:
        """Return m: the action is an input."""
        return m

    def warm_up(self, uniform: Tensor) -> Tensor:
        """Return actions `[P, N, k]`."""
        return self.low + uniform.to(self.low.dtype) * self.width

    def draw(self, outputs: Tensor, noise: Tensor) -> Draw:
        """Return sampled actions for means and raw log standard deviations `[P, B, 2 k]` and normal `noise`."""
        mean, raw = outputs.chunk(2, -1)
        low, high = LOG_STD_RANGE
        lever = raw.tanh()
        log_std = lever * (0.5 * (high - low)) + (0.5 * (high + low))
        std = log_std.exp()
        u = torch.addcmul(mean, std, noise)
        squashed = u.tanh()
        # Of the logarithm's 2 (log 2 - u - softplus(-2 u)) the constants are in `constant`.
        terms = 2 * (u + softplus(-2 * u)) - log_std - 0.5 * noise.square()
        log_prob = terms.sum(-1) - self.constant
        return Draw(self.center + self.half * squashed, log_prob, squashed, std, lever)

    def soft_value(self, outputs: Tensor, inputs: Tensor, noise: Tensor, critics: Critics, views: Views) -> Tensor:
        """Return min_i w.Q_i(s, a) - alpha log pi of one sampled action."""
        draw = self.draw(outputs, noise)
        q = critics(torch.cat([inputs, draw.action], -1))
        return views.smaller(q) + views.bonus(draw.log_prob)

    def taken(self, q: Tensor, action: Tensor, m: int) -> Tensor:
        """Return them as they are."""
        return q

    def spread(self, slope: Tensor, action: Tensor) -> Tensor:
        """Return it as it is."""
        return slope

    def actor_slope(self, draw: Draw, noise: Tensor, of_action: Tensor, alpha: Tensor) -> Tensor:
        r"""Return the gradient `[P, B, 2 k]` of mean(alpha log pi - q) with respect to the actor's outputs.

        .. math:: \partial\log\pi/\partial u = 2\tanh u,\quad \partial\log\pi/\partial\log\sigma = -1 (+ via\ u)

        Args:
            draw: The actions.
            noise: That they were drawn with.
            of_action: dq/da `[P, B, k]`, divided by B.
            alpha: `[P, 1]`.
        """
        share = (alpha / noise.shape[1]).unsqueeze(-1)
        t = draw.squashed
        mean = 2 * share * t - of_action * (self.half * (1 - t * t))
        low, high = LOG_STD_RANGE
        std = (mean * noise * draw.std - share) * (1 - draw.lever.square()) * (0.5 * (high - low))
        return torch.cat([mean, std], -1)


class Categorical(Head):
    """Discrete actions: the expectation over all of them is taken exactly, so that updates need no sample."""

    def __init__(self, actions: Discrete) -> None:
        self.n = actions.n
        self.noise, self.stored, self.columns = 0, 1, 0

    def critic_outputs(self, m: int) -> int:
        """Return n m: a vector an action."""
        return self.n * m

    def warm_up(self, uniform: Tensor) -> Tensor:
        """Return actions `[P, N]`."""
        return (uniform[..., 0] * self.n).to(torch.int64)

    def soft_value(self, outputs: Tensor, inputs: Tensor, noise: Tensor, critics: Critics, views: Views) -> Tensor:
        """Return sum_a pi(a) (min_i w.Q_i(s, a) - alpha log pi(a))."""
        log_prob = outputs.log_softmax(-1)
        q = critics(inputs).unflatten(-1, (self.n, -1))
        each = views.smaller(q) + views.bonus(log_prob)
        prob = log_prob.exp()
        return (prob.unsqueeze(-1) * each).sum(-2) if views.per_objective else (prob * each).sum(-1)

    def taken(self, q: Tensor, action: Tensor, m: int) -> Tensor:
        """Return the rows of the actions taken."""
        found: Tensor = q.unflatten(-1, (self.n, m)).gather(-2, self._index(action, m)).squeeze(-2)
        return found

    def spread(self, slope: Tensor, action: Tensor) -> Tensor:
        """Return zeros but for the actions taken."""
        m = slope.shape[-1]
        out = slope.new_zeros(*slope.shape[:-1], self.n, m)
        filled: Tensor = out.scatter_(-2, self._index(action, m), slope.unsqueeze(-2)).flatten(-2)
        return filled

    def _index(self, action: Tensor, m: int) -> Tensor:
        members, batch = action.shape[:2]
        return action.to(torch.int64).view(members, 1, batch, 1, 1).expand(members, 2, batch, 1, m)

    def actor_slope(self, log_prob: Tensor, q: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
        r"""Return the gradient `[P, B, n]` of the actor's loss with respect to its logits, and entropies `[P, B]`.

        .. math:: L = \frac1B \sum_b \sum_a \pi(a) f_a,\; f_a = \alpha\log\pi(a) - q_a,\quad
            \partial L/\partial z_a = \pi(a)\,(f_a - \textstyle\sum_{a'} \pi(a') f_{a'}) / B

        Args:
            log_prob: `[P, B, n]`.
            q: The smaller w.Q of each action `[P, B, n]`.
            alpha: `[P, 1]`.
        """
        prob = log_prob.exp()
        f = alpha.unsqueeze(-1) * log_prob - q
        slope = prob * (f - (prob * f).sum(-1, keepdim=True)) / log_prob.shape[1]
        return slope, -(prob * log_prob).sum(-1)


def head_of(actions: Actions, dtype: torch.dtype, device: torch.device | str) -> Squashed | Categorical:
    """Return the head of an environment's actions."""
    return Categorical(actions) if isinstance(actions, Discrete) else Squashed(actions, dtype, device)
