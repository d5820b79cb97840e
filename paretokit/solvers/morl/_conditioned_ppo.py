"""One network for all preferences, trained by PPO on rollouts of many preferences at once."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import ClassVar, Literal, cast, final

import torch
from torch import Tensor

from paretokit.core import Cost, Evaluation, Front, Lanes, Problem, Rng
from paretokit.core import _check as check
from paretokit.core._threads import kernel_threads, one_torch_thread
from paretokit.indicators import dirichlet_weights, simplex_lattice
from paretokit.nn import Moments
from paretokit.problems.morl._architecture import Surface
from paretokit.problems.morl._morl import MORL
from paretokit.problems.morl._network import Network
from paretokit.problems.morl._rollout import Stand, begin
from paretokit.run import Archive
from paretokit.solvers.morl._collect import RewardScale
from paretokit.solvers.morl._improver import Spent
from paretokit.solvers.morl._ppo import PPOState
from paretokit.solvers.morl._ppo_solver import PPOSolver
from paretokit.solvers.morl._ppo_update import Batch, Networks, update

PARTITIONS = {2: 20, 3: 6, 4: 3}  # of the measured lattice by objectives: 21, 28 and 20 preferences; 2 beyond


@dataclass
class Pooled(Moments):
    """Moments of the data of all members together, one row."""

    def update(self, data: Tensor) -> None:
        """Take in rows `[K, n, k]` of all members, in place."""
        super().update(data.flatten(0, 1).unsqueeze(0))

    def expanded(self, members: int) -> Moments:
        """Return them as every member's own `[K, k]`."""
        mean, variance = self.mean.expand(members, -1), self.variance.expand(members, -1)
        return Moments(mean, variance, self.count.expand(members))


@dataclass
class ConditionedPPOState:
    """Where a run stands.

    Attributes:
        rng: The run's key.
        networks: The one actor and the one critic, with their optimizer.
        stand: Where the lanes of the K preferences of a rollout stand.
        observations: Moments of all that was seen, whatever the preference; they travel with the policy.
        running: Discounted return so far of each lane `[K, N, m]`.
        returns: Moments of those returns, in training only.
        archive: Non-dominated rows, their standard errors behind their columns.
        rows, values, stderr: The lattice as last measured `[L, d]`, `[L, m]`, `[L, m]`.
        updates: Rollouts made.
        spent: Of training.
        evaluations: Policies measured.
        evaluation_steps: Environment steps of measuring.
    """

    rng: Rng
    networks: Networks
    stand: Stand
    observations: Pooled
    running: Tensor
    returns: Pooled
    archive: Archive
    rows: Tensor
    values: Tensor
    stderr: Tensor
    updates: int = 0
    spent: Spent = field(default_factory=Spent)
    evaluations: int = 0
    evaluation_steps: int = 0


