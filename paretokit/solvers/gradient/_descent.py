"""Fronts by gradient descent: all preferences descend at once, each by the same rule."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import torch
from torch import Tensor

from paretokit.core import Choice, Cost, Evaluation, Front, LogRange, Problem, Rng, SearchSpace, Solver
from paretokit.core import _check as check
from paretokit.nn import Adam, AdamState
from paretokit.solvers.gradient._aggregator import Aggregator, aggregator_of, described
from paretokit.solvers.gradient._gradients import descent, in_units, influenced, scale_of, unfit, widths
from paretokit.solvers.gradient._preferences import Preferences, checked, rows_of

OPTIMIZERS = ("adam", "sgd")
STARTS = ("random", "shared")
ATTEMPTS = 8
"""How often starts with losses that are not finite are drawn again."""
DECAYS = ("none", "linear", "cosine")


def decayed(decay: str, done: float) -> float:
    """Return the factor of a learning rate after a share `done` of all steps."""
    if decay == "linear":
        return 1 - done
    return 1.0 if decay == "none" else (1 + math.cos(math.pi * done)) / 2


def _finite(losses: Tensor, direction: Tensor) -> Tensor:
    """Tell which rows have finite losses and directions, `[P, 1]`."""
    largest = torch.linalg.vector_norm(direction, torch.inf, 1, keepdim=True)
    return torch.isfinite(largest) & torch.isfinite(losses).all(1, keepdim=True)


@dataclass
class GradientDescentState:
    """Rows on their way.

    Attributes:
        rng: The run's key.
        x: Decisions `[P, d]`.
        safe: Where their losses were last seen to be finite `[P, d]`.
        preferences: What each row wants `[P, m]`.
        adam: Moments of the gradients, in units of the variables' widths.
        losses: Before the last update `[P, m]`, scaled as the rule reads them.
        measured: Decisions as last measured `[n, d]`.
        values: Their values `[n, m]`.
        stuck: How many rows had losses or gradients that were not finite in the last step.
        steps: Updates made.
        evaluations: Decisions measured.
        work: In the problem's unit, a backward pass as two forward ones.
    """

    rng: Rng
    x: Tensor
    safe: Tensor
    preferences: Tensor
    adam: AdamState
    losses: Tensor
    measured: Tensor
    values: Tensor
    stuck: Tensor
    steps: int = 0
    evaluations: int = 0
    work: float = 0.0


@final
@dataclass(frozen=True, kw_only=True)
class GradientDescent(Solver[GradientDescentState]):
    r"""Descends a problem's losses from many starts at once, one a preference; their ends are the front.

    .. math:: x_p \leftarrow \Pi\bigl(x_p - \eta\, J(x_p)^\top w_p\bigr), \qquad w_p = \text{rule}(J J^\top, l, p)

    with the projection onto the bounds. Variables move in units of their ranges, parameters of networks in their own.

    Attributes:
        aggregator: The rule, its name, or a mapping of its `name` and options: see `solvers.gradient`. Rules that ask
            for no preference (MGDA, PCGrad, CAGrad, IMTLG) spread over a front by their starts only; weighted sums
            reach its convex parts; Tchebycheff rules and EPO reach all parts.
        preferences: How many, or rows on the simplex; evenly spread unless given. A larger entry matters more.
        optimizer: "adam" or "sgd". Adam's own scale for every variable may turn a common descent direction.
        learning_rate: Of a step, in ranges of the variables.
        decay: Of the learning rate over all steps: "none", "linear" or "cosine".
        momentum: Of "sgd".
        steps: Updates, after which the run ends.
        start: "random": a start a preference; "shared": one for all.
        normalized: Whether losses are brought to the protocol's ideal and nadir before the rule reads them.
        evaluate_every: Updates between measurements of the front.

    The front's `preference` column says what each row was asked for. Starts whose losses are not finite are drawn
    again; a row whose losses stop being finite goes back to a random point of its last step.

    Cost: an update takes one backward pass for all rows with Linear and Tchebycheff rules, else one a loss. Memory for
    the m Jacobian rows of each decision.

    Source: Désidéri (2012), Comptes Rendus Mathématique 350, and the sources of the rules. Stacking the preferences is
    this library's.
    """

    solves: ClassVar[type[Problem]] = Problem  # type: ignore[type-abstract]
    state_type: ClassVar[type] = GradientDescentState

    search_space: ClassVar[SearchSpace] = {
        "aggregator": Choice(("EPO", "Tchebycheff", "SmoothTchebycheff", "Linear")),
        "optimizer": Choice(("adam", "sgd")),
        "learning_rate": LogRange(1e-3, 0.3),
        "decay": Choice(("none", "linear", "cosine")),
        "steps": LogRange(50, 2000),
    }

    aggregator: Aggregator | Mapping[str, Any] | str = "EPO"
    preferences: Preferences = None
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 0.02
    decay: Literal["none", "linear", "cosine"] = "cosine"
    momentum: float = 0.0
    steps: int = 500
    start: Literal["random", "shared"] = "random"
    normalized: bool = False
    evaluate_every: int = 100

    def __post_init__(self) -> None:
        check.fields(self)
        object.__setattr__(self, "aggregator", aggregator_of(self.aggregator))
        object.__setattr__(self, "preferences", checked(self.preferences))
        check.one_of(OPTIMIZERS, optimizer=self.optimizer)
        check.one_of(DECAYS, decay=self.decay)
        check.one_of(STARTS, start=self.start)
        check.positive(learning_rate=self.learning_rate)
        check.at_least(1, steps=self.steps, evaluate_every=self.evaluate_every)
        check.that(0 <= self.momentum < 1, "momentum", "lie in [0, 1)", self.momentum)

    @property
    def rule(self) -> Aggregator:
        """The aggregator itself."""
        assert isinstance(self.aggregator, Aggregator)
        return self.aggregator

    @property
    def finishes(self) -> bool:
        """Whether `steps` ends the run."""
        return True

    def unsupported(self, problem: Problem) -> str | None:
        """Tell whether gradients are missing, or preferences have another number of entries."""
        return unfit(problem, self.preferences, normalized=self.normalized)

    def init(self, problem: Problem, rng: Rng, *, initial: Tensor | None = None) -> GradientDescentState:
        """Return the state before the first update; rows of `initial [n, d]` are taken in turn."""
        given = self.preferences
        assert given is None or isinstance(given, int | tuple)
        preferences = rows_of(given, problem.n_objectives).to(problem.device)
        n = len(preferences)
        if initial is not None:
            x = initial[torch.arange(n, device=initial.device) % len(initial)]
        elif self.start == "shared":
            x = problem.space.sample(1, rng.child("start")).expand(n, -1)
        else:
            x = problem.space.sample(n, rng.child("start"))
        x = x.to(problem.device, problem.dtype).clone()
        none = x.new_zeros(0, problem.n_objectives)
        return GradientDescentState(
            rng=rng,
            x=x,
            safe=x.clone(),
            stuck=torch.zeros((), dtype=torch.int64, device=x.device),
            preferences=preferences,
            adam=AdamState.zeros(x),
            losses=x.new_zeros(n, problem.n_objectives),
            measured=x[:0],
            values=none,
        )

    def step(self, problem: Problem, state: GradientDescentState) -> GradientDescentState:
        """Return the state after one update of every row, and a measurement when due.

        Raises:
            InputError: In the first step, if an objective does not depend on the variables, or no row has finite losses
                and gradients.
        """
        rng = state.rng.child("step", state.steps)
        if state.steps == 0:
            self._begun(problem, state, rng)
        losses, direction = self._descent(problem, state, rng)
        moves = _finite(losses, direction)
        state.stuck = (~moves).sum()
        rate = self.learning_rate * decayed(self.decay, state.steps / self.steps)
        if state.x.device.type == "cpu" and bool(moves.all()):  # elsewhere a read would wait
            moved = self._moved(state, direction, rate, widths(problem))
            state.safe, state.x = state.x, problem.space.project(moved)
        else:
            moved = self._moved(state, torch.where(moves, direction, 0.0), rate, widths(problem))
            back = rng.child("back").uniform(len(moves), 1, dtype=state.x.dtype, device=state.x.device)
            onwards = torch.where(moves, problem.space.project(moved), state.safe + back * (state.x - state.safe))
            state.safe, state.x = torch.where(moves, state.x, state.safe), onwards
        state.losses = losses
        state.steps += 1
        if self._due(state):
            self._measure(problem, state)
        return state

    def closed(self, problem: Problem, state: GradientDescentState) -> GradientDescentState:
        """Return the state with the rows measured as they are now."""
        if self._due(state):
            return state
        state = dataclasses.replace(state)
        self._measure(problem, state)
        return state

    def _due(self, state: GradientDescentState) -> bool:
        """Tell whether the rows are measured after this update."""
        return state.steps == 1 or state.steps % self.evaluate_every == 0 or state.steps == self.steps

    def _measure(self, problem: Problem, state: GradientDescentState) -> None:
        state.measured = state.x.clone()
        found = problem.evaluate(state.measured, state.rng.child("step", state.steps - 1).child("evaluate"))
        state.values = found.values
        state.evaluations += len(state.measured)
        state.work += found.total_work

    def _begun(self, problem: Problem, state: GradientDescentState, rng: Rng) -> None:
        """Draw starts again whose losses are not finite, and see that every objective can be moved."""
        influenced(problem, state.x, rng)
        for attempt in range(ATTEMPTS):
            losses, direction = self._descent(problem, state, rng)
            moves = _finite(losses, direction)
            if bool(moves.all()):
                return
            again = problem.space.sample(len(state.x), rng.child("again", attempt)).to(state.x)
            state.x = torch.where(moves, state.x, again)
            state.safe = state.x.clone()
        if not bool(moves.any()):
            check.fail("losses", "be finite at some start", losses[0].tolist(), "or their gradients are not")

    def _descent(self, problem: Problem, state: GradientDescentState, rng: Rng) -> tuple[Tensor, Tensor]:
        """Return losses and directions, and count the work."""
        scale = scale_of(problem) if self.normalized else None
        passes = 1 if "gramian" not in self.rule.reads else problem.n_objectives
        state.work += len(state.x) * problem.loss_work * (1 + 2 * passes)
        return descent(problem, state.x, self.rule, preference=state.preferences, scale=scale, rng=rng)

    def _moved(self, state: GradientDescentState, direction: Tensor, rate: float, unit: Tensor | None) -> Tensor:
        if self.optimizer == "adam":
            step = torch.zeros_like(direction)
            Adam().step(step, direction, state.adam, rate)
            return state.x + in_units(step, unit)
        state.adam.mean.mul_(self.momentum).add_(direction)
        return state.x - in_units(rate * state.adam.mean, unit)

    def front(self, problem: Problem, state: GradientDescentState) -> Front:
        """Return the rows as last measured, without the dominated ones, and what they were asked for."""
        info = {"preference": state.preferences.to(torch.float64)} if len(state.measured) else {}
        return Front.of(problem, state.measured, Evaluation(state.values), info=info)

    def cost(self, state: GradientDescentState) -> Cost:
        """Return measurements, updates, and everything in the problem's unit."""
        return Cost(evaluations=state.evaluations, gradient_steps=state.steps, work=state.work)

    def done(self, state: GradientDescentState) -> bool:
        """Tell whether all updates were made."""
        return state.steps >= self.steps

    def report(self, problem: Problem, state: GradientDescentState) -> dict[str, float]:
        """Return the mean loss of the rows that are finite, and how many are stuck."""
        fine = torch.isfinite(state.losses).all(1)
        return {"loss": float(state.losses[fine].mean()) if bool(fine.any()) else math.nan, "stuck": float(state.stuck)}

    def config(self) -> dict[str, Any]:
        """Return the hyper-parameters by name, JSON-able."""
        rows = self.preferences
        given = [list(row) for row in rows] if isinstance(rows, tuple) else rows
        return {**super().config(), "aggregator": described(self.rule), "preferences": given}
