"""The updates of soft actor-critic on a stack: both critics of all members in one batched product a layer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from paretokit.nn import MLP, AdamState
from paretokit.solvers.morl._backpropagation import Layers, adam_step, backward, forward
from paretokit.solvers.morl._sac_heads import Categorical, Squashed, Views


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Numbers that an update reads; see `SAC`."""

    discount: float
    tau: float
    target_every: int
    policy_delay: int
    policy_rate: float
    critic_rate: float
    alpha_rate: float
    target_entropy: float
    tune_alpha: bool
    per_objective: bool
    eps: float


@dataclass
class SACNetworks:
    """Networks of P members and their optimizers.

    Attributes:
        actor: `[P, A]`.
        critic, target: Both critics of a member side by side `[P, 2 D]`.
        log_alpha: Logarithm of the temperature `[P, 1]`.
        actor_moments, critic_moments, alpha_moments: Of Adam.
    """

    actor: Tensor
    critic: Tensor
    target: Tensor
    log_alpha: Tensor
    actor_moments: AdamState
    critic_moments: AdamState
    alpha_moments: AdamState

    @classmethod
    def start(cls, actor: Tensor, critic: Tensor, log_alpha: Tensor) -> SACNetworks:
        """Return untrained networks; targets equal the critics."""
        moments = (AdamState.zeros(actor), AdamState.zeros(critic), AdamState.zeros(log_alpha))
        return cls(actor, critic, critic.clone(), log_alpha, *moments)

    def select(self, members: Tensor) -> SACNetworks:
        """Return those of some members, copied."""
        return SACNetworks(
            actor=self.actor[members].clone(),
            critic=self.critic[members].clone(),
            target=self.target[members].clone(),
            log_alpha=self.log_alpha[members].clone(),
            actor_moments=self.actor_moments.select(members),
            critic_moments=self.critic_moments.select(members),
            alpha_moments=self.alpha_moments.select(members),
        )

    def part(self, members: slice) -> SACNetworks:
        """Return those of a range of members as views."""
        return SACNetworks(
            actor=self.actor[members],
            critic=self.critic[members],
            target=self.target[members],
            log_alpha=self.log_alpha[members],
            actor_moments=_part(self.actor_moments, members),
            critic_moments=_part(self.critic_moments, members),
            alpha_moments=_part(self.alpha_moments, members),
        )

    def transfer(self, source: int, target: int) -> None:
        """Copy the networks of one member over those of another, whose optimizers begin anew."""
        for t in (self.actor, self.critic, self.target, self.log_alpha):
            t[target] = t[source]
        for s in (self.actor_moments, self.critic_moments, self.alpha_moments):
            s.mean[target], s.square[target], s.steps[target] = 0.0, 0.0, 0


@dataclass
class Batch:
    """Transitions of P members, as the networks see them.

    Attributes:
        inputs, successors: Observations `[P, B, o]`.
        action: As stored `[P, B, stored]`.
        reward: `[P, B, m]`.
        follows: Discount, or 0 where the episode terminated, `[P, B]`.
        weights: `[P, m]`.
        noise: Normal numbers `[P, 1 + policy_delay, B, k]`: of the successors' actions, then of the actor's.
    """

    inputs: Tensor
    action: Tensor
    reward: Tensor
    successors: Tensor
    follows: Tensor
    weights: Tensor
    noise: Tensor

    def part(self, members: slice) -> Batch:
        """Return that of a range of members as views."""
        parts = (self.inputs, self.action, self.reward, self.successors, self.follows, self.weights, self.noise)
        return Batch(*(t[members] for t in parts))


