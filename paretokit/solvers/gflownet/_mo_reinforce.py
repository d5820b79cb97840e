"""MO-REINFORCE: one policy, told the preference, that climbs the expected scalarized reward."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast, final

import torch
from torch import Tensor

from paretokit.core import Cost, Evaluation, Front, Problem, Rng, Solver
from paretokit.core import _check as check
from paretokit.indicators import simplex_lattice
from paretokit.nn import Adam, AdamState, clipped
from paretokit.problems.design._design import CompositionalDesign
from paretokit.solvers.gflownet._conditions import Preferences
from paretokit.solvers.gflownet._engine import Engine, engine_of
from paretokit.solvers.gflownet._gflownet import CHUNK, check_finite, design_of
from paretokit.solvers.gflownet._mlp_policy import MLPPolicy
from paretokit.solvers.gflownet._mogfn import PARTITIONS
from paretokit.solvers.gflownet._policies import policy_of
from paretokit.solvers.gflownet._policy import PolicyNetwork
from paretokit.solvers.gflownet._rewards import SCALARIZATIONS, Scalarization, log_reward
from paretokit.solvers.gflownet._start import check_start


def policy_gradient_loss(log_p: Tensor, reward: Tensor, *, group: int, entropy: float = 0.0) -> Tensor:
    r"""Return a scalar whose expected gradient is that of :math:`-(E[R] + \alpha H)`, without bias.

    .. math:: -\frac1n \sum_i \big(R'_i - b_i\big) \log P_F(\tau_i), \qquad
              R' = R - \alpha \log P_F(\tau),\ b_i = \frac{1}{G - 1} \sum_{j \ne i} R'_j

    with the baseline b over the other members of the same group.

    Args:
        log_p: Log-probabilities of trajectories `[n]`, with gradients, groups side by side.
        reward: What they earned `[n]`.
        group: Number G of trajectories under the same condition, at least 2; divides n.
        entropy: Weight α of the entropy H of trajectories.

    Source: Williams (1992), Machine Learning; the baseline of Kool, van Hoof and Welling (2019), workshop at ICLR.
    """
    earned = (reward - entropy * log_p.detach()).view(-1, group)
    others = (earned.sum(1, keepdim=True) - earned) / (group - 1)
    return -((earned - others).flatten() * log_p).mean()


@dataclass
class ReinforceState:
    """Where a run stands.

    Attributes:
        rng: The run's key.
        row: Parameters of the policy `[1, D]`.
        adam: Its optimizer's moments.
        x, values, weights: The policy as last measured: decisions `[s, d]`, objectives `[s, m]`, preferences `[s, m]`.
        steps: Updates made.
        evaluations: Objects scored.
        reward: Mean reward of the last batch.
    """

    rng: Rng
    row: Tensor
    adam: AdamState
    x: Tensor
    values: Tensor
    weights: Tensor
    steps: int = 0
    evaluations: int = 0
    reward: float = 0.0


@final
@dataclass(frozen=True, kw_only=True)
class MOReinforce(Solver[ReinforceState]):
    r"""MO-REINFORCE: raises the expected scalarized reward for any preference, by the policy gradient.

    .. math:: \max_\theta\ E_w\big[ E_{\tau \sim P_F(\cdot \mid w)} R_w(x) + \alpha H(P_F(\cdot \mid w)) \big]

    A baseline of what GFlowNets are for: it seeks one best object for a preference, not many good ones. An entropy
    weight keeps some of the diversity.

    Attributes:
        policy: The network; `MLPPolicy`, `TransformerPolicy`, `TreePolicy`, or its kind.
        preferences: How weights are drawn and encoded.
        scalarization: "weighted_sum", "weighted_log_sum" or "tchebycheff".
        group: Trajectories that share a preference; each one's baseline is the mean of the others.
        entropy: Weight α of the entropy.
        batch_size: Trajectories an update, a multiple of `group`.
        learning_rate: Of Adam.
        clip: Most Euclidean norm of a gradient.
        iterations: Updates until the method ends; without it the budget ends the run.
        anneal: Whether the learning rate falls linearly to 0 over `iterations`.
        evaluate_every: Updates between two measurements of the policy; there is one after the first update and one at
            the end of every run.
        n_samples: Objects a measurement draws for each measured preference.
        partitions: Of the lattice of measured preferences; 10, 5 or 4 for two, three or four objectives unless given.

    Failed objects count as worth nothing.

    Cost: `batch_size` oracle calls an update; `n_samples` a measured preference every `evaluate_every` updates.

    Source: the baseline of Jain et al. (2023), ICML, and of Lin, Yang, Zhang and Zhang (2022), ICLR, from Williams
    (1992). Deviations: the sign is that of ascent (the last published code minimizes the reward's expectation), several
    preferences a batch, and a baseline for each.
    """

    solves: ClassVar[type[Problem]] = CompositionalDesign  # type: ignore[type-abstract]
    state_type: ClassVar[type] = ReinforceState

    policy: PolicyNetwork | Mapping[str, Any] | str = field(default_factory=MLPPolicy)
    preferences: Preferences | Mapping[str, Any] = field(default_factory=Preferences)
    scalarization: Scalarization = "weighted_sum"
    group: int = 8
    entropy: float = 0.0
    batch_size: int = 128
    learning_rate: float = 1e-3
    clip: float = 10.0
    iterations: int | None = None
    anneal: bool = True
    evaluate_every: int = 500
    n_samples: int = 128
    partitions: int | None = None

    def __post_init__(self) -> None:
        check.fields(self)
        object.__setattr__(self, "policy", policy_of(self.policy))
        object.__setattr__(self, "preferences", Preferences.of(self.preferences))
        check.one_of(SCALARIZATIONS, scalarization=self.scalarization)
        check.at_least(2, group=self.group)
        check.at_least(0, entropy=self.entropy)
        check.at_least(1, batch_size=self.batch_size, evaluate_every=self.evaluate_every, n_samples=self.n_samples)
        check.that(self.batch_size % self.group == 0, "batch_size", f"be a multiple of {self.group}", self.batch_size)
        check.positive(learning_rate=self.learning_rate, clip=self.clip)
        for name in ("iterations", "partitions"):
            if getattr(self, name) is not None:
                check.at_least(1, **{name: getattr(self, name)})

    @property
    def finishes(self) -> bool:
        """Whether `iterations` ends the run."""
        return self.iterations is not None

    def config(self) -> dict[str, Any]:
        """Return the hyper-parameters by name, JSON-able."""
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        preferences = dataclasses.asdict(cast("Preferences", self.preferences))
        return {**own, "policy": cast("PolicyNetwork", self.policy).describe(), "preferences": preferences}

    def engine(self, problem: Problem) -> Engine:
        """Return the sampler of a problem."""
        design = design_of(problem)
        dim = cast("Preferences", self.preferences).size(design.n_objectives)
        model = cast("PolicyNetwork", self.policy).bind(design.environment, condition_dim=dim, backward=False)
        return engine_of(model, design)

    def init(self, problem: Problem, rng: Rng, *, initial: Tensor | None = None) -> ReinforceState:
        """Return the untrained policy.

        Raises:
            InputError: If `initial` is given, or nothing can be built.
        """
        design = design_of(problem)
        check_start(design)
        hint = "a policy gradient learns from its own samples only"
        check.that(initial is None, "initial", "be left out", "rows", hint)
        row = self.engine(design).model.initial(rng.child("policy")).to(design.device).unsqueeze(0)
        m = design.n_objectives
        return ReinforceState(
            rng=rng,
            row=row,
            adam=AdamState.zeros(row),
            x=torch.zeros(0, design.space.dim, dtype=design.dtype, device=design.device),
            values=torch.zeros(0, m, dtype=design.dtype, device=design.device),
            weights=torch.zeros(0, m, dtype=torch.float64, device=design.device),
        )

    def step(self, problem: Problem, state: ReinforceState) -> ReinforceState:
        """Return the state after one batch, one update, and a measurement when due."""
        design = design_of(problem)
        engine, env = self.engine(design), design.environment
        rng = state.rng.child("step", state.steps)
        n = self.batch_size // self.group
        weights = cast("Preferences", self.preferences).sample(design.n_objectives, n, rng.child("preferences"))
        weights = weights.repeat_interleave(self.group, 0).to(design.device)
        paths = engine.sample(state.row[0], self._condition(weights), n=len(weights), rng=rng.child("rollout"))
        gains = design.gains(design.evaluate(env.decisions(paths.last)).values)
        state.evaluations += len(weights)
        gains = torch.where(torch.isfinite(gains).all(-1, keepdim=True), gains, 0)
        reward = log_reward(gains, weights, torch.ones_like(weights[:, 0]), scalarization=self.scalarization).exp()
        row = state.row.requires_grad_()
        log_p = engine.scores(row[0], paths).forward.sum(0)
        loss = policy_gradient_loss(log_p, reward.to(row.dtype), group=self.group, entropy=self.entropy)
        check_finite("loss", float(loss.detach()), state.steps + 1)
        (gradient,) = torch.autograd.grad(loss, row)
        state.row = row.detach()
        left = 1.0 if self.iterations is None or not self.anneal else 1 - state.steps / self.iterations
        Adam().step(state.row, clipped(gradient, self.clip), state.adam, self.learning_rate * left)
        state.reward = float(reward.mean())
        state.steps += 1
        if self._due(state):
            self._measure(design, state)
        return state

    def closed(self, problem: Problem, state: ReinforceState) -> ReinforceState:
        """Return the state with the policy measured as it is now."""
        if self._due(state):
            return state
        state = dataclasses.replace(state)
        self._measure(design_of(problem), state)
        return state

    def front(self, problem: Problem, state: ReinforceState) -> Front:
        """Return the non-dominated objects of the policy as last measured, with the preferences they answered."""
        return Front.of(problem, state.x, Evaluation(state.values), info={"preference": state.weights})

    def answer(self, problem: Problem, state: ReinforceState, preference: Tensor, *, n: int, rng: Rng) -> Tensor:
        """Return n objects `[n, d]` sampled for a preference."""
        return self._sampled(design_of(problem), state, preference.unsqueeze(0).expand(n, -1), rng)

    def cost(self, state: ReinforceState) -> Cost:
        """Return objects scored, in training and measuring, and updates."""
        return Cost(evaluations=state.evaluations, gradient_steps=state.steps, work=float(state.evaluations))

    def done(self, state: ReinforceState) -> bool:
        """Tell whether `iterations` updates were made."""
        return self.iterations is not None and state.steps >= self.iterations

    def report(self, problem: Problem, state: ReinforceState) -> dict[str, float]:
        """Return the mean reward of the batch."""
        return {"reward": state.reward}

    def _due(self, state: ReinforceState) -> bool:
        """Tell whether the policy is measured after this update."""
        return (state.steps - 1) % self.evaluate_every == 0 or state.steps == self.iterations

    def _condition(self, weights: Tensor) -> Tensor:
        return cast("Preferences", self.preferences).encode(weights).to(torch.float32)

    def _sampled(self, problem: CompositionalDesign, state: ReinforceState, weights: Tensor, rng: Rng) -> Tensor:
        condition = self._condition(weights.to(problem.device, torch.float64))
        paths = self.engine(problem).sample(state.row[0], condition, n=len(weights), rng=rng)
        return problem.environment.decisions(paths.last).to(problem.dtype)

    def _measure(self, problem: CompositionalDesign, state: ReinforceState) -> None:
        m = problem.n_objectives
        lattice = simplex_lattice(m, self.partitions or PARTITIONS.get(m, 3)).to(problem.device)
        weights = lattice.repeat_interleave(self.n_samples, 0)
        rng = state.rng.child("measure", state.steps)
        parts = [self._sampled(problem, state, w, rng.child("chunk", k)) for k, w in enumerate(weights.split(CHUNK))]
        state.x, state.weights = torch.cat(parts), weights
        state.values = problem.evaluate(state.x).values
        state.evaluations += len(state.x)