@final
@dataclass(frozen=True, kw_only=True)
class ConditionedPPO(PPOSolver[ConditionedPPOState]):
    r"""Train one actor and one vector critic that take the preference as an input, and answer any preference.

    .. math:: \max_\theta\; \mathbb E_{w \sim \mathrm{Dir}(1)}\; w \cdot G^{\pi_\theta(\cdot \mid s, w)},
              \qquad A_t(w) = \sum_j w_j A_{j,t}

    Each rollout draws K preferences, runs the same network under all of them in one stack, and makes one clipped
    update on the rows of all together. Advantages are those of `PPO`, in raw reward units, standardized over the rows
    of each preference, so that every preference counts alike whatever its scale. Statistics of observations and
    returns are shared by all preferences, so that the critic's units do not depend on the preference.

    A lane keeps its episode when its preference changes between two rollouts; estimates bootstrap from the values of
    the preference that was acted for.

    What it is: the plain baseline, a single policy conditioned on the preference, on-policy, for weighted sums. What
    it is not: envelope Q-learning (Yang et al. 2019) maximizes over preferences inside its targets, CAPQL (Lu et al.
    2023) adds a concave term to the reward and learns off-policy, PD-MORL and hypernetworks change what is trained
    and how the preference enters. Like every method of weighted sums it aims at the convex part of a front.

    Attributes:
        ppo: How the network is trained; `n_envs` lanes a preference, `minibatches` of the rows of all preferences.
        n_preferences: Number K of preferences a rollout, corners included.
        corners: Whether the m corners of the simplex are among them in every rollout; the others are drawn anew.
        partitions: Of the lattice of preferences that is measured; 20 for two objectives, 6 for three, 3 for four, 2
            beyond unless given.
        evaluate_every: Rollouts between two measurements; there is one after the first rollout and one at the end of
            every run.
        capacity: Most rows kept in the archive.
        front_from: The front is the "archive" of all measurements, or what the "network" was last measured to give.
        spread: Share of a random preference in the further answers to one preference.
        iterations: Rollouts until the method ends, over which the learning rate falls linearly to 0; without it the
            rate is constant and the budget ends the run.

    Cost: K n_steps n_envs environment steps and epochs x minibatches gradient steps a rollout, in one network, so the
    compiled update has one task for one core; a measurement is an episode a preference and selection seed.

    Conditioned networks: Abels, Roijers, Lenaerts, Nowé and Steckelmacher (ICML 2019), "Dynamic weights in
    multi-objective deep reinforcement learning"; Yang, Sun and Narasimhan (NeurIPS 2019). The improver is PPO instead
    of their Q-learning.
    """

    state_type: ClassVar[type] = ConditionedPPOState

    n_preferences: int = 8
    corners: bool = True
    partitions: int | None = None
    evaluate_every: int = 10
    capacity: int = 200
    front_from: Literal["archive", "network"] = "archive"
    spread: float = 0.1
    iterations: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check.at_least(1, n_preferences=self.n_preferences, evaluate_every=self.evaluate_every, capacity=self.capacity)
        for name in ("partitions", "iterations"):
            if getattr(self, name) is not None:
                check.at_least(1, **{name: getattr(self, name)})
        check.one_of(("archive", "network"), front_from=self.front_from)
        check.probability(spread=self.spread)

    @property
    def finishes(self) -> bool:
        """Whether `iterations` ends the run."""
        return self.iterations is not None

    def unsupported(self, problem: Problem) -> str | None:
        """Tell why PPO cannot train the problem's policies, or too few preferences are drawn for the corners."""
        m = problem.n_objectives
        if self.corners and self.n_preferences < m:
            return f"`n_preferences` must be at least {m} where the corners are among them; got {self.n_preferences}"
        return super().unsupported(problem)

    def view(self, problem: Problem) -> MORL:
        """Return the problem with its networks conditioned on the preference: where fronts and answers stand."""
        assert isinstance(problem, MORL)
        network = dataclasses.replace(cast("Network", problem.policy), conditioned_on="preference")
        return problem.with_policy(network)

    def lattice(self, problem: Problem) -> Tensor:
        """Return the preferences that are measured `[L, m]`."""
        m = problem.n_objectives
        return simplex_lattice(m, self.partitions or PARTITIONS.get(m, 2))

    def preferences(self, problem: Problem, state: ConditionedPPOState) -> Tensor:
        """Return the preferences of the next rollout `[K, m]`, float64: corners first where they are among them."""
        m = problem.n_objectives
        fixed = torch.eye(m, dtype=torch.float64) if self.corners else torch.zeros(0, m, dtype=torch.float64)
        rng = state.rng.child("preferences", state.updates)
        return torch.cat([fixed, dirichlet_weights(m, self.n_preferences - len(fixed), rng)])

    def init(self, problem: Problem, rng: Rng, *, initial: Tensor | None = None) -> ConditionedPPOState:
        """Return the untrained network.

        Raises:
            InputError: If `initial` is given: rows come without the critic that training needs.
        """
        check.that(initial is None, "initial", "be left out for a network that comes with its critic", initial)
        view, ppo, k = self.view(problem), self.trainer, self.n_preferences
        env, device, m = view.env.to(view.device), view.device, view.n_objectives
        own = Lanes((rng.child("network"),))
        actor = ppo.wiring(view).initial(own.child("actor"), dtype=view.dtype).to(device)
        critic = ppo.critic(view).init(own.child("critic"), dtype=view.dtype).to(device)
        scale = RewardScale.start(k, ppo.n_envs, m, device)
        empty = torch.zeros(0, m, dtype=view.dtype, device=device)
        return ConditionedPPOState(
            rng=rng,
            networks=ppo.networks(view, actor, critic),
            stand=begin(env, _lanes(rng, k).child("begin"), ppo.n_envs, device),
            observations=_pooled(Surface.of(env).observation_dim, device),
            running=scale.running,
            returns=_pooled(m, device),
            archive=Archive(view.objectives, capacity=self.capacity),
            rows=torch.zeros(0, view.space.dim, dtype=view.dtype, device=device),
            values=empty,
            stderr=empty.clone(),
        )

    def step(self, problem: Problem, state: ConditionedPPOState) -> ConditionedPPOState:
        """Return the state after one rollout under K preferences, its updates, and a measurement where it is due."""
        view, ppo = self.view(problem), self.trainer
        rate = ppo.learning_rate * (1 if self.iterations is None else 1 - state.updates / self.iterations)
        with one_torch_thread(when=view.device.type == "cpu"):  # small tensors, many operators
            batch = self.experience(view, state)
            update(batch, state.networks, ppo.settings, rate=rate, threads=kernel_threads())
        state.spent.env_steps += batch.log_probs.numel()
        state.spent.gradient_steps += ppo.epochs * ppo.minibatches
        state.updates += 1
        if self._due(state):
            self._measure(view, state)
        return state

    def closed(self, problem: Problem, state: ConditionedPPOState) -> ConditionedPPOState:
        """Return the state with the network measured as it is now."""
        if self._due(state):
            return state
        state = dataclasses.replace(state)
        self._measure(self.view(problem), state)
        return state

    def _due(self, state: ConditionedPPOState) -> bool:
        """Tell whether the network is measured after this rollout."""
        return (state.updates - 1) % self.evaluate_every == 0 or state.updates == self.iterations

    def experience(self, view: MORL, state: ConditionedPPOState) -> Batch:
        """Return the rows `[1, K T N, ...]` that one update reads; lanes and statistics move on.

        The stack is K members that share parameters and statistics and differ in their preference alone.
        """
        ppo, k = self.trainer, self.n_preferences
        weights = self.preferences(view, state).to(view.device, view.dtype)
        scale = RewardScale(state.running, state.returns)
        stack = PPOState(
            networks=dataclasses.replace(
                state.networks,
                actor_rows=state.networks.actor_rows.expand(k, -1),
                critic_rows=state.networks.critic_rows.expand(k, -1),
            ),
            stand=state.stand,
            observations=state.observations.expanded(k),
            rewards=scale,
            preference=weights,
            rngs=_lanes(state.rng, k).rngs,
            updates=state.updates,
            spent=Spent(),
        )
        data, batch = ppo.experience(view, stack, weights)
        state.stand, state.running = stack.stand, scale.running
        if ppo.normalize_observations:
            state.observations.update(data.observations.flatten(1, 2))
        rows = batch.log_probs.numel()
        source = Lanes((state.rng.child("minibatches", state.updates),))
        return Batch(
            observations=_flat(batch.observations),
            actions=_flat(batch.actions),
            log_probs=_flat(batch.log_probs),
            advantage=_flat(batch.advantage),
            targets=_flat(batch.targets),
            values=_flat(batch.values),
            permutations=source.uniform(ppo.epochs, rows).argsort(-1).to(view.device),
        )

    def policies(self, problem: Problem, state: ConditionedPPOState, preferences: Tensor) -> Tensor:
        """Return decision rows `[L, d]` of `view(problem)`: the present network under preferences `[L, m]`."""
        ppo, view = self.trainer, self.view(problem)
        moments = state.observations.expanded(len(preferences))
        normalized = ppo.normalize_observations and state.updates
        rows = state.networks.actor_rows.expand(len(preferences), -1)
        return ppo.wiring(view).rows(rows, moments if normalized else None, preferences)

    def answer(self, problem: Problem, state: ConditionedPPOState, preference: Tensor, *, n: int, rng: Rng) -> Tensor:
        """Return rows `[n, d]` of `view(problem)`: the network under the preference, then under others near it.

        Those are (1 - `spread`) w + `spread` u with u uniform on the simplex; the end of a row holds its own.
        """
        w = preference.to("cpu", torch.float64).unsqueeze(0)
        others = dirichlet_weights(w.shape[1], max(n - 1, 0), rng)
        near = torch.cat([w, (1 - self.spread) * w + self.spread * others])[:n]
        return self.policies(problem, state, near)

    def front(self, problem: Problem, state: ConditionedPPOState) -> Front:
        """Return the front on `view(problem)`, with the preference under which each point was measured."""
        view, m = self.view(problem), problem.n_objectives
        rows, values, stderr = state.rows, state.values, state.stderr
        if self.front_from == "archive" and len(state.archive):
            values = state.archive.values
            rows, stderr = state.archive.x.split([view.space.dim, m], 1)
        info = {"preference": rows[:, view.space.dim - m :].to(torch.float64)}
        return Front.of(view, rows, Evaluation(values, None, stderr), info=info)

    def cost(self, state: ConditionedPPOState) -> Cost:
        """Return what training and measuring spent; `env_steps` is training alone, `work` both."""
        return state.spent.cost(state.evaluations, state.evaluation_steps)

    def done(self, state: ConditionedPPOState) -> bool:
        """Tell whether `iterations` rollouts were made."""
        return self.iterations is not None and state.updates >= self.iterations

    def report(self, problem: Problem, state: ConditionedPPOState) -> dict[str, float]:
        """Return archive size and environment steps of measuring."""
        return {"archive": float(len(state.archive)), "evaluation_steps": float(state.evaluation_steps)}

    def _measure(self, view: MORL, state: ConditionedPPOState) -> None:
        """Measure the network under the lattice of preferences, and archive what is not dominated."""
        rows = self.policies(view, state, self.lattice(view))
        out, lengths = view.measure(rows)
        state.evaluations += len(rows)
        state.evaluation_steps += int(lengths.sum())
        state.rows, state.values = rows, out.values
        state.stderr = torch.zeros_like(out.values) if out.stderr is None else out.stderr
        state.archive = state.archive.add(torch.cat([rows, state.stderr], 1), out)


def _lanes(rng: Rng, members: int) -> Lanes:
    return Lanes(tuple(rng.child("preference", k) for k in range(members)))


def _pooled(k: int, device: torch.device) -> Pooled:
    start = Moments.start(1, k, device)
    return Pooled(start.mean, start.variance, start.count)


def _flat(rows: Tensor) -> Tensor:
    """Return the rows of all members `[K, B, ...]` as one member's `[1, K B, ...]`."""
    return rows.flatten(0, 1).unsqueeze(0)
