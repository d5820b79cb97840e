"""C-MORL: a few preferences first, then constrained steps outwards from the emptiest parts of the front."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, final

import torch
from torch import Tensor

from paretokit.core import Choice, Cost, Front, Lanes, LogRange, Problem, Range, Rng, SearchSpace, option_names
from paretokit.core import _check as check
from paretokit.indicators import simplex_lattice
from paretokit.problems.morl._morl import MORL
from paretokit.solvers.morl._cpo import TrustRegion, train_constrained
from paretokit.solvers.morl._improver import Spent
from paretokit.solvers.morl._ppo import Floors, PPOState
from paretokit.solvers.morl._ppo_solver import PPOSolver
from paretokit.solvers.morl._snapshots import Snapshots, archive_front

FLOOR_SPAN = 0.1  # share of an objective's range on the archive that counts as its least scale


@dataclass
class CMORLState:
    """Where a run stands.

    Attributes:
        rng: The run's key.
        members: The policies in training, all in one stack.
        round: 0 in the Pareto initialization, then the number of the extension round.
        updates: Updates made in this round.
        archive: Non-dominated snapshots, or None before the first.
        history: Values of all policies ever selected `[h, m]`.
        target: Objective that each member maximizes in an extension, int64 `[P]`.
        value: Latest measured returns of the members `[P, m]`, float64.
        floor: Their frozen thresholds `[P, m]`.
        margin: Slack below which the barrier is linear `[P, m]`.
        spent: Training of all rounds.
        evaluations: Policies measured.
        evaluation_steps: Environment steps of measuring.
        exhausted: Whether no policy was left that had never been selected.
    """

    rng: Rng
    members: PPOState
    round: int
    updates: int
    archive: Snapshots | None
    history: Tensor
    target: Tensor
    value: Tensor
    floor: Tensor
    margin: Tensor
    spent: Spent
    evaluations: int = 0
    evaluation_steps: int = 0
    exhausted: bool = False


@final
@dataclass(frozen=True, kw_only=True)
class CMORL(PPOSolver[CMORLState]):
    r"""Cover the front by constrained policy optimization from few trained preferences.

    Pareto initialization trains one policy a preference of a simplex lattice. Each extension round selects the
    `n_selected` archive policies in the emptiest regions (largest crowding distance, none twice) and trains, from each
    of them, one policy an objective l:

    .. math:: \max_\pi G_l^\pi \quad\text{s.t.}\quad G_j^\pi \ge d_j = G_j - (1 - \beta) s_j \;\; (j \ne l)

    where G is the selected policy's measured return, frozen for the round, and s_j = max(|G_j|, a tenth of the
    objective's range on the archive), so that the start is strictly feasible whatever the signs; for large positive
    returns d_j is beta G_j. All pairs of a round are trained in one stack.

    `constraint="ipo"` adds the barrier (1/t) log(G_j - d_j), linear below a small slack, to the clipped surrogate;
    `constraint="cpo"` makes one trust-region step a rollout, with a line search on the constraints.

    Attributes:
        ppo: How policies are trained, shared by all stages.
        partitions: Lattice partitions H of the initial preferences, binom(H + m - 1, m - 1) of them; 5 for two
            objectives, 2 for three, 1 beyond unless given.
        init_updates: Rollouts of each initial policy; the learning rate falls linearly to 0 over them.
        init_entropy: Weight of the entropy when the initialization begins; it falls linearly, not below that of
            `ppo`. Raise it where policies settle for the first reward that they meet.
        rounds: Extension rounds.
        n_selected: Policies selected a round.
        extension_updates: Rollouts of each pair in a round, at the full learning rate.
        constraint: "ipo" (interior point) or "cpo" (trust region, `region` says how).
        region: Of `constraint="cpo"`.
        beta: Share of the selected policy's return that must be kept.
        sharpness: t of the barrier.
        init_interval, extension_interval: Rollouts between two measurements of all members.
        capacity: Most policies kept in the archive, largest crowding distance first.

    Cost: (P init_updates + rounds n_selected m extension_updates) n_steps n_envs environment steps of training
    (`training_steps` counts them), and the measurements beside.

    Liu, Sun, Gao, Zhou, Zhang and Wang (ICLR 2025), "Efficient discovery of Pareto front for multi-objective
    reinforcement learning". Deviations from the released code, which departs from the paper: thresholds are frozen
    numbers of the selected policy, the maximized objective is left out of the barrier, every pair starts from the
    selected policy, the learning rate is reset, and environments are not replayed from one seed. `init_entropy` is an
    addition of ours, off by default.
    """

    state_type: ClassVar[type] = CMORLState

    search_space: ClassVar[SearchSpace] = {
        "init_updates": LogRange(5, 200),
        "init_entropy": Range(0.0, 0.3),
        "rounds": Range(0, 6),
        "n_selected": Range(2, 10),
        "extension_updates": LogRange(5, 50),
        "beta": Range(0.5, 0.99),
        "sharpness": LogRange(5.0, 100.0),
        "ppo.n_steps": Choice((32, 64, 128, 256, 512)),
        "ppo.epochs": Range(2, 20),
        "ppo.minibatches": Choice((4, 8, 16, 32)),
        "ppo.learning_rate": LogRange(1e-4, 1e-2),
        "ppo.gae_lambda": Range(0.8, 1.0),
        "ppo.clip": Range(0.1, 0.4),
        "ppo.entropy_coef": LogRange(1e-4, 0.3),
    }

    partitions: int | None = None
    init_updates: int = 65
    init_entropy: float = 0.0
    rounds: int = 2
    n_selected: int = 6
    extension_updates: int = 20
    constraint: Literal["ipo", "cpo"] = "ipo"
    region: TrustRegion | Mapping[str, Any] = field(default_factory=TrustRegion)
    beta: float = 0.9
    sharpness: float = 20.0
    init_interval: int = 1
    extension_interval: int = 1
    capacity: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.partitions is not None:
            check.at_least(1, partitions=self.partitions)
        check.at_least(1, init_updates=self.init_updates, n_selected=self.n_selected, capacity=self.capacity)
        check.at_least(1, extension_updates=self.extension_updates)
        check.at_least(1, init_interval=self.init_interval, extension_interval=self.extension_interval)
        check.at_least(0, rounds=self.rounds, init_entropy=self.init_entropy)
        check.one_of(("ipo", "cpo"), constraint=self.constraint)
        if isinstance(self.region, Mapping):
            check.options(self.region, option_names(TrustRegion), owner="TrustRegion")
            object.__setattr__(self, "region", TrustRegion(**self.region))
        check.that(0 < self.beta < 1, "beta", "lie strictly between 0 and 1", self.beta)
        check.positive(sharpness=self.sharpness)

    @property
    def trust(self) -> TrustRegion:
        """`region`, as what `__post_init__` made of it."""
        assert isinstance(self.region, TrustRegion)
        return self.region

    @property
    def finishes(self) -> bool:
        """The schedule ends the run."""
        return True

    def config(self) -> dict[str, Any]:
        """Return the hyper-parameters by name, JSON-able."""
        return {**super().config(), "region": dataclasses.asdict(self.trust)}

    def preferences(self, problem: Problem) -> Tensor:
        """Return the initial preferences `[P, m]`."""
        m = problem.n_objectives
        return simplex_lattice(m, self.partitions or {2: 5, 3: 2}.get(m, 1))

    def training_steps(self, problem: Problem) -> int:
        """Return the environment steps of training of the whole schedule (measurements come beside)."""
        pairs = self.rounds * self.extension_updates * self.n_selected * problem.n_objectives
        return (len(self.preferences(problem)) * self.init_updates + pairs) * self.trainer.n_steps * self.trainer.n_envs

    def init(self, problem: Problem, rng: Rng, *, initial: Tensor | None = None) -> CMORLState:
        """Return untrained policies, one a preference.

        Raises:
            InputError: If `initial` is given: rows come without the critics that training needs.
        """
        assert isinstance(problem, MORL)
        check.that(
            initial is None, "initial", "be left out for C-MORL, whose policies come with their critics", initial
        )
        preferences = self.preferences(problem)
        lanes = Lanes(tuple(rng.child("initialization", p) for p in range(len(preferences))))
        empty = torch.zeros(0, problem.n_objectives, dtype=torch.float64, device=problem.device)
        return CMORLState(
            rng=rng,
            members=self.trainer.start(problem, lanes, preferences),
            round=0,
            updates=0,
            archive=None,
            history=empty,
            target=torch.zeros(0, dtype=torch.int64, device=problem.device),
            value=empty,
            floor=empty,
            margin=empty,
            spent=Spent(),
        )

    def step(self, problem: Problem, state: CMORLState) -> CMORLState:
        """Return the state after one rollout and update of every policy in training."""
        assert isinstance(problem, MORL)
        if state.round == 0:
            left = 1 - state.updates / self.init_updates
            rate, entropy = left * self.trainer.learning_rate, left * self.init_entropy
            self._train(problem, state, state.members.preference, rate, entropy=entropy)
            last = state.updates == self.init_updates
            if last or state.updates % self.init_interval == 0:
                self._measure(problem, state)
        else:
            weights = torch.nn.functional.one_hot(state.target, problem.n_objectives).to(problem.dtype)
            self._train(problem, state, weights, self.trainer.learning_rate, self._floors(problem, state, weights))
            last = state.updates == self.extension_updates
            if last or state.updates % self.extension_interval == 0:
                state.value = self._measure(problem, state)
        if last and state.round < self.rounds:
            self._extend(problem, state)
        return state

    def closed(self, problem: Problem, state: CMORLState) -> CMORLState:
        """Return the state with the members archived as they are now, where they trained since they last were."""
        interval = self.extension_interval if state.round else self.init_interval
        if self.done(state) or state.updates % interval == 0:
            return state
        assert isinstance(problem, MORL)
        state = dataclasses.replace(state)
        self._measure(problem, state)
        return state

    def front(self, problem: Problem, state: CMORLState) -> Front:
        """Return the archive, with the environment steps after which each policy was found."""
        return archive_front(problem, state.archive)

    def cost(self, state: CMORLState) -> Cost:
        """Return what training and measuring spent; `env_steps` is training alone, `work` both."""
        return state.spent.cost(state.evaluations, state.evaluation_steps)

    def done(self, state: CMORLState) -> bool:
        """Tell whether the last round has ended, or no policy is left to extend from."""
        if state.exhausted:
            return True
        length = self.extension_updates if state.round else self.init_updates
        return state.round == self.rounds and state.updates >= length

    def report(self, problem: Problem, state: CMORLState) -> dict[str, float]:
        """Return round, archive size, and environment steps of measuring."""
        size = 0 if state.archive is None else len(state.archive)
        return {"round": float(state.round), "archive": float(size), "evaluation_steps": float(state.evaluation_steps)}

    def _train(
        self,
        problem: MORL,
        state: CMORLState,
        weights: Tensor,
        rate: float,
        floors: Floors | None = None,
        entropy: float = 0.0,
    ) -> None:
        """Make one rollout and update of every member, and book what it spent."""
        before = dataclasses.replace(state.members.spent)
        ppo = dataclasses.replace(self.trainer, entropy_coef=max(entropy, self.trainer.entropy_coef))
        if floors is None or self.constraint == "ipo":
            state.members, _ = ppo.train(problem, state.members, weights, rate=rate, floors=floors)
        else:
            state.members = train_constrained(ppo, problem, state.members, weights, floors, self.trust)
        after = state.members.spent
        state.spent.env_steps += after.env_steps - before.env_steps
        state.spent.gradient_steps += after.gradient_steps - before.gradient_steps
        state.updates += 1

    def _measure(self, problem: MORL, state: CMORLState) -> Tensor:
        """Measure all members, archive them, and return their values."""
        rows = self.trainer.rows(problem, state.members)
        out, lengths = problem.measure(rows)
        state.evaluations += len(rows)
        state.evaluation_steps += int(lengths.sum())
        stderr = torch.zeros_like(out.values) if out.stderr is None else out.stderr
        found = Snapshots.of(state.members, rows, out.values, stderr)
        found.born = torch.full_like(found.born, state.spent.env_steps)
        both = found if state.archive is None else state.archive.join(found)
        state.archive = both.pruned(self.capacity, problem.protocol.scoring.reference_point)
        return out.values.to(torch.float64)

    def _extend(self, problem: MORL, state: CMORLState) -> None:
        """Select policies and set up one member for each of them and each objective."""
        kept, m = state.archive, problem.n_objectives
        assert kept is not None
        fresh = (kept.values.unsqueeze(1) != state.history).any(-1).all(1)
        order = torch.argsort(kept.crowding(), descending=True, stable=True)
        chosen = order[fresh[order]][: self.n_selected]
        if not len(chosen):
            state.exhausted = True
            return
        state.round, state.updates = state.round + 1, 0
        state.history = torch.cat([state.history, kept.values[chosen]])
        parents = chosen.repeat_interleave(m)
        lanes = Lanes(tuple(state.rng.child("extension", state.round, p) for p in range(len(parents))))
        state.members = kept.resumed(self.trainer, problem, parents, lanes)
        state.target = torch.arange(m, device=parents.device).repeat(len(chosen))
        state.value = kept.values[parents]
        span = kept.values.amax(0) - kept.values.amin(0)
        slack = (1 - self.beta) * torch.maximum(state.value.abs(), FLOOR_SPAN * span).clamp_min(1e-6)
        state.floor, state.margin = state.value - slack, FLOOR_SPAN * slack

    def _floors(self, problem: MORL, state: CMORLState, weights: Tensor) -> Floors:
        measurement = problem.protocol.measurement
        discount, horizon = measurement.discount or 1.0, measurement.horizon or 0
        gain = float(horizon) if discount == 1 else (1 - discount**horizon) / (1 - discount)
        return Floors(
            active=weights == 0,
            value=state.value,
            floor=state.floor,
            margin=state.margin,
            sharpness=self.sharpness,
            gain=gain,
        )
