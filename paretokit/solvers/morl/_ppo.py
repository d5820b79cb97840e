"""Multi-objective proximal policy optimization: vector critics, one scalar advantage a member."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, cast, final

import torch
from torch import Tensor

from paretokit.core import Lanes, Rng
from paretokit.core import _check as check
from paretokit.core._threads import kernel_threads, one_torch_thread
from paretokit.nn import MLP, AdamState, Moments
from paretokit.problems.morl._architecture import Surface
from paretokit.problems.morl._morl import MORL
from paretokit.problems.morl._network import Network, NetworkWiring
from paretokit.problems.morl._rollout import Stand, begin
from paretokit.solvers.morl._collect import RewardScale, Trajectories, collect
from paretokit.solvers.morl._gae import gae
from paretokit.solvers.morl._improver import Aim, Improver, Spent
from paretokit.solvers.morl._ppo_plain import distribution
from paretokit.solvers.morl._ppo_update import Barrier, Batch, Networks, PPOSettings, Statistics, update

REWARD_CLIP = 10.0  # of normalized rewards


@dataclass
class Floors:
    """Lower bounds that members keep while they improve one objective (interior-point policy optimization).

    Attributes:
        active: Which objectives are bounded, bool `[P, m]`.
        value: Return of the present policies `[P, m]`, float64.
        floor: The bounds `[P, m]`, in the same units, fixed.
        margin: Slack below which the logarithm goes on as its tangent `[P, m]`.
        sharpness: t; the barrier weighs 1/t of the objective's normalized return.
        gain: From mean advantage to return.
    """

    active: Tensor
    value: Tensor
    floor: Tensor
    margin: Tensor
    sharpness: float
    gain: float


@dataclass
class PPOState:
    """P members in training.

    Attributes:
        networks: Actors and critics with their optimizers.
        stand: Where the members' lanes stand.
        observations: Moments of what each member saw; they travel with its policy.
        rewards: Scale of each member's rewards, in training only.
        preference: `[P, m]`, the last input of networks that are conditioned on it.
        rngs: Each member's own source of numbers.
        updates: Rollouts made.
        spent: Of all members together.
    """

    networks: Networks
    stand: Stand
    observations: Moments
    rewards: RewardScale
    preference: Tensor
    rngs: tuple[Rng, ...]
    updates: int
    spent: Spent


@final
@dataclass(frozen=True, kw_only=True)
class PPO(Improver[PPOState]):
    r"""Clipped policy gradients along weights w, with one value head and one advantage an objective.

    .. math:: A_t = \sum_j w_j A_{j,t}

    in raw reward units, then standardized over the member's rollout. Rewards are scaled and observations normalized
    by running statistics of each member, frozen during a rollout. Time limits bootstrap.

    Attributes:
        n_steps: Steps T of a rollout.
        n_envs: Lanes N of each member.
        epochs: Passes over a rollout.
        minibatches: Into how many parts a pass is cut.
        learning_rate: Of actor and critic.
        discount: Of training; the problem's is for measurement.
        gae_lambda: Decay of the advantage estimate (Schulman et al. 2016).
        clip: Of the probability ratio.
        value_clip: Of the value's move, in normalized units.
        value_coef: Weight of the critic's loss.
        entropy_coef: Weight of the entropy.
        max_grad_norm: Norm to which a member's gradient is clipped.
        hidden: Widths of the critic; the actor is the problem's `policy`.
        normalize_observations, normalize_rewards: Whether running statistics are used.

    Cost: T N environment steps and epochs x minibatches gradient steps a member and call.

    Schulman, Wolski, Dhariwal, Radford, Klimov (2017), arXiv:1707.06347; defaults are those of C-MORL's experiments.
    """

    criterion: ClassVar[str] = "SER"
    state_type: ClassVar[type] = PPOState

    n_steps: int = 512
    n_envs: int = 8
    epochs: int = 10
    minibatches: int = 32
    learning_rate: float = 3e-4
    discount: float = 0.995
    gae_lambda: float = 0.95
    clip: float = 0.2
    value_clip: float = 0.2
    value_coef: float = 0.5
    entropy_coef: float = 0.0
    max_grad_norm: float = 0.5
    hidden: tuple[int, ...] = (64, 64)
    normalize_observations: bool = True
    normalize_rewards: bool = True

    def __post_init__(self) -> None:
        check.fields(self)
        object.__setattr__(self, "hidden", tuple(self.hidden))
        check.at_least(1, n_steps=self.n_steps, n_envs=self.n_envs, epochs=self.epochs)
        check.positive(learning_rate=self.learning_rate)
        check.probability(discount=self.discount, gae_lambda=self.gae_lambda)
        rows = self.n_steps * self.n_envs
        _ = self.settings
        check.that(rows % self.minibatches == 0, "minibatches", f"divide n_steps x n_envs = {rows}", self.minibatches)

    @property
    def settings(self) -> PPOSettings:
        """What the update reads."""
        return PPOSettings(
            minibatches=self.minibatches,
            clip=self.clip,
            value_clip=self.value_clip,
            value_coef=self.value_coef,
            entropy_coef=self.entropy_coef,
            max_grad_norm=self.max_grad_norm,
        )

    def unsupported(self, problem: MORL) -> str | None:
        """Tell where the problem's policies cannot be trained by it."""
        if not isinstance(problem.policy, Network):
            return "it trains networks, and the problem's policies are tables"
        if problem.policy.head == "squashed":
            return 'it trains categorical and Gaussian heads, not "squashed" ones'
        if problem.policy.conditioned_on == "accrued":
            return "it trains no policies that are conditioned on the accrued reward"
        return None

    def architecture(self, problem: MORL) -> Network:
        """Return the problem's own policies."""
        return cast("Network", problem.policy)

    def wiring(self, problem: MORL) -> NetworkWiring:
        """Return how the policies' rows act."""
        return cast("NetworkWiring", problem.wiring)

    def critic(self, problem: MORL) -> MLP:
        """Return the shape of the critics."""
        return MLP((self.wiring(problem).mlp.sizes[0], *self.hidden, problem.n_objectives))

    def networks(self, problem: MORL, actors: Tensor, critics: Tensor) -> Networks:
        """Return actors `[P, Da]` and critics `[P, Dc]` with fresh optimizers."""
        wiring = self.wiring(problem)
        head = cast("Literal['categorical', 'gaussian']", wiring.head)
        return Networks.start(wiring.mlp, self.critic(problem), head=head, actor_rows=actors, critic_rows=critics)

    def start(self, problem: MORL, lanes: Lanes, preference: Tensor) -> PPOState:
        """Return P untrained members: orthogonal weights, a last actor layer of gain 0.01."""
        wiring, env = self.wiring(problem), problem.env.to(problem.device)
        dtype, device, members, m = problem.dtype, problem.device, len(lanes), problem.n_objectives
        actors = wiring.initial(lanes.child("actor"), dtype=dtype).to(device)
        critics = self.critic(problem).init(lanes.child("critic"), dtype=dtype).to(device)
        return PPOState(
            networks=self.networks(problem, actors, critics),
            stand=begin(env, lanes.child("begin"), self.n_envs, device),
            observations=Moments.start(members, Surface.of(env).observation_dim, device),
            rewards=RewardScale.start(members, self.n_envs, m, device),
            preference=preference.to(device, dtype),
            rngs=lanes.rngs,
            updates=0,
            spent=Spent(),
        )

    def improve(self, problem: MORL, state: PPOState, aim: Aim) -> PPOState:
        """Return the members after one rollout and its updates along `aim.weights`."""
        return self.train(problem, state, aim.weights)[0]

    def train(
        self,
        problem: MORL,
        state: PPOState,
        weights: Tensor,
        *,
        rate: Tensor | float | None = None,
        floors: Floors | None = None,
    ) -> tuple[PPOState, Statistics]:
        """Return the members after one rollout and its updates, and what was seen of them.

        Args:
            problem: Whose environment.
            state: Changed in place.
            weights: Of the objectives `[P, m]`.
            rate: Learning rate, one number or one a member; the solver's unless given.
            floors: Bounds to keep meanwhile.
        """
        with one_torch_thread(when=state.preference.device.type == "cpu"):  # small tensors, many operators
            data, batch = self.experience(problem, state, weights, floors)
            own = self.learning_rate if rate is None else rate
            seen = update(batch, state.networks, self.settings, rate=own, threads=kernel_threads())
        rows = batch.log_probs.numel()
        state.spent.env_steps += rows
        state.spent.gradient_steps += self.epochs * self.minibatches * len(state.rngs)
        state.updates += 1
        if self.normalize_observations:
            state.observations.update(data.observations.flatten(1, 2))
        return state, seen

    def experience(
        self, problem: MORL, state: PPOState, weights: Tensor, floors: Floors | None = None
    ) -> tuple[Trajectories, Batch]:
        """Return a rollout of every member and what its update reads; the lanes move on."""
        wiring, env = self.wiring(problem), problem.env.to(problem.device)
        lanes = Lanes(state.rngs).child("update", state.updates)
        data, state.stand = collect(
            env,
            state.stand,
            wiring,
            self._training_rows(wiring, state),
            steps=self.n_steps,
            lanes=lanes,
            horizon=problem.protocol.measurement.horizon or 0,
            discount=self.discount,
        )
        if self.normalize_rewards:
            state.rewards.update(data, self.discount)
        unit = state.rewards.unit if self.normalize_rewards else torch.ones_like(state.rewards.unit)
        networks, dtype = state.networks, state.networks.actor_rows.dtype
        scaled = (data.rewards / unit[:, None, None]).clamp(-REWARD_CLIP, REWARD_CLIP).to(dtype)
        seen = data.inputs.flatten(1, 2)
        with torch.no_grad():
            values = networks.critic(networks.critic_rows, seen)
            follows = networks.critic(networks.critic_rows, data.successors.flatten(1, 2)).view_as(scaled)
            log_probs, _ = distribution(networks, seen, data.actions.flatten(1, 2))
        own = gae(
            scaled,
            values.view_as(scaled),
            follows,
            terminated=data.terminated,
            truncated=data.truncated,
            discount=self.discount,
            lam=self.gae_lambda,
        ).flatten(1, 2)
        raw = own * unit.to(dtype).unsqueeze(1)
        scalar = (raw * weights.to(raw).unsqueeze(1)).sum(-1)
        spread = scalar.std(1, keepdim=True)
        batch = Batch(
            observations=seen,
            actions=data.actions.flatten(1, 2),
            log_probs=log_probs,
            advantage=(scalar - scalar.mean(1, keepdim=True)) / (spread + 1e-8),
            targets=own + values,
            values=values,
            permutations=lanes.child("minibatches").uniform(self.epochs, seen.shape[1]).argsort(-1).to(seen.device),
        )
        if floors is not None:
            batch.advantages = raw
            batch.barrier = _barrier(floors, weights, unit, spread)
        return data, batch

    def rows(self, problem: MORL, state: PPOState) -> Tensor:
        """Return the members' policies as decision rows, their observation statistics included."""
        moments = state.observations if self.normalize_observations and state.updates else None
        return self.wiring(problem).rows(state.networks.actor_rows, moments, state.preference).clone()

    def select(self, state: PPOState, members: Tensor) -> PPOState:
        """Return the state of some members, copied."""
        stand = state.stand
        return replace(
            state,
            networks=state.networks.select(members),
            stand=Stand(stand.state[members].clone(), stand.elapsed[members].clone(), stand.accrued[members].clone()),
            observations=state.observations.select(members),
            rewards=state.rewards.select(members),
            preference=state.preference[members].clone(),
            rngs=tuple(state.rngs[int(p)] for p in members),
            spent=replace(state.spent),
        )

    def transfer(self, state: PPOState, source: int, target: int) -> None:
        """Copy actor, critic and statistics of one member over another's; its optimizer begins anew."""
        networks = state.networks
        networks.actor_rows[target] = networks.actor_rows[source]
        networks.critic_rows[target] = networks.critic_rows[source]
        for moments in (networks.actor_moments, networks.critic_moments):
            _reset(moments, target)
        for kept in (state.observations, state.rewards.moments):
            kept.mean[target], kept.variance[target] = kept.mean[source], kept.variance[source]
            kept.count[target] = kept.count[source]

    def _training_rows(self, wiring: NetworkWiring, state: PPOState) -> Tensor:
        moments = state.observations if self.normalize_observations and state.updates else None
        rows = wiring.rows(state.networks.actor_rows, moments, state.preference)
        rows[:, : wiring.n_parameters] = state.networks.actor_rows  # not clipped: training's own business
        return rows


def _reset(moments: AdamState, member: int) -> None:
    moments.mean[member], moments.square[member], moments.steps[member] = 0.0, 0.0, 0


def _barrier(floors: Floors, weights: Tensor, unit: Tensor, spread: Tensor) -> Barrier:
    """Return the barrier of an update whose advantage was divided by `spread [P, 1]`.

    The return of the maximized objective counts in normalized units u, so that 1/t means the same for every problem:
    the objective J/u + (1/t) sum log(slack) divided by g spread / u is what the standardized advantage climbs.
    """
    w = weights.to(torch.float64)
    own = (w * unit).sum(1, keepdim=True) / w.sum(1, keepdim=True)
    scale = own / (floors.gain * spread.to(torch.float64) + 1e-12) / floors.sharpness
    dtype = spread.dtype
    return Barrier(
        weight=torch.where(floors.active, scale, 0.0).to(dtype),
        slack=(floors.value - floors.floor).to(dtype),
        margin=floors.margin.to(dtype),
        gain=floors.gain,
    )
