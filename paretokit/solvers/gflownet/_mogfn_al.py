"""MOGFN-AL: few oracle calls, chosen by a sampler that is trained on a surrogate between them."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast, final

import torch
from torch import Tensor

from paretokit.core import Cost, Evaluation, Front, ParetoWarning, Problem, Rng, Sequences, Solver
from paretokit.core import _check as check
from paretokit.nn import Adam, AdamState, clipped
from paretokit.problems.design._design import CompositionalDesign
from paretokit.problems.design._edits import EditEnvironment
from paretokit.solvers.gflownet._criteria import criterion_of, described
from paretokit.solvers.gflownet._criterion import Criterion, Flows
from paretokit.solvers.gflownet._edit_round import Round, begun, one_hot, partition_of
from paretokit.solvers.gflownet._engine import StateByState
from paretokit.solvers.gflownet._gflownet import check_finite, design_of
from paretokit.solvers.gflownet._mlp_policy import MLPPolicy
from paretokit.solvers.gflownet._policies import policy_of
from paretokit.solvers.gflownet._policy import PolicyNetwork
from paretokit.solvers.gflownet._surrogate import bo
from paretokit.solvers.gflownet._word_pool import keys, novel, random_words


@dataclass
class ActiveLearningState:
    """Where a run stands.

    Attributes:
        rng: The run's key.
        initial: Words that the pool begins with; None where they are drawn.
        x, values: The pool: all words scored `[N, L]`, in order, and their objectives `[N, m]`.
        row: Parameters of the flow model `[1, D]`.
        adam: Its optimizer's moments.
        log_z: Parameters of the partition function `[1, D_z]`.
        log_z_adam: Its optimizer's moments.
        asked: Words to score next, once they are asked for.
        rounds: Rounds made.
        updates: Updates of the sampler made.
        surrogate_calls: Words that the surrogate was asked for.
        exhausted: Whether a round found no new word.
        loss: Mean over the last round's last tenth of updates.
    """

    rng: Rng
    initial: Tensor | None
    x: Tensor
    values: Tensor
    row: Tensor
    adam: AdamState
    log_z: Tensor
    log_z_adam: AdamState
    asked: Tensor | None = None
    rounds: int = 0
    updates: int = 0
    surrogate_calls: int = 0
    exhausted: bool = False
    loss: float = 0.0


@final
@dataclass(frozen=True, kw_only=True)
class MOGFNAL(Solver[ActiveLearningState]):
    r"""Active learning of words: a surrogate says what is promising, a GFlowNet proposes edits, the oracle judges them.

    The first step scores the first pool: `initial` words, or `n_initial` random ones. Every further step is a round:

    1. Take the pool's non-dominated words, topped up with good ones (`active`).
    2. Fit Gaussian processes to the pool (`Surrogate`), and build the log of the noisy expected hypervolume improvement
       over its front (`Acquisition`).
    3. Train the sampler for `updates` updates on edits of active words x_0, each trajectory with its own x_0, so that

    .. math:: p(x \mid x_0) \propto \left(\frac{a(x)}{a^*}\right)^{\beta}, \qquad
              \Big(\log Z(x_0) + \sum_t \log P_F - \sum_t \log P_B - \beta \log \tfrac{a(x)}{a^*}\Big)^2 \to \min

    (here for trajectory balance; a* is the highest acquisition met so far in the round, P_B uniform over edits made).

    4. Draw `n_proposals` words from each active word, and score the most promising new one of each; where those are
       fewer than active words, the next best new ones of all. Words are never scored twice.

    The network and its optimizer are kept between rounds. The front is that of all words scored.

    Attributes:
        policy: The network; its kind must bind to any environment (`MLPPolicy`).
        criterion: "TB", "DB", "SubTB" or "FM", or one with its options.
        n_initial: Random words of the first pool, where `initial` is not given.
        n_active: Words that a round edits, and scores.
        n_proposals: Trajectories from each of them, of which one is scored.
        spread: How far from the best the active words are topped up; larger is farther (see `active`).
        min_edits, max_edits: Letters replaced in a word.
        updates: Updates of the sampler a round.
        batch_size: Trajectories an update.
        learning_rate: Of the flow model's Adam.
        log_z_rate: Of the partition function's Adam.
        clip: Most Euclidean norm of a gradient, over all parameters.
        epsilon: Probability of a uniform legal action in training.
        beta: Exponent of the acquisition in the first round.
        beta_decay: What it loses each round.
        beta_floor: Least exponent.
        lowest: Least log-reward.
        pieces: Letters of the longest pieces that the surrogate counts (see `WordFeatures`).
        max_fitted: Most words that the surrogate is fitted to: half of them the best, half drawn from the others.
        fit_iterations: Most iterations of the fit.
        samples: Quasi-random draws of the acquisition.
        rounds: Rounds until the method ends; without it the budget ends the run.

    The hypervolume's reference point is the problem's where it has one, else the worst values on the front; either way
    moved away by a tenth of the pool's range, so that words that are worst in one objective still count.

    Objectives that are NaN or infinite are counted, never fitted, and never proposed again. Edits keep a word's length,
    so lengths are those of the first pool. Words that the design's own environment cannot write are worth nothing, and
    are never scored.

    The exponent: on three bigrams in words of 8 to 12 of 5 letters (64 random words, then 5 rounds of 60 updates with
    batches of 32, 3 seeds), constant β of 2, 4 and 8 reached mean hypervolumes of 0.219, 0.194 and 0.238 of 0.347; the
    authors' 32, with its decay of 2, 0.083; random words 0.014.

    It can be asked and told (`Session`), where values come from a laboratory: the first pool, then a round at a time.

    Cost: the first pool, whatever the budget, then `n_active` oracle calls a round (`Cost.work`); ``updates *
    batch_size + n_active * n_proposals`` calls of the surrogate a round, reported as "surrogate calls".

    Source: Jain, Raparthy, Hernández-García, Rector-Brooks, Bengio, Miret and Bengio (2023), ICML, on the outer loop of
    Stanton et al. (2022), ICML. Deviations from the authors' code: β never falls below its floor (there it becomes
    negative after 16 rounds, and good words are avoided); the backward policy is 1 / edits, on edits only; log Z
    depends on the word that is edited; words to edit are drawn for each trajectory, not once a round; evaluations are
    those made; a round is filled up to `n_active` new words; the acquisition is quasi-random with a logarithm, not two
    draws; the surrogate is a fixed kernel on n-gram counts and places instead of a network's.
    """

    solves: ClassVar[type[Problem]] = CompositionalDesign  # type: ignore[type-abstract]
    state_type: ClassVar[type] = ActiveLearningState

    policy: PolicyNetwork | Mapping[str, Any] | str = field(default_factory=MLPPolicy)
    criterion: Criterion | Mapping[str, Any] | str = "TB"
    n_initial: int = 64
    n_active: int = 16
    n_proposals: int = 50
    spread: float = 1.0
    min_edits: int = 1
    max_edits: int = 6
    updates: int = 200
    batch_size: int = 64
    learning_rate: float = 1e-3
    log_z_rate: float = 1e-2
    clip: float = 10.0
    epsilon: float = 0.05
    beta: float = 8.0
    beta_decay: float = 0.25
    beta_floor: float = 2.0
    lowest: float = -75.0
    pieces: int = 2
    max_fitted: int = 512
    fit_iterations: int = 100
    samples: int = 128
    rounds: int | None = None

    def __post_init__(self) -> None:
        check.fields(self)
        object.__setattr__(self, "policy", policy_of(self.policy))
        object.__setattr__(self, "criterion", criterion_of(self.criterion))
        counts = {"n_initial": self.n_initial, "n_active": self.n_active, "n_proposals": self.n_proposals}
        check.at_least(1, **counts, updates=self.updates, batch_size=self.batch_size, pieces=self.pieces)
        check.at_least(1, fit_iterations=self.fit_iterations, samples=self.samples, max_edits=self.max_edits)
        rule = f"lie in 0 … max_edits = {self.max_edits}"
        check.that(0 <= self.min_edits <= self.max_edits, "min_edits", rule, self.min_edits)
        check.at_least(2, max_fitted=self.max_fitted)
        check.positive(spread=self.spread, learning_rate=self.learning_rate, log_z_rate=self.log_z_rate, clip=self.clip)
        check.probability(epsilon=self.epsilon)
        check.positive(beta_floor=self.beta_floor)
        hint = "it only falls, and never below the floor"
        check.that(self.beta >= self.beta_floor, "beta", f"be at least beta_floor = {self.beta_floor}", self.beta, hint)
        check.at_least(0, beta_decay=self.beta_decay)
        check.that(self.lowest < 0, "lowest", "be negative", self.lowest)
        if self.rounds is not None:
            check.at_least(1, rounds=self.rounds)

    @property
    def finishes(self) -> bool:
        """Whether `rounds` ends the run."""
        return self.rounds is not None

    def config(self) -> dict[str, Any]:
        """Return the hyper-parameters by name, JSON-able."""
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        own["policy"] = cast("PolicyNetwork", self.policy).describe()
        own["criterion"] = described(cast("Criterion", self.criterion))
        return own

    def unsupported(self, problem: Problem) -> str | None:
        """Tell where the objects are no words, or have no other letter to be edited to."""
        if not isinstance(problem.space, Sequences):
            return f"it edits words, rows of a Sequences space; this one is {type(problem.space).__name__}"
        if len(problem.space.alphabet) < 2:
            return "its alphabet has one letter, so there is nothing to edit"
        return None

    def exponent(self, rounds: int) -> float:
        """Return beta after so many rounds: it falls by `beta_decay` each, and never below `beta_floor`."""
        return max(self.beta_floor, self.beta - self.beta_decay * rounds)

    def environment(self, problem: Problem) -> EditEnvironment:
        """Return the edits of a problem's words."""
        space = problem.space
        assert isinstance(space, Sequences)
        return EditEnvironment(
            n_letters=len(space.alphabet),
            max_length=space.max_length,
            min_edits=self.min_edits,
            max_edits=self.max_edits,
        )

    def engine(self, problem: Problem) -> StateByState:
        """Return the flow model of a problem's edits."""
        network = cast("PolicyNetwork", self.policy)
        return StateByState(network.bind(self.environment(problem), condition_dim=0, backward=False))

    def init(self, problem: Problem, rng: Rng, *, initial: Tensor | None = None) -> ActiveLearningState:
        """Return the state before the first oracle call; `initial [n, L]` are the words that the pool begins with.

        Raises:
            MissingPackageError: Without botorch, with the install command.
        """
        bo("botorch")
        design = design_of(problem)
        row = self.engine(design).model.initial(rng.child("policy")).to(design.device).unsqueeze(0)
        log_z = partition_of(self.environment(design)).initial(rng.child("log_z")).to(design.device).unsqueeze(0)
        return ActiveLearningState(
            rng=rng,
            initial=None if initial is None else initial.to(design.device, design.dtype),
            x=torch.zeros(0, design.space.dim, dtype=design.dtype, device=design.device),
            values=torch.zeros(0, design.n_objectives, dtype=design.dtype, device=design.device),
            row=row,
            adam=AdamState.zeros(row),
            log_z=log_z,
            log_z_adam=AdamState.zeros(log_z),
        )

    def step(self, problem: Problem, state: ActiveLearningState) -> ActiveLearningState:
        """Return the state after the first pool was scored, or one round later."""
        return self.tell(problem, state, problem.evaluate(self.ask(problem, state)))

    def ask(self, problem: Problem, state: ActiveLearningState) -> Tensor:
        """Return the words `[k, L]` of the first pool, or of the next round; none where no new word is found."""
        design = design_of(problem)
        if state.asked is None and len(state.x):
            state.asked = self._proposals(design, state)
        elif state.asked is None:
            x = random_words(design, self.n_initial, state.rng.child("initial"))
            x = x if state.initial is None else state.initial
            state.asked, state.initial = x[novel(x, frozenset(), len(x)).to(x.device)], None
        return state.asked

    def tell(self, problem: Problem, state: ActiveLearningState, evaluation: Evaluation) -> ActiveLearningState:
        """Return the state with the asked words and their values in the pool."""
        x, state.asked = self.ask(problem, state), None
        state.rounds += 1 if len(state.x) else 0
        state.exhausted = not len(x)
        state.x, state.values = torch.cat([state.x, x]), torch.cat([state.values, evaluation.values.to(state.values)])
        return state

    def closed(self, problem: Problem, state: ActiveLearningState) -> ActiveLearningState:
        """Return the state as it is; warn where the first pool was all that there was."""
        if state.rounds == 0 and not state.exhausted:
            line = f"the run ended before MOGFNAL's first round: its first pool took {len(state.x)} oracle calls"
            warnings.warn(f"{line} (`n_initial` makes it smaller)", ParetoWarning, stacklevel=2)
        return state

    def front(self, problem: Problem, state: ActiveLearningState) -> Front:
        """Return the non-dominated words of the pool."""
        return Front.of(problem, state.x, Evaluation(state.values))

    def cost(self, state: ActiveLearningState) -> Cost:
        """Return oracle calls, and updates of the sampler."""
        return Cost(evaluations=len(state.x), gradient_steps=state.updates, work=float(len(state.x)))

    def done(self, state: ActiveLearningState) -> bool:
        """Tell whether `rounds` rounds were made, or no new word was found."""
        return state.exhausted or (self.rounds is not None and state.rounds >= self.rounds)

    def report(self, problem: Problem, state: ActiveLearningState) -> dict[str, float]:
        """Return the surrogate's calls so far, the exponent of the next round, and the sampler's loss."""
        beta = self.exponent(state.rounds)
        return {"surrogate calls": float(state.surrogate_calls), "beta": beta, "loss": state.loss}

    def _proposals(self, problem: CompositionalDesign, state: ActiveLearningState) -> Tensor:
        """Return the words of the next round `[k, L]`, at most `n_active`, all new."""
        rng = state.rng.child("round", state.rounds)
        good = torch.isfinite(state.values).all(-1).nonzero().flatten()
        seen = frozenset(keys(state.x))
        candidates = state.x[:0]
        if len(good):
            now = begun(
                problem,
                self.engine(problem),
                (state.x[good], state.values[good]),
                n_active=self.n_active,
                spread=self.spread,
                pieces=self.pieces,
                max_fitted=self.max_fitted,
                fit_iterations=self.fit_iterations,
                samples=self.samples,
                beta=self.exponent(state.rounds),
                rng=rng,
            )
            losses = [self._update(now, state, k) for k in range(self.updates)]
            late = losses[-max(1, self.updates // 10) :]
            state.loss = sum(late) / len(late)
            candidates = now.ranked(state.row[0], self.n_proposals, seen)
            state.surrogate_calls += now.calls
        spare = random_words(problem, 4 * self.n_active, rng.child("spare"))
        x = torch.cat([candidates, spare])
        return x[novel(x, seen, self.n_active).to(x.device)]

    def _update(self, now: Round, state: ActiveLearningState, k: int) -> float:
        """Make one update of the sampler, in place; return the loss."""
        env, rng = now.environment, now.rng.child("update", k)
        begin = now.words[rng.child("words").integers(len(now.words), self.batch_size, device=now.words.device)]
        paths = now.rolled(state.row[0], begin, rng=rng.child("paths"), epsilon=self.epsilon)
        worth = now.worth(env.decisions(paths.last))
        top = float(worth.max())
        if top > now.best:
            if now.best > -torch.inf:  # rewards are relative to the best: log Z moves with it
                state.log_z[0, -1] -= now.beta * (top - now.best)
            now.best = top
        log_reward = (now.beta * (worth - max(now.best, -1e30))).clamp_min(self.lowest).to(state.row.dtype)
        partition, letters = partition_of(env), one_hot(env, begin)
        row, log_z = state.row.requires_grad_(), state.log_z.requires_grad_()
        if k == 0:  # where the last round left log Z has nothing to do with this round's rewards
            with torch.no_grad():
                flows = Flows(now.engine, row[0], paths, partition(log_z[0], letters, len(begin)))
                log_z[0, -1] -= (flows.log_z + flows.scores.balance - log_reward).mean()
        flows = Flows(now.engine, row[0], paths, partition(log_z[0], letters, len(begin)))
        loss = cast("Criterion", self.criterion).loss(flows, log_reward)
        found = float(loss.detach())
        check_finite("loss", found, state.updates + 1)
        gradient, log_z_gradient = torch.autograd.grad(loss, (row, log_z), materialize_grads=True, allow_unused=True)
        state.row, state.log_z = row.detach(), log_z.detach()
        norm = torch.cat([gradient, log_z_gradient], 1)
        gradient, log_z_gradient = clipped(norm, self.clip).split([gradient.shape[1], log_z_gradient.shape[1]], 1)
        adam = Adam()
        adam.step(state.row, gradient, state.adam, self.learning_rate)
        adam.step(state.log_z, log_z_gradient, state.log_z_adam, self.log_z_rate)
        state.updates += 1
        return found
