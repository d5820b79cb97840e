"""PGMORL: train those policies along those weights that a model of past training predicts to improve the front most."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, cast, final

import torch
from torch import Tensor

from paretokit.core import Cost, Front, Lanes, Problem, Rng
from paretokit.core import _check as check
from paretokit.indicators import simplex_lattice
from paretokit.problems.morl._morl import MORL
from paretokit.problems.morl._network import Network
from paretokit.solvers.morl._improver import Spent
from paretokit.solvers.morl._pgmorl_prediction import History, predicted
from paretokit.solvers.morl._pgmorl_selection import Frame, buffered, candidates, select_tasks
from paretokit.solvers.morl._ppo import PPOState
from paretokit.solvers.morl._ppo_solver import PPOSolver
from paretokit.solvers.morl._snapshots import Snapshots, archive_front

PARTITIONS = {2: 5, 3: 4, 4: 2}  # of the warm-up's lattice by objectives: 6, 15 and 10 tasks


@dataclass
class PGMORLState:
    """Where a run stands.

    Attributes:
        rng: The run's key.
        members: The policies in training, all in one stack.
        weights: Of each one's objectives `[P, m]`, float64.
        start: Returns with which each began the generation `[P, m]`, float64; NaN before the first measurement.
        generation: Generations completed, those of the warm-up included.
        updates: Rollouts made in the present one.
        archive: Non-dominated snapshots, or None before the first.
        buffer: The performance buffer: policies from which training may go on.
        history: What training did.
        lowest, highest: Of all finite returns measured `[m]`.
        spent: Training of all generations.
        evaluations: Policies measured.
        evaluation_steps: Environment steps of measuring.
        exhausted: Whether the buffer was empty, because nothing measured was finite.
    """

    rng: Rng
    members: PPOState
    weights: Tensor
    start: Tensor
    generation: int
    updates: int
    archive: Snapshots | None
    buffer: Snapshots | None
    history: History
    lowest: Tensor
    highest: Tensor
    spent: Spent
    evaluations: int = 0
    evaluation_steps: int = 0
    exhausted: bool = False


@final
@dataclass(frozen=True, kw_only=True)
class PGMORL(PPOSolver[PGMORLState]):
    r"""Evolve a population of policies by training tasks (policy, weight) chosen by a predicted front.

    The warm-up trains one policy a weight of a simplex lattice for some generations. Then each generation fits, for
    every policy of the performance buffer and every objective j, a hyperbola of improvement against weight to what
    training did to policies of similar returns,

    .. math:: \Delta_j(w_j) = A\,\frac{e^{a (w_j - b)} - 1}{e^{a (w_j - b)} + 1} + c

    and picks tasks one after another, each the one whose predicted returns most increase

    .. math:: HV(F) - \alpha\, SP(F), \qquad F = \text{archive} \cup \text{predictions of the tasks picked}.

    All tasks of a generation are trained in one stack for `updates` rollouts. Every policy measured enters the archive
    and competes for the buffer.

    Attributes:
        ppo: How policies are trained.
        partitions: Lattice partitions H of the warm-up's weights; 5 for two objectives, 4 for three, 2 for four unless
            given.
        warmup: Generations in which the first policies keep their weights.
        generations: Generations of chosen tasks that follow.
        n_tasks: Tasks a generation; as many as the warm-up has weights unless given.
        updates: Rollouts a generation.
        interval: Rollouts between two measurements of all tasks; there is one at the end of every generation anyway.
        n_candidates: Weights considered for each policy of the buffer.
        bins: Directions of the buffer.
        bin_size: Policies kept in each.
        sparsity_weight: alpha.
        threshold: Distance within which past training tells about a policy, in units of the range of all returns.
        sigma: Decay of its influence with distance; both are doubled until four samples are near.
        capacity: Most policies kept in the archive, largest crowding distance first.

    Cost: (warmup P + generations n_tasks) updates n_steps n_envs environment steps of training (`training_steps`
    counts them), the measurements beside, and n_tasks x buffer x n_candidates hypervolumes of the archive a choice,
    which is why more than four objectives are refused.

    Xu, Tian, Ma, Rus, Sueda and Matusik (ICML 2020), "Prediction-guided multi-objective reinforcement learning for
    continuous robot control". Deviations from the released code: distances, directions, hypervolume and sparsity are
    taken in units of the range of all returns measured, from the reference point (or just below the least returns), so
    that neither signs nor units matter; the warm-up is recorded generation by generation, so that all samples of the
    model are of equally long training, beginning with the untrained policies; the fit is described at
    `fit_hyperbolas`; resumed policies have fresh optimizers; the learning rate is constant; candidates of three or
    four objectives are the nearest of a lattice twice as fine as the warm-up's; the closing analysis of families of
    policies, which interpolates parameters, is left out.
    """

    state_type: ClassVar[type] = PGMORLState

    partitions: int | None = None
    warmup: int = 4
    generations: int = 20
    n_tasks: int | None = None
    updates: int = 20
    interval: int = 1
    n_candidates: int = 7
    bins: int = 100
    bin_size: int = 2
    sparsity_weight: float = 1.0
    threshold: float = 0.1
    sigma: float = 0.03
    capacity: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("partitions", "n_tasks"):
            if getattr(self, name) is not None:
                check.at_least(1, **{name: getattr(self, name)})
        check.at_least(1, warmup=self.warmup, updates=self.updates, interval=self.interval, capacity=self.capacity)
        check.at_least(1, n_candidates=self.n_candidates, bins=self.bins, bin_size=self.bin_size)
        check.at_least(0, generations=self.generations, sparsity_weight=self.sparsity_weight)
        check.positive(threshold=self.threshold, sigma=self.sigma)

    @property
    def finishes(self) -> bool:
        """The schedule ends the run."""
        return True

    def unsupported(self, problem: Problem) -> str | None:
        """Tell why PPO cannot train the problem's policies, or its front cannot be predicted."""
        if isinstance(problem, MORL) and problem.n_objectives > 4:
            return f"it compares exact hypervolumes of at most 4 objectives, and the problem has {problem.n_objectives}"
        reason = super().unsupported(problem)
        if reason is None and cast("Network", cast("MORL", problem).policy).conditioned_on == "preference":
            return "its policies serve one weight each; ConditionedPPO trains policies that see the preference"
        return reason

    def first_weights(self, problem: Problem) -> Tensor:
        """Return the weights of the warm-up `[P, m]`."""
        return simplex_lattice(problem.n_objectives, self._partitions(problem))

    def training_steps(self, problem: Problem) -> int:
        """Return the environment steps of training of the whole schedule (measurements come beside)."""
        first = len(self.first_weights(problem))
        tasks = self.warmup * first + self.generations * (self.n_tasks or first)
        return tasks * self.updates * self.trainer.n_steps * self.trainer.n_envs

    def init(self, problem: Problem, rng: Rng, *, initial: Tensor | None = None) -> PGMORLState:
        """Return untrained policies, one a weight of the warm-up.

        Raises:
            InputError: If `initial` is given: rows come without the critics that training needs.
        """
        assert isinstance(problem, MORL)
        check.that(
            initial is None, "initial", "be left out for PGMORL, whose policies come with their critics", initial
        )
        weights, device, m = self.first_weights(problem), problem.device, problem.n_objectives
        lanes = Lanes(tuple(rng.child("warm-up", p) for p in range(len(weights))))
        unknown = torch.full((m,), torch.inf, dtype=torch.float64, device=device)
        return PGMORLState(
            rng=rng,
            members=self.trainer.start(problem, lanes, weights),
            weights=weights.to(device),
            start=torch.full((len(weights), m), torch.nan, dtype=torch.float64, device=device),
            generation=0,
            updates=0,
            archive=None,
            buffer=None,
            history=History.empty(m, device),
            lowest=unknown,
            highest=-unknown,
            spent=Spent(),
        )

    def step(self, problem: Problem, state: PGMORLState) -> PGMORLState:
        """Return the state after one rollout and update of every task; the end of a generation chooses the next."""
        assert isinstance(problem, MORL)
        if state.generation == 0 and state.updates == 0:
            state.start = self._measure(problem, state)
        self._train(problem, state)
        last = state.updates == self.updates
        if not last and state.updates % self.interval:
            return state
        values = self._measure(problem, state)
        if last:
            state.history = state.history.add(state.start, state.weights, values)
            state.start = values
            state.generation, state.updates = state.generation + 1, 0
            if self.warmup <= state.generation < self.warmup + self.generations:
                self._choose(problem, state)
        return state

    def front(self, problem: Problem, state: PGMORLState) -> Front:
        """Return the archive, with the environment steps after which each policy was found."""
        return archive_front(problem, state.archive)

    def cost(self, state: PGMORLState) -> Cost:
        """Return what training and measuring spent; `env_steps` is training alone, `work` both."""
        return state.spent.cost(state.evaluations, state.evaluation_steps)

    def done(self, state: PGMORLState) -> bool:
        """Tell whether the last generation has ended, or no policy is left to train."""
        return state.exhausted or state.generation >= self.warmup + self.generations

    def report(self, problem: Problem, state: PGMORLState) -> dict[str, float]:
        """Return generation, sizes of archive and buffer, and environment steps of measuring."""
        sizes = {name: float(len(getattr(state, name) or ())) for name in ("archive", "buffer")}
        return {"generation": float(state.generation), **sizes, "evaluation_steps": float(state.evaluation_steps)}

    def _partitions(self, problem: Problem) -> int:
        return self.partitions or PARTITIONS.get(problem.n_objectives, 1)

    def _train(self, problem: MORL, state: PGMORLState) -> None:
        before = dataclasses.replace(state.members.spent)
        state.members, _ = self.trainer.train(problem, state.members, state.weights)
        after = state.members.spent
        state.spent.env_steps += after.env_steps - before.env_steps
        state.spent.gradient_steps += after.gradient_steps - before.gradient_steps
        state.updates += 1

    def _measure(self, problem: MORL, state: PGMORLState) -> Tensor:
        """Measure all members, let them compete for archive and buffer, and return their values."""
        rows = self.trainer.rows(problem, state.members)
        out, lengths = problem.measure(rows)
        state.evaluations += len(rows)
        state.evaluation_steps += int(lengths.sum())
        stderr = torch.zeros_like(out.values) if out.stderr is None else out.stderr
        found = Snapshots.of(state.members, rows, out.values, stderr)
        found.born = torch.full_like(found.born, state.spent.env_steps)
        values = out.values.to(torch.float64)
        fine = torch.isfinite(values).all(1).nonzero().flatten()
        if not len(fine):
            return values
        found = found.select(fine)
        both = found if state.archive is None else state.archive.join(found)
        state.archive = both.pruned(self.capacity, problem.protocol.scoring.reference_point)
        state.lowest = torch.minimum(state.lowest, values[fine].amin(0))
        state.highest = torch.maximum(state.highest, values[fine].amax(0))
        pool = found if state.buffer is None else state.buffer.join(found)
        units = self._frame(problem, state).units(pool.values)
        state.buffer = pool.select(buffered(units, bins=self.bins, size=self.bin_size))
        return values

    def _frame(self, problem: MORL, state: PGMORLState) -> Frame:
        return Frame.of(state.lowest, state.highest, problem.protocol.scoring.reference_point)

    def _choose(self, problem: MORL, state: PGMORLState) -> None:
        """Choose the tasks of the next generation, and set up a member for each of them."""
        pool, kept = state.buffer, state.archive
        if pool is None or kept is None or not len(state.history):
            state.exhausted = True
            return
        frame = self._frame(problem, state)
        weights = candidates(
            frame.units(pool.values), count=self.n_candidates, partitions=2 * self._partitions(problem)
        )
        ahead = predicted(
            state.history, pool.values, weights, span=frame.span, threshold=self.threshold, sigma=self.sigma
        )
        chosen = select_tasks(
            frame.units(kept.values),
            frame.units(ahead).flatten(0, 1),
            count=self.n_tasks or len(self.first_weights(problem)),
            alpha=self.sparsity_weight,
        )
        parents = chosen // weights.shape[1]
        lanes = Lanes(tuple(state.rng.child("generation", state.generation, p) for p in range(len(chosen))))
        state.members = pool.resumed(self.trainer, problem, parents, lanes)
        state.weights = weights.flatten(0, 1)[chosen]
        state.start = pool.values[parents]
