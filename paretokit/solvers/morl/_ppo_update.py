"""The clipped-ratio update of a whole stack of actors and vector critics, with log barriers where asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.core._kernel import KernelModule
from paretokit.nn import MLP, Adam, AdamState
from paretokit.solvers.morl._ppo_plain import update_plain

KERNELS = KernelModule("paretokit.solvers.morl._ppo_kernels", compile_seconds=12.0)


@dataclass(frozen=True, kw_only=True)
class PPOSettings:
    """What every member's update has in common.

    Attributes:
        minibatches: Into how many consecutive slices of its permutation an epoch is cut; it divides B.
        clip: c of the clipped ratio.
        value_clip: How far a value may move from the old one before its error stops counting (normalized units).
        value_coef: Weight of the critic's loss, which itself is half the mean of squares.
        entropy_coef: Weight of the policy's entropy.
        max_grad_norm: Largest Euclidean norm of a member's gradient, actor and critic together.
        adam: The optimizer.
    """

    minibatches: int = 32
    clip: float = 0.2
    value_clip: float = 0.2
    value_coef: float = 0.5
    entropy_coef: float = 0.0
    max_grad_norm: float = 0.5
    adam: Adam = field(default_factory=lambda: Adam(eps=1e-5))

    def __post_init__(self) -> None:
        check.fields(self)
        check.at_least(1, minibatches=self.minibatches)
        check.positive(clip=self.clip, value_clip=self.value_clip, max_grad_norm=self.max_grad_norm)
        check.at_least(0, value_coef=self.value_coef, entropy_coef=self.entropy_coef)


@dataclass(kw_only=True)
class Barrier:
    r"""Soft floors under objectives: `weight_j` times the linearized logarithm of the slack.

    .. math:: \ell(x) = \log x \;(x \ge \epsilon), \quad \log\epsilon + (x - \epsilon) / \epsilon \;(x < \epsilon)

    Attributes:
        weight: `[P, m]`, 1/t times any scale; 0 where an objective has no floor.
        slack: Return of the old policy minus its floor `[P, m]`, in the units of `Batch.advantages`; negative where the
            floor is violated.
        margin: eps `[P, m]`, positive, below which the logarithm goes on as its tangent and so still pushes back.
        gain: From mean advantage to return, 1 / (1 - discount).
    """

    weight: Tensor
    slack: Tensor
    margin: Tensor
    gain: float


@dataclass(kw_only=True)
class Batch:
    """What P members have seen, B rows each, and the order in which they learn from it.

    Attributes:
        observations: `[P, B, o]`, as the networks take them (normalized).
        actions: int64 `[P, B]`, or raw (unclipped) Gaussian actions `[P, B, k]`.
        log_probs: Of the actions under the old policy `[P, B]`.
        advantage: Scalar advantage `[P, B]`, standardized.
        targets: Normalized value targets `[P, B, m]`.
        values: Old normalized values `[P, B, m]`.
        permutations: int64 `[P, epochs, B]`, a permutation of the rows a member and epoch.
        advantages: Of each objective `[P, B, m]` in reward units; read by the barrier only.
        barrier: Floors under objectives, or None for plain PPO.
    """

    observations: Tensor
    actions: Tensor
    log_probs: Tensor
    advantage: Tensor
    targets: Tensor
    values: Tensor
    permutations: Tensor
    advantages: Tensor | None = None
    barrier: Barrier | None = None


@dataclass(kw_only=True)
class Networks:
    """P actors and vector critics with their optimizer's moments; `update` changes rows and moments in place.

    Attributes:
        actor, critic: Shapes of the perceptrons.
        head: "categorical" (the actor gives logits) or "gaussian" (it gives means).
        actor_rows: `[P, Da]`: the perceptron, then the log standard deviations `[k]` of a Gaussian head.
        critic_rows: `[P, Dc]`.
        actor_moments, critic_moments: Of Adam, one row a member.
    """

    actor: MLP
    critic: MLP
    head: Literal["categorical", "gaussian"]
    actor_rows: Tensor
    critic_rows: Tensor
    actor_moments: AdamState
    critic_moments: AdamState

    @classmethod
    def start(
        cls,
        actor: MLP,
        critic: MLP,
        *,
        head: Literal["categorical", "gaussian"],
        actor_rows: Tensor,
        critic_rows: Tensor,
    ) -> Networks:
        """Return networks before their first update, which will change the given rows in place."""
        return cls(
            actor=actor,
            critic=critic,
            head=head,
            actor_rows=actor_rows,
            critic_rows=critic_rows,
            actor_moments=AdamState.zeros(actor_rows),
            critic_moments=AdamState.zeros(critic_rows),
        )

    def select(self, members: Tensor) -> Networks:
        """Return some members, copied."""
        return Networks(
            actor=self.actor,
            critic=self.critic,
            head=self.head,
            actor_rows=self.actor_rows[members].clone(),
            critic_rows=self.critic_rows[members].clone(),
            actor_moments=self.actor_moments.select(members),
            critic_moments=self.critic_moments.select(members),
        )


@dataclass(frozen=True)
class Statistics:
    """Means over an update's minibatches, float64 `[P]` each.

    Attributes:
        policy_loss: Minus the clipped objective, without entropy and barrier.
        value_loss: Half the mean of squares that the critic minimizes.
        entropy: Of the policy, in nats.
        kl: Estimate of the divergence from the old policy, mean of rho - 1 - log rho (Schulman 2020).
        clip_fraction: Share of rows whose ratio lies outside [1 - c, 1 + c].
        gradient_norm: Before clipping, actor and critic together.
        barrier: Weighted sum of linearized logarithms of the slacks.
    """

    policy_loss: Tensor
    value_loss: Tensor
    entropy: Tensor
    kl: Tensor
    clip_fraction: Tensor
    gradient_norm: Tensor
    barrier: Tensor


def update(
    batch: Batch,
    networks: Networks,
    settings: PPOSettings,
    *,
    rate: Tensor | float,
    critic_rate: Tensor | float | None = None,
    threads: int | None = None,
) -> Statistics:
    r"""Train every member on its own rows, one gradient step a minibatch, and return what was seen.

    A member's loss on a minibatch, with the ratio rho of new to old probabilities and the scalar advantage a, is

    .. math:: -\mathbb E \min(\rho a, \mathrm{clip}(\rho, 1 - c, 1 + c)\, a) - e\, \mathbb E H
              - \sum_j w_j\, \ell\big(s_j + g\, \mathbb E[(\rho - 1) A_j]\big)
              + \frac v 2\, \mathbb E \max\big((V - R)^2, (V_{clip} - R)^2\big)

    where V_clip moves at most `value_clip` from the old value and the last mean is over rows and objectives. One
    norm clips the gradient of actor and critic together, as one optimizer over both does.

    Args:
        batch: What the members have seen.
        networks: Changed in place.
        settings: Common to all members.
        rate: Learning rate, one number or one a member `[P]`.
        critic_rate: The critic's, where it is another.
        threads: Of the compiled path, one task a member; torch's own number unless given. It changes no number.

    Returns:
        Means over the minibatches, one entry a member.

    Raises:
        ShapeError: If tensors do not fit each other or the networks.
        InputError: If a dtype differs, the minibatches do not divide the rows, or an index is out of range.

    Cost: epochs * B * 6 (parameters of a member) operations. In float32 on a CPU, compiled kernels do the work; they
    agree with the plain path up to rounding, so they run whenever they can, and the first update of a fresh install
    waits some seconds for the compiler: a choice by the clock would make a seed's numbers depend on the clock.

    Schulman, Wolski, Dhariwal, Radford and Klimov (2017), arXiv:1707.06347; the barrier is interior-point policy
    optimization, Liu, Ding and Liu (AAAI 2020), as C-MORL uses it (Liu et al., ICLR 2025). Deviations from C-MORL's
    code: the floors are fixed numbers instead of shares of each minibatch's return, the barrier acts on the surrogate
    of the return instead of on a clipped ratio, and its logarithm goes on linearly below the margin instead of losing
    its gradient there.
    """
    require_fit(batch, networks, settings)
    check.at_least(1, threads=1 if threads is None else threads)
    rates = member_rates(networks, rate), member_rates(networks, rate if critic_rate is None else critic_rate)
    if compilable(networks):
        totals = update_compiled(batch, networks, settings, rates=rates, threads=threads or torch.get_num_threads())
    else:
        totals = update_plain(batch, networks, settings, rates=rates)
    return Statistics(*totals.unbind(-1))


def compilable(networks: Networks) -> bool:
    """Tell whether the compiled path takes these networks: float32 on a CPU, rows without gaps."""
    rows = (networks.actor_rows, networks.critic_rows)
    moments = (networks.actor_moments, networks.critic_moments)
    every = [*rows, *(tensor for state in moments for tensor in (state.mean, state.square))]
    return all(t.device.type == "cpu" and t.dtype == torch.float32 and t.stride(-1) == 1 for t in every)


def update_compiled(
    batch: Batch, networks: Networks, settings: PPOSettings, *, rates: tuple[Tensor, Tensor], threads: int
) -> Tensor:
    """Do what `update` says by kernels, one task a member, and return its statistics as columns, float64 `[P, 7]`."""
    kernel = KERNELS.load().member
    members, epochs, _ = batch.permutations.shape
    parts = [batch.observations, batch.log_probs.unsqueeze(-1), batch.advantage.unsqueeze(-1), batch.targets]
    parts.append(batch.values)
    floors, gain = torch.zeros(members, 3, 0), 0.0
    if batch.barrier is not None and batch.advantages is not None:
        parts.append(batch.advantages)
        barrier, gain = batch.barrier, batch.barrier.gain
        floors = torch.stack([barrier.weight, barrier.slack, barrier.margin], 1).to(torch.float32)
    gaussian = networks.head == "gaussian"
    if gaussian:
        parts.append(batch.actions)
    data = torch.cat(parts, -1)
    chosen = torch.zeros(members, 0, dtype=torch.int64) if gaussian else batch.actions.contiguous()
    permutations = batch.permutations.contiguous()
    steps = [networks.actor_moments.steps, networks.critic_moments.steps]
    tanh = [torch.full_like(steps[0], net.activation == "tanh") for net in (networks.actor, networks.critic)]
    state = torch.stack([*steps, *tanh], -1)
    s, adam = settings, settings.adam
    common = [s.clip, s.value_clip, s.value_coef, s.entropy_coef, s.max_grad_norm, *adam.betas, adam.eps, gain]
    shared = torch.tensor(common, dtype=torch.float64).expand(members, -1)
    numbers = torch.cat([shared, torch.stack(rates, -1)], -1)
    sizes = [torch.tensor(net.sizes).numpy() for net in (networks.actor, networks.critic)]
    report = torch.zeros(members, 7, dtype=torch.float64)

    def train(p: int) -> None:
        actor, critic = (
            tuple(t[p].numpy() for t in (rows, moments.mean, moments.square))
            for rows, moments in (
                (networks.actor_rows.detach(), networks.actor_moments),
                (networks.critic_rows.detach(), networks.critic_moments),
            )
        )
        own = [t[p].numpy() for t in (state, data, chosen, floors, permutations)]
        kernel(actor, critic, *sizes, *own, settings.minibatches, numbers[p].numpy(), report[p].numpy())

    if min(threads, members) <= 1:
        for p in range(members):
            train(p)
    else:
        with ThreadPoolExecutor(min(threads, members), thread_name_prefix="paretokit-ppo") as pool:
            for task in [pool.submit(train, p) for p in range(members)]:
                task.result()
    made = epochs * settings.minibatches
    for count in steps:
        count += made
    return report


def member_rates(networks: Networks, rate: Tensor | float) -> Tensor:
    """Return one learning rate a member, float64 `[P]`."""
    rows = networks.actor_rows
    rates = torch.as_tensor(rate, dtype=torch.float64, device=rows.device)
    due = (len(rows),)
    check.shape(rates.shape in ((), due), "rate", f"be one number or have shape {due}", tuple(rates.shape))
    return rates.expand(due)


def require_fit(batch: Batch, networks: Networks, settings: PPOSettings) -> None:
    """Raise unless all tensors have the shapes that the networks ask for."""
    actor, critic = networks.actor.sizes, networks.critic.sizes
    members, n, k, m = *batch.observations.shape[:2], actor[-1], critic[-1]
    gaussian = networks.head == "gaussian"
    due: dict[str, tuple[Tensor, tuple[int, ...]]] = {
        "observations": (batch.observations, (members, n, actor[0])),
        "actions": (batch.actions, (members, n, k) if gaussian else (members, n)),
        "log_probs": (batch.log_probs, (members, n)),
        "advantage": (batch.advantage, (members, n)),
        "targets": (batch.targets, (members, n, m)),
        "values": (batch.values, (members, n, m)),
        "permutations": (batch.permutations, (members, batch.permutations.shape[1], n)),
        "actor_rows": (networks.actor_rows, (members, networks.actor.n_parameters + gaussian * k)),
        "critic_rows": (networks.critic_rows, (members, networks.critic.n_parameters)),
    }
    for name in ("actor", "critic"):
        state, shape = getattr(networks, f"{name}_moments"), due[f"{name}_rows"][1]
        due |= {f"{name}_moments.mean": (state.mean, shape), f"{name}_moments.square": (state.square, shape)}
        due[f"{name}_moments.steps"] = (state.steps, (members,))
    if batch.barrier is not None:
        if batch.advantages is None:
            check.fail("advantages", "be given where there is a barrier", None)
        due["advantages"] = (batch.advantages, (members, n, m))
        for name in ("weight", "slack", "margin"):
            due[f"barrier.{name}"] = (getattr(batch.barrier, name), (members, m))
        check.that(
            bool((batch.barrier.margin > 0).all()), "barrier.margin", "be positive", batch.barrier.margin.tolist()
        )
    for name, (tensor, shape) in due.items():
        check.shape(tuple(tensor.shape) == shape, name, f"have shape {shape}", tuple(tensor.shape))
        whole = name == "permutations" or name.endswith("steps") or (name == "actions" and not gaussian)
        dtype = torch.int64 if whole else networks.actor_rows.dtype
        check.that(tensor.dtype == dtype, name, f"have dtype {dtype}", tensor.dtype)
    check.that(n % settings.minibatches == 0, "minibatches", f"divide the {n} rows of a member", settings.minibatches)
    numbered = {"permutations": (batch.permutations, n)}
    if not gaussian:
        numbered["actions"] = (batch.actions, k)
    for name, (tensor, most) in numbered.items():
        low, high = (int(edge) for edge in tensor.aminmax())
        check.that(low >= 0 and high < most, name, f"lie in 0 … {most - 1}", f"{low} … {high}")
