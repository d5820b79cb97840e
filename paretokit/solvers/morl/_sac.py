"""Multi-objective soft actor-critic: vector twin critics, read along each member's weights."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, TypeVar, final

import torch
from torch import Tensor

from paretokit.core import Lanes, Rng
from paretokit.core import _check as check
from paretokit.nn import MLP, Moments
from paretokit.problems.morl._architecture import Surface
from paretokit.problems.morl._environment import Discrete, Environment
from paretokit.problems.morl._morl import MORL
from paretokit.problems.morl._network import UNCLIPPED, Network, NetworkWiring
from paretokit.problems.morl._rollout import Stand, begin
from paretokit.solvers.morl._collect import RewardScale
from paretokit.solvers.morl._improver import Aim, Improver, Spent
from paretokit.solvers.morl._replay import Replay
from paretokit.solvers.morl._sac_heads import head_of
from paretokit.solvers.morl._sac_training import Training
from paretokit.solvers.morl._sac_update import Rule, SACNetworks

Number = TypeVar("Number", int, float)


@dataclass
class SACState:
    """P members in training.

    Attributes:
        networks: Actors, critics, targets, temperatures, optimizers.
        replay: What was seen.
        stand: Where the members' lanes stand.
        observations: Moments of what each member saw; they travel with its policy.
        rewards: Scale of each member's rewards, in training only.
        rngs: Each member's own source of numbers.
        steps: Environment steps of each member.
        updates: Updates of each member.
        spent: Of all members together.
    """

    networks: SACNetworks
    replay: Replay
    stand: Stand
    observations: Moments
    rewards: RewardScale
    rngs: tuple[Rng, ...]
    steps: int
    updates: int
    spent: Spent


@final
@dataclass(frozen=True, kw_only=True)
class SAC(Improver[SACState]):
    r"""Soft actor-critic along weights w with critics Q(s, a) in R^m: the improver of MORL/D.

    .. math::
        y = w \cdot r + \gamma (1 - d) \bigl(\min_{i=1,2} w \cdot Q_i'(s', a') - \alpha\log\pi(a' \mid s')\bigr),\quad
        L_Q = \sum_i \overline{(w \cdot Q_i - y)^2},\quad
        L_\pi = \overline{\alpha\log\pi - \min_i w \cdot Q_i}

    Values are scalarized before the minimum. d says that an episode terminated; time limits bootstrap. Continuous
    actions are a squashed Gaussian (MOSAC), discrete ones a softmax whose expectations are exact (MOSAC-discrete).
    Fields that default to None take the published value of the kind of action, continuous / discrete below.

    Attributes:
        critic_targets: "scalarized" trains critics along w only, as published (a critic's components are then free in
            all other directions); "vector" trains each component on its own, with the critic of the smaller w.Q'.
        discount: Of training; the problem's is for measurement.
        batch_size: Transitions B of an update.
        learning_starts: Steps of each member with uniform actions before the first update, 1000 / 20000.
        updates_per_step: Updates a member and environment step, 1 / 0.25.
        policy_delay: The actor waits so many updates and then makes as many, 2 / 1.
        policy_rate: Learning rate of actors.
        critic_rate: Learning rate of critics, 1e-3 / 3e-4.
        alpha: A fixed temperature; None tunes it, from 1, to the target entropy at the critics' rate.
        entropy_scale: The target entropy is -scale x (number of action dimensions), scale 1, or scale x log n, 0.89.
        tau: Share of the critics that the targets take over, 0.005 / 1.
        target_every: Updates between that, 1 / 500 (2000 steps).
        adam_eps: 1e-8 / 1e-4.
        hidden: Widths of actors and critics.
        capacity: Transitions that a member, or all that share, remember.
        shared_buffer: Whether all members learn from all members' transitions.
        n_envs: Lanes N of each member.
        unit: Environment steps of a member in one call of `improve`.
        normalize_rewards: Divide each objective by the spread of its discounted returns, in training.
        normalize_observations: By running moments of each member, renewed after each call; they travel with policies.

    Cost: `unit` environment steps a member and call; an update takes about 11 products of [B, hidden] with the
    critics' hidden weights and 5 with the actor's.

    Haarnoja, Zhou, Abbeel, Levine (2018), ICML; Christodoulou (2019), arXiv:1910.07207, for discrete actions; Felten,
    Talbi, Danoy (2024), JAIR 79, whose defaults these are.

    Deviations from the authors' code (morl-baselines 1.3): losses for discrete actions are sums over actions, as
    published, not means (a factor n, which weighs nothing under Adam's scaling but for its eps); the temperature's
    step takes the actor step's log pi instead of a fresh sample; log(1 - tanh^2) is exact instead of shifted by 1e-6;
    the discrete temperature steps along log alpha as the continuous one does; reward normalization, which does nothing
    there, works and is off unless asked for; all members train at once instead of in turns.
    """

    criterion: ClassVar[str] = "SER"
    state_type: ClassVar[type] = SACState

    critic_targets: Literal["scalarized", "vector"] = "scalarized"
    discount: float = 0.99
    batch_size: int = 128
    learning_starts: int | None = None
    updates_per_step: float | None = None
    policy_delay: int | None = None
    policy_rate: float = 3e-4
    critic_rate: float | None = None
    alpha: float | None = None
    entropy_scale: float | None = None
    tau: float | None = None
    target_every: int | None = None
    adam_eps: float | None = None
    hidden: tuple[int, ...] = (256, 256)
    capacity: int = 1_000_000
    shared_buffer: bool = False
    n_envs: int = 1
    unit: int = 100
    normalize_rewards: bool = False
    normalize_observations: bool = False

    def __post_init__(self) -> None:
        check.fields(self)
        object.__setattr__(self, "hidden", tuple(self.hidden))
        check.one_of(("scalarized", "vector"), critic_targets=self.critic_targets)
        check.probability(discount=self.discount)
        check.at_least(1, batch_size=self.batch_size, n_envs=self.n_envs, unit=self.unit)
        check.at_least(1, **{"hidden widths": min(self.hidden, default=0)})
        check.at_least(self.n_envs, capacity=self.capacity)
        check.positive(policy_rate=self.policy_rate)
        whole = self.unit % self.n_envs == 0
        check.that(whole, "unit", f"be a multiple of n_envs = {self.n_envs}", self.unit)
        if self.learning_starts is not None:
            check.at_least(0, learning_starts=self.learning_starts)
        for name in ("updates_per_step", "critic_rate", "alpha", "adam_eps"):
            if getattr(self, name) is not None:
                check.positive(**{name: getattr(self, name)})
        for name in ("policy_delay", "target_every"):
            if getattr(self, name) is not None:
                check.at_least(1, **{name: getattr(self, name)})
        if self.tau is not None:
            check.probability(tau=self.tau)

    def unsupported(self, problem: MORL) -> str | None:
        """Tell where a box of actions has no bounds to squash into."""
        actions = problem.env.actions
        if isinstance(actions, Discrete) or all(math.isfinite(v) for v in (*actions.low, *actions.high)):
            return None
        return "it squashes actions into their box, and this box is unbounded"

    def architecture(self, problem: MORL) -> Network:
        """Return a ReLU network with a categorical head for discrete and a squashed one for continuous actions."""
        head: Literal["categorical", "squashed"] = (
            "categorical" if isinstance(problem.env.actions, Discrete) else "squashed"
        )
        clip = Network.observation_clip if self.normalize_observations else UNCLIPPED
        return Network(hidden=self.hidden, activation="relu", head=head, observation_clip=clip)

    def wiring(self, problem: MORL) -> NetworkWiring:
        """Return how the policies' rows act."""
        return self.architecture(problem).wire(Surface.of(problem.env))

    def starts_after(self, environment: Environment) -> int:
        """Return the steps of each member before its first update."""
        return _given(self.learning_starts, 20_000 if _discrete(environment) else 1_000)

    def update_rate(self, environment: Environment) -> float:
        """Return the updates a member and environment step."""
        return _given(self.updates_per_step, 0.25 if _discrete(environment) else 1.0)

    def rule(self, environment: Environment) -> Rule:
        """Return the numbers of an update on an environment."""
        actions, discrete = environment.actions, _discrete(environment)
        if isinstance(actions, Discrete):
            entropy = _given(self.entropy_scale, 0.89) * math.log(actions.n)
        else:
            entropy = -_given(self.entropy_scale, 1.0) * actions.dim
        rate = _given(self.critic_rate, 3e-4 if discrete else 1e-3)
        return Rule(
            discount=self.discount,
            tau=_given(self.tau, 1.0 if discrete else 0.005),
            target_every=_given(self.target_every, 500 if discrete else 1),
            policy_delay=_given(self.policy_delay, 1 if discrete else 2),
            policy_rate=self.policy_rate,
            critic_rate=rate,
            alpha_rate=rate,
            target_entropy=entropy,
            tune_alpha=self.alpha is None,
            per_objective=self.critic_targets == "vector",
            eps=_given(self.adam_eps, 1e-4 if discrete else 1e-8),
        )

    def critic(self, environment: Environment) -> MLP:
        """Return the shape of a critic: (o + k, hidden, m) for continuous and (o, hidden, n m) for discrete actions."""
        head, m = head_of(environment.actions, torch.float32, "cpu"), environment.n_objectives
        sizes = (environment.observation_dim + head.columns, *self.hidden, head.critic_outputs(m))
        return MLP(sizes, "relu")

    def start(self, problem: MORL, lanes: Lanes, preference: Tensor) -> SACState:
        """Return P untrained members: orthogonal weights of gain 1, as the authors'."""
        env, dtype, device = problem.env.to(problem.device), problem.dtype, problem.device
        members, m, critic = len(lanes), env.n_objectives, self.critic(env)
        pair = [critic.init(lanes.child("critic", i), gain=1.0, dtype=dtype) for i in range(2)]
        width = 2 * env.observation_dim + head_of(env.actions, dtype, device).stored + m + 1
        groups = 1 if self.shared_buffer else members
        return SACState(
            networks=SACNetworks.start(
                self.wiring(problem).mlp.init(lanes.child("actor"), gain=1.0, dtype=dtype).to(device),
                torch.cat(pair, -1).to(device),
                torch.full((members, 1), math.log(1.0 if self.alpha is None else self.alpha), dtype=dtype).to(device),
            ),
            replay=Replay.empty(groups, width, self.capacity, dtype=dtype, device=device),
            stand=begin(env, lanes.child("begin"), self.n_envs, device),
            observations=Moments.start(members, env.observation_dim, device),
            rewards=RewardScale.start(members, self.n_envs, m, device),
            rngs=lanes.rngs,
            steps=0,
            updates=0,
            spent=Spent(),
        )

    def improve(self, problem: MORL, state: SACState, aim: Aim) -> SACState:
        """Return the members after `unit` steps of each along `aim.weights`, updates in between."""
        Training(self, problem, state, aim.weights).run(self.unit // self.n_envs)
        return state

    def moments(self, state: SACState) -> Moments | None:
        """Return the moments that observations are normalized by, or None for none."""
        return state.observations if self.normalize_observations and state.steps else None

    def rows(self, problem: MORL, state: SACState) -> Tensor:
        """Return the members' policies as decision rows, their observation statistics included."""
        return self.wiring(problem).rows(state.networks.actor, self.moments(state)).clone()

    def select(self, state: SACState, members: Tensor) -> SACState:
        """Return the state of some members, copied; a shared memory stays shared among them."""
        stand = state.stand
        return replace(
            state,
            networks=state.networks.select(members),
            replay=state.replay.select(members, shared=self.shared_buffer),
            stand=Stand(stand.state[members].clone(), stand.elapsed[members].clone(), stand.accrued[members].clone()),
            observations=state.observations.select(members),
            rewards=state.rewards.select(members),
            rngs=tuple(state.rngs[int(p)] for p in members),
            spent=replace(state.spent),
        )

    def transfer(self, state: SACState, source: int, target: int) -> None:
        """Copy networks and statistics of one member over another's; its optimizers begin anew, its memory stays."""
        state.networks.transfer(source, target)
        for kept in (state.observations, state.rewards.moments):
            for tensor in (kept.mean, kept.variance, kept.count):
                tensor[target] = tensor[source]


def _discrete(environment: Environment) -> bool:
    return isinstance(environment.actions, Discrete)


def _given(value: Number | None, default: Number) -> Number:
    return default if value is None else value
