"""MORL/D: one policy a preference, trained side by side or in turns, learning from its neighbors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, cast, final

import torch
from torch import Tensor

from paretokit import scalarization
from paretokit.core import Choice, Cost, Front, InputError, Lanes, LogRange, Problem, Range, Rng, SearchSpace, Solver
from paretokit.core import _check as check
from paretokit.problems.morl._morl import MORL
from paretokit.solvers.morl._improver import Aim, AnyImprover
from paretokit.solvers.morl._improvers import described, improver_of
from paretokit.solvers.morl._morld_members import Replays, hand_over, spent
from paretokit.solvers.morl._morld_state import MORLDState, empty_state
from paretokit.solvers.morl._morld_utility import Scalarized, gradient_weights
from paretokit.solvers.morl._morld_weights import adapted, first_weights, neighbors

State = MORLDState[Any]
Cooperation = Literal["none", "transfer", "shared_buffer"]


@final
@dataclass(frozen=True, kw_only=True)
class MORLD(Solver[State]):
    r"""Decompose: each of P members climbs a scalarizing function of its own preference w_p.

    .. math:: \max_{\theta_p}\; u(\mathbb E R; w_p) \;\text{(SER)} \quad\text{or}\quad
              \max_{\theta_p}\; \mathbb E\, u(R; w_p) \;\text{(ESR)}, \qquad u(R; w) = -s(-R / c;\, w,\, -z / c)

    Which of the two is the improver's `criterion`. Under SER the improver is given the gradient of u at the member's
    last evaluated returns as weights (for a weighted sum: the preference itself); under ESR it is given u. Scale c
    and utopian point z move when returns were evaluated, never inside a step of the improver.

    Attributes:
        improver: How policies are trained: an `Improver`, its name, or a mapping with its name as `kind`.
        pop_size: Number P of members.
        weights: First preferences: "uniform" (lattice), "riesz" (least energy), or "random" (Dirichlet).
        scalarization: s, one of `scalarization.list()`.
        scalarization_options: Its options, such as ``{"mu": 0.05}``.
        utopian: z, fixed, in the problem's units; else the largest evaluated returns plus `tau` c, which a member's
            own sampled returns may raise further (ESR).
        tau: How far beyond the largest evaluated returns z lies, in units of c.
        normalize: Whether c is the range of the archive's returns; 1 unless set.
        scale: c, fixed.
        neighborhood: Number of neighbors, the nearest by squared distance of preferences.
        cooperation: "transfer": at an exchange, a trained member's networks go to those neighbors that are untrained,
            or whose own utility of its returns is better. "shared_buffer": what one member saw, all train on; it is the
            improver's to do, and has to be asked of both.
        adaptation: "psa" moves preferences at an exchange, by Pareto simulated annealing.
        delta: Its step.
        selection: "all" trains every member in each step, in one stack; "round_robin" one member at a time, for
            `exchange_every` environment steps.
        exchange_every: Environment steps of training, of all members together, between exchanges.
        update_passes: Gradient passes, at an exchange in turns, of the members whose turn it is not, over what they
            have stored, where the improver can replay.
        evaluate_every: Steps between evaluations; there is one at every exchange and at the end of every run anyway.
        archive_size: Largest number of policies in the archive; unlimited unless given.
        pruning: What leaves a full archive: the least "crowding" distance or "hypervolume" contribution.
        front_from: The front is the "archive", or the non-dominated part of the last "population".
        iterations: Steps until the method ends; it runs as long as the budget lasts unless given.

    Cost: an improver's unit of P members (or of one, in turns) a step, and an evaluation of the members that changed;
    `Cost.env_steps` counts training, `Cost.work` evaluation too. The archive keeps decision rows, never buffers.

    Felten, Talbi and Danoy (2024), "Multi-objective reinforcement learning based on decomposition: a taxonomy and
    framework", JAIR 79. Deviations from the authors' code: members train in one stack by default; utilities are
    differentiable, their utopian point is explicit and does not move while members train; episodes are whole where the
    criterion is ESR, and the utility sees the accrued reward; only changed members are evaluated; transfer also helps
    weaker neighbors; the distance of the adaptation is free of units.
    """

    solves: ClassVar[type[Problem]] = MORL

    search_space: ClassVar[SearchSpace] = {
        "pop_size": Range(4, 12),
        "improver.n_steps": Choice((32, 64, 128, 256, 512)),
        "improver.epochs": Range(2, 20),
        "improver.minibatches": Choice((4, 8, 16, 32)),
        "improver.learning_rate": LogRange(1e-4, 1e-2),
        "improver.gae_lambda": Range(0.8, 1.0),
        "improver.clip": Range(0.1, 0.4),
        "improver.entropy_coef": LogRange(1e-4, 0.3),
    }

    improver: AnyImprover | Mapping[str, Any] | str = "PPO"
    pop_size: int = 6
    weights: Literal["uniform", "riesz", "random"] = "uniform"
    scalarization: str = "weighted_sum"
    scalarization_options: Mapping[str, float] = field(default_factory=dict)
    utopian: tuple[float, ...] | None = None
    tau: float = 0.5
    normalize: bool = False
    scale: tuple[float, ...] | None = None
    neighborhood: int = 1
    cooperation: Cooperation = "none"
    adaptation: Literal["psa"] | None = None
    delta: float = 0.1
    selection: Literal["all", "round_robin"] = "all"
    exchange_every: int = 40_000
    update_passes: int = 10
    evaluate_every: int = 1
    archive_size: int | None = None
    pruning: Literal["crowding", "hypervolume"] = "crowding"
    front_from: Literal["archive", "population"] = "archive"
    iterations: int | None = None

    def __post_init__(self) -> None:
        check.fields(self)
        object.__setattr__(self, "improver", improver_of(self.improver))
        for name in ("utopian", "scale"):
            given = getattr(self, name)
            object.__setattr__(self, name, None if given is None else tuple(float(v) for v in given))
        check.at_least(1, pop_size=self.pop_size, neighborhood=self.neighborhood)
        check.at_least(1, exchange_every=self.exchange_every, evaluate_every=self.evaluate_every)
        check.at_least(0, tau=self.tau, update_passes=self.update_passes)
        check.positive(delta=self.delta, smallest_scale=min(self.scale or (1.0,)))
        check.one_of(("uniform", "riesz", "random"), weights=self.weights)
        check.one_of(("none", "transfer", "shared_buffer"), cooperation=self.cooperation)
        check.one_of((None, "psa"), adaptation=self.adaptation)
        check.one_of(("all", "round_robin"), selection=self.selection)
        check.one_of(("archive", "population"), front_from=self.front_from)
        check.one_of(("crowding", "hypervolume"), pruning=self.pruning)
        for name in ("archive_size", "iterations"):
            if getattr(self, name) is not None:
                check.at_least(1, **{name: getattr(self, name)})
        scalarization.make(self.scalarization, **self.scalarization_options)
        shares = bool(getattr(self.improver, "shared_buffer", False))
        check.that(
            shares == (self.cooperation == "shared_buffer"),
            "cooperation",
            'be "shared_buffer" exactly where the improver has `shared_buffer` set',
            repr(self.cooperation),
            f"{type(self.improver).__name__}'s is {shares}",
        )
        if shares:
            check.that(self.selection == "all", "selection", 'be "all" with a shared buffer', repr(self.selection))

    @property
    def method(self) -> AnyImprover:
        """The improver."""
        return cast("AnyImprover", self.improver)

    @property
    def state_type(self) -> Any:  # type: ignore[override] # the improver's state is part of it
        """The state's dataclass, with the improver's."""
        return MORLDState[self.method.state_type]  # type: ignore[name-defined]

    @property
    def finishes(self) -> bool:
        """Whether `iterations` ends the run."""
        return self.iterations is not None

    def config(self) -> dict[str, Any]:
        """Return the hyper-parameters by name, the improver as a mapping."""
        named = {f.name: getattr(self, f.name) for f in fields(self)}
        return named | {
            "improver": described(self.method),
            "scalarization_options": dict(self.scalarization_options),
        }

    def unsupported(self, problem: Problem) -> str | None:
        """Tell where the improver cannot train the problem's policies, or a fixed point has another length."""
        if not isinstance(problem, MORL):
            return "it trains policies, and this is no MORL problem"
        m = problem.n_objectives
        for name in ("utopian", "scale"):
            given = getattr(self, name)
            if given is not None and len(given) != m:
                return f"`{name}` must have {m} entries, one per objective; got {len(given)}"
        return self.method.unsupported(problem)

    def init(self, problem: Problem, rng: Rng, *, initial: Tensor | None = None) -> State:
        """Return untrained members.

        Raises:
            InputError: If `initial` is given; members begin untrained.
        """
        if initial is not None:
            raise InputError(check.message("initial", "be omitted", f"{len(initial)} rows", "members begin untrained"))
        world = _morl(problem)
        m, device = world.n_objectives, world.device
        weights = first_weights(self.weights, m=m, n=self.pop_size, rng=rng.child("weights"))
        lanes = [rng.child("member", p) for p in range(self.pop_size)]
        stacks = [range(self.pop_size)] if self.selection == "all" else [range(p, p + 1) for p in range(self.pop_size)]
        groups = [
            self.method.start(world, Lanes(tuple(lanes[p] for p in stack)), weights[list(stack)].to(device))
            for stack in stacks
        ]
        view = self._view(world)
        rows = torch.cat([self.method.rows(world, group) for group in groups])
        return empty_state(
            groups, view=view, weights=weights, rows=rows, capacity=self.archive_size, pruning=self.pruning
        )

    def step(self, problem: Problem, state: State) -> State:
        """Return the state after one unit of training, and an evaluation and an exchange where they are due."""
        world, improver = _morl(problem), self.method
        if state.step == 0:
            self._evaluate(world, state)
        group = state.turn % len(state.groups)
        members = self._members(state, group)
        state.groups[group] = improver.improve(world, state.groups[group], self._aim(state, members))
        state.trained[members] = state.stale[members] = True
        state.step += 1
        due = spent(state.groups).env_steps - state.exchanged >= self.exchange_every
        if due:
            self._replay(world, state, group)
        if due or state.step % self.evaluate_every == 0 or state.step == self.iterations:
            self._evaluate(world, state)
        if due:
            self._exchange(state, group)
        return state

    def closed(self, problem: Problem, state: State) -> State:
        """Return the state with those members evaluated that have changed since they were."""
        if not bool(state.stale.any()):
            return state
        own = {name: getattr(state, name).clone() for name in ("rows", "values", "stderr", "stale")}
        state = dataclasses.replace(state, **own)
        self._evaluate(_morl(problem), state)
        return state

    def front(self, problem: Problem, state: State) -> Front:
        """Return the archive, or the members' front as last evaluated; its problem has the improver's policies."""
        view = self._view(_morl(problem))
        return state.archived(view) if self.front_from == "archive" else state.population(view)

    def cost(self, state: State) -> Cost:
        """Return what was spent; evaluation counts as work, not as training."""
        training = spent(state.groups)
        return Cost(
            evaluations=state.evaluations,
            env_steps=training.env_steps,
            gradient_steps=training.gradient_steps,
            work=float(training.env_steps + state.evaluation_steps),
        )

    def done(self, state: State) -> bool:
        """Tell whether `iterations` steps were made."""
        return self.iterations is not None and state.step >= self.iterations

    def report(self, problem: Problem, state: State) -> dict[str, float]:
        """Return the archive's size."""
        return {"archive": float(len(state.archive))}

    def restore(self, problem: Problem, state: State) -> State:
        """Return the state with the improver's transient fields rebuilt."""
        state.groups = [self.method.restore(_morl(problem), group) for group in state.groups]
        return state

    def utility(self, state: State) -> Scalarized:
        """Return what members want at present; larger is better."""
        m, device = state.weights.shape[1], state.weights.device
        if self.scale is not None:
            scale = torch.tensor(self.scale, dtype=torch.float64, device=device)
        else:
            scale = state.span if self.normalize else torch.ones(m, dtype=torch.float64, device=device)
        if self.utopian is not None:
            point = torch.tensor(self.utopian, dtype=torch.float64, device=device)
        else:
            point = state.best + self.tau * scale
        scalarizer = scalarization.make(self.scalarization, **self.scalarization_options)
        return Scalarized(scalarizer, point, scale, lifted=self.utopian is None)

    def _view(self, world: MORL) -> MORL:
        return world.with_policy(self.method.architecture(world))

    def _members(self, state: State, group: int) -> Tensor:
        p, device = len(state.weights), state.weights.device
        return torch.arange(p, device=device) if len(state.groups) == 1 else torch.tensor([group], device=device)

    def _aim(self, state: State, members: Tensor) -> Aim:
        utility, preference = self.utility(state), state.weights[members]
        if self.method.criterion == "ESR":
            return Aim(weights=preference, preference=preference, utility=utility)
        return Aim(weights=gradient_weights(utility, state.values[members], preference), preference=preference)

    def _evaluate(self, world: MORL, state: State) -> None:
        """Measure the members that have changed."""
        changed = state.stale.nonzero().flatten()
        own = [
            self.method.rows(world, g) for i, g in enumerate(state.groups) if state.stale[self._members(state, i)].any()
        ]
        if not own:
            return
        rows = torch.cat(own)
        rows = rows[changed] if len(state.groups) == 1 else rows
        evaluation, lengths = self._view(world).measure(rows)
        state.learn(changed, rows, evaluation, lengths)

    def _replay(self, world: MORL, state: State, group: int) -> None:
        """Let the members whose turn it is not train on what they have stored."""
        improver = self.method
        if len(state.groups) == 1 or not self.update_passes or not isinstance(improver, Replays):
            return
        for other in range(len(state.groups)):
            if other != group and bool(state.trained[other]):
                aim = self._aim(state, self._members(state, other))
                state.groups[other] = improver.replay(world, state.groups[other], aim, passes=self.update_passes)
                state.stale[other] = True

    def _exchange(self, state: State, group: int) -> None:
        """Let members learn from each other, move preferences, and end the turn."""
        if self.cooperation == "transfer":
            self._transfer(state, group)
        if self.adaptation == "psa":
            others, span = state.archive.values, state.span
            state.weights = adapted(state.weights, state.values, others, span=span, delta=self.delta)
        state.exchanged = spent(state.groups).env_steps
        state.turn += 1

    def _transfer(self, state: State, group: int) -> None:
        """Hand networks to untrained or weaker neighbors; in turns, those of the member that has just trained."""
        utility, members = self.utility(state), range(len(state.weights))
        near = neighbors(state.weights, self.neighborhood).tolist()
        gains = torch.stack([utility(state.values.to(torch.float64), w.expand_as(state.values)) for w in state.weights])
        trained: list[bool] = state.trained.tolist()
        takers: set[int] = set()
        for target in members:
            sources = [
                p for p in members if target in near[p] and trained[p] and (len(state.groups) == 1 or p == group)
            ]
            best = max(sources, key=lambda p: float(gains[target, p]), default=target)
            better = not trained[target] or bool(gains[target, best] > gains[target, target])
            if best != target and best not in takers and better:
                hand_over(self.method, state.groups, best, target)
                state.copy_known(best, target)
                takers.add(target)


def _morl(problem: Problem) -> MORL:
    return cast("MORL", problem)
