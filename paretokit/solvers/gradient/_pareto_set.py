"""One network for a whole front: it maps a preference to a decision."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from torch import Tensor

from paretokit.core import Cost, Evaluation, Front, Lanes, Problem, Rng, Solver
from paretokit.core import _check as check
from paretokit.core._parameters import Parameters
from paretokit.indicators import dirichlet_weights
from paretokit.nn import MLP, Adam, AdamState
from paretokit.solvers.gradient._aggregator import Aggregator, aggregator_of, described
from paretokit.solvers.gradient._gradients import descent, in_units, influenced, scale_of, unfit, widths
from paretokit.solvers.gradient._preferences import MARGIN, Preferences, checked, rows_of

STRETCH = 0.1
"""How far the network's squashed outputs reach beyond the bounds, so that it can say a bound itself."""


@dataclass
class ParetoSetState:
    """A network in training.

    Attributes:
        rng: The run's key.
        rows: The network's weights `[1, D]`.
        adam: Moments.
        center: What its outputs are added to `[d]`, for parameters of networks.
        losses: Of the last batch `[B, m]`.
        preferences: Which preferences are measured `[n, m]`.
        measured: Their decisions as last measured `[n, d]`.
        values: Their values `[n, m]`.
        steps: Updates made.
        evaluations: Decisions measured.
        work: In the problem's unit, a backward pass as two forward ones.
    """

    rng: Rng
    rows: Tensor
    adam: AdamState
    center: Tensor
    losses: Tensor
    preferences: Tensor
    measured: Tensor
    values: Tensor
    steps: int = 0
    evaluations: int = 0
    work: float = 0.0


