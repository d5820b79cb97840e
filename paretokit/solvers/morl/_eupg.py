"""Expected utility policy gradient: REINFORCE on the utility of an episode's whole return."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, final

import torch
from torch import Tensor

from paretokit.core import Lanes, Rng, transient
from paretokit.core import _check as check
from paretokit.core._threads import one_torch_thread
from paretokit.nn import Adam, AdamState, clipped
from paretokit.problems.morl._architecture import Surface
from paretokit.problems.morl._environment import Discrete
from paretokit.problems.morl._morl import MORL
from paretokit.problems.morl._network import UNCLIPPED, Network, NetworkWiring
from paretokit.solvers.morl._episodes import Play, Played, World
from paretokit.solvers.morl._improver import Aim, Improver, Spent


@dataclass
class EUPGState:
    """P members in training.

    Attributes:
        parameters: Of the policies `[P, D]`.
        optimizer: Adam's moments.
        baseline: Decayed sum of mean utilities, one an update `[P]`, float64; with `seen` updates behind it.
        seen: int64 `[P]`.
        preference: `[P, m]`.
        rngs: Each member's own source of numbers.
        updates: Calls of `improve`.
        spent: Of all members together.
        play: What plays the episodes.
    """

    parameters: Tensor
    optimizer: AdamState
    baseline: Tensor
    seen: Tensor
    preference: Tensor
    rngs: tuple[Rng, ...]
    updates: int
    spent: Spent
    play: Play | None = transient()  # noqa: RUF009 - it returns a dataclass field


@final
@dataclass(frozen=True, kw_only=True)
class EUPG(Improver[EUPGState]):
    r"""Policy gradient of the expected utility of returns (ESR), for policies that see what they have accrued.

    .. math:: L = -\operatorname*{mean}_t \log \pi(a_t \mid s_t, R^-_t)\,
        \bigl[u(R^-_t + \gamma^t R^+_t) - b\bigr] - \beta \operatorname*{mean}_t H(\pi(\cdot \mid s_t, R^-_t))

    with :math:`R^-_t = \sum_{k<t} \gamma^k r_k` accrued before step t, :math:`R^+_t = \sum_{k \ge t} \gamma^{k-t} r_k`
    still to come, and u the utility of the member's preference: `aim.utility`, or the sum weighted by `aim.weights`
    where there is none. The argument of u is the return of the whole episode, so it is the same in all its steps; what
    has been accrued shapes the policy through its input. The discount is the problem's. Only whole episodes are
    trained on: each call plays `episodes` fresh ones a member and makes one step of Adam.

    Attributes:
        episodes: Episodes a member and update; 1 is the authors'.
        hidden: Widths of the policy's hidden layers (tanh).
        learning_rate: Of Adam.
        mean_over: "steps" averages over the steps of the update, as the authors do; "episodes" sums over an episode's
            steps and averages over episodes, which is the unbiased gradient where lengths vary.
        baseline_decay: Decay of a running mean of the member's utilities that is subtracted (b); None for b = 0. The
            episodes of an update do not enter their own baseline, so the gradient stays unbiased.
        entropy_coef: β.
        max_grad_norm: Norm to which a member's gradient is clipped, or None.

    Cost: the episodes' environment steps and one gradient step a member and call. Environments known as tables play
    all members' episodes in one compiled call.

    Deviations from the authors' code (and morl-baselines): softmax instead of normalized sigmoids; orthogonal initial
    weights with a last layer of gain 0.01. morl-baselines 1.3 puts u(R+) where the paper and this class have the
    utility of the whole return, and passes u no weights.

    References:
        Roijers, Steckelmacher, Nowé (2018), Multi-objective reinforcement learning for the utility of the return,
        ALA workshop at FAIM; Hayes et al. (2022), A practical guide to multi-objective reinforcement learning and
        planning, JAAMAS 36; Williams (1992), Machine Learning 8.
    """

    criterion: ClassVar[str] = "ESR"
    state_type: ClassVar[type] = EUPGState

    episodes: int = 1
    hidden: tuple[int, ...] = (50,)
    learning_rate: float = 1e-3
    mean_over: Literal["steps", "episodes"] = "steps"
    baseline_decay: float | None = None
    entropy_coef: float = 0.0
    max_grad_norm: float | None = None

    def __post_init__(self) -> None:
        check.fields(self)
        object.__setattr__(self, "hidden", tuple(self.hidden))
        check.at_least(1, episodes=self.episodes, **{"hidden widths": min(self.hidden, default=1)})
        check.positive(learning_rate=self.learning_rate)
        check.one_of(("steps", "episodes"), mean_over=self.mean_over)
        check.at_least(0, entropy_coef=self.entropy_coef)
        if self.baseline_decay is not None:
            given = self.baseline_decay
            check.that(0 <= given < 1, "baseline_decay", "lie in [0, 1)", given)
        if self.max_grad_norm is not None:
            check.positive(max_grad_norm=self.max_grad_norm)

    def unsupported(self, problem: MORL) -> str | None:
        """Tell where actions are continuous."""
        return None if isinstance(problem.env.actions, Discrete) else "its actions are continuous"

    def architecture(self, problem: MORL) -> Network:
        """Return networks that see observation and accrued reward."""
        return Network(hidden=self.hidden, conditioned_on="accrued", observation_clip=UNCLIPPED)

    def start(self, problem: MORL, lanes: Lanes, preference: Tensor) -> EUPGState:
        """Return P untrained members."""
        wiring = self._wiring(problem)
        parameters = wiring.initial(lanes.child("policy"), dtype=problem.dtype).to(problem.device)
        zeros = torch.zeros(len(lanes), dtype=torch.float64, device=problem.device)
        state = EUPGState(
            parameters=parameters,
            optimizer=AdamState.zeros(parameters),
            baseline=zeros,
            seen=zeros.to(torch.int64),
            preference=preference.to(problem.device, torch.float64),
            rngs=lanes.rngs,
            updates=0,
            spent=Spent(),
        )
        return self.restore(problem, state)

    def improve(self, problem: MORL, state: EUPGState, aim: Aim) -> EUPGState:
        """Return the members after `episodes` whole episodes of each and one gradient step.

        Raises:
            ShapeError: If the utility does not answer with one number an episode.
        """
        with one_torch_thread(when=state.parameters.device.type == "cpu"):  # small tensors, many operators
            return self._improved(state if state.play is not None else self.restore(problem, state), aim)

    def rows(self, problem: MORL, state: EUPGState) -> Tensor:
        """Return the members' policies as decision rows."""
        return self._wiring(problem).rows(state.parameters)

    def select(self, state: EUPGState, members: Tensor) -> EUPGState:
        """Return the state of some members, copied."""
        return replace(
            state,
            parameters=state.parameters[members].clone(),
            optimizer=state.optimizer.select(members),
            baseline=state.baseline[members].clone(),
            seen=state.seen[members].clone(),
            preference=state.preference[members].clone(),
            rngs=tuple(state.rngs[int(p)] for p in members),
            spent=replace(state.spent),
        )

    def transfer(self, state: EUPGState, source: int, target: int) -> None:
        """Copy the policy of one member over another's; optimizer and baseline of the latter begin anew."""
        state.parameters[target] = state.parameters[source]
        optimizer = state.optimizer
        optimizer.mean[target], optimizer.square[target], optimizer.steps[target] = 0.0, 0.0, 0
        state.baseline[target], state.seen[target] = 0.0, 0

    def restore(self, problem: MORL, state: EUPGState) -> EUPGState:
        """Return the state with what plays its episodes."""
        measured = problem.protocol.measurement
        play = Play(
            environment=problem.env if problem.device.type == "cpu" else problem.env.to(problem.device),
            wiring=self._wiring(problem),
            episodes=self.episodes,
            horizon=measured.horizon or 0,
            discount=1.0 if measured.discount is None else measured.discount,
            entropy=self.entropy_coef > 0,
            world=World.of(problem.env),
        )
        return replace(state, play=play)

    def _wiring(self, problem: MORL) -> NetworkWiring:
        env = problem.env
        return self.architecture(problem).wire(Surface.of(env), env)

    def _improved(self, state: EUPGState, aim: Aim) -> EUPGState:
        assert state.play is not None
        wiring = state.play.wiring
        rows = wiring.rows(state.parameters)
        rows[:, : wiring.n_parameters] = state.parameters  # not clipped: training's own business
        data = state.play(rows, Lanes(state.rngs), state.updates)
        utility = self._utility(data, aim)
        advantage = utility - self._baseline(state, utility)
        if self.mean_over == "steps":
            share = 1.0 / data.lengths.sum(1, keepdim=True).to(torch.float64)
        else:
            share = torch.full_like(advantage[:, :1], 1.0 / self.episodes)
        entropy = self.entropy_coef * share.squeeze(1) if self.entropy_coef else None
        gradient = -data.gradient(share * advantage, entropy)
        if self.max_grad_norm is not None:
            gradient = clipped(gradient, self.max_grad_norm)
        Adam().step(state.parameters, gradient, state.optimizer, self.learning_rate)
        state.updates += 1
        state.spent.env_steps += int(data.lengths.sum())
        state.spent.gradient_steps += len(rows)
        return state

    def _utility(self, data: Played, aim: Aim) -> Tensor:
        """Return the utility of each episode `[P, N]`."""
        if aim.utility is None:
            return (data.returns * aim.weights.to(data.returns).unsqueeze(1)).sum(-1)
        utility = aim.utility(data.returns, aim.preference.to(data.returns)).detach()
        due = tuple(data.lengths.shape)
        rule = f"return one number an episode, shape {due}"
        check.shape(tuple(utility.shape) == due, "utility", rule, f"shape {tuple(utility.shape)}")
        return utility

    def _baseline(self, state: EUPGState, utility: Tensor) -> Tensor | float:
        """Return the members' baselines `[P, 1]` before this update's utilities `[P, N]`, which are then taken in."""
        decay = self.baseline_decay
        if decay is None:
            return 0.0
        mass = (1 - decay ** state.seen.to(torch.float64)).clamp_min(torch.finfo(torch.float64).tiny)
        before = (state.baseline / mass).unsqueeze(-1)
        state.baseline = state.baseline * decay + (1 - decay) * utility.mean(1)
        state.seen = state.seen + 1
        return before