class Learner:
    """Updates some members' networks in place; it holds views and room for gradients, nothing that lasts.

    Args:
        networks: Of these members.
        actor: The actors' shape.
        critic: The critics' shape.
        head: Kind of action.
        rule: Numbers of the update.
    """

    def __init__(
        self, networks: SACNetworks, actor: MLP, critic: MLP, *, head: Squashed | Categorical, rule: Rule
    ) -> None:
        self.networks, self.actor, self.critic, self.head, self.rule = networks, actor, critic, head, rule
        self.actor_gradient, self.critic_gradient = torch.empty_like(networks.actor), torch.empty_like(networks.critic)
        self.actor_layers, self.actor_into = actor.layers(networks.actor), actor.layers(self.actor_gradient)
        self.critic_layers, self.critic_into = self._pair(networks.critic), self._pair(self.critic_gradient)
        self.target_layers = self._pair(networks.target)

    def _pair(self, rows: Tensor) -> Layers:
        return self.critic.layers(rows.view(2 * len(rows), -1))

    def update(self, batch: Batch, number: int) -> None:
        """Make update `number` (from 1): critics, every `policy_delay` the actors as many times, then the targets."""
        views = Views(batch.weights, self.networks.log_alpha.exp(), self.rule.per_objective)
        self.critic_step(batch, views)
        if number % self.rule.policy_delay == 0:
            for i in range(self.rule.policy_delay):
                self.actor_step(batch, batch.noise[:, 1 + i])
        if number % self.rule.target_every == 0:
            self.networks.target.lerp_(self.networks.critic, self.rule.tau)

    def critic_step(self, batch: Batch, views: Views) -> None:
        r"""Make one step down both critics' squared errors.

        .. math:: y = w \cdot r + \gamma (1 - d)\,(\min_i w \cdot Q_i' - \alpha\log\pi),\quad
            L = \sum_{i} \frac1B \sum_b (w \cdot Q_i - y)^2

        or, per objective, the squared norm of Q_i - y with y_j of the critic with the smaller w.Q'.
        """
        head, m = self.head, batch.reward.shape[-1]
        outputs, _ = forward(self.actor, self.actor_layers, batch.successors)

        def critics(x: Tensor) -> Tensor:
            q: Tensor = forward(self.critic, self.target_layers, _twice(x))[0].unflatten(0, (-1, 2))
            return q

        follow = head.soft_value(outputs, batch.successors, batch.noise[:, 0], critics, views)
        inputs = torch.cat([batch.inputs, batch.action], -1) if head.columns else batch.inputs
        q, kept = forward(self.critic, self.critic_layers, _twice(inputs))
        value = head.taken(q.unflatten(0, (-1, 2)), batch.action, m)
        if views.per_objective:
            goal = batch.reward + batch.follows.unsqueeze(-1) * follow
            slope = value - goal.unsqueeze(1)
        else:
            goal = views.scalar(batch.reward) + batch.follows * follow
            error = views.scalar(value) - goal.unsqueeze(1)
            slope = error.unsqueeze(-1) * batch.weights[:, None, None, :]
        slope = head.spread(slope * (2.0 / value.shape[2]), batch.action).flatten(0, 1)
        backward(self.critic, self.critic_layers, kept, slope, into=self.critic_into)
        own = self.networks
        adam_step(own.critic, self.critic_gradient, own.critic_moments, self.rule.critic_rate, eps=self.rule.eps)

    def actor_step(self, batch: Batch, noise: Tensor) -> None:
        """Make one step down mean(alpha log pi - min_i w.Q_i), then one of the temperature with the same log pi."""
        own, head, rule = self.networks, self.head, self.rule
        views = Views(batch.weights, own.log_alpha.exp(), per_objective=False)
        outputs, kept = forward(self.actor, self.actor_layers, batch.inputs)
        if isinstance(head, Categorical):
            log_prob = outputs.log_softmax(-1)
            q, _ = forward(self.critic, self.critic_layers, _twice(batch.inputs))
            smaller = views.smaller(q.unflatten(-1, (head.n, -1)).unflatten(0, (-1, 2)))
            slope, entropy = head.actor_slope(log_prob, smaller, views.alpha)
        else:
            draw = head.draw(outputs, noise)
            of_action = self._of_action(torch.cat([batch.inputs, draw.action], -1), views)
            slope, entropy = head.actor_slope(draw, noise, of_action, views.alpha), -draw.log_prob
        backward(self.actor, self.actor_layers, kept, slope, into=self.actor_into)
        adam_step(own.actor, self.actor_gradient, own.actor_moments, rule.policy_rate, eps=rule.eps)
        if rule.tune_alpha:
            gradient = entropy.mean(1, keepdim=True) - rule.target_entropy
            adam_step(own.log_alpha, gradient, own.alpha_moments, rule.alpha_rate, eps=rule.eps)

    def _of_action(self, inputs: Tensor, views: Views) -> Tensor:
        """Return the gradient of the mean over the batch of min_i w.Q_i with respect to actions `[P, B, k]`."""
        q, kept = forward(self.critic, self.critic_layers, _twice(inputs))
        s = views.scalar(q.unflatten(0, (-1, 2)))
        first = (s[:, 0] <= s[:, 1]).to(q.dtype)
        chosen = torch.stack([first, 1 - first], 1) / q.shape[1]
        slope = (chosen.unsqueeze(-1) * views.weights[:, None, None, :]).flatten(0, 1)
        found = backward(self.critic, self.critic_layers, kept, slope, columns=self.head.columns)
        assert found is not None
        summed: Tensor = found.unflatten(0, (-1, 2)).sum(1)
        return summed


def _part(moments: AdamState, members: slice) -> AdamState:
    return AdamState(moments.mean[members], moments.square[members], moments.steps[members])


def _twice(x: Tensor) -> Tensor:
    """Return inputs `[2 P, B, i]` of both critics of each member."""
    return x.unsqueeze(1).expand(-1, 2, -1, -1).flatten(0, 1)