@final
@dataclass(frozen=True, kw_only=True)
class ParetoSetModel(Solver[ParetoSetState]):
    r"""Trains a hypernetwork that answers any preference with its Pareto-optimal decision: ``result.at(preference)``.

    .. math:: \min_\theta \mathbb E_{p \sim \mathrm{Dir}(1)} \, s_p\bigl(l(x_\theta(p))\bigr), \qquad
              \theta \leftarrow \theta - \eta \, \frac1B \sum_p \frac{\partial x_\theta(p)}{\partial \theta}^{\!\top}
              J(x_\theta(p))^\top w_p

    with the rule's weights :math:`w_p`: those of a scalarization s, or of any aggregator that reads preferences (EPO).

    Attributes:
        aggregator: The rule, its name, or a mapping of its `name` and options: see `solvers.gradient`.
        hidden: Widths of the hidden layers.
        batch_size: Preferences B an update.
        learning_rate: Of Adam; it falls to zero along a cosine.
        steps: Updates, after which the run ends.
        preferences: Those that are measured for the front: how many, or rows on the simplex.
        spread: Share of random preferences in the further answers that ``result.at(preference, n=n)`` gives.
        normalized: Whether losses are brought to the protocol's ideal and nadir before the rule reads them.
        evaluate_every: Updates between measurements of the front.

    Cost: an update takes B rows through `losses`, and back once (a scalarization) or once a loss.

    Source: Navon, Shamsian, Chechik and Fetaya (2021), ICLR; Lin, Yang, Zhang and Kwong (2022), NeurIPS. Deviations:
    the outputs are squashed to a little more than the bounds and clipped, so that solutions on a bound are reached;
    gradients that would push them further outside are dropped.
    """

    solves: ClassVar[type[Problem]] = Problem  # type: ignore[type-abstract]
    state_type: ClassVar[type] = ParetoSetState

    aggregator: Aggregator | Mapping[str, Any] | str = "Tchebycheff"
    hidden: tuple[int, ...] = (64, 64)
    batch_size: int = 16
    learning_rate: float = 3e-3
    steps: int = 1000
    preferences: Preferences = None
    spread: float = 0.1
    normalized: bool = False
    evaluate_every: int = 200

    def __post_init__(self) -> None:
        check.fields(self)
        object.__setattr__(self, "aggregator", aggregator_of(self.aggregator))
        object.__setattr__(self, "preferences", checked(self.preferences))
        object.__setattr__(self, "hidden", tuple(int(h) for h in self.hidden))
        reads = "preference" in self.rule.reads
        hint = "for example Tchebycheff, SmoothTchebycheff, Linear or EPO"
        check.that(reads, "aggregator", "read preferences", self.rule.name, hint)
        check.at_least(1, steps=self.steps, batch_size=self.batch_size, evaluate_every=self.evaluate_every)
        check.at_least(1, hidden=min(self.hidden, default=1))
        check.positive(learning_rate=self.learning_rate)
        check.probability(spread=self.spread)

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

    def network(self, problem: Problem) -> MLP:
        """Return the hypernetwork."""
        return MLP((problem.n_objectives, *self.hidden, problem.space.dim))

    def init(self, problem: Problem, rng: Rng, *, initial: Tensor | None = None) -> ParetoSetState:
        """Return the state before the first update; the first row of `initial [n, d]` is where all answers begin."""
        given = self.preferences
        assert given is None or isinstance(given, int | tuple)
        low, high = problem.space.lower, problem.space.upper
        if initial is not None:
            center = initial[0]
        elif isinstance(problem.space, Parameters):
            center = problem.space.sample(1, rng.child("start"))[0]
        else:
            center = (low + high) / 2
        center = center.to(problem.device, problem.dtype).clone()
        net = self.network(problem)
        rows = net.init(Lanes((rng.child("network"),)), last_gain=0.1, dtype=problem.dtype).to(problem.device)
        if not isinstance(problem.space, Parameters):  # the last biases say the start
            unit = ((center - low.to(center)) / (high - low).clamp_min(1e-300).to(center)).clamp(1e-3, 1 - 1e-3)
            squashed = (unit + STRETCH) / (1 + 2 * STRETCH)
            rows[0, -problem.space.dim :] = torch.log(squashed / (1 - squashed))
        return ParetoSetState(
            rng=rng,
            rows=rows,
            adam=AdamState.zeros(rows),
            center=center,
            losses=rows.new_zeros(0, problem.n_objectives),
            preferences=rows_of(given, problem.n_objectives).to(problem.device),
            measured=center.new_zeros(0, problem.space.dim),
            values=center.new_zeros(0, problem.n_objectives),
        )

    def step(self, problem: Problem, state: ParetoSetState) -> ParetoSetState:
        """Return the state after one batch of preferences, and a measurement when due.

        Raises:
            InputError: In the first step, if an objective does not depend on the variables, or no preference has finite
                losses and gradients.
        """
        rng = state.rng.child("step", state.steps)
        m = problem.n_objectives
        drawn = dirichlet_weights(m, self.batch_size, rng.child("preferences"))
        preference = (MARGIN + (1 - m * MARGIN) * drawn).to(problem.device)
        rows = state.rows.requires_grad_()
        with torch.enable_grad():
            raw = self._outputs(problem, rows, preference)
        x, clipped = self._decisions(problem, raw.detach(), state.center)
        if state.steps == 0:
            influenced(problem, x, rng)
        scale = scale_of(problem) if self.normalized else None
        losses, slope = descent(problem, x, self.rule, preference=preference, scale=scale, rng=rng)
        moves = torch.isfinite(slope).all(1, keepdim=True) & torch.isfinite(losses).all(1, keepdim=True)
        if state.steps == 0 and not bool(moves.any()):
            check.fail("losses", "be finite for some preference", losses[0].tolist(), "or their gradients are not")
        outward = ((clipped < 0) & (slope > 0)) | ((clipped > 0) & (slope < 0))
        slope = torch.where(moves & ~outward, slope, 0.0)
        (gradient,) = torch.autograd.grad(raw, rows, slope / self.batch_size)
        rate = self.learning_rate * (1 + math.cos(math.pi * min(state.steps / self.steps, 1.0))) / 2
        state.rows = rows.detach()
        Adam().step(state.rows, gradient, state.adam, rate)
        state.losses = losses
        state.steps += 1
        passes = 1 if "gramian" not in self.rule.reads else m
        state.work += self.batch_size * problem.loss_work * (1 + 2 * passes)
        if self._due(state):
            self._measure(problem, state)
        return state

    def closed(self, problem: Problem, state: ParetoSetState) -> ParetoSetState:
        """Return the state with the network's decisions measured as they are now."""
        if self._due(state):
            return state
        state = dataclasses.replace(state)
        self._measure(problem, state)
        return state

    def _due(self, state: ParetoSetState) -> bool:
        """Tell whether the network's decisions are measured after this update."""
        return state.steps == 1 or state.steps % self.evaluate_every == 0 or state.steps == self.steps

    def _measure(self, problem: Problem, state: ParetoSetState) -> None:
        state.measured = self.decisions(problem, state, state.preferences)
        found = problem.evaluate(state.measured, state.rng.child("step", state.steps - 1).child("evaluate"))
        state.values = found.values
        state.evaluations += len(state.measured)
        state.work += found.total_work

    def decisions(self, problem: Problem, state: ParetoSetState, preferences: Tensor) -> Tensor:
        """Return the network's decisions `[n, d]` for preferences `[n, m]`."""
        with torch.no_grad():
            raw = self._outputs(problem, state.rows.detach(), preferences.to(problem.device))
            return problem.space.project(self._decisions(problem, raw, state.center)[0])

    def _outputs(self, problem: Problem, rows: Tensor, preferences: Tensor) -> Tensor:
        """Return what the network says `[n, d]`: shares of the ranges, or differences of parameters."""
        found = self.network(problem)(rows, (2 * preferences - 1).to(rows).unsqueeze(0))[0]
        if isinstance(problem.space, Parameters):
            return found
        return (1 + 2 * STRETCH) * torch.sigmoid(found) - STRETCH

    def _decisions(self, problem: Problem, raw: Tensor, center: Tensor) -> tuple[Tensor, Tensor]:
        """Return decisions `[n, d]`, and on which side of the bounds (-1, 0, 1) outputs were clipped."""
        low, high = problem.space.lower.to(raw), problem.space.upper.to(raw)
        x = (
            center + in_units(raw, widths(problem))
            if isinstance(problem.space, Parameters)
            else low + raw * (high - low)
        )
        return torch.minimum(torch.maximum(x, low), high), (x > high).int() - (x < low).int()

    def answer(self, problem: Problem, state: ParetoSetState, preference: Tensor, *, n: int, rng: Rng) -> Tensor:
        """Return n decisions `[n, d]`: for the preference itself, then for others near it.

        Those are (1 - `spread`) p + `spread` u with u uniform on the simplex.
        """
        w = preference.to("cpu", torch.float64).unsqueeze(0)
        others = dirichlet_weights(w.shape[1], max(n - 1, 0), rng)
        near = torch.cat([w, (1 - self.spread) * w + self.spread * others])[:n]
        return self.decisions(problem, state, near)

    def front(self, problem: Problem, state: ParetoSetState) -> Front:
        """Return the measured preferences' decisions, without the dominated ones."""
        info = {"preference": state.preferences.to(torch.float64)} if len(state.measured) else {}
        return Front.of(problem, state.measured, Evaluation(state.values), info=info)

    def cost(self, state: ParetoSetState) -> Cost:
        """Return measurements, updates, and everything in the problem's unit."""
        return Cost(evaluations=state.evaluations, gradient_steps=state.steps, work=state.work)

    def done(self, state: ParetoSetState) -> bool:
        """Tell whether all updates were made."""
        return state.steps >= self.steps

    def report(self, problem: Problem, state: ParetoSetState) -> dict[str, float]:
        """Return the mean loss of the batch's finite rows."""
        fine = torch.isfinite(state.losses).all(1)
        return {"loss": float(state.losses[fine].mean()) if bool(fine.any()) else math.nan}

    def config(self) -> dict[str, Any]:
        """Return the hyper-parameters by name, JSON-able."""
        rows = self.preferences
        given = [list(row) for row in rows] if isinstance(rows, tuple) else rows
        return {**super().config(), "aggregator": described(self.rule), "preferences": given, "hidden": [*self.hidden]}
