"""Tabular multi-policy learning: one stream of experience, a whole front of policies from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, final

import torch
from torch import Tensor

from paretokit.core import Cost, Evaluation, Front, Lanes, Problem, Rng, Solver
from paretokit.core import _check as check
from paretokit.core._threads import one_torch_thread
from paretokit.problems.morl._environment import Discrete, Environment
from paretokit.problems.morl._morl import MORL
from paretokit.problems.morl._rollout import Stand, Step, begin, noise_of, require_finite, rollout
from paretokit.problems.morl._tabular import Table
from paretokit.solvers.morl._experience import Experience, Policies, Transitions


@dataclass
class MultiPolicyQState:
    """A learner.

    Attributes:
        rng: Source of all its numbers.
        iterations: Steps made.
        stand: Where its lanes stand.
        experience: What it has seen.
        choice: Present policies over the states known when they were found, -1 where they never come, int64 `[K, n]`.
        values, stderr: What `problem.measure` said of them `[K, m]`.
        env_steps: Steps of learning.
        evaluations, evaluation_steps: Policies measured, and the steps that took.
    """

    rng: Rng
    iterations: int
    stand: Stand
    experience: Experience
    choice: Tensor
    values: Tensor
    stderr: Tensor
    env_steps: int = 0
    evaluations: int = 0
    evaluation_steps: int = 0


@final
@dataclass(frozen=True, kw_only=True)
class MultiPolicyQ(Solver[MultiPolicyQState]):
    r"""Learns all trade-offs of a tabular environment at once, off policy, from one stream of experience.

    .. math:: Q_w(s, a) = \bar r(s, a) + \gamma \sum_{s'} \hat p(s' \mid s, a)\, Q_w\bigl(s', \arg\max_{a'} w^\top
        Q_w(s', a')\bigr), \qquad
        \mathcal Q(s, a) = \bar r(s, a) \oplus \gamma \operatorname{ND} \bigcup_{a'} \mathcal Q(s', a')

    Vector values :math:`Q_w` of the best policy for weights w, and sets :math:`\mathcal Q` of non-dominated returns
    (ND) where every action has had one outcome; mean rewards :math:`\bar r` and frequencies :math:`\hat p` come from
    counts. The sets find concave parts of the front, too. Where outcomes vary, an outer loop asks the weights at which
    the present convex coverage set may be improved (optimistic linear support), until none is.

    Half of the lanes seek what has been tried least (by a bonus of 1/sqrt(1 + visits)), half follow the policies found
    so far; lane i of L acts at random with probability `exploration` i/L. The answer is the present set of policies as
    tables, on the problem's view ``problem.with_policy(Table())``, with values that `problem.measure`
    gives them; policies that only looked good by luck leave it again.

    Attributes:
        n_envs: Lanes L.
        n_steps: Steps of each lane in one step of the solver.
        interval: Steps of the solver between two plans; a plan measures the policies that are new.
        exploration: Largest probability of a random action.
        coverage: "auto" takes the Pareto set while all that was seen is deterministic, else the convex coverage set;
            "convex" always the latter.
        set_capacity: Non-dominated returns that are kept of a state at most.

    Cost: n_envs x n_steps environment steps a step, O(U A) for exploration; a plan sweeps at most `horizon` times over
    U known states, O(U A k m) for each weight asked, or O(U A C² m) with sets of C returns. The convex coverage set is
    made for up to 4 objectives or few points, as linear support is.

    Deviations: full backups over all outcomes counted take the place of a learning rate and of replays; they are the
    limit of Dyna's planning steps. Paths of the Pareto set that meet a state twice are no tables and are left
    out, and so are returns of episodes that only the time limit ends; the convex coverage set has the latter. Values
    are those of stationary policies: the sweeps end at the time limit, but no policy looks at the time.

    References:
        Van Moffaert, Nowé (2014), Multi-objective reinforcement learning using sets of Pareto dominating policies,
        JMLR 15 (Pareto Q-learning); Roijers, Whiteson, Oliehoek (2015), Computing convex coverage sets for faster
        multi-objective coordination, JAIR 52, and Alegre et al. (2023), Sample-efficient multi-objective learning via
        generalized policy improvement prioritization, AAMAS (outer loop with a learned model); Sutton (1990), Dyna,
        ICML; Strehl, Littman (2008), JCSS 74 (exploration bonus).
    """

    solves: ClassVar[type[Problem]] = MORL
    state_type: ClassVar[type] = MultiPolicyQState

    n_envs: int = 16
    n_steps: int = 25
    interval: int = 10
    exploration: float = 0.5
    coverage: Literal["auto", "convex"] = "auto"
    set_capacity: int = 256

    def __post_init__(self) -> None:
        check.fields(self)
        check.at_least(2, n_envs=self.n_envs)
        check.at_least(1, n_steps=self.n_steps, interval=self.interval, set_capacity=self.set_capacity)
        check.probability(exploration=self.exploration)
        check.one_of(("auto", "convex"), coverage=self.coverage)

    def unsupported(self, problem: Problem) -> str | None:
        """Tell where the environment's states are not numbered, or its actions continuous."""
        if not isinstance(problem, MORL):
            return "it learns from the steps of an environment"
        env = problem.env
        if not env.n_states:
            return "the states of its environment are not numbered"
        return None if isinstance(env.actions, Discrete) else "its actions are continuous"

    def init(self, problem: Problem, rng: Rng, *, initial: Tensor | None = None) -> MultiPolicyQState:
        """Return the learner before its first step.

        Raises:
            InputError: If `initial` is given: a table says nothing about what it was learned from.
        """
        assert isinstance(problem, MORL)
        check.that(initial is None, "initial", "be left out, since learning starts from experience", "rows")
        env, m = problem.env, problem.n_objectives
        assert isinstance(env.actions, Discrete)
        nothing = torch.zeros(0, m, dtype=problem.dtype)
        return MultiPolicyQState(
            rng=rng,
            iterations=0,
            stand=begin(env, Lanes((rng.child("begin"),)), self.n_envs),
            experience=Experience.empty(n_states=env.n_states, n_actions=env.actions.n, n_objectives=m),
            choice=torch.zeros(0, 0, dtype=torch.int64),
            values=nothing,
            stderr=nothing,
        )

    def step(self, problem: Problem, state: MultiPolicyQState) -> MultiPolicyQState:
        """Return the learner after some steps of every lane, and a plan where one is due."""
        assert isinstance(problem, MORL)
        with one_torch_thread(when=True):  # small tensors, many operators
            self._interact(problem, state)
            if state.iterations % self.interval == 0:
                self._plan(problem, state)
        state.iterations += 1
        return state

    def front(self, problem: Problem, state: MultiPolicyQState) -> Front:
        """Return the present policies, measured, on the view with tables."""
        assert isinstance(problem, MORL)
        view = problem.with_policy(Table())
        rows = state.experience.tables(state.choice).to(problem.dtype)
        return Front.of(view, rows, Evaluation(state.values, None, state.stderr))

    def cost(self, state: MultiPolicyQState) -> Cost:
        """Return what was spent: `env_steps` counts learning, `work` measuring, too."""
        return Cost(
            evaluations=state.evaluations,
            env_steps=state.env_steps,
            work=float(state.env_steps + state.evaluation_steps),
        )

    def report(self, problem: Problem, state: MultiPolicyQState) -> dict[str, float]:
        """Return known states, present policies, and whether all was deterministic so far."""
        seen = state.experience
        return {
            "known_states": float(seen.n),
            "policies": float(len(state.choice)),
            "deterministic": float(seen.deterministic),
        }

    def _interact(self, problem: MORL, state: MultiPolicyQState) -> None:
        """Step every lane and take in what was seen."""
        env, measured, n, steps = problem.env, problem.protocol.measurement, self.n_envs, self.n_steps
        assert isinstance(env.actions, Discrete)
        lanes = Lanes((state.rng.child("interaction", state.iterations),))
        noise = noise_of(env, lanes.child("environment"), steps, n)
        chance = lanes.child("actions").uniform(steps, n, 2)[0]
        tables = self._behavior(state)
        bold = self.exploration * torch.arange(1, n + 1, dtype=torch.float64) / n
        anything = (chance[..., 1] * env.actions.n).to(torch.int64)
        seen: list[Transitions] = []

        def act(observation: Tensor, accrued: Tensor, t: int) -> Tensor:  # noqa: ARG001 - the loop's signature
            known = state.experience.known(env.state_index(observation)[0])
            action = tables.gather(1, known.unsqueeze(-1)).squeeze(-1)
            return torch.where((chance[t, :, 0] < bold) | (action < 0), anything[t], action).unsqueeze(0)

        def record(t: int, step: Step) -> None:
            require_finite(step, t, env)
            seen.append(_transitions(env, step))

        state.stand = rollout(
            env,
            state.stand,
            act,
            steps=steps,
            noise=noise,
            horizon=measured.horizon,
            discount=1.0 if measured.discount is None else measured.discount,
            record=record,
        )
        names = ("before", "action", "reward", "after", "ended", "first")
        state.experience.observe(Transitions(*(torch.cat([getattr(s, name) for s in seen]) for name in names)))
        state.env_steps += n * steps

    def _behavior(self, state: MultiPolicyQState) -> Tensor:
        """Return the choices `[L, n + 1]` that lanes follow: even ones explore, odd ones take the policies in turn.

        The last column is for unknown states, where there is no choice: -1.
        """
        tables = _padded(state.experience.exploration().repeat(self.n_envs, 1), state.experience.n + 1)
        if len(state.choice):
            odd = torch.arange(1, self.n_envs, 2)
            turn = (odd // 2 + state.iterations * len(odd)) % len(state.choice)
            tables[odd] = _padded(state.choice[turn], tables.shape[1])
        return tables

    def _plan(self, problem: MORL, state: MultiPolicyQState) -> None:
        """Replace the present policies by those that the experience implies, and measure the new ones."""
        measured, seen = problem.protocol.measurement, state.experience
        discount, horizon = 1.0 if measured.discount is None else measured.discount, measured.horizon or 1
        found: Policies | None = None
        if self.coverage == "auto":
            found = seen.pareto_set(discount=discount, horizon=horizon, capacity=self.set_capacity)
        if found is None or not len(found.choice):
            found = seen.convex_set(discount=discount, horizon=horizon)
        first = {row.numpy().tobytes(): i for i, row in reversed(list(enumerate(found.choice)))}
        choice = found.choice[sorted(first.values())]
        known = {row.numpy().tobytes(): i for i, row in enumerate(_padded(state.choice, choice.shape[1]))}
        origin = torch.tensor([known.get(row.numpy().tobytes(), -1) for row in choice])
        values = state.values.new_zeros(len(choice), problem.n_objectives)
        stderr = torch.zeros_like(values)
        old, new = (origin >= 0).nonzero().flatten(), (origin < 0).nonzero().flatten()
        values[old], stderr[old] = state.values[origin[old]], state.stderr[origin[old]]
        if len(new):
            out, lengths = problem.with_policy(Table()).measure(seen.tables(choice[new]).to(problem.dtype))
            values[new] = out.values.to("cpu")
            if out.stderr is not None:
                stderr[new] = out.stderr.to("cpu")
            state.evaluations += len(new)
            state.evaluation_steps += int(lengths.sum())
        state.choice, state.values, state.stderr = choice, values, stderr


def _padded(choice: Tensor, n: int) -> Tensor:
    """Return choices `[K, n]` with -1 for states that were found later."""
    return torch.nn.functional.pad(choice, (0, n - choice.shape[1]), value=-1)


def _transitions(env: Environment, step: Step) -> Transitions:
    return Transitions(
        before=env.state_index(step.observation)[0],
        action=step.action[0],
        reward=step.reward[0],
        after=env.state_index(step.successor)[0],
        ended=step.terminated[0],
        first=step.before[0] == 0,
    )
