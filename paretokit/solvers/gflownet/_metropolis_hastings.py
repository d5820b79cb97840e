"""A Metropolis-Hastings sampler of designs: takes objects apart for some steps and builds them up again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from paretokit.core import Cost, Evaluation, Front, Problem, Rng, Solver
from paretokit.core import _check as check
from paretokit.indicators import simplex_lattice
from paretokit.problems.design._design import CompositionalDesign
from paretokit.problems.design._environment import NOTHING, DesignEnvironment
from paretokit.solvers.gflownet._gflownet import design_of
from paretokit.solvers.gflownet._mogfn import PARTITIONS
from paretokit.solvers.gflownet._rewards import SCALARIZATIONS, Scalarization, log_reward
from paretokit.solvers.gflownet._start import check_start


@dataclass(frozen=True)
class Walk:
    """Walks whose every move is uniform over the legal ones, forwards or backwards.

    Attributes:
        states: Where they ended `[n, k]`.
        length: Moves made `[n]`.
        log_there: Log-probability of all moves, float64 `[n]`.
        log_again: Of the same edges walked in the other direction `[n]`.
    """

    states: Tensor
    length: Tensor
    log_there: Tensor
    log_again: Tensor

    @staticmethod
    def begin(states: Tensor) -> Walk:
        """Return walks that have not moved."""
        zeros = torch.zeros(len(states), dtype=torch.float64, device=states.device)
        return Walk(states, torch.zeros(len(states), dtype=torch.int64, device=states.device), zeros, zeros)

    def moved(self, states: Tensor, mask: Tensor, other: Tensor, made: Tensor) -> Walk:
        """Return the walks after one move to `states`, chosen within `mask`; `other` are its alternatives the way back.

        Walks that have not `made` one count nothing.
        """
        there, again = (-m.sum(-1).clamp_min(1).to(torch.float64).log() for m in (mask, other))
        return Walk(
            states,
            self.length + made,
            self.log_there + torch.where(made, there, 0),
            self.log_again + torch.where(made, again, 0),
        )


def walk_back(env: DesignEnvironment, states: Tensor, steps: Tensor, u: Tensor) -> Walk:
    """Return walks so many `steps [n]` back from states `[n, k]` (or to the start), by uniform numbers `[T, n]`."""
    walk = Walk.begin(states)
    for t in range(env.max_steps):
        mask = env.backward_mask(walk.states) & (t < steps).unsqueeze(1)
        move = chosen(mask, u[t])
        before = env.back(walk.states, move)
        walk = walk.moved(before, mask, env.mask(before), move != NOTHING)
    return walk


def walk_on(env: DesignEnvironment, states: Tensor, u: Tensor) -> Walk:
    """Return walks from states `[n, k]` on to finished objects, by uniform numbers `[T, n]`."""
    walk = Walk.begin(states)
    for t in range(env.max_steps):
        mask = env.mask(walk.states)
        move = chosen(mask, u[t])
        after = env.step(walk.states, move)
        walk = walk.moved(after, mask, env.backward_mask(after), move != NOTHING)
    return walk


def chosen(mask: Tensor, u: Tensor) -> Tensor:
    """Return a uniform legal entry `[n]` of each row of `mask [n, A]`, by uniform numbers; else `NOTHING`."""
    count = mask.sum(-1)
    nth = torch.minimum((u * count).to(torch.int64), count - 1) + 1
    entry = (mask & (mask.cumsum(-1) == nth.unsqueeze(-1))).to(torch.int8).argmax(-1)
    return torch.where(count > 0, entry, NOTHING)


def _turn_weights(locality: float, max_steps: int, device: torch.device) -> Tensor:
    """Return the partial sums of k^-locality `[T]`."""
    k = torch.arange(1, max_steps + 1, dtype=torch.float64, device=device)
    return k.pow(-locality).cumsum(0)


def log_turn(steps: Tensor, depth: Tensor, locality: float, max_steps: int) -> Tensor:
    r"""Return :math:`\log p(k \mid L)` of going k `steps [n]` back from an object that `depth [n]` L actions build.

    .. math:: p(k \mid L) = k^{-\gamma} \Big/ \sum_{j=1}^{L} j^{-\gamma}, \qquad k = 1, \dots, L
    """
    totals = _turn_weights(locality, max_steps, steps.device)
    return -locality * steps.to(torch.float64).log() - totals[depth - 1].log()


def drawn_turn(depth: Tensor, u: Tensor, locality: float, max_steps: int) -> Tensor:
    """Return numbers of steps `[n]` with the distribution of `log_turn`, by uniform numbers `[n]`."""
    totals = _turn_weights(locality, max_steps, depth.device)
    return torch.minimum(torch.searchsorted(totals, u * totals[depth - 1], right=True) + 1, depth)


@dataclass(frozen=True)
class Proposal:
    r"""Objects offered to chains.

    Attributes:
        states: Finished states `[n, k]`.
        depth: Actions that build them `[n]`.
        log_ratio: :math:`\log q(x' \to s \to x) - \log q(x \to s \to x')`, float64 `[n]`.
    """

    states: Tensor
    depth: Tensor
    log_ratio: Tensor


def propose(
    env: DesignEnvironment, states: Tensor, depth: Tensor, *, steps: Tensor, u: Tensor, locality: float
) -> Proposal:
    r"""Return what is reached by going some steps back and on again to an end, with the exact proposal ratio.

    .. math:: q(x \to s \to x') = p(k \mid L)\, P_B(x \to s)\, P_F(s \to x'), \qquad
              q(x' \to s \to x) = p(\ell \mid L')\, P_B(x' \to s)\, P_F(s \to x)

    along the same edges: k steps lead from x, which L actions build, to s, and :math:`\ell` from s to x', which
    :math:`L' = L - k + \ell` actions build. Accepting with the ratio for these paths balances each pair of paths, and
    so, summed over s and all paths, each pair of objects.

    Args:
        env: The environment.
        states: Finished states x `[n, k]`.
        depth: Actions L that build each `[n]`.
        steps: Steps k back `[n]`, from `drawn_turn`.
        u: Uniform numbers `[2, T, n]` for the moves back and on.
        locality: Exponent of `log_turn`.

    Cost: 2 T moves of n states.
    """
    back = walk_back(env, states, steps, u[0])
    on = walk_on(env, back.states, u[1])
    beyond = depth - back.length + on.length
    there = log_turn(back.length, depth, locality, env.max_steps) + back.log_there + on.log_there
    again = log_turn(on.length, beyond, locality, env.max_steps) + back.log_again + on.log_again
    return Proposal(on.states, beyond, again - there)


@dataclass
class ChainsState:
    """Where C chains stand.

    Attributes:
        rng: The run's key.
        states: Their objects, finished `[C, k]`.
        depth: Actions that build these `[C]`.
        log_reward: Log of the unnormalized targets `[C]`.
        values: Objectives `[C, m]`.
        weights: Preference of each chain `[C, m]`.
        steps: Steps made.
        evaluations: Objects scored.
        accepted: Share of the last step's proposals that were accepted.
    """

    rng: Rng
    states: Tensor
    depth: Tensor
    log_reward: Tensor
    values: Tensor
    weights: Tensor
    steps: int = 0
    evaluations: int = 0
    accepted: float = 0.0


@final
@dataclass(frozen=True, kw_only=True)
class MetropolisHastings(Solver[ChainsState]):
    r"""Many chains over finished objects, each of which ends up distributed as the reward of its preference.

    .. math:: \pi_w(x) \propto R_w(x)^\beta, \qquad
              \text{accept } x' \text{ with probability } \min\Big(1, \frac{\pi_w(x')\, q(x' \to s \to x)}
              {\pi_w(x)\, q(x \to s \to x')}\Big)

    A baseline of what GFlowNets are for: it has the same target as `MOGFN` and needs no network, but mixes slowly
    between separated modes. A proposal goes k steps back through the environment and on again to an end, all moves
    uniform, with the exact ratio (see `propose`). Chains of all preferences step together.

    Attributes:
        n_chains: Chains a preference.
        temperature: The exponent β.
        scalarization: "weighted_sum", "weighted_log_sum" or "tchebycheff".
        locality: Exponent γ of the number of steps back, :math:`p(k) \propto k^{-\gamma}`; 0 is uniform.
        lowest: Least log-reward, which worthless objects have.
        partitions: Of the lattice of preferences; 10, 5 or 4 for two, three or four objectives unless given.

    The front is that of the objects at which the chains stand. Failed objects are never accepted.

    Cost: one oracle call a chain and step.

    Source: Hastings (1970), Biometrika; chains as a baseline of GFlowNets in Bengio et al. (2021), NeurIPS, whose
    moves change single parts and are not corrected by the ratio.
    """

    solves: ClassVar[type[Problem]] = CompositionalDesign  # type: ignore[type-abstract]
    state_type: ClassVar[type] = ChainsState

    n_chains: int = 16
    temperature: float = 1.0
    scalarization: Scalarization = "weighted_sum"
    locality: float = 1.0
    lowest: float = -75.0
    partitions: int | None = None

    def __post_init__(self) -> None:
        check.fields(self)
        check.at_least(1, n_chains=self.n_chains)
        check.positive(temperature=self.temperature)
        check.one_of(SCALARIZATIONS, scalarization=self.scalarization)
        check.at_least(0, locality=self.locality)
        check.that(self.lowest < 0, "lowest", "be negative", self.lowest, "it bounds β log R, which is 0 at the ideal")
        if self.partitions is not None:
            check.at_least(1, partitions=self.partitions)

    def init(self, problem: Problem, rng: Rng, *, initial: Tensor | None = None) -> ChainsState:
        """Return chains at uniform walks from the start, unscored.

        Raises:
            InputError: If `initial` is given, or nothing can be built.
        """
        design = design_of(problem)
        check_start(design)
        check.that(initial is None, "initial", "be left out", "rows", "a chain needs to know how an object was built")
        m, env, device = design.n_objectives, design.environment, design.device
        lattice = simplex_lattice(m, self.partitions or PARTITIONS.get(m, 3)).to(device)
        weights = lattice.repeat_interleave(self.n_chains, 0)
        n = len(weights)
        u = rng.child("start").uniform(env.max_steps, n, device=device)
        walk = walk_on(env, env.start(n, device), u)
        blank = torch.full((n,), -torch.inf, dtype=torch.float64, device=device)
        values = torch.zeros(0, m, dtype=design.dtype, device=device)
        return ChainsState(rng, walk.states, walk.length, blank, values, weights)

    def step(self, problem: Problem, state: ChainsState) -> ChainsState:
        """Return the chains after one proposal each; the first step scores where they begin."""
        design = design_of(problem)
        env, rng, n = design.environment, state.rng.child("step", state.steps), len(state.weights)
        if state.steps == 0:
            state.values, state.log_reward = self._scored(design, state, state.states)
        else:
            device = design.device
            turn = rng.child("turn").uniform(n, device=device)
            steps = drawn_turn(state.depth, turn, self.locality, env.max_steps)
            u = rng.child("moves").uniform(2, env.max_steps, n, device=device)
            offer = propose(env, state.states, state.depth, steps=steps, u=u, locality=self.locality)
            values, rewards = self._scored(design, state, offer.states)
            log_u = rng.child("accept").uniform(n, device=device).log()
            yes = torch.isfinite(rewards) & (log_u < rewards - state.log_reward + offer.log_ratio)
            pick = yes.unsqueeze(1)
            state.states = torch.where(pick, offer.states, state.states)
            state.depth = torch.where(yes, offer.depth, state.depth)
            state.log_reward = torch.where(yes, rewards, state.log_reward)
            state.values = torch.where(pick, values, state.values)
            state.accepted = float(yes.to(torch.float64).mean())
        state.steps += 1
        return state

    def front(self, problem: Problem, state: ChainsState) -> Front:
        """Return the non-dominated objects at which chains stand, with their preferences."""
        design = design_of(problem)
        rows = slice(0, len(state.values))  # nothing before the first step
        x = design.environment.decisions(state.states[rows]).to(design.dtype)
        return Front.of(problem, x, Evaluation(state.values), info={"preference": state.weights[rows]})

    def cost(self, state: ChainsState) -> Cost:
        """Return objects scored."""
        return Cost(evaluations=state.evaluations, work=float(state.evaluations))

    def report(self, problem: Problem, state: ChainsState) -> dict[str, float]:
        """Return the share of proposals accepted."""
        return {"accepted": state.accepted}

    def _scored(self, problem: CompositionalDesign, state: ChainsState, objects: Tensor) -> tuple[Tensor, Tensor]:
        """Return objectives and log-rewards of finished states; minus infinity where an object failed."""
        values = problem.evaluate(problem.environment.decisions(objects)).values
        state.evaluations += len(objects)
        gains = problem.gains(values)
        good = torch.isfinite(gains).all(-1)
        beta = torch.full_like(state.log_reward, self.temperature)
        rewards = log_reward(
            torch.where(good.unsqueeze(1), gains, 0),
            state.weights,
            beta,
            scalarization=self.scalarization,
            lowest=self.lowest,
        )
        return values, torch.where(good, rewards.to(torch.float64), -torch.inf)
