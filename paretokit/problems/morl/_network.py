"""Policies that are perceptrons: categorical, Gaussian, or Gaussian squashed into the box of actions."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, cast, final

import torch
from torch import Tensor

from paretokit.core import InputError, Lanes, Rng, Space
from paretokit.core import _check as check
from paretokit.nn import MLP, Moments
from paretokit.problems.morl._architecture import Architecture, Policies, Surface, Wiring
from paretokit.problems.morl._environment import Continuous, Discrete, Environment

Head = Literal["auto", "categorical", "gaussian", "squashed"]
LOG_STD_RANGE = (-5.0, 2.0)  # of squashed heads, as in soft actor-critic
UNCLIPPED = 1e6  # an `observation_clip` that cuts nothing, for policies whose observations are not normalized


@final
@dataclass(frozen=True, kw_only=True)
class Network(Architecture):
    """A perceptron policy.

    Attributes:
        hidden: Widths of the hidden layers.
        activation: "tanh" or "relu".
        head: "categorical" (softmax over actions), "gaussian" (mean from the network, one log standard deviation an
            action dimension beside it, actions clipped to the box), "squashed" (mean and log standard deviation from
            the network, tanh into the box); "auto" is categorical for discrete and Gaussian for continuous actions.
        conditioned_on: "nothing", the "preference" (m further inputs, kept in the row), or the "accrued" discounted
            reward of the episode so far (m further inputs).
        observation_clip: Normalized observations are clipped to within this.
        bound: Parameters are decided within [-bound, bound].
    """

    kind: ClassVar[str] = "network"

    hidden: tuple[int, ...] = (64, 64)
    activation: Literal["tanh", "relu"] = "tanh"
    head: Head = "auto"
    conditioned_on: Literal["nothing", "preference", "accrued"] = "nothing"
    observation_clip: float = 10.0
    bound: float = 20.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(self.hidden))
        check.at_least(1, **{"hidden widths": min(self.hidden, default=1)})
        check.one_of(("tanh", "relu"), activation=self.activation)
        check.one_of(("auto", "categorical", "gaussian", "squashed"), head=self.head)
        check.one_of(("nothing", "preference", "accrued"), conditioned_on=self.conditioned_on)
        check.positive(observation_clip=self.observation_clip, bound=self.bound)

    def wire(self, surface: Surface, environment: Environment | None = None) -> NetworkWiring:
        """Return the network bound to a surface.

        Raises:
            InputError: If the head does not fit the actions.
        """
        discrete = isinstance(surface.actions, Discrete)
        head = self.head if self.head != "auto" else ("categorical" if discrete else "gaussian")
        if discrete != (head == "categorical"):
            wanted = '"categorical"' if discrete else '"gaussian" or "squashed"'
            raise InputError(
                check.message("head", f"be {wanted} for {'discrete' if discrete else 'continuous'} actions", head)
            )
        if head == "squashed" and isinstance(surface.actions, Continuous):
            finite = all(math.isfinite(v) for v in (*surface.actions.low, *surface.actions.high))
            check.that(finite, "head", "be gaussian where the box of actions is unbounded", head)
        return NetworkWiring(self, surface, head)

    def describe(self) -> dict[str, Any]:
        """Return the options."""
        return {"kind": self.kind, **asdict(self), "hidden": list(self.hidden)}


@final
class NetworkWiring(Wiring):
    """How rows of network weights act.

    A row holds the perceptron, the log standard deviations `[k]` of a Gaussian head, then columns that training sets
    and variation leaves alone: mean and inverse standard deviation of observations `[2 o]`, and the preference `[m]`
    where the network is conditioned on it.
    """

    def __init__(self, network: Network, surface: Surface, head: str) -> None:
        self.network, self.surface, self.head = network, surface, head
        o, m, actions = surface.observation_dim, surface.n_objectives, surface.actions
        self.extra = 0 if network.conditioned_on == "nothing" else m
        self.n_actions = actions.n if isinstance(actions, Discrete) else actions.dim
        outputs = 2 * self.n_actions if head == "squashed" else self.n_actions
        self.mlp = MLP((o + self.extra, *network.hidden, outputs), network.activation)
        self.n_body = self.mlp.n_parameters
        self.n_parameters = self.n_body + (self.n_actions if head == "gaussian" else 0)
        self.dim = self.n_parameters + 2 * o + (m if network.conditioned_on == "preference" else 0)

    @cached_property
    def space(self) -> Space:  # type: ignore[override]
        """The rows `[d]`.

        A random policy is one whose training would begin there, but for two things: its last layer has gain 1, so that
        actions differ, and its biases are uniform within 1/sqrt(fan in), as those of `torch.nn.Linear`. With biases of
        0 every policy would do the same where the observation is 0, such as at the root of a tree.
        """
        o, m = self.surface.observation_dim, self.surface.n_objectives
        kept = torch.cat([torch.zeros(o), torch.ones(o)])
        if self.network.conditioned_on == "preference":
            kept = torch.cat([kept, torch.full((m,), 1.0 / m)])

        def initialize(n: int, rng: Rng) -> Tensor:
            lanes = Lanes(tuple(rng.child("policy", i) for i in range(n)))
            rows = self.initial(lanes, last_gain=1.0, dtype=torch.float64)
            return self._with_biases(rows, lanes.child("bias"))

        what = {"network": self.network.describe(), "surface": _plain(self.surface)}
        return Policies(self.n_parameters, kept, bound=self.network.bound, initialize=initialize, what=what)

    def initial(self, lanes: Lanes, *, last_gain: float = 0.01, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return parameters `[P, n_parameters]` to begin training with: orthogonal, log standard deviation 0."""
        body = self.mlp.init(lanes, last_gain=last_gain, dtype=dtype)
        return torch.cat([body, body.new_zeros(len(body), self.n_parameters - self.n_body)], -1)

    def _with_biases(self, rows: Tensor, lanes: Lanes) -> Tensor:
        """Return rows with biases drawn."""
        for i, (_, begin, fan_in, fan_out) in enumerate(self.mlp.slices):
            drawn = 2 * lanes.child("layer", i).uniform(fan_out) - 1
            rows[:, begin : begin + fan_out] = drawn.to(rows.dtype) / math.sqrt(fan_in)
        return rows

    def rows(self, parameters: Tensor, moments: Moments | None = None, preference: Tensor | None = None) -> Tensor:
        """Return decision rows `[P, d]` of trained parameters `[P, n_parameters]`, clipped to the bound.

        Args:
            parameters: As trained.
            moments: Of the observations seen in training; they travel with the policy.
            preference: `[P, m]`, for networks that are conditioned on it.
        """
        o = self.surface.observation_dim
        bound, members = self.network.bound, len(parameters)
        parts = [parameters.clamp(-bound, bound)]
        if moments is None:
            parts += [parameters.new_zeros(members, o), parameters.new_ones(members, o)]
        else:
            parts += [moments.mean.to(parameters), moments.scale.to(parameters)]
        if self.network.conditioned_on == "preference":
            m = self.surface.n_objectives
            parts.append(
                parameters.new_full((members, m), 1.0 / m) if preference is None else preference.to(parameters)
            )
        return torch.cat(parts, -1)

    def inputs(self, rows: Tensor, observation: Tensor, accrued: Tensor) -> Tensor:
        """Return what the perceptron sees, `[P, N, o + extra]`: normalized observations and the condition."""
        o, at = self.surface.observation_dim, self.n_parameters
        mean, scale = rows[:, at : at + o].unsqueeze(1), rows[:, at + o : at + 2 * o].unsqueeze(1)
        clip = self.network.observation_clip
        seen = ((observation.to(rows.dtype) - mean) * scale).clamp(-clip, clip)
        if self.network.conditioned_on == "accrued":
            seen = torch.cat([seen, accrued.to(rows.dtype)], -1)
        elif self.network.conditioned_on == "preference":
            w = rows[:, at + 2 * o :].unsqueeze(1).expand(*seen.shape[:2], -1)
            seen = torch.cat([seen, w], -1)
        return seen

    @property
    def noise(self) -> int:
        """Uniform numbers that one sampled action takes."""
        return 1 if self.head == "categorical" else self.n_actions

    def act(self, rows: Tensor, observation: Tensor, accrued: Tensor, noise: Tensor | None) -> Tensor:
        """Return applied actions; see `Wiring.act`."""
        outputs = self.mlp(rows[:, : self.n_body], self.inputs(rows, observation, accrued))
        raw = self.choose(outputs, rows[:, self.n_body : self.n_parameters], noise)
        return self.applied(raw)

    def choose(self, outputs: Tensor, log_std: Tensor, noise: Tensor | None) -> Tensor:
        """Return raw actions for network outputs `[P, N, out]`: the mode, or a sample for uniform `noise`.

        Args:
            outputs: Logits, means, or means and log standard deviations.
            log_std: `[P, k]` of a Gaussian head.
            noise: `[P, N, 1]` for categorical heads (inverse transform), `[P, N, k]` for others (normal quantiles).
        """
        if self.head == "categorical":
            if noise is None:
                return outputs.argmax(-1)
            share = torch.softmax(outputs, -1).cumsum(-1)
            chosen = (share < noise.to(share.dtype) * share[..., -1:]).sum(-1)
            return chosen.clamp_max(self.n_actions - 1)
        mean = outputs[..., : self.n_actions]
        if noise is None:
            return mean
        deviate: Tensor = torch.special.ndtri(noise.to(torch.float64) + 2.0**-54).to(mean.dtype)
        if self.head == "gaussian":
            return mean + deviate * log_std.exp().unsqueeze(1)
        return mean + deviate * squashed_log_std(outputs[..., self.n_actions :]).exp()

    def deviates(self, lanes: Lanes, steps: int, n: int, device: torch.device | str = "cpu") -> Tensor:
        """Return what `draw` samples T steps with `[P, T, N, n_actions]`: Gumbel or standard normal numbers."""
        u = lanes.uniform(steps, n, self.n_actions, device=device)
        if self.head == "categorical":
            return -torch.log(-torch.log(u + 2.0**-54)).to(torch.float32)
        deviates: Tensor = torch.special.ndtri(u + 2.0**-54)
        return deviates.to(torch.float32)

    def draw(self, outputs: Tensor, spread: Tensor, deviates: Tensor) -> Tensor:
        """Return sampled raw actions for network outputs `[P, N, out]`, as training wants them.

        Args:
            outputs: Logits, means, or means and log standard deviations.
            spread: Standard deviations `[P, 1, k]` of a Gaussian head.
            deviates: Of this step `[P, N, n_actions]`.
        """
        if self.head == "categorical":
            return (outputs + deviates.to(outputs.dtype)).argmax(-1)
        if self.head == "gaussian":
            return outputs + spread * deviates.to(outputs.dtype)
        mean, raw = outputs.split(self.n_actions, -1)
        sampled: Tensor = mean + squashed_log_std(raw).exp() * deviates.to(outputs.dtype)
        return sampled

    def empty_actions(self, members: int, steps: int, n: int, like: Tensor) -> Tensor:
        """Return room for raw actions `[P, T, N]` or `[P, T, N, k]`."""
        if self.head == "categorical":
            return torch.empty(members, steps, n, dtype=torch.int64, device=like.device)
        return like.new_empty(members, steps, n, self.n_actions)

    def applied(self, raw: Tensor) -> Tensor:
        """Return what the environment is given: clipped into the box, or squashed into it."""
        actions = self.surface.actions
        if isinstance(actions, Discrete):
            return raw
        low, high = (torch.tensor(v, dtype=raw.dtype, device=raw.device) for v in (actions.low, actions.high))
        if self.head == "squashed":
            inside: Tensor = low + (torch.tanh(raw) + 1) * (0.5 * (high - low))
            return inside
        return torch.minimum(torch.maximum(raw, low), high)


def squashed_log_std(raw: Tensor) -> Tensor:
    """Return log standard deviations within [-5, 2] (tanh, as in soft actor-critic)."""
    low, high = LOG_STD_RANGE
    return low + 0.5 * (high - low) * (torch.tanh(raw) + 1)


def _plain(surface: Surface) -> dict[str, Any]:
    actions = surface.actions
    box = {"n": actions.n} if isinstance(actions, Discrete) else {"low": list(actions.low), "high": list(actions.high)}
    return {
        "observation_dim": surface.observation_dim,
        "actions": cast("dict[str, Any]", box),
        "n_objectives": surface.n_objectives,
        "n_states": surface.n_states,
    }
